import { SCHEDULE_TOPIC } from '../store/delay-levels.ts'

/** Rules for topic and group names (spec remoting, 7.1 and 7.4; Java: TopicValidator). */
export const RETRY_PREFIX = '%RETRY%'
export const DLQ_PREFIX = '%DLQ%'
export { SCHEDULE_TOPIC }
export const TRANS_HALF_TOPIC = 'RMQ_SYS_TRANS_HALF_TOPIC'

const MAX_TOPIC_LENGTH = 127
const MAX_RETRY_OR_DLQ_TOPIC_LENGTH = 255
const MAX_GROUP_LENGTH = 255

/** Topics that clients may not send to. */
export const SEND_FORBIDDEN: ReadonlySet<string> = new Set([
  SCHEDULE_TOPIC,
  TRANS_HALF_TOPIC,
  'RMQ_SYS_TRANS_OP_HALF_TOPIC',
  'TRANS_CHECK_MAX_TIME_TOPIC',
  'SELF_TEST_TOPIC',
  'OFFSET_MOVED_EVENT',
])

export const retryTopicOf = (group: string): string => RETRY_PREFIX + group
export const dlqTopicOf = (group: string): string => DLQ_PREFIX + group
export const isRetryTopic = (topic: string): boolean => topic.startsWith(RETRY_PREFIX)
export const isDlqTopic = (topic: string): boolean => topic.startsWith(DLQ_PREFIX)

/** Why `name` cannot be a topic's name, or null. */
export function topicProblem(name: string): string | null {
  if (name.trim() === '') return 'The specified topic is blank.'
  const limit = isRetryTopic(name) || isDlqTopic(name) ? MAX_RETRY_OR_DLQ_TOPIC_LENGTH : MAX_TOPIC_LENGTH
  if (name.length > limit) return `The specified topic is ${name.length} characters long, at most ${limit} are allowed.`
  return charsetProblem('topic', name)
}

/** Why `name` cannot be a group's name, or null. */
export function groupProblem(name: string): string | null {
  if (name.trim() === '') return 'The specified group is blank.'
  if (name.length > MAX_GROUP_LENGTH) return `The specified group is ${name.length} characters long, at most ${MAX_GROUP_LENGTH} are allowed.`
  return charsetProblem('group', name)
}

function charsetProblem(kind: string, name: string): string | null {
  for (let i = 0; i < name.length; i++) {
    if (!isAllowed(name.charCodeAt(i))) {
      const shown = JSON.stringify(name.length <= 64 ? name : `${name.slice(0, 61)}...`)
      return `The specified ${kind} ${shown} contains illegal characters, allowed are letters, digits and %|-_ `.trimEnd()
    }
  }
  return null
}

const isAllowed = (unit: number): boolean =>
  (unit >= 97 && unit <= 122) || (unit >= 65 && unit <= 90) || (unit >= 48 && unit <= 57) || unit === 95 || unit === 45 || unit === 37 || unit === 124
