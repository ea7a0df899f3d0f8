import { RequestCode as Code, type Handler, type HandlerTable } from '@cometmq/remoting'
import { assignmentHandlers, type AssignmentParts } from './handlers/assignment.ts'
import { brokerAdminHandlers } from './handlers/broker-admin.ts'
import { clientHandlers } from './handlers/clients.ts'
import { consumeStatsHandlers } from './handlers/consume-stats.ts'
import type { Broker } from './handlers/context.ts'
import { groupHandlers } from './handlers/groups.ts'
import { lockHandlers } from './handlers/locks.ts'
import { offsetAdminHandlers } from './handlers/offset-admin.ts'
import { offsetHandlers } from './handlers/offsets.ts'
import { popAckHandlers } from './handlers/pop-ack.ts'
import type { PopHandlers } from './handlers/pop.ts'
import { queryHandlers } from './handlers/query.ts'
import { relayHandlers } from './handlers/relay.ts'
import { sendBackHandler } from './handlers/send-back.ts'
import { sendHandlers } from './handlers/send.ts'
import { topicHandlers } from './handlers/topics.ts'

/** Everything the broker answers. What is not listed gets code 3 (spec remoting, 1.4). */
export function requestTable(
  broker: Broker,
  parts: { pull: Handler; pops: PopHandlers; assignment: AssignmentParts },
): HandlerTable {
  const { pull, pops } = parts
  const assignment = assignmentHandlers(broker, parts.assignment)
  const send = sendHandlers(broker)
  const offsets = offsetHandlers(broker)
  const offsetAdmin = offsetAdminHandlers(broker)
  const clients = clientHandlers(broker)
  const locks = lockHandlers(broker)
  const popAck = popAckHandlers(broker)
  const query = queryHandlers(broker)
  const topics = topicHandlers(broker)
  const groups = groupHandlers(broker)
  const consumeStats = consumeStatsHandlers(broker)
  const relay = relayHandlers(broker)
  const admin = brokerAdminHandlers(broker)
  return new Map<number, Handler>([
    // Producing
    [Code.SEND_MESSAGE, send.send],
    [Code.SEND_MESSAGE_V2, send.sendV2],
    [Code.SEND_BATCH_MESSAGE, send.sendBatch],
    [Code.CONSUMER_SEND_MSG_BACK, sendBackHandler(broker)],

    // Consuming
    [Code.PULL_MESSAGE, pull],
    [Code.LITE_PULL_MESSAGE, pull],
    [Code.QUERY_CONSUMER_OFFSET, offsets.query],
    [Code.UPDATE_CONSUMER_OFFSET, offsets.update],
    [Code.SEARCH_OFFSET_BY_TIMESTAMP, offsets.byTime],
    [Code.GET_MAX_OFFSET, offsets.max],
    [Code.GET_MIN_OFFSET, offsets.min],
    [Code.GET_EARLIEST_MSG_STORETIME, offsets.earliestTime],
    [Code.LOCK_BATCH_MQ, locks.lock],
    [Code.UNLOCK_BATCH_MQ, locks.unlock],

    // Group consumption
    [Code.POP_MESSAGE, pops.pop],
    [Code.PEEK_MESSAGE, pops.peek],
    [Code.NOTIFICATION, pops.notification],
    [Code.POLLING_INFO, pops.pollingInfo],
    [Code.ACK_MESSAGE, popAck.ack],
    [Code.BATCH_ACK_MESSAGE, popAck.batchAck],
    [Code.CHANGE_MESSAGE_INVISIBLETIME, popAck.changeTime],
    [Code.QUERY_ASSIGNMENT, assignment.query],
    [Code.SET_MESSAGE_REQUEST_MODE, assignment.setMode],
    [Code.GET_ALL_MESSAGE_REQUEST_MODE, assignment.allModes],

    // Connected clients
    [Code.HEART_BEAT, clients.heartbeat],
    [Code.UNREGISTER_CLIENT, clients.unregister],
    [Code.GET_CONSUMER_LIST_BY_GROUP, clients.consumerList],
    [Code.CHECK_CLIENT_CONFIG, clients.checkConfig],
    [Code.GET_CONSUMER_CONNECTION_LIST, groups.consumers],
    [Code.GET_PRODUCER_CONNECTION_LIST, groups.producers],
    [Code.GET_ALL_PRODUCER_INFO, groups.allProducers],
    [Code.GET_CONSUMER_RUNNING_INFO, relay.runningInfo],
    [Code.CONSUME_MESSAGE_DIRECTLY, relay.consumeDirectly],

    // Looking messages up
    [Code.QUERY_MESSAGE, query.byKey],
    [Code.VIEW_MESSAGE_BY_ID, query.byId],
    [Code.QUERY_CONSUME_QUEUE, query.queueRows],

    // Topics
    [Code.UPDATE_AND_CREATE_TOPIC, topics.put],
    [Code.UPDATE_AND_CREATE_TOPIC_LIST, topics.putList],
    [Code.DELETE_TOPIC_IN_BROKER, topics.remove],
    [Code.GET_TOPIC_CONFIG, topics.one],
    [Code.GET_ALL_TOPIC_CONFIG, topics.all],
    [Code.GET_SYSTEM_TOPIC_LIST_FROM_BROKER, topics.system],
    [Code.GET_TOPIC_STATS_INFO, topics.stats],
    [Code.QUERY_TOPIC_CONSUME_BY_WHO, topics.consumedBy],

    // Consumer groups
    [Code.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, groups.put],
    [Code.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST, groups.putList],
    [Code.DELETE_SUBSCRIPTIONGROUP, groups.remove],
    [Code.GET_SUBSCRIPTIONGROUP_CONFIG, groups.one],
    [Code.GET_ALL_SUBSCRIPTIONGROUP_CONFIG, groups.all],
    [Code.UPDATE_AND_GET_GROUP_FORBIDDEN, groups.forbidden],
    [Code.QUERY_TOPICS_BY_CONSUMER, groups.topicsOf],
    [Code.QUERY_SUBSCRIPTION_BY_CONSUMER, groups.subscription],
    [Code.GET_CONSUME_STATS, consumeStats.ofGroup],
    [Code.GET_BROKER_CONSUME_STATS, consumeStats.ofBroker],
    [Code.QUERY_CONSUME_TIME_SPAN, consumeStats.timeSpan],
    [Code.INVOKE_BROKER_TO_RESET_OFFSET, offsetAdmin.reset],
    [Code.CLONE_GROUP_OFFSET, offsetAdmin.clone],

    // The broker itself
    [Code.GET_BROKER_RUNTIME_INFO, admin.runtimeInfo],
    [Code.GET_BROKER_CONFIG, admin.getConfig],
    [Code.UPDATE_BROKER_CONFIG, admin.updateConfig],
    [Code.VIEW_BROKER_STATS_DATA, admin.viewStats],
    [Code.CLEAN_EXPIRED_CONSUMEQUEUE, admin.cleanQueues],
    [Code.CLEAN_UNUSED_TOPIC, admin.cleanUnusedTopics],
    [Code.DELETE_EXPIRED_COMMITLOG, admin.deleteExpiredLog],
    [Code.GET_BROKER_HA_STATUS, admin.haStatus],
    [Code.GET_COLD_DATA_FLOW_CTR_INFO, admin.coldData],

    // State for replicas
    [Code.GET_ALL_CONSUMER_OFFSET, offsetAdmin.all],
    [Code.GET_ALL_DELAY_OFFSET, offsetAdmin.delayOffsets],
  ])
}
