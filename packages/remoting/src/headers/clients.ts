import { bool, header, int, long, optional, text, withDefault, type ValueOf } from '../header.ts'

/** Headers of client membership, send-back and of requests from the broker to a client (spec: remoting, sections 3.3 and 3.7). */

/** Answer of 34. */
export const heartbeatResponse = header({
  isSupportHeartBeatV2: optional(bool('IS_SUPPORT_HEART_BEAT_V2')),
  isSubChange: optional(bool('IS_SUB_CHANGE')),
})

/** 35 */
export const unregisterClientRequest = header({
  clientID: text('clientID'),
  producerGroup: optional(text('producerGroup')),
  consumerGroup: optional(text('consumerGroup')),
})

/** 38 and 203 */
export const consumerGroupRequest = header({ consumerGroup: text('consumerGroup') })

/** 36 */
export const consumerSendMsgBackRequest = header({
  /** Commit log position. */
  offset: long('offset'),
  group: text('group'),
  /** 0: broker decides; negative: dead letter. */
  delayLevel: int('delayLevel'),
  originMsgId: optional(text('originMsgId')),
  originTopic: optional(text('originTopic')),
  unitMode: withDefault(bool('unitMode'), false),
  maxReconsumeTimes: optional(int('maxReconsumeTimes')),
  brokerName: optional(text('bname')),
})
export type ConsumerSendMsgBackRequest = ValueOf<typeof consumerSendMsgBackRequest>

/** 40, broker to client. */
export const notifyConsumerIdsChangedRequest = header({ consumerGroup: text('consumerGroup') })

/** 220, broker to client. */
export const resetConsumerClientOffsetRequest = header({
  topic: text('topic'),
  group: text('group'),
  timestamp: long('timestamp'),
  isForce: withDefault(bool('isForce'), false),
  offset: optional(long('offset')),
  queueId: optional(int('queueId')),
})

/** 221, broker to client. */
export const getConsumerStatusFromClientRequest = header({ topic: text('topic'), group: text('group') })

/** 307, from a tool to the broker and from the broker to the client. */
export const getConsumerRunningInfoRequest = header({
  consumerGroup: text('consumerGroup'),
  clientId: text('clientId'),
  jstackEnable: withDefault(bool('jstackEnable'), false),
})

/** 309, from a tool to the broker (no body) and from the broker to the client (body: one record). */
export const consumeMessageDirectlyRequest = header({
  consumerGroup: text('consumerGroup'),
  clientId: optional(text('clientId')),
  /** offsetMsgId */
  msgId: optional(text('msgId')),
  brokerName: optional(text('brokerName')),
  topic: optional(text('topic')),
  topicSysFlag: optional(int('topicSysFlag')),
  groupSysFlag: optional(int('groupSysFlag')),
})
