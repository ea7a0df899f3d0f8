import {
  ResponseCode,
  isRetryTopic,
  parseTagExpression,
  popMessageRequest,
  popMessageResponse,
  popRetryTopic,
  topicNameFault,
  type Command,
  type Reply,
  type SubscriptionGroupConfig,
  type TopicConfig,
} from '@cometmq/remoting'
import { codeFilter, type TagFilter } from '../delivery/tag-filter.ts'
import type { Broker } from './context.ts'
import { shown } from './fields.ts'

const READABLE = 4
/** A request that was under way for longer than it wanted to wait is not served any more. */
const LATE_MS = 500
/** Its answer leaves this much before its time, so that the client does not give up first. */
const EARLY_MS = 50
const LONGEST_HOLD_MS = 120_000

/** What a pop or a notification asks for, checked. */
export interface PopAsked {
  readonly group: string
  readonly topic: string
  /** -1: all. */
  readonly queueId: number
  readonly queues: number
  readonly retryTopic: string
  readonly maxCount: number
  readonly invisibleMs: number
  /** From now. 0: do not wait. */
  readonly holdMs: number
  /** A group without offsets begins at the end. */
  readonly fromEnd: boolean
  readonly order: boolean
  readonly attemptId: string
  readonly accepts: TagFilter
}

/** The checks of a pop (spec store, 10.2; remoting, 3.5), in RocketMQ's order. */
export function popAsked(broker: Broker, request: Command): PopAsked | Reply {
  const { config, clock } = broker
  const asked = popMessageRequest.decode(request.ext)
  const now = clock.now()
  const bornTime = asked.bornTime > 0 ? asked.bornTime : now
  if (now - bornTime - asked.pollTime > LATE_MS)
    return popRefused(
      ResponseCode.POLLING_TIMEOUT,
      `the pop was under way for ${now - bornTime} ms, longer than it wanted to wait`,
    )
  if (asked.maxMsgNums < 1 || asked.maxMsgNums > config.popMaxMsgNums)
    return popRefused(
      ResponseCode.INVALID_PARAMETER,
      `maxMsgNums is ${asked.maxMsgNums}, from 1 to ${config.popMaxMsgNums} is allowed`,
    )
  if (asked.invisibleTime < 0)
    return popRefused(ResponseCode.INVALID_PARAMETER, `invisibleTime is ${asked.invisibleTime}, it cannot be negative`)
  const readable = readableQueue(broker, asked.consumerGroup, asked.topic, asked.queueId)
  if ('code' in readable) return readable
  const accepts = filterOf(asked.expType, asked.exp)
  if (accepts !== undefined && typeof accepts !== 'function') return accepts
  return {
    group: asked.consumerGroup,
    topic: asked.topic,
    queueId: asked.queueId < 0 ? -1 : asked.queueId,
    queues: readable.topic.readQueueNums,
    retryTopic: readable.retryTopic,
    maxCount: asked.maxMsgNums,
    invisibleMs: asked.invisibleTime,
    holdMs: holdOf(bornTime, asked.pollTime, now),
    fromEnd: asked.initMode === 1,
    order: asked.order,
    attemptId: asked.attemptId ?? '',
    accepts,
  }
}

/** How long a request may still wait: its client's clock counts, but never for more than it asked for. */
export const holdOf = (bornTime: number, pollTime: number, now: number): number =>
  Math.max(0, Math.min(bornTime + pollTime - EARLY_MS - now, pollTime - EARLY_MS, LONGEST_HOLD_MS))

/** What must exist and be allowed for a group to read a queue of a topic. */
export function readableQueue(
  broker: Broker,
  group: string,
  topic: string,
  queueId: number,
): { topic: TopicConfig; group: SubscriptionGroupConfig; retryTopic: string } | Reply {
  const { config, topics, groups } = broker
  if ((config.brokerPermission & READABLE) === 0)
    return popRefused(ResponseCode.NO_PERMISSION, `the broker[${config.brokerName}] pop message is forbidden`)
  const topicConfig = topics.get(topic)
  if (topicConfig === undefined)
    return popRefused(ResponseCode.TOPIC_NOT_EXIST, `topic[${shown(topic)}] not exist, apply first please!`)
  if ((topicConfig.perm & READABLE) === 0)
    return popRefused(ResponseCode.NO_PERMISSION, `the topic[${topic}] peeking message is forbidden`)
  if (queueId >= topicConfig.readQueueNums)
    return popRefused(
      ResponseCode.INVALID_PARAMETER,
      `queueId[${queueId}] is illegal, topic:[${topic}] topicConfig.readQueueNums:[${topicConfig.readQueueNums}]`,
    )
  const groupConfig = groups.find(group)
  if (groupConfig === undefined)
    return popRefused(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, `subscription group [${shown(group)}] does not exist`)
  if (!groupConfig.consumeEnable || groups.isForbidden(group, topic))
    return popRefused(ResponseCode.NO_PERMISSION, `subscription group no permission, ${group}`)
  const retryTopic = retryTopicOf(group, topic)
  const fault = topicNameFault(retryTopic)
  if (fault !== null)
    return popRefused(
      ResponseCode.INVALID_PARAMETER,
      `${fault}; messages that come back need it: use shorter names of group and topic`,
    )
  return { topic: topicConfig, group: groupConfig, retryTopic }
}

/** Where messages that were not acknowledged come back; those of a retry topic go to the same. */
export const retryTopicOf = (group: string, topic: string): string => (isRetryTopic(topic) ? topic : popRetryTopic(group, topic))

export function filterOf(expType: string | undefined, exp: string | undefined): TagFilter | Reply {
  if (expType !== undefined && expType !== '' && expType !== 'TAG')
    return popRefused(ResponseCode.SYSTEM_ERROR, 'The broker does not support consumer to filter message by SQL92')
  if (exp === undefined || exp === '') return undefined
  const parsed = parseTagExpression(exp)
  if (parsed !== null) return codeFilter(parsed.codes)
  return popRefused(
    ResponseCode.SUBSCRIPTION_PARSE_FAILED,
    `parse the consumer's subscription failed: "${shown(exp)}" names no tag`,
  )
}

const HEADER_OF_ERRORS = popMessageResponse.encode({ popTime: 0, invisibleTime: 0, reviveQid: 0, restNum: 0 })

/** The header fields are always there: clients read them whatever the code. */
export const popRefused = (code: number, remark: string): Reply => ({ code, remark, ext: HEADER_OF_ERRORS })
