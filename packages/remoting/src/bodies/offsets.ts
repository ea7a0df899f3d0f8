import type { JsonValue } from '../json/parse.ts'
import {
  asMessageQueue,
  asMessageQueueEntries,
  asNumber,
  asNumberRecord,
  asRecord,
  asStrings,
  bodyObject,
  mapRecord,
} from '../json/read.ts'
import { encodeJson, messageQueueMap } from '../json/stringify.ts'
import { readDataVersion } from './data-version.ts'
import type { QueueEntries } from './stats.ts'
import type { DataVersion } from './types.ts'

/** Bodies of offsets (spec: remoting, sections 3.7 and 3.8; Java: ResetOffsetBody, GetConsumerStatusBody, ConsumerOffsetSerializeWrapper). */

const readOffset = (value: JsonValue, name: string): number => asNumber(value, name)

/** Body of 220, answer of 222. Takes the list that C++ clients get, too. */
export function decodeResetOffsetBody(body: Uint8Array | null): QueueEntries<number> {
  const table = bodyObject(body, 'resetOffsetBody')['offsetTable']
  if (Array.isArray(table) && !table.some(Array.isArray)) return decodeResetOffsetList(table)
  return asMessageQueueEntries(table, 'offsetTable', readOffset)
}
export const encodeResetOffsetBody = (offsetTable: QueueEntries<number>): Buffer =>
  encodeJson({ offsetTable: messageQueueMap(offsetTable) })

/** Body of 220 for clients of language CPP. */
export const encodeResetOffsetListBody = (offsetTable: QueueEntries<number>): Buffer =>
  encodeJson({
    offsetTable: offsetTable.map(([queue, offset]) => ({
      brokerName: queue.brokerName,
      offset,
      queueId: queue.queueId,
      topic: queue.topic,
    })),
  })

function decodeResetOffsetList(list: readonly JsonValue[]): QueueEntries<number> {
  return list.map((item, index) => {
    const name = `offsetTable[${index}]`
    return [asMessageQueue(item, name), asNumber(asRecord(item, name)['offset'], `${name}.offset`)] as const
  })
}

/** Answer of 221 and 223. */
export interface ConsumerStatus {
  messageQueueTable: QueueEntries<number>
  /** By client id; only in the answer of 223. */
  consumerTable: Record<string, QueueEntries<number>>
}
export function decodeConsumerStatus(body: Uint8Array | null): ConsumerStatus {
  const value = bodyObject(body, 'consumerStatus')
  return {
    messageQueueTable: asMessageQueueEntries(value['messageQueueTable'], 'messageQueueTable', readOffset),
    consumerTable: mapRecord(value['consumerTable'], 'consumerTable', (table, name) =>
      asMessageQueueEntries(table, name, readOffset),
    ),
  }
}
export const encodeConsumerStatus = (status: ConsumerStatus): Buffer =>
  encodeJson({
    consumerTable: Object.fromEntries(
      Object.entries(status.consumerTable).map(([clientId, table]) => [clientId, messageQueueMap(table)]),
    ),
    messageQueueTable: messageQueueMap(status.messageQueueTable),
  })

/** Answer of 43. */
export interface ConsumerOffsetWrapper {
  dataVersion: DataVersion
  /** `topic@group` → queue id → offset. */
  offsetTable: Record<string, Record<string, number>>
  /** group → topics; derived from the other table. */
  groupTopicMap: Record<string, string[]>
}
export function decodeConsumerOffsets(body: Uint8Array | null): ConsumerOffsetWrapper {
  const value = bodyObject(body, 'consumerOffsets')
  return {
    dataVersion: readDataVersion(value['dataVersion']),
    offsetTable: mapRecord(value['offsetTable'], 'offsetTable', asNumberRecord),
    groupTopicMap: mapRecord(value['groupTopicMap'], 'groupTopicMap', asStrings),
  }
}
export const encodeConsumerOffsets = (wrapper: ConsumerOffsetWrapper): Buffer => encodeJson(wrapper)

/** Answer of 45: delay level → offset. */
export interface DelayOffsetWrapper {
  dataVersion: DataVersion
  offsetTable: Record<string, number>
}
export function decodeDelayOffsets(body: Uint8Array | null): DelayOffsetWrapper {
  const value = bodyObject(body, 'delayOffsets')
  return {
    dataVersion: readDataVersion(value['dataVersion']),
    offsetTable: asNumberRecord(value['offsetTable'], 'offsetTable'),
  }
}
export const encodeDelayOffsets = (wrapper: DelayOffsetWrapper): Buffer => encodeJson(wrapper)

/** Answer of 308: queue id → offset. */
export const decodeCorrectionOffsets = (body: Uint8Array | null): Record<string, number> =>
  asNumberRecord(bodyObject(body, 'body')['correctionOffsets'], 'correctionOffsets')
export const encodeCorrectionOffsets = (correctionOffsets: Readonly<Record<string, number>>): Buffer =>
  encodeJson({ correctionOffsets })
