import type { JsonValue } from '../json/parse.ts'
import {
  asBoolean,
  asEnum,
  asMessageQueueEntries,
  asNumber,
  asOptionalString,
  asRecord,
  asStringRecord,
  bodyObject,
  mapRecord,
} from '../json/read.ts'
import { encodeJson, messageQueueMap } from '../json/stringify.ts'
import { readSubscriptionSet } from './heartbeat.ts'
import type { QueueEntries } from './stats.ts'
import type { SubscriptionData } from './types.ts'

/**
 * Answers of a consumer about itself (spec: remoting, sections 3.7 and 8.9; Java: ConsumerRunningInfo,
 * ConsumeMessageDirectlyResult). Go sends other spellings, raw newlines and enum ordinals.
 */

export interface ProcessQueueInfo {
  commitOffset: number
  cachedMsgMinOffset: number
  cachedMsgMaxOffset: number
  cachedMsgCount: number
  cachedMsgSizeInMiB: number
  transactionMsgMinOffset: number
  transactionMsgMaxOffset: number
  transactionMsgCount: number
  locked: boolean
  tryUnlockTimes: number
  lastLockTimestamp: number
  /** Spelled so on the wire. */
  droped: boolean
  lastPullTimestamp: number
  lastConsumeTimestamp: number
}

export interface ConsumeStatus {
  pullRT: number
  pullTPS: number
  consumeRT: number
  consumeOKTPS: number
  consumeFailedTPS: number
  consumeFailedMsgs: number
}

/** Answer of 307. */
export interface ConsumerRunningInfo {
  properties: Record<string, string>
  subscriptionSet: SubscriptionData[]
  mqTable: QueueEntries<ProcessQueueInfo>
  /** By topic. */
  statusTable: Record<string, ConsumeStatus>
  jstack?: string | undefined
}

function readProcessQueue(value: JsonValue, name: string): ProcessQueueInfo {
  const info = asRecord(value, name)
  const count = (key: keyof ProcessQueueInfo): number => asNumber(info[key], `${name}.${key}`)
  return {
    commitOffset: count('commitOffset'),
    cachedMsgMinOffset: count('cachedMsgMinOffset'),
    cachedMsgMaxOffset: count('cachedMsgMaxOffset'),
    cachedMsgCount: count('cachedMsgCount'),
    cachedMsgSizeInMiB: count('cachedMsgSizeInMiB'),
    transactionMsgMinOffset: count('transactionMsgMinOffset'),
    transactionMsgMaxOffset: count('transactionMsgMaxOffset'),
    transactionMsgCount: count('transactionMsgCount'),
    locked: asBoolean(info['locked'], `${name}.locked`),
    tryUnlockTimes: count('tryUnlockTimes'),
    lastLockTimestamp: count('lastLockTimestamp'),
    droped: asBoolean(info['droped'] ?? info['dropped'], `${name}.droped`),
    lastPullTimestamp: count('lastPullTimestamp'),
    lastConsumeTimestamp: count('lastConsumeTimestamp'),
  }
}

function readConsumeStatus(value: JsonValue, name: string): ConsumeStatus {
  const status = asRecord(value, name)
  const rate = (key: keyof ConsumeStatus): number => asNumber(status[key], `${name}.${key}`)
  return {
    pullRT: rate('pullRT'),
    pullTPS: rate('pullTPS'),
    consumeRT: rate('consumeRT'),
    consumeOKTPS: rate('consumeOKTPS'),
    consumeFailedTPS: rate('consumeFailedTPS'),
    consumeFailedMsgs: rate('consumeFailedMsgs'),
  }
}

export function decodeConsumerRunningInfo(body: Uint8Array | null): ConsumerRunningInfo {
  const info = bodyObject(body, 'consumerRunningInfo')
  return {
    properties: asStringRecord(info['properties'], 'properties'),
    subscriptionSet: readSubscriptionSet(info['subscriptionSet'], 'subscriptionSet'),
    mqTable: asMessageQueueEntries(info['mqTable'], 'mqTable', readProcessQueue),
    statusTable: mapRecord(info['statusTable'], 'statusTable', readConsumeStatus),
    jstack: asOptionalString(info['jstack'], 'jstack'),
  }
}

export const encodeConsumerRunningInfo = (info: ConsumerRunningInfo): Buffer =>
  encodeJson({
    jstack: info.jstack,
    mqPopTable: {},
    mqTable: messageQueueMap(info.mqTable),
    properties: info.properties,
    statusTable: info.statusTable,
    subscriptionSet: info.subscriptionSet,
    userConsumerInfo: {},
  })

/** In the order of the ordinals. */
export const CONSUME_RESULTS = [
  'CR_SUCCESS',
  'CR_LATER',
  'CR_ROLLBACK',
  'CR_COMMIT',
  'CR_THROW_EXCEPTION',
  'CR_RETURN_NULL',
] as const

/** Answer of 309. */
export interface ConsumeMessageDirectlyResult {
  order: boolean
  autoCommit: boolean
  consumeResult: (typeof CONSUME_RESULTS)[number]
  remark?: string | undefined
  spentTimeMills: number
}

export function decodeConsumeMessageDirectlyResult(body: Uint8Array | null): ConsumeMessageDirectlyResult {
  const value = bodyObject(body, 'consumeMessageDirectlyResult')
  return {
    order: asBoolean(value['order'], 'order'),
    autoCommit: asBoolean(value['autoCommit'], 'autoCommit', true),
    consumeResult: asEnum(value['consumeResult'], 'consumeResult', CONSUME_RESULTS, 'CR_RETURN_NULL'),
    remark: asOptionalString(value['remark'], 'remark'),
    spentTimeMills: asNumber(value['spentTimeMills'], 'spentTimeMills'),
  }
}
export const encodeConsumeMessageDirectlyResult = (result: ConsumeMessageDirectlyResult): Buffer => encodeJson(result)
