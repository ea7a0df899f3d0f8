/** Topics and groups a broker has from its first start on (spec store, 1.5; spec remoting, 7.1 to 7.3; Java: TopicConfigManager, TopicValidator). */
export interface SystemNamesConfig {
  readonly brokerClusterName: string
  readonly brokerName: string
  readonly autoCreateTopicEnable: boolean
  readonly defaultTopicQueueNums: number
  readonly clusterTopicEnable: boolean
  readonly brokerTopicEnable: boolean
  readonly traceTopicEnable: boolean
  readonly msgTraceTopicName: string
  readonly reviveQueueNum: number
  readonly timerWheelEnable: boolean
}

export interface SystemTopic {
  name: string
  queues: number
  perm: number
}

const INHERIT = 1
const READ_WRITE = 6

export const AUTO_CREATE_TEMPLATE = 'TBW102'

export function systemTopics(config: SystemNamesConfig): SystemTopic[] {
  const { brokerClusterName: cluster, brokerName: broker } = config
  const topics = [
    { name: 'SELF_TEST_TOPIC', queues: 1, perm: READ_WRITE },
    { name: 'BenchmarkTest', queues: 1024, perm: READ_WRITE },
    { name: cluster, queues: 16, perm: INHERIT | (config.clusterTopicEnable ? READ_WRITE : 0) },
    { name: broker, queues: 1, perm: INHERIT | (config.brokerTopicEnable ? READ_WRITE : 0) },
    { name: 'OFFSET_MOVED_EVENT', queues: 1, perm: READ_WRITE },
    { name: 'SCHEDULE_TOPIC_XXXX', queues: 18, perm: READ_WRITE },
    { name: `${cluster}_REPLY_TOPIC`, queues: 1, perm: READ_WRITE },
    { name: `rmq_sys_REVIVE_LOG_${cluster}`, queues: config.reviveQueueNum, perm: READ_WRITE },
    { name: `rmq_sys_SYNC_BROKER_MEMBER_${broker}`, queues: 1, perm: INHERIT },
    { name: 'RMQ_SYS_TRANS_HALF_TOPIC', queues: 1, perm: READ_WRITE },
    { name: 'RMQ_SYS_TRANS_OP_HALF_TOPIC', queues: 1, perm: READ_WRITE },
  ]
  if (config.autoCreateTopicEnable)
    topics.push({ name: AUTO_CREATE_TEMPLATE, queues: config.defaultTopicQueueNums, perm: READ_WRITE | INHERIT })
  if (config.traceTopicEnable) topics.push({ name: config.msgTraceTopicName, queues: 1, perm: READ_WRITE })
  if (config.timerWheelEnable) topics.push({ name: 'rmq_sys_wheel_timer', queues: 1, perm: READ_WRITE })
  return topics
}

/** Every name that counts as a system topic, whether it exists here or not; besides, all that start with `rmq_sys_`. */
export function systemTopicNames(config: SystemNamesConfig): Set<string> {
  const names = new Set(systemTopics(config).map(topic => topic.name))
  for (const name of [
    AUTO_CREATE_TEMPLATE,
    'RMQ_SYS_TRACE_TOPIC',
    config.msgTraceTopicName,
    'TRANS_CHECK_MAX_TIME_TOPIC',
    'CHECKPOINT_TOPIC',
  ])
    names.add(name)
  return names
}

export const SYSTEM_TOPIC_PREFIX = 'rmq_sys_'
const SYSTEM_GROUP_PREFIX = 'CID_RMQ_SYS_'

export const SYSTEM_GROUPS: readonly string[] = [
  'TOOLS_CONSUMER',
  'FILTERSRV_CONSUMER',
  'SELF_TEST_C_GROUP',
  'CID_ONS-HTTP-PROXY',
  'CID_ONSAPI_PULL',
  'CID_ONSAPI_PERMISSION',
  'CID_ONSAPI_OWNER',
  'CID_RMQ_SYS_TRANS',
]

export const isSystemGroup = (name: string): boolean => name.startsWith(SYSTEM_GROUP_PREFIX) || SYSTEM_GROUPS.includes(name)

/** Topic and queue names become folders. Our own names may hold a `.` (host names) and `+` (POP retry topics) besides RocketMQ's characters. */
export const isSafeName = (name: string): boolean => /^[%|a-zA-Z0-9_+.-]{1,255}$/.test(name) && !/^\.+$/.test(name)
