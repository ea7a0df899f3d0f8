import { bool, header, int, long, optional, text, withDefault } from '../header.ts'

/** Headers of message queries and broker administration (spec: remoting, sections 3.8 and 13). */

/** 12. Times are store times, epoch ms; tools send 9223372036854775807 as the end. */
export const queryMessageRequest = header({
  topic: text('topic'),
  key: text('key'),
  maxNum: int('maxNum'),
  beginTimestamp: long('beginTimestamp'),
  endTimestamp: long('endTimestamp'),
  uniqueKeyQuery: withDefault(bool('_UNIQUE_KEY_QUERY'), false),
  /** 5.5: K keys, U unique key, T tag. */
  indexType: optional(text('indexType')),
  lastKey: optional(text('lastKey')),
})
export const queryMessageResponse = header({
  indexLastUpdateTimestamp: long('indexLastUpdateTimestamp'),
  indexLastUpdatePhyoffset: long('indexLastUpdatePhyoffset'),
})

/** 33 */
export const viewMessageRequest = header({
  /** Commit log position. */
  offset: long('offset'),
  topic: optional(text('topic')),
})

/** 321 */
export const queryConsumeQueueRequest = header({
  topic: text('topic'),
  queueId: int('queueId'),
  index: long('index'),
  count: int('count'),
  consumerGroup: optional(text('consumerGroup')),
})

/** 26 */
export const getBrokerConfigResponse = header({
  /** DataVersion as JSON. */
  version: optional(text('version')),
})

/** 315 */
export const viewBrokerStatsDataRequest = header({ statsName: text('statsName'), statsKey: text('statsKey') })
