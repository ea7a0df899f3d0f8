import {
  CommandError,
  ResponseCode,
  consumerGroupRequest,
  decodeSubscriptionGroup,
  decodeSubscriptionGroupList,
  encodeConsumerConnection,
  encodeGroupForbidden,
  encodeProducerConnection,
  encodeProducerTable,
  encodeQuerySubscriptionBody,
  encodeSubscriptionGroup,
  encodeSubscriptionGroupWrapper,
  encodeTopicList,
  deleteSubscriptionGroupRequest,
  groupNameFault,
  groupRequest,
  producerGroupRequest,
  querySubscriptionByConsumerRequest,
  updateGroupForbiddenRequest,
  type Connection,
  type Handler,
  type ProducerInfo,
  type SubscriptionGroupConfig,
} from '@cometmq/remoting'
import type { ClientChannel } from '../registry/types.ts'
import type { Broker } from './context.ts'
import { shown } from './fields.ts'
import { SUCCESS, bodyReply } from './replies.ts'

type Names =
  | 'put'
  | 'putList'
  | 'all'
  | 'one'
  | 'remove'
  | 'forbidden'
  | 'consumers'
  | 'producers'
  | 'allProducers'
  | 'topicsOf'
  | 'subscription'

/** Consumer groups and who is connected (spec remoting, 3.8; Java: AdminBrokerProcessor). */
export function groupHandlers(broker: Broker): Record<Names, Handler> {
  const { groups, offsets, clients } = broker

  /** 200 UPDATE_AND_CREATE_SUBSCRIPTIONGROUP. */
  const put: Handler = async request => {
    groups.put(checked(decodeSubscriptionGroup(request.body)))
    await groups.saved()
    return SUCCESS
  }

  /** 225 UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST: all are checked before the first is taken. */
  const putList: Handler = async request => {
    for (const config of decodeSubscriptionGroupList(request.body).map(checked)) groups.put(config)
    await groups.saved()
    return SUCCESS
  }

  /** 201 GET_ALL_SUBSCRIPTIONGROUP_CONFIG: always all, without the paging fields. */
  const all: Handler = () => {
    const table = Object.fromEntries([...groups.all()].map(each => [each.groupName, each]))
    return bodyReply(
      encodeSubscriptionGroupWrapper({
        dataVersion: groups.dataVersion,
        forbiddenTable: groups.forbiddenTable(),
        subscriptionGroupTable: table,
      }),
    )
  }

  /** 352 GET_SUBSCRIPTIONGROUP_CONFIG. */
  const one: Handler = request => {
    const { group } = groupRequest.decode(request.ext)
    const found = groups.find(group)
    if (found !== undefined) return bodyReply(encodeSubscriptionGroup(found))
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
    return bodyReply(encodeGroupForbidden({ group, readable: !groups.isForbidden(group, topic), topic }))
  }

  /** 203 GET_CONSUMER_CONNECTION_LIST. */
  const consumers: Handler = request => {
    const { consumerGroup } = consumerGroupRequest.decode(request.ext)
    const info = clients.consumers(consumerGroup)
    if (info === undefined) {
      return { code: ResponseCode.CONSUMER_NOT_ONLINE, remark: `the consumer group[${shown(consumerGroup)}] not online` }
    }
    return bodyReply(
      encodeConsumerConnection({
        connectionSet: info.channels.map(connection),
        consumeFromWhere: info.consumeFromWhere,
        consumeType: info.consumeType,
        messageModel: info.messageModel,
        subscriptionTable: Object.fromEntries(info.subscriptions),
      }),
    )
  }

  /** 204 GET_PRODUCER_CONNECTION_LIST. */
  const producers: Handler = request => {
    const { producerGroup } = producerGroupRequest.decode(request.ext)
    const channels = clients.producers(producerGroup)
    if (channels.length > 0) return bodyReply(encodeProducerConnection(channels.map(connection)))
    return { code: ResponseCode.SYSTEM_ERROR, remark: `the producer group[${shown(producerGroup)}] not exist` }
  }

  /** 328 GET_ALL_PRODUCER_INFO. */
  const allProducers: Handler = () => {
    const data: Record<string, ProducerInfo[]> = {}
    for (const group of clients.producerGroups()) {
      data[group] = clients.producers(group).map(channel => ({
        clientId: channel.clientId,
        language: channel.language,
        lastUpdateTimestamp: channel.lastUpdate,
        remoteIP: `/${channel.peer.remoteAddress}`,
        version: channel.version,
      }))
    }
    return bodyReply(encodeProducerTable(data))
  }

  /** 343 QUERY_TOPICS_BY_CONSUMER. */
  const topicsOf: Handler = request =>
    bodyReply(
      encodeTopicList({ brokerAddr: broker.address, topicList: offsets.topicsOf(groupRequest.decode(request.ext).group) }),
    )

  /** 345 QUERY_SUBSCRIPTION_BY_CONSUMER. */
  const subscription: Handler = request => {
    const { group, topic } = querySubscriptionByConsumerRequest.decode(request.ext)
    const subscriptionData = topic === undefined ? undefined : clients.consumers(group)?.subscriptions.get(topic)
    return bodyReply(encodeQuerySubscriptionBody({ group, subscriptionData, topic }))
  }

  return { put, putList, all, one, remove, forbidden, consumers, producers, allProducers, topicsOf, subscription }
}

const connection = (channel: ClientChannel): Connection => ({
  clientAddr: channel.peer.remoteAddress,
  clientId: channel.clientId,
  language: channel.language,
  version: channel.version,
})

function checked(config: SubscriptionGroupConfig): SubscriptionGroupConfig {
  const problem = groupNameFault(config.groupName)
  if (problem !== null) throw new CommandError(ResponseCode.INVALID_PARAMETER, problem)
  return config
}
