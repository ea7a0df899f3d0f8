import {
  CommandError,
  ResponseCode,
  consumerGroupRequest,
  deleteSubscriptionGroupRequest,
  groupNameFault,
  groupRequest,
  producerGroupRequest,
  querySubscriptionByConsumerRequest,
  updateGroupForbiddenRequest,
  type Handler,
  type Reply,
  type SubscriptionGroupConfig,
} from '@cometmq/remoting'
import type { ClientChannel } from '../registry/types.ts'
import type { Broker } from './context.ts'
import { jsonBody, shown } from './fields.ts'
import { jsonReply } from './json-bodies.ts'

const SUCCESS: Reply = { code: ResponseCode.SUCCESS }

type Names = 'put' | 'putList' | 'all' | 'one' | 'remove' | 'forbidden' | 'consumers' | 'producers' | 'allProducers' | 'topicsOf' | 'subscription'

/** Consumer groups and who is connected (spec remoting, 3.8; Java: AdminBrokerProcessor). */
export function groupHandlers(broker: Broker): Record<Names, Handler> {
  const { groups, offsets, clients } = broker

  /** 200 UPDATE_AND_CREATE_SUBSCRIPTIONGROUP. */
  const put: Handler = async request => {
    groups.put(checkGroup(jsonBody(request)))
    await groups.saved()
    return SUCCESS
  }

  /** 225 UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST: all are checked before the first is taken. */
  const putList: Handler = async request => {
    const list = (jsonBody(request) as { groupConfigList?: unknown }).groupConfigList
    if (!Array.isArray(list)) throw new CommandError(ResponseCode.INVALID_PARAMETER, 'the body needs a groupConfigList')
    for (const config of list.map(checkGroup)) groups.put(config)
    await groups.saved()
    return SUCCESS
  }

  /** 201 GET_ALL_SUBSCRIPTIONGROUP_CONFIG: always all, without the paging fields. */
  const all: Handler = () => {
    const table = Object.fromEntries([...groups.all()].map(each => [each.groupName, each]))
    return jsonReply({ dataVersion: groups.dataVersion, forbiddenTable: groups.forbiddenTable(), subscriptionGroupTable: table })
  }

  /** 352 GET_SUBSCRIPTIONGROUP_CONFIG. */
  const one: Handler = request => {
    const { group } = groupRequest.decode(request.ext)
    const found = groups.find(group)
    if (found !== undefined) return jsonReply(found)
    return { code: ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, remark: `No group in this broker. group: ${shown(group)}` }
  }

  /** 207 DELETE_SUBSCRIPTIONGROUP. */
  const remove: Handler = async request => {
    const { groupName, cleanOffset } = deleteSubscriptionGroupRequest.decode(request.ext)
    groups.remove(groupName)
    if (cleanOffset) offsets.removeGroup(groupName)
    await groups.saved()
    return SUCCESS
  }

  /** 353 UPDATE_AND_GET_GROUP_FORBIDDEN. */
  const forbidden: Handler = async request => {
    const { group, topic, readable } = updateGroupForbiddenRequest.decode(request.ext)
    if (readable !== undefined) {
      groups.setForbidden(group, topic, !readable)
      await groups.saved()
    }
    return jsonReply({ group, readable: !groups.isForbidden(group, topic), topic })
  }

  /** 203 GET_CONSUMER_CONNECTION_LIST. */
  const consumers: Handler = request => {
    const { consumerGroup } = consumerGroupRequest.decode(request.ext)
    const info = clients.consumers(consumerGroup)
    if (info === undefined) {
      return { code: ResponseCode.CONSUMER_NOT_ONLINE, remark: `the consumer group[${shown(consumerGroup)}] not online` }
    }
    return jsonReply({
      connectionSet: info.channels.map(connection),
      consumeFromWhere: info.consumeFromWhere,
      consumeType: info.consumeType,
      messageModel: info.messageModel,
      subscriptionTable: Object.fromEntries(info.subscriptions),
    })
  }

  /** 204 GET_PRODUCER_CONNECTION_LIST. */
  const producers: Handler = request => {
    const { producerGroup } = producerGroupRequest.decode(request.ext)
    const channels = clients.producers(producerGroup)
    if (channels.length > 0) return jsonReply({ connectionSet: channels.map(connection) })
    return { code: ResponseCode.SYSTEM_ERROR, remark: `the producer group[${shown(producerGroup)}] not exist` }
  }

  /** 328 GET_ALL_PRODUCER_INFO. */
  const allProducers: Handler = () => {
    const data: Record<string, unknown> = {}
    for (const group of clients.producerGroups()) {
      data[group] = clients.producers(group).map(channel => ({
        clientId: channel.clientId,
        language: channel.language,
        lastUpdateTimestamp: channel.lastUpdate,
        remoteIP: `/${channel.peer.remoteAddress}`,
        version: channel.version,
      }))
    }
    return jsonReply({ data })
  }

  /** 343 QUERY_TOPICS_BY_CONSUMER. */
  const topicsOf: Handler = request =>
    jsonReply({ brokerAddr: broker.address, topicList: offsets.topicsOf(groupRequest.decode(request.ext).group) })

  /** 345 QUERY_SUBSCRIPTION_BY_CONSUMER. */
  const subscription: Handler = request => {
    const { group, topic } = querySubscriptionByConsumerRequest.decode(request.ext)
    const subscriptionData = topic === undefined ? undefined : clients.consumers(group)?.subscriptions.get(topic)
    return jsonReply({ group, subscriptionData, topic })
  }

  return { put, putList, all, one, remove, forbidden, consumers, producers, allProducers, topicsOf, subscription }
}

