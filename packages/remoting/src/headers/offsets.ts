import { bool, header, int, long, optional, text, withDefault, type ValueOf } from '../header.ts'

/** Headers of consumer offsets and queue bounds (spec: remoting, sections 3.3.2 and 3.8). */

/** 14 */
export const queryConsumerOffsetRequest = header({
  consumerGroup: text('consumerGroup'),
  topic: text('topic'),
  queueId: int('queueId'),
  setZeroIfNotFound: optional(bool('setZeroIfNotFound')),
})

/** 15 */
export const updateConsumerOffsetRequest = header({
  consumerGroup: text('consumerGroup'),
  topic: text('topic'),
  queueId: int('queueId'),
  commitOffset: long('commitOffset'),
})
export type UpdateConsumerOffsetRequest = ValueOf<typeof updateConsumerOffsetRequest>

/** Answer of 14, 29, 30 and 31. */
export const offsetResponse = header({ offset: long('offset') })

/** 30 */
export const getMaxOffsetRequest = header({
  topic: text('topic'),
  queueId: int('queueId'),
  committed: withDefault(bool('committed'), true),
})
/** 31 and 32 */
export const topicQueueRequest = header({ topic: text('topic'), queueId: int('queueId') })
export const getEarliestMsgStoretimeResponse = header({ timestamp: long('timestamp') })

/** 29 */
export const searchOffsetRequest = header({
  topic: text('topic'),
  queueId: int('queueId'),
  timestamp: long('timestamp'),
  /** LOWER or UPPER, any case. */
  boundaryType: withDefault(text('boundaryType'), 'LOWER'),
})

/** 222 */
export const resetOffsetRequest = header({
  topic: text('topic'),
  group: text('group'),
  /** Epoch ms; -1 = latest. */
  timestamp: long('timestamp'),
  isForce: withDefault(bool('isForce'), false),
  queueId: withDefault(int('queueId'), -1),
  /** Absent or -1: by time. */
  offset: optional(long('offset')),
})

/** 223, and 221 without clientAddr. */
export const getConsumerStatusRequest = header({
  topic: text('topic'),
  group: text('group'),
  /** A client id. */
  clientAddr: optional(text('clientAddr')),
})

/** 314 */
export const cloneGroupOffsetRequest = header({
  srcGroup: text('srcGroup'),
  destGroup: text('destGroup'),
  topic: optional(text('topic')),
  offline: withDefault(bool('offline'), false),
})

/** 308 */
export const queryCorrectionOffsetRequest = header({
  /** Comma list. */
  filterGroups: optional(text('filterGroups')),
  compareGroup: text('compareGroup'),
  topic: text('topic'),
})
