import { bool, int, key, matching, oneOf, text, type KeyTable } from './keys.ts'

/** Keys of RocketMQ's BrokerConfig, BrokerIdentity and NettyServerConfig that have an effect here (spec store, 12.4). */
const INT_MAX = 2_147_483_647
const port = int(0, 65_535)
const milliseconds = int(0, INT_MAX)
const name = matching(/^[%|a-zA-Z0-9_.-]{1,100}$/, '1 to 100 letters, digits and %|-_.')
const address = matching(/^[^\s,;]+$/, 'one host name or IP address')
const addresses = matching(/^$|^\s*[^\s;]+:\d{1,5}(\s*;\s*[^\s;]+:\d{1,5})*\s*;?\s*$/, 'addresses as host:port, separated by ;')
const runtime = true
const isWildcard = (host: unknown): boolean => host === '0.0.0.0' || host === '::'

export const brokerKeys = {
  brokerClusterName: key(name, 'DefaultCluster', 'cluster this broker belongs to'),
  brokerName: key(name, environment => environment.hostName, 'name of this broker in routes'),
  brokerId: key(int(0, 0), 0, 'place in the replica group; 0 is the master', { differs: 'only 0: this release has no slaves' }),
  brokerRole: key(oneOf('ASYNC_MASTER'), 'ASYNC_MASTER', 'role in the replica group', {
    differs: 'only ASYNC_MASTER: this release has no replication',
  }),
  bindAddress: key(address, '0.0.0.0', 'address listened on'),
  brokerIP1: key(
    address,
    (environment, values) => (isWildcard(values['bindAddress']) ? environment.address : String(values['bindAddress'])),
    'address told to clients',
  ),
  brokerIP2: key(address, environment => environment.address, 'address told to slaves'),
  listenPort: key(port, 10_911, 'port for clients; 0 takes a free one'),
  namesrvAddr: key(
    addresses,
    environment => environment.variables['NAMESRV_ADDR'] ?? '',
    'name servers, host:port separated by ;',
  ),
  haListenPort: key(
    port,
    (_, values) => (values['listenPort'] === 0 ? 0 : Math.min(65_535, Number(values['listenPort']) + 1)),
    'port told to slaves',
    {
      differs: 'announced, not listened on',
    },
  ),
  serverChannelMaxIdleTimeSeconds: key(int(1, INT_MAX), 120, 'a connection silent in both directions this long is closed', {
    unit: 's',
  }),

  autoCreateTopicEnable: key(bool, true, 'topics are created by sending to them'),
  defaultTopicQueueNums: key(int(1, 1024), 8, 'queues of TBW102, the most an auto-created topic gets'),
  autoCreateSubscriptionGroup: key(bool, true, 'consumer groups are created by using them', { runtime }),
  brokerPermission: key(int(0, 7), 6, 'what clients may do on this broker: 4 read, 2 write', { runtime }),
  clusterTopicEnable: key(bool, true, 'the topic named after the cluster can be used'),
  brokerTopicEnable: key(bool, true, 'the topic named after the broker can be used'),
  traceTopicEnable: key(bool, false, 'creates the trace topic at start'),
  msgTraceTopicName: key(name, 'RMQ_SYS_TRACE_TOPIC', 'name of the trace topic'),
  traceOn: key(bool, true, 'tells clients to send traces', { runtime }),
  regionId: key(text, 'DefaultRegion', 'region written into messages'),
  reviveQueueNum: key(int(1, 1024), 8, 'queues of the topic rmq_sys_REVIVE_LOG_<cluster>'),
  timerWheelEnable: key(bool, true, 'creates the topic rmq_sys_wheel_timer', {
    differs: 'no timers beyond the delay levels in this release',
  }),
  notifyConsumerIdsChangedEnable: key(bool, true, 'members of a group are told when it changes', { runtime }),

  longPollingEnable: key(bool, true, 'a pull that finds nothing waits as long as its client asks', { runtime }),
  shortPollingTimeMills: key(milliseconds, 1000, 'how long it waits when longPollingEnable=false', { unit: 'ms', runtime }),
  flushConsumerOffsetInterval: key(int(100, INT_MAX), 5000, 'consumer offsets are saved this often', { unit: 'ms' }),
  maxMsgsNumBatch: key(int(1, 10_000), 64, 'messages one key query returns at most', { runtime }),

  defaultMessageRequestMode: key(oneOf('PULL', 'POP'), 'PULL', 'how groups consume for which no mode was set', { runtime }),
  defaultPopShareQueueNum: key(
    int(-1, INT_MAX),
    -1,
    'with POP: members whose queues a member shares besides its own; 0 or -1 means all',
    { runtime },
  ),
  popMaxMsgNums: key(int(1, 32_000), 1024, 'messages one pop may ask for; more is answered INVALID_PARAMETER', {
    runtime,
    differs: 'own key; RocketMQ allows 32',
  }),
  popFromRetryProbability: key(int(0, 100), 20, 'pops that look into the retry topic first', { unit: '%', runtime }),
  popPollingSize: key(
    int(0, INT_MAX),
    1024,
    'pops of one group, topic and queue that wait for messages; one more is answered POLLING_FULL',
    {
      runtime,
    },
  ),
  maxPopPollingSize: key(int(0, INT_MAX), 100_000, 'pops that wait for messages, in all', { runtime }),
  popInflightMessagesPerQueueMax: key(
    int(1, INT_MAX),
    200_000,
    'messages of one queue that a group has popped and not acknowledged; at the limit its pops find nothing until some are settled',
    { runtime, differs: 'own key' },
  ),
  popInflightMessagesMax: key(int(1, INT_MAX), 1_000_000, 'the same for all groups and queues together', {
    runtime,
    differs: 'own key',
  }),
  popJournalBytesMax: key(int(4096, INT_MAX), 64 * 1024 * 1024, 'the pop journal is compacted when it is larger than this', {
    unit: 'bytes',
    differs: 'own key',
  }),

  registerNameServerPeriod: key(
    int(0, INT_MAX),
    30_000,
    'registration at the name servers is repeated this often; 10 s to 60 s',
    { unit: 'ms' },
  ),
  registerBrokerTimeoutMills: key(int(100, INT_MAX), 24_000, 'a registration without an answer for this long has failed', {
    unit: 'ms',
    runtime,
  }),
  configBlackList: key(text, 'configBlackList;brokerConfigPath', 'keys that request 25 may not change, separated by ;'),
} as const satisfies KeyTable
