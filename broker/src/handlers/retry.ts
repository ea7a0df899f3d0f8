import { RETRY_PREFIX, ResponseCode, dlqTopic, type TopicConfig } from '@cometmq/remoting'
import type { Broker } from './context.ts'
import type { SendFields } from './send-fields.ts'

/** From this protocol version (V3_4_9) on the client's own maxReconsumeTimes counts. */
const KNOWS_MAX_RECONSUME_TIMES = 121
const READ_AND_WRITE = 6

/** Where a send to `%RETRY%group` goes (spec store, 9): the retry topic, or the dead letter topic when its tries are used up. */
export function retryDestination(
  broker: Broker,
  fields: SendFields,
  version: number,
): { group: string; deadLetter: boolean } | { code: number; remark: string } {
  const group = fields.topic.slice(RETRY_PREFIX.length)
  const config = broker.groups.find(group)
  if (config === undefined) {
    return { code: ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, remark: `subscription group not exist, ${group}` }
  }
  const max = maxReconsumeTimes(version, fields.maxReconsumeTimes, config.retryMaxTimes)
  // An orderly consumer (it holds queue locks) retries in place; what it sends back has given up.
  return { group, deadLetter: fields.reconsumeTimes > max || broker.locks.isAnyLocked(group) }
}

/** @param asked the request's value, -1 when absent. */
export function maxReconsumeTimes(version: number, asked: number, ofGroup: number): number {
  return version >= KNOWS_MAX_RECONSUME_TIMES && asked >= 0 ? asked : ofGroup
}

export const deadLetterTopic = (broker: Broker, group: string): TopicConfig =>
  broker.topics.ensure(dlqTopic(group), 1, READ_AND_WRITE)
