/**
 * Names of topics and groups (spec: remoting, section 7; Java: org.apache.rocketmq.common.topic.TopicValidator, MixAll).
 * Validators return null for a good name, else the reason in words.
 */

export const RETRY_PREFIX = '%RETRY%'
export const DLQ_PREFIX = '%DLQ%'
export const LMQ_PREFIX = '%LMQ%'
export const SYSTEM_TOPIC_PREFIX = 'rmq_sys_'
export const SYSTEM_GROUP_PREFIX = 'CID_RMQ_SYS_'

export const TopicName = {
  AUTO_CREATE_TEMPLATE: 'TBW102',
  SCHEDULE: 'SCHEDULE_TOPIC_XXXX',
  TRANS_HALF: 'RMQ_SYS_TRANS_HALF_TOPIC',
  TRANS_OP_HALF: 'RMQ_SYS_TRANS_OP_HALF_TOPIC',
  TRANS_CHECK_MAX_TIME: 'TRANS_CHECK_MAX_TIME_TOPIC',
  SELF_TEST: 'SELF_TEST_TOPIC',
  OFFSET_MOVED_EVENT: 'OFFSET_MOVED_EVENT',
  TRACE: 'RMQ_SYS_TRACE_TOPIC',
  BENCHMARK: 'BenchmarkTest',
  CHECKPOINT: 'CHECKPOINT_TOPIC',
  TIMER: 'rmq_sys_wheel_timer',
} as const

export const GroupName = {
  TOOLS_CONSUMER: 'TOOLS_CONSUMER',
  FILTERSRV_CONSUMER: 'FILTERSRV_CONSUMER',
  SELF_TEST_C_GROUP: 'SELF_TEST_C_GROUP',
  SELF_TEST_P_GROUP: 'SELF_TEST_P_GROUP',
  ONS_HTTP_PROXY: 'CID_ONS-HTTP-PROXY',
  ONSAPI_PULL: 'CID_ONSAPI_PULL',
  ONSAPI_PERMISSION: 'CID_ONSAPI_PERMISSION',
  ONSAPI_OWNER: 'CID_ONSAPI_OWNER',
  SYS_TRANS: 'CID_RMQ_SYS_TRANS',
  DEFAULT_PRODUCER: 'DEFAULT_PRODUCER',
  DEFAULT_CONSUMER: 'DEFAULT_CONSUMER',
  SCHEDULE_CONSUMER: 'SCHEDULE_CONSUMER',
  MONITOR_CONSUMER: '__MONITOR_CONSUMER',
  CLIENT_INNER_PRODUCER: 'CLIENT_INNER_PRODUCER',
} as const

/** Clients may not send to these (code 16). */
const sendForbidden: ReadonlySet<string> = new Set<string>([
  TopicName.SCHEDULE,
  TopicName.TRANS_HALF,
  TopicName.TRANS_OP_HALF,
  TopicName.TRANS_CHECK_MAX_TIME,
  TopicName.SELF_TEST,
  TopicName.OFFSET_MOVED_EVENT,
])

const systemTopics: ReadonlySet<string> = new Set<string>(Object.values(TopicName))

const systemGroups: ReadonlySet<string> = new Set<string>(Object.values(GroupName))

export const isSendForbiddenTopic = (topic: string): boolean => sendForbidden.has(topic)
/** The listed names and the prefix `rmq_sys_`; a broker adds its own, cluster and reply topics. */
export const isSystemTopic = (topic: string): boolean => systemTopics.has(topic) || topic.startsWith(SYSTEM_TOPIC_PREFIX)
export const isSystemGroup = (group: string): boolean => systemGroups.has(group) || group.startsWith(SYSTEM_GROUP_PREFIX)

export const retryTopic = (group: string): string => RETRY_PREFIX + group
export const dlqTopic = (group: string): string => DLQ_PREFIX + group
export const isRetryTopic = (topic: string): boolean => topic.startsWith(RETRY_PREFIX)
export const isDlqTopic = (topic: string): boolean => topic.startsWith(DLQ_PREFIX)
export const isRetryOrDlqTopic = (topic: string): boolean => isRetryTopic(topic) || isDlqTopic(topic)
export const replyTopic = (cluster: string): string => `${cluster}_REPLY_TOPIC`
/** Retry topic of POP consumption, version 1. */
export const popRetryTopic = (group: string, topic: string): string => `${RETRY_PREFIX}${group}_${topic}`

export const MAX_TOPIC_CHARACTERS = 127
/** For %RETRY% and %DLQ% names. */
export const MAX_DERIVED_TOPIC_CHARACTERS = 255
/** Brokers of 5.3 and clients up to 5.3.3 take 255. */
export const MAX_GROUP_CHARACTERS = 255

/** Reason why `topic` cannot be a topic's name, or null. */
export function topicNameFault(topic: string): string | null {
  const limit = isRetryOrDlqTopic(topic) ? MAX_DERIVED_TOPIC_CHARACTERS : MAX_TOPIC_CHARACTERS
  return nameFault('topic', topic, limit)
}

/** Reason why `group` cannot be a group's name, or null. */
export function groupNameFault(group: string): string | null {
  return nameFault('group', group, MAX_GROUP_CHARACTERS)
}

function nameFault(kind: string, name: string, maxCharacters: number): string | null {
  if (name.trim() === '') return `the ${kind} name is blank`
  if (name.length > maxCharacters) return `the ${kind} name has ${name.length} characters, more than ${maxCharacters}`
  for (let i = 0; i < name.length; i++) {
    if (allowed[name.charCodeAt(i)] !== 1) {
      return `the ${kind} name ${JSON.stringify(name)} holds ${JSON.stringify(name[i])}; allowed are letters, digits, % | - _`
    }
  }
  return null
}

const allowed = new Uint8Array(128)
for (const character of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%|-_') allowed[character.charCodeAt(0)] = 1
