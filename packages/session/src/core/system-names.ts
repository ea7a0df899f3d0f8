/**
 * Names that no client may use, whatever its scopes say (spec remoting, section 7; Java: org.apache.rocketmq.common.topic.TopicValidator,
 * MixAll). Compared without case: a broker's own topics differ in it between versions.
 */
const topics: ReadonlySet<string> = new Set([
  'tbw102',
  'schedule_topic_xxxx',
  'rmq_sys_trans_half_topic',
  'rmq_sys_trans_op_half_topic',
  'trans_check_max_time_topic',
  'self_test_topic',
  'offset_moved_event',
  'benchmarktest',
  'checkpoint_topic',
  'defaultcluster_reply_topic',
])

const groups: ReadonlySet<string> = new Set([
  'tools_consumer',
  'filtersrv_consumer',
  'self_test_c_group',
  'self_test_p_group',
  'cid_ons-http-proxy',
  'cid_onsapi_pull',
  'cid_onsapi_permission',
  'cid_onsapi_owner',
  'default_producer',
  'default_consumer',
  'schedule_consumer',
  '__monitor_consumer',
  'client_inner_producer',
])

const topicPrefixes = ['%retry%', '%dlq%', '%lmq%', 'rmq_sys_']
const groupPrefixes = ['cid_rmq_', 'cid_sys_rmq_', '%retry%', '%dlq%', 'rmq_sys_']

export function isSystemTopic(topic: string): boolean {
  const name = topic.toLowerCase()
  return topics.has(name) || name.endsWith('_reply_topic') || topicPrefixes.some(prefix => name.startsWith(prefix))
}

export function isSystemGroup(group: string): boolean {
  const name = group.toLowerCase()
  return groups.has(name) || groupPrefixes.some(prefix => name.startsWith(prefix))
}
