import { bool, header, int, long, optional, text, withDefault } from '../header.ts'

/** Headers of POP consumption (spec: remoting, section 3.5). */

/** 200050 */
export const popMessageRequest = header({
  consumerGroup: text('consumerGroup'),
  topic: text('topic'),
  /** -1: all queues. */
  queueId: int('queueId'),
  maxMsgNums: int('maxMsgNums'),
  /** Milliseconds. */
  invisibleTime: long('invisibleTime'),
  /** Milliseconds; 0 = do not wait. */
  pollTime: long('pollTime'),
  bornTime: withDefault(long('bornTime'), 0),
  /** Without a committed offset: 0 from the minimum, 1 from the maximum. */
  initMode: int('initMode'),
  expType: optional(text('expType')),
  exp: optional(text('exp')),
  order: withDefault(bool('order'), false),
  attemptId: optional(text('attemptId')),
})
export const popMessageResponse = header({
  popTime: long('popTime'),
  invisibleTime: long('invisibleTime'),
  reviveQid: int('reviveQid'),
  restNum: long('restNum'),
  startOffsetInfo: optional(text('startOffsetInfo')),
  msgOffsetInfo: optional(text('msgOffsetInfo')),
  orderCountInfo: optional(text('orderCountInfo')),
})

/** 200052 */
export const peekMessageRequest = header({
  consumerGroup: text('consumerGroup'),
  topic: text('topic'),
  queueId: int('queueId'),
  maxMsgNums: int('maxMsgNums'),
})

/** 200051 */
export const ackMessageRequest = header({
  consumerGroup: text('consumerGroup'),
  topic: text('topic'),
  queueId: int('queueId'),
  extraInfo: text('extraInfo'),
  offset: long('offset'),
})

/** 200053 */
export const changeInvisibleTimeRequest = header({
  consumerGroup: text('consumerGroup'),
  topic: text('topic'),
  queueId: int('queueId'),
  extraInfo: text('extraInfo'),
  offset: long('offset'),
  invisibleTime: long('invisibleTime'),
  /** 5.5: put aside on purpose, its return does not count as another try. */
  suspend: withDefault(bool('suspend'), false),
})
export const changeInvisibleTimeResponse = header({
  popTime: long('popTime'),
  invisibleTime: long('invisibleTime'),
  reviveQid: int('reviveQid'),
})

/** 200054 */
export const notificationRequest = header({
  consumerGroup: text('consumerGroup'),
  topic: text('topic'),
  queueId: int('queueId'),
  pollTime: long('pollTime'),
  bornTime: long('bornTime'),
  order: withDefault(bool('order'), false),
  attemptId: optional(text('attemptId')),
  /** 5.5 */
  expType: optional(text('expType')),
  exp: optional(text('exp')),
})
export const notificationResponse = header({ hasMsg: bool('hasMsg'), pollingFull: withDefault(bool('pollingFull'), false) })

/** 200055 */
export const pollingInfoRequest = header({ consumerGroup: text('consumerGroup'), topic: text('topic'), queueId: int('queueId') })
export const pollingInfoResponse = header({ pollingNum: int('pollingNum') })
