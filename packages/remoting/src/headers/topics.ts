import { bool, header, int, optional, text, withDefault } from '../header.ts'

/** Headers of topic administration (spec: remoting, section 3.8). */

/** 17 */
export const createTopicRequest = header({
  topic: text('topic'),
  defaultTopic: withDefault(text('defaultTopic'), 'TBW102'),
  readQueueNums: int('readQueueNums'),
  writeQueueNums: int('writeQueueNums'),
  perm: int('perm'),
  topicFilterType: withDefault(text('topicFilterType'), 'SINGLE_TAG'),
  topicSysFlag: withDefault(int('topicSysFlag'), 0),
  order: withDefault(bool('order'), false),
  /** Comma list of `+key=value` and `-key`. */
  attributes: optional(text('attributes')),
  force: optional(bool('force')),
})

/** 202, 215 and 300. */
export const topicRequest = header({ topic: text('topic') })

/** 351 */
export const getTopicConfigRequest = header({ topic: text('topic'), lo: optional(bool('lo')) })

/** 21; the whole ext may be absent. */
export const getAllTopicConfigRequest = header({
  topicSeq: optional(int('topicSeq')),
  /** DataVersion as JSON, or ''. */
  dataVersion: optional(text('dataVersion')),
  maxTopicNum: optional(int('maxTopicNum')),
})
export const getAllTopicConfigResponse = header({ totalTopicNum: optional(int('totalTopicNum')) })
