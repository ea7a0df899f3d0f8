import { RequestCode } from '../codes/request-codes.ts'
import { bool, header, int, long, optional, text, withDefault, type InputOf, type ValueOf } from '../header.ts'

/**
 * Headers of producing (spec: remoting, sections 3.2 and 3.6; Java: SendMessageRequestHeader, SendMessageRequestHeaderV2,
 * SendMessageResponseHeader, RecallMessageRequestHeader, ReplyMessageRequestHeader).
 */

/** 10 and 324: long names. */
export const sendMessageRequest = header({
  producerGroup: text('producerGroup'),
  topic: text('topic'),
  defaultTopic: text('defaultTopic'),
  defaultTopicQueueNums: int('defaultTopicQueueNums'),
  queueId: int('queueId'),
  sysFlag: int('sysFlag'),
  bornTimestamp: long('bornTimestamp'),
  flag: int('flag'),
  properties: withDefault(text('properties'), ''),
  reconsumeTimes: withDefault(int('reconsumeTimes'), 0),
  unitMode: withDefault(bool('unitMode'), false),
  maxReconsumeTimes: optional(int('maxReconsumeTimes')),
  batch: withDefault(bool('batch'), false),
  brokerName: optional(text('bname')),
})

/** 310, 320 and 325: the same fields under one-letter names. */
export const sendMessageRequestV2 = header({
  producerGroup: text('a'),
  topic: text('b'),
  defaultTopic: text('c'),
  defaultTopicQueueNums: int('d'),
  queueId: int('e'),
  sysFlag: int('f'),
  bornTimestamp: long('g'),
  flag: int('h'),
  properties: withDefault(text('i'), ''),
  reconsumeTimes: withDefault(int('j'), 0),
  unitMode: withDefault(bool('k'), false),
  maxReconsumeTimes: optional(int('l')),
  batch: withDefault(bool('m'), false),
  brokerName: optional(text('n')),
})

export type SendHeader = ValueOf<typeof sendMessageRequest>
export type SendHeaderInput = InputOf<typeof sendMessageRequest>

const hasLongNames = (code: number): boolean => code === RequestCode.SEND_MESSAGE || code === RequestCode.SEND_REPLY_MESSAGE

/** The send header in the form that belongs to `code` (10, 310, 320, 324, 325). */
export function decodeSendHeader(code: number, ext: Readonly<Record<string, string>> | null): SendHeader {
  return hasLongNames(code) ? sendMessageRequest.decode(ext) : sendMessageRequestV2.decode(ext)
}

export function encodeSendHeader(code: number, value: SendHeaderInput): Record<string, string> {
  return hasLongNames(code) ? sendMessageRequest.encode(value) : sendMessageRequestV2.encode(value)
}

/** Answer of all send requests; present on errors too, then perhaps only with the last two fields. */
export const sendMessageResponse = header({
  /** offsetMsgId; of a batch: comma-joined, in item order. */
  msgId: optional(text('msgId')),
  queueId: optional(int('queueId')),
  queueOffset: optional(long('queueOffset')),
  transactionId: optional(text('transactionId')),
  batchUniqId: optional(text('batchUniqId')),
  recallHandle: optional(text('recallHandle')),
  regionId: optional(text('MSG_REGION')),
  traceOn: optional(text('TRACE_ON')),
})

/** 370 */
export const recallMessageRequest = header({
  producerGroup: optional(text('producerGroup')),
  topic: text('topic'),
  recallHandle: text('recallHandle'),
})
export const recallMessageResponse = header({ msgId: text('msgId'), regionId: optional(text('MSG_REGION')) })

/** 326, broker to client. */
export const replyMessageRequest = header({
  producerGroup: text('producerGroup'),
  topic: text('topic'),
  defaultTopic: text('defaultTopic'),
  defaultTopicQueueNums: int('defaultTopicQueueNums'),
  queueId: int('queueId'),
  sysFlag: int('sysFlag'),
  bornTimestamp: long('bornTimestamp'),
  flag: int('flag'),
  properties: withDefault(text('properties'), ''),
  reconsumeTimes: withDefault(int('reconsumeTimes'), 0),
  unitMode: withDefault(bool('unitMode'), false),
  /** `ip:port` */
  bornHost: text('bornHost'),
  storeHost: text('storeHost'),
  storeTimestamp: long('storeTimestamp'),
})
