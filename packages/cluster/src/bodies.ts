import {
  type ClusterInfo,
  type MessageQueue,
  parseJson,
  type SubscriptionGroupConfig,
  type TopicConfig,
  type TopicRouteData,
} from '@cometmq/remoting'
import { type GroupMember, type GroupQueue, type QueueStats } from './admin/types.ts'
import { ClusterError } from './errors.ts'

/**
 * Bodies of name servers and brokers (spec remoting, sections 3 and 8), read tolerantly: what is missing is empty, what
 * is unknown is ignored, what has the wrong type counts as missing.
 */

type Shape = Record<string, unknown>

function shapeOf(body: Buffer | null, title: string): Shape {
  if (body === null) return {}
  let value: unknown
  try {
    value = parseJson(body.toString('utf8'))
  } catch (cause) {
    throw new ClusterError('E_PROTOCOL', `${title} cannot be read`, { why: (cause as Error).message, outcome: 'unknown', cause })
  }
  return asShape(value)
}

const asShape = (value: unknown): Shape => (typeof value === 'object' && value !== null ? (value as Shape) : {})
const asList = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])
const asText = (value: unknown): string => (typeof value === 'string' ? value : '')
const asNumber = (value: unknown, fallback = 0): number => {
  if (typeof value === 'number' || typeof value === 'bigint') return Number(value)
  return typeof value === 'string' && value !== '' && Number.isFinite(Number(value)) ? Number(value) : fallback
}
const texts = (value: unknown): string[] => asList(value).filter(item => typeof item === 'string')
const textTable = (value: unknown): Record<string, string> =>
  Object.fromEntries(Object.entries(asShape(value)).map(([key, item]) => [key, typeof item === 'string' ? item : String(item)]))

function brokerData(value: unknown) {
  const data = asShape(value)
  return {
    cluster: asText(data['cluster']),
    brokerName: asText(data['brokerName']),
    brokerAddrs: textTable(data['brokerAddrs']),
    enableActingMaster: data['enableActingMaster'] === true,
  }
}

export function parseRoute(body: Buffer | null): TopicRouteData {
  const route = shapeOf(body, 'the route')
  const order = asText(route['orderTopicConf'])
  return {
    brokerDatas: asList(route['brokerDatas']).map(brokerData),
    queueDatas: asList(route['queueDatas']).map(item => {
      const data = asShape(item)
      return {
        brokerName: asText(data['brokerName']),
        readQueueNums: asNumber(data['readQueueNums']),
        writeQueueNums: asNumber(data['writeQueueNums']),
        perm: asNumber(data['perm']),
        topicSysFlag: asNumber(data['topicSysFlag']),
      }
    }),
    ...(order ? { orderTopicConf: order } : {}),
  }
}

export function parseClusterInfo(body: Buffer | null): ClusterInfo {
  const info = shapeOf(body, 'the list of brokers')
  const brokers = Object.entries(asShape(info['brokerAddrTable']))
  const clusters = Object.entries(asShape(info['clusterAddrTable']))
  return {
    brokerAddrTable: Object.fromEntries(brokers.map(([name, data]) => [name, { ...brokerData(data), brokerName: name }])),
    clusterAddrTable: Object.fromEntries(clusters.map(([name, list]) => [name, texts(list)])),
  }
}

export const parseKvTable = (body: Buffer | null): Record<string, string> =>
  textTable(shapeOf(body, 'the state of the broker')['table'])
export const parseTopicList = (body: Buffer | null): string[] => texts(shapeOf(body, 'the list of topics')['topicList'])
export const parseGroupList = (body: Buffer | null): string[] => texts(shapeOf(body, 'the list of groups')['groupList'])

export const parseTopicConfig = (body: Buffer | null): TopicConfig => {
  const config = shapeOf(body, 'the settings of the topic')
  return {
    topicName: asText(config['topicName']),
    readQueueNums: asNumber(config['readQueueNums'], 16),
    writeQueueNums: asNumber(config['writeQueueNums'], 16),
    perm: asNumber(config['perm'], 6),
    topicFilterType: config['topicFilterType'] === 'MULTI_TAG' ? 'MULTI_TAG' : 'SINGLE_TAG',
    topicSysFlag: asNumber(config['topicSysFlag']),
    order: config['order'] === true,
    attributes: textTable(config['attributes']),
  }
}

export const parseGroupTable = (body: Buffer | null): Record<string, SubscriptionGroupConfig> =>
  asShape(shapeOf(body, 'the list of groups')['subscriptionGroupTable']) as Record<string, SubscriptionGroupConfig>

export function parseTopicStats(body: Buffer | null): QueueStats[] {
  return queueEntries(shapeOf(body, 'the state of the topic')['offsetTable']).map(([queue, item]) => ({
    brokerName: queue.brokerName,
    queueId: queue.queueId,
    minOffset: asNumber(item['minOffset']),
    maxOffset: asNumber(item['maxOffset']),
    lastUpdate: asNumber(item['lastUpdateTimestamp']),
  }))
}

export function parseConsumeStats(body: Buffer | null): { queues: GroupQueue[]; consumeTps: number } {
  const stats = shapeOf(body, 'the progress of the group')
  const queues = queueEntries(stats['offsetTable']).map(([queue, item]) => {
    const brokerOffset = asNumber(item['brokerOffset'])
    const consumerOffset = asNumber(item['consumerOffset'], -1)
    const pullOffset = asNumber(item['pullOffset'], consumerOffset)
    return {
      ...queue,
      brokerOffset,
      consumerOffset,
      lag: Math.max(0, brokerOffset - Math.max(0, consumerOffset)),
      inFlight: Math.max(0, pullOffset - consumerOffset),
      lastConsumed: asNumber(item['lastTimestamp']),
    }
  })
  return { queues, consumeTps: asNumber(stats['consumeTps']) }
}

export interface ConsumerConnection {
  consumeType: string
  messageModel: string
  consumeFromWhere: string
  members: GroupMember[]
  subscriptions: Record<string, { expression: string; type: string }>
}

export function parseConsumerConnection(body: Buffer | null): ConsumerConnection {
  const connection = shapeOf(body, 'the members of the group')
  const subscriptions = Object.entries(asShape(connection['subscriptionTable'])).map(([topic, item]) => {
    const data = asShape(item)
    return [topic, { expression: asText(data['subString']), type: asText(data['expressionType']) || 'TAG' }] as const
  })
  return {
    consumeType: asText(connection['consumeType']),
    messageModel: asText(connection['messageModel']),
    consumeFromWhere: asText(connection['consumeFromWhere']),
    subscriptions: Object.fromEntries(subscriptions),
    members: asList(connection['connectionSet']).map(item => {
      const member = asShape(item)
      return {
        clientId: asText(member['clientId']),
        address: asText(member['clientAddr']),
        language: asText(member['language']),
        version: asNumber(member['version']),
      }
    }),
  }
}

/** A table whose keys are queues (spec remoting, section 4). */
function queueEntries(table: unknown): [MessageQueue, Shape][] {
  return Object.entries(asShape(table)).map(([key, item]) => [queueOfKey(key), asShape(item)])
}

function queueOfKey(key: string): MessageQueue {
  const queue = asShape(parseJson(key))
  return { topic: asText(queue['topic']), brokerName: asText(queue['brokerName']), queueId: asNumber(queue['queueId']) }
}
