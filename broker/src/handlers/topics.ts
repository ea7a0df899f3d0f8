import {
  CommandError,
  decodeTopicConfigList,
  encodeGroupList,
  encodeTopicConfig,
  encodeTopicConfigWrapper,
  encodeTopicList,
  encodeTopicStatsTable,
  ResponseCode,
  createTopicRequest,
  popRetryTopic,
  retryTopic,
  topicNameFault,
  getTopicConfigRequest,
  topicRequest,
  type Command,
  type Handler,
  type MessageQueue,
  type TopicConfig,
  type TopicOffset,
} from '@cometmq/remoting'
import type { Broker } from './context.ts'
import { shown } from './fields.ts'
import { SUCCESS, bodyReply } from './replies.ts'
import { alterAttributes } from './topic-attributes.ts'

/** Queues of one topic; each costs a file of the consume queue once it is used. */
const MAX_QUEUES_PER_TOPIC = 65_536

type Names = 'put' | 'putList' | 'remove' | 'one' | 'all' | 'system' | 'stats' | 'consumedBy'

/** Topics (spec remoting, 3.8; Java: AdminBrokerProcessor). */
export function topicHandlers(broker: Broker): Record<Names, Handler> {
  const { topics, store, offsets, clients, config, stats } = broker

  const known = (name: string): TopicConfig => {
    const found = topics.get(name)
    if (found === undefined) throw new CommandError(ResponseCode.TOPIC_NOT_EXIST, `topic[${shown(name)}] not exist`)
    return found
  }

  /** 17 UPDATE_AND_CREATE_TOPIC. */
  const put: Handler = async request => {
    topics.put(checkTopic(broker, topicOf(broker, request)))
    await topics.saved()
    await broker.announceTopics()
    return SUCCESS
  }

  /** 18 UPDATE_AND_CREATE_TOPIC_LIST: all are checked before the first is taken. */
  const putList: Handler = async request => {
    const configs = decodeTopicConfigList(request.body).map(each => checkTopic(broker, each))
    for (const each of configs) topics.put(each)
    await topics.saved()
    await broker.announceTopics()
    return SUCCESS
  }

  /** 215 DELETE_TOPIC_IN_BROKER: with its messages, offsets and POP retry topics. */
  const remove: Handler = async request => {
    const name = topicRequest.decode(request.ext).topic
    refuseBadName(broker, name)
    const popRetryTopics = offsets.groupsOf(name).flatMap(group => popRetryTopicsOf(broker, group, name))
    for (const each of [name, ...popRetryTopics]) {
      topics.remove(each)
      offsets.removeTopic(each)
      await store.deleteTopic(each)
    }
    await topics.saved()
    return SUCCESS
  }

  /** 351 GET_TOPIC_CONFIG. */
  const one: Handler = request => bodyReply(encodeTopicConfig(known(getTopicConfigRequest.decode(request.ext).topic)))

  /** 21 GET_ALL_TOPIC_CONFIG: always all, without the paging fields. */
  const all: Handler = () => {
    const table = Object.fromEntries([...topics.all()].map(each => [each.topicName, each]))
    return bodyReply(encodeTopicConfigWrapper({ dataVersion: topics.dataVersion, topicConfigTable: table }))
  }

  /** 305 GET_SYSTEM_TOPIC_LIST_FROM_BROKER. */
  const system: Handler = () => {
    const names = [...topics.all()].map(each => each.topicName).filter(name => topics.isSystem(name))
    return bodyReply(encodeTopicList({ topicList: names }))
  }

  /** 202 GET_TOPIC_STATS_INFO. */
  const topicStats: Handler = async request => {
    const { topic } = topicRequest.decode(request.ext)
    const { readQueueNums, writeQueueNums } = known(topic)
    const rows: [MessageQueue, TopicOffset][] = []
    for (let queueId = 0; queueId < Math.max(readQueueNums, writeQueueNums); queueId++) {
      const max = store.maxOffset(topic, queueId)
      const min = store.minOffset(topic, queueId)
      const last = max > min ? Math.max(0, await store.storeTimeAt(topic, queueId, max - 1)) : 0
      rows.push([
        { topic, brokerName: config.brokerName, queueId },
        { lastUpdateTimestamp: last, maxOffset: max, minOffset: min },
      ])
    }
    return bodyReply(encodeTopicStatsTable({ offsetTable: rows, topicPutTps: stats.tps('TOPIC_PUT_NUMS', topic) }))
  }

  /** 300 QUERY_TOPIC_CONSUME_BY_WHO. */
  const consumedBy: Handler = request => {
    const { topic } = topicRequest.decode(request.ext)
    return bodyReply(encodeGroupList([...new Set([...clients.groupsSubscribedTo(topic), ...offsets.groupsOf(topic)])]))
  }

  return { put, putList, remove, one, all, system, stats: topicStats, consumedBy }
}

function topicOf(broker: Broker, request: Command): TopicConfig {
  const asked = createTopicRequest.decode(request.ext)
  refuseBadName(broker, asked.topic)
  const current = broker.topics.get(asked.topic)
  const attributes = alterAttributes(current?.attributes ?? null, asked.attributes ?? '')
  if (typeof attributes === 'string') throw new CommandError(ResponseCode.SYSTEM_ERROR, attributes)
  return {
    topicName: asked.topic,
    readQueueNums: asked.readQueueNums,
    writeQueueNums: asked.writeQueueNums,
    perm: asked.perm,
    topicFilterType: asked.topicFilterType === 'MULTI_TAG' ? 'MULTI_TAG' : 'SINGLE_TAG',
    topicSysFlag: asked.topicSysFlag,
    order: asked.order,
    attributes,
  }
}

function refuseBadName(broker: Broker, name: string): void {
  const problem = topicNameFault(name)
  if (problem !== null) throw new CommandError(ResponseCode.INVALID_PARAMETER, problem)
  if (broker.topics.isSystem(name)) {
    throw new CommandError(ResponseCode.INVALID_PARAMETER, `The topic[${name}] is conflict with system topic.`)
  }
}

function checkTopic(broker: Broker, config: TopicConfig): TopicConfig {
  refuseBadName(broker, config.topicName)
  const { topicName, perm } = config
  for (const name of ['readQueueNums', 'writeQueueNums'] as const) {
    const value = config[name]
    if (!Number.isInteger(value) || value < 0 || value > MAX_QUEUES_PER_TOPIC) {
      throw new CommandError(
        ResponseCode.INVALID_PARAMETER,
        `${topicName}: ${name} is ${value}, allowed are 0 to ${MAX_QUEUES_PER_TOPIC}`,
      )
    }
  }
  if (!Number.isInteger(perm) || perm < 0 || perm > 7) {
    throw new CommandError(
      ResponseCode.INVALID_PARAMETER,
      `${topicName}: perm is ${perm}, allowed are 0 to 7 (4 read, 2 write, 1 inherit)`,
    )
  }
  if (config.attributes['message.type'] === 'MIXED') {
    throw new CommandError(ResponseCode.INVALID_PARAMETER, `${topicName}: MIXED message type is not supported.`)
  }
  return config
}

/**
 * `%RETRY%<group>_<topic>` and `%RETRY%<group>+<topic>` where they exist (spec store, 10.1). The first could also be the retry
 * topic of a group whose name ends like that: such a one is kept.
 */
function popRetryTopicsOf({ topics, groups }: Broker, group: string, topic: string): string[] {
  const names = groups.get(`${group}_${topic}`) === undefined ? [popRetryTopic(group, topic)] : []
  return [...names, retryTopic(`${group}+${topic}`)].filter(name => topics.get(name) !== undefined)
}
