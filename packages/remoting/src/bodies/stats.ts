import type { JsonValue } from '../json/parse.ts'
import {
  asArray,
  asMessageQueue,
  asMessageQueueEntries,
  asNumber,
  asRecord,
  asString,
  bodyObject,
  mapRecord,
} from '../json/read.ts'
import { encodeJson, messageQueueMap } from '../json/stringify.ts'
import type { MessageQueue } from './types.ts'

/** Statistics (spec: remoting, section 3.8; Java: org.apache.rocketmq.remoting.protocol.admin and body.BrokerStatsData). */

/** A map with queues as keys. */
export type QueueEntries<T> = readonly (readonly [MessageQueue, T])[]

export interface OffsetWrapper {
  brokerOffset: number
  consumerOffset: number
  pullOffset: number
  /** Store time of the last consumed message, epoch ms; 0 when unknown. */
  lastTimestamp: number
}

/** Answer of 208. */
export interface ConsumeStats {
  offsetTable: QueueEntries<OffsetWrapper>
  consumeTps: number
}

const readOffsetWrapper = (value: JsonValue, name: string): OffsetWrapper => {
  const offsets = asRecord(value, name)
  return {
    brokerOffset: asNumber(offsets['brokerOffset'], `${name}.brokerOffset`),
    consumerOffset: asNumber(offsets['consumerOffset'], `${name}.consumerOffset`),
    pullOffset: asNumber(offsets['pullOffset'], `${name}.pullOffset`),
    lastTimestamp: asNumber(offsets['lastTimestamp'], `${name}.lastTimestamp`),
  }
}

function readConsumeStats(value: JsonValue, name: string): ConsumeStats {
  const stats = asRecord(value, name)
  return {
    offsetTable: asMessageQueueEntries(stats['offsetTable'], 'offsetTable', readOffsetWrapper),
    consumeTps: asNumber(stats['consumeTps'], 'consumeTps'),
  }
}

const consumeStatsJson = (stats: ConsumeStats): unknown => ({
  consumeTps: stats.consumeTps,
  offsetTable: messageQueueMap(stats.offsetTable),
})

export const decodeConsumeStats = (body: Uint8Array | null): ConsumeStats =>
  readConsumeStats(bodyObject(body, 'consumeStats'), 'consumeStats')
export const encodeConsumeStats = (stats: ConsumeStats): Buffer => encodeJson(consumeStatsJson(stats))

/** Answer of 317. */
export interface BrokerConsumeStats {
  brokerAddr: string
  /** One record per group. */
  consumeStatsList: Record<string, ConsumeStats[]>[]
  totalDiff: number
  totalInflightDiff: number
}
export function decodeBrokerConsumeStats(body: Uint8Array | null): BrokerConsumeStats {
  const value = bodyObject(body, 'consumeStatsList')
  return {
    brokerAddr: asString(value['brokerAddr'], 'brokerAddr'),
    consumeStatsList: asArray(value['consumeStatsList'], 'consumeStatsList').map(item =>
      mapRecord(item, 'consumeStatsList', (list, name) => asArray(list, name).map(stats => readConsumeStats(stats, name))),
    ),
    totalDiff: asNumber(value['totalDiff'], 'totalDiff'),
    totalInflightDiff: asNumber(value['totalInflightDiff'], 'totalInflightDiff'),
  }
}
export const encodeBrokerConsumeStats = (stats: BrokerConsumeStats): Buffer =>
  encodeJson({
    brokerAddr: stats.brokerAddr,
    consumeStatsList: stats.consumeStatsList.map(record =>
      Object.fromEntries(Object.entries(record).map(([group, list]) => [group, list.map(consumeStatsJson)])),
    ),
    totalDiff: stats.totalDiff,
    totalInflightDiff: stats.totalInflightDiff,
  })

export interface TopicOffset {
  minOffset: number
  maxOffset: number
  /** Store time of the last message, epoch ms; 0 when there is none. */
  lastUpdateTimestamp: number
}

/** Answer of 202. */
export interface TopicStatsTable {
  offsetTable: QueueEntries<TopicOffset>
  topicPutTps: number
}
export function decodeTopicStatsTable(body: Uint8Array | null): TopicStatsTable {
  const value = bodyObject(body, 'topicStatsTable')
  return {
    offsetTable: asMessageQueueEntries(value['offsetTable'], 'offsetTable', readTopicOffset),
    topicPutTps: asNumber(value['topicPutTps'], 'topicPutTps'),
  }
}
const readTopicOffset = (value: JsonValue, name: string): TopicOffset => {
  const offset = asRecord(value, name)
  return {
    minOffset: asNumber(offset['minOffset'], `${name}.minOffset`),
    maxOffset: asNumber(offset['maxOffset'], `${name}.maxOffset`),
    lastUpdateTimestamp: asNumber(offset['lastUpdateTimestamp'], `${name}.lastUpdateTimestamp`),
  }
}
export const encodeTopicStatsTable = (table: TopicStatsTable): Buffer =>
  encodeJson({ offsetTable: messageQueueMap(table.offsetTable), topicPutTps: table.topicPutTps })

export interface BrokerStatsItem {
  sum: number
  tps: number
  avgpt: number
}
/** Answer of 315. */
export interface BrokerStatsData {
  statsMinute: BrokerStatsItem
  statsHour: BrokerStatsItem
  statsDay: BrokerStatsItem
}
export function decodeBrokerStatsData(body: Uint8Array | null): BrokerStatsData {
  const value = bodyObject(body, 'brokerStatsData')
  return {
    statsMinute: readStatsItem(value['statsMinute'], 'statsMinute'),
    statsHour: readStatsItem(value['statsHour'], 'statsHour'),
    statsDay: readStatsItem(value['statsDay'], 'statsDay'),
  }
}
const readStatsItem = (value: JsonValue | undefined, name: string): BrokerStatsItem => {
  const item = asRecord(value, name)
  return {
    sum: asNumber(item['sum'], `${name}.sum`),
    tps: asNumber(item['tps'], `${name}.tps`),
    avgpt: asNumber(item['avgpt'], `${name}.avgpt`),
  }
}
export const encodeBrokerStatsData = (data: BrokerStatsData): Buffer => encodeJson(data)

/** Times in epoch ms, -1 when the queue is empty. */
export interface QueueTimeSpan {
  messageQueue: MessageQueue
  minTimeStamp: number
  maxTimeStamp: number
  consumeTimeStamp: number
  delayTime: number
}

/** Answer of 303. */
export function decodeConsumeTimeSpan(body: Uint8Array | null): QueueTimeSpan[] {
  return asArray(bodyObject(body, 'body')['consumeTimeSpanSet'], 'consumeTimeSpanSet').map((item, index) => {
    const name = `consumeTimeSpanSet[${index}]`
    const span = asRecord(item, name)
    return {
      messageQueue: asMessageQueue(span['messageQueue'], `${name}.messageQueue`),
      minTimeStamp: asNumber(span['minTimeStamp'], `${name}.minTimeStamp`),
      maxTimeStamp: asNumber(span['maxTimeStamp'], `${name}.maxTimeStamp`),
      consumeTimeStamp: asNumber(span['consumeTimeStamp'], `${name}.consumeTimeStamp`),
      delayTime: asNumber(span['delayTime'], `${name}.delayTime`),
    }
  })
}
export const encodeConsumeTimeSpan = (consumeTimeSpanSet: readonly QueueTimeSpan[]): Buffer => encodeJson({ consumeTimeSpanSet })
