import { asArray, asBigInt, asBoolean, asNumber, asOptionalString, asRecord, bodyObject } from '../json/read.ts'
import { encodeJson } from '../json/stringify.ts'
import { readSubscriptionData } from './heartbeat.ts'
import type { SubscriptionData } from './types.ts'

/** Answer of 321 (spec: remoting, section 3.8; Java: QueryConsumeQueueResponseBody, ConsumeQueueData). */

export interface ConsumeQueueData {
  physicOffset: number
  physicSize: number
  /** int64: a tag hash, or a time in ms. */
  tagsCode: bigint
  msg?: string | undefined
  extendDataJson?: string | undefined
  bitMap?: string | undefined
  eval: boolean
}

export interface QueryConsumeQueueBody {
  subscriptionData?: SubscriptionData | undefined
  filterData?: string | undefined
  queueData: ConsumeQueueData[]
  minQueueIndex: number
  maxQueueIndex: number
}

export function decodeQueryConsumeQueueBody(body: Uint8Array | null): QueryConsumeQueueBody {
  const value = bodyObject(body, 'queryConsumeQueue')
  const subscription = value['subscriptionData'] ?? null
  return {
    subscriptionData: subscription === null ? undefined : readSubscriptionData(subscription),
    filterData: asOptionalString(value['filterData'], 'filterData'),
    queueData: asArray(value['queueData'], 'queueData').map((item, index) => readRow(asRecord(item, `queueData[${index}]`))),
    minQueueIndex: asNumber(value['minQueueIndex'], 'minQueueIndex'),
    maxQueueIndex: asNumber(value['maxQueueIndex'], 'maxQueueIndex'),
  }
}

const readRow = (row: ReturnType<typeof asRecord>): ConsumeQueueData => ({
  physicOffset: asNumber(row['physicOffset'], 'physicOffset'),
  physicSize: asNumber(row['physicSize'], 'physicSize'),
  tagsCode: asBigInt(row['tagsCode'], 'tagsCode'),
  msg: asOptionalString(row['msg'], 'msg'),
  extendDataJson: asOptionalString(row['extendDataJson'], 'extendDataJson'),
  bitMap: asOptionalString(row['bitMap'], 'bitMap'),
  eval: asBoolean(row['eval'], 'eval'),
})

export const encodeQueryConsumeQueueBody = (body: QueryConsumeQueueBody): Buffer => encodeJson(body)
