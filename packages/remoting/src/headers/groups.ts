import { bool, header, int, optional, text, withDefault } from '../header.ts'

/** Headers of group administration and statistics (spec: remoting, section 3.8). */

/** 201; the whole ext may be absent. */
export const getAllSubscriptionGroupConfigRequest = header({
  groupSeq: optional(int('groupSeq')),
  /** DataVersion as JSON, or ''. */
  dataVersion: optional(text('dataVersion')),
  maxGroupNum: optional(int('maxGroupNum')),
})
export const getAllSubscriptionGroupConfigResponse = header({ totalGroupNum: optional(int('totalGroupNum')) })

/** 343 and 352 */
export const groupRequest = header({ group: text('group') })

/** 207 */
export const deleteSubscriptionGroupRequest = header({
  groupName: text('groupName'),
  cleanOffset: withDefault(bool('cleanOffset'), false),
})

/** 353 */
export const updateGroupForbiddenRequest = header({
  group: text('group'),
  topic: text('topic'),
  /** Absent: a query. */
  readable: optional(bool('readable')),
})

/** 204 */
export const producerGroupRequest = header({ producerGroup: text('producerGroup') })

/** 208 */
export const getConsumeStatsRequest = header({
  consumerGroup: text('consumerGroup'),
  topic: optional(text('topic')),
  /** `;`-joined; wins over topic. */
  topicList: optional(text('topicList')),
})

/** 317 */
export const getBrokerConsumeStatsRequest = header({ isOrder: withDefault(bool('isOrder'), false) })

/** 303 */
export const queryConsumeTimeSpanRequest = header({ topic: text('topic'), group: text('group') })

/** 345 */
export const querySubscriptionByConsumerRequest = header({ group: text('group'), topic: optional(text('topic')) })
