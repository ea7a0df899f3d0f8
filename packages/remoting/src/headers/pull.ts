import { bigLong, header, int, long, optional, text, withDefault, type InputOf, type ValueOf } from '../header.ts'

/** Headers of pulling (spec: remoting, section 3.3.1; Java: PullMessageRequestHeader, PullMessageResponseHeader, PullSysFlag). */

export const PullSysFlag = {
  COMMIT_OFFSET: 1,
  SUSPEND: 2,
  SUBSCRIPTION: 4,
  CLASS_FILTER: 8,
  LITE_PULL: 16,
} as const

/** 11 and 361 */
export const pullMessageRequest = header({
  consumerGroup: text('consumerGroup'),
  topic: text('topic'),
  queueId: int('queueId'),
  queueOffset: long('queueOffset'),
  maxMsgNums: int('maxMsgNums'),
  sysFlag: int('sysFlag'),
  commitOffset: long('commitOffset'),
  suspendTimeoutMillis: long('suspendTimeoutMillis'),
  subscription: optional(text('subscription')),
  /** Nanoseconds from Go: beyond 2^53. */
  subVersion: bigLong('subVersion'),
  expressionType: withDefault(text('expressionType'), 'TAG'),
  maxMsgBytes: optional(int('maxMsgBytes')),
  requestSource: withDefault(int('requestSource'), -1),
  /** Spelled so on the wire. */
  proxyFrowardClientId: optional(text('proxyFrowardClientId')),
})
export type PullMessageRequest = ValueOf<typeof pullMessageRequest>

export const pullMessageResponse = header({
  suggestWhichBrokerId: long('suggestWhichBrokerId'),
  nextBeginOffset: long('nextBeginOffset'),
  minOffset: long('minOffset'),
  maxOffset: long('maxOffset'),
  offsetDelta: optional(long('offsetDelta')),
  topicSysFlag: optional(int('topicSysFlag')),
  groupSysFlag: optional(int('groupSysFlag')),
  /** 1 broker, 2 group, 3 topic, 4 broadcast off, 5 subscription. */
  forbiddenType: optional(int('forbiddenType')),
})
export type PullMessageResponse = ValueOf<typeof pullMessageResponse>
export type PullMessageResponseInput = InputOf<typeof pullMessageResponse>