const connection = (channel: ClientChannel): Record<string, unknown> => ({
  clientAddr: channel.peer.remoteAddress,
  clientId: channel.clientId,
  language: channel.language,
  version: channel.version,
})

/** Fields that are absent take RocketMQ's defaults (spec remoting, 8.4). */
const DEFAULTS: Omit<SubscriptionGroupConfig, 'groupName' | 'subscriptionDataSet'> = {
  consumeEnable: true,
  consumeFromMinEnable: true,
  consumeBroadcastEnable: true,
  consumeMessageOrderly: false,
  retryQueueNums: 1,
  retryMaxTimes: 16,
  groupRetryPolicy: { type: 'CUSTOMIZED' },
  brokerId: 0,
  whichBrokerWhenConsumeSlowly: 1,
  notifyConsumerIdsChangedEnable: true,
  groupSysFlag: 0,
  consumeTimeoutMinute: 15,
  attributes: {},
}

function checkGroup(given: unknown): SubscriptionGroupConfig {
  if (typeof given !== 'object' || given === null) throw new CommandError(ResponseCode.SYSTEM_ERROR, 'a subscription group config is not an object')
  const fields = given as Record<string, unknown>
  const groupName = typeof fields['groupName'] === 'string' ? fields['groupName'] : ''
  const problem = groupNameFault(groupName)
  if (problem !== null) throw new CommandError(ResponseCode.INVALID_PARAMETER, problem)
  const config: Record<string, unknown> = { groupName }
  for (const [name, otherwise] of Object.entries(DEFAULTS)) {
    const value = fields[name] ?? otherwise
    if (typeof value !== typeof otherwise || (typeof value === 'number' && !Number.isInteger(value))) {
      throw new CommandError(ResponseCode.INVALID_PARAMETER, `group ${groupName}: ${name} is not a ${typeof otherwise}`)
    }
    config[name] = value
  }
  if (Array.isArray(fields['subscriptionDataSet'])) config['subscriptionDataSet'] = fields['subscriptionDataSet']
  return config as unknown as SubscriptionGroupConfig
}
