import {
  CommandError,
  ResponseCode,
  consumerGroupRequest,
  decodeCheckClientBody,
  decodeHeartbeat,
  encodeConsumerIdList,
  heartbeatResponse,
  retryTopic,
  unregisterClientRequest,
  type Handler,
  type Reply,
} from '@cometmq/remoting'
import type { Broker } from './context.ts'
import { shown } from './fields.ts'
import { SUCCESS, bodyReply } from './replies.ts'

const READ_AND_WRITE = 6
const UNIT_SUBSCRIBER = 2

/** Membership of clients: 34, 35, 38, 46 (spec remoting, 3.3.2 to 3.3.4; Java: ClientManageProcessor). */
export function clientHandlers(broker: Broker): Record<'heartbeat' | 'unregister' | 'consumerList' | 'checkConfig', Handler> {
  const { clients, groups, topics } = broker

  /** 34 HEART_BEAT: also makes the retry topic of each consumer group, known at the name servers before the answer. */
  const heartbeat: Handler = (request, peer): Reply | Promise<Reply> => {
    const data = decodeHeartbeat(request.body)
    let created = false
    for (const { groupName, unitMode } of data.consumerDataSet) {
      const group = groups.find(groupName)
      if (group === undefined || group.retryQueueNums <= 0 || topics.get(retryTopic(groupName)) !== undefined) continue
      topics.ensure(retryTopic(groupName), group.retryQueueNums, READ_AND_WRITE, unitMode ? UNIT_SUBSCRIBER : 0)
      created = true
    }
    const { subscriptionChanged } = clients.heartbeat(data, peer, { language: request.language, version: request.version })
    const reply: Reply = {
      code: ResponseCode.SUCCESS,
      ext: heartbeatResponse.encode({ isSupportHeartBeatV2: true, isSubChange: subscriptionChanged }),
    }
    return created ? broker.announceTopics().then(() => reply) : reply
  }

  /** 35 UNREGISTER_CLIENT. */
  const unregister: Handler = (request, peer) => {
    const { clientID, producerGroup, consumerGroup } = unregisterClientRequest.decode(request.ext)
    clients.unregister(clientID, peer, {
      ...(producerGroup === undefined ? {} : { producerGroup }),
      ...(consumerGroup === undefined ? {} : { consumerGroup }),
    })
    return { code: ResponseCode.SUCCESS, ext: {} }
  }

  /** 38 GET_CONSUMER_LIST_BY_GROUP. */
  const consumerList: Handler = request => {
    const { consumerGroup } = consumerGroupRequest.decode(request.ext)
    const ids = clients.consumers(consumerGroup)?.channels.map(channel => channel.clientId) ?? []
    if (ids.length > 0) return bodyReply(encodeConsumerIdList(ids))
    return { code: ResponseCode.SYSTEM_ERROR, remark: `no consumer for this group, ${shown(consumerGroup)}` }
  }

  /** 46 CHECK_CLIENT_CONFIG: asked before a subscription that is no tag expression. */
  const checkConfig: Handler = request => {
    if (decodeCheckClientBody(request.body).subscriptionData.expressionType === 'TAG') return SUCCESS
    throw new CommandError(ResponseCode.SYSTEM_ERROR, 'The broker does not support consumer to filter message by SQL92')
  }

  return { heartbeat, unregister, consumerList, checkConfig }
}
