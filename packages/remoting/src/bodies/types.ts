/** JSON bodies that several parts share (spec: remoting, section 8). Field names are RocketMQ's. */

export interface DataVersion {
  counter: number
  stateVersion: number
  timestamp: number
}

/** Java: org.apache.rocketmq.common.TopicConfig. perm bits: 4 read, 2 write, 1 inherit. */
export interface TopicConfig {
  topicName: string
  readQueueNums: number
  writeQueueNums: number
  perm: number
  topicFilterType: 'SINGLE_TAG' | 'MULTI_TAG'
  topicSysFlag: number
  order: boolean
  attributes: Record<string, string>
}

/** Java: org.apache.rocketmq.remoting.protocol.subscription.SubscriptionGroupConfig. */
export interface SubscriptionGroupConfig {
  groupName: string
  consumeEnable: boolean
  consumeFromMinEnable: boolean
  consumeBroadcastEnable: boolean
  consumeMessageOrderly: boolean
  retryQueueNums: number
  retryMaxTimes: number
  groupRetryPolicy: Record<string, unknown>
  brokerId: number
  whichBrokerWhenConsumeSlowly: number
  notifyConsumerIdsChangedEnable: boolean
  groupSysFlag: number
  consumeTimeoutMinute: number
  attributes: Record<string, string>
  subscriptionDataSet?: unknown[]
}

export interface MessageQueue {
  topic: string
  brokerName: string
  queueId: number
}

export interface SubscriptionData {
  topic: string
  subString: string
  expressionType: string
  classFilterMode: boolean
  tagsSet: string[]
  codeSet: number[]
  /** Milliseconds from Java, nanoseconds from Go: beyond 2^53. */
  subVersion: bigint
}

export interface ConsumerData {
  groupName: string
  consumeType: 'CONSUME_ACTIVELY' | 'CONSUME_PASSIVELY' | 'CONSUME_POP'
  messageModel: 'BROADCASTING' | 'CLUSTERING'
  consumeFromWhere: string
  subscriptionDataSet: SubscriptionData[]
  unitMode: boolean
}

/** Java: org.apache.rocketmq.remoting.protocol.heartbeat.HeartbeatData. */
export interface HeartbeatData {
  clientID: string
  heartbeatFingerprint: number
  withoutSub: boolean
  producerDataSet: { groupName: string }[]
  consumerDataSet: ConsumerData[]
}

export interface QueueData {
  brokerName: string
  readQueueNums: number
  writeQueueNums: number
  perm: number
  topicSysFlag: number
}

export interface BrokerData {
  cluster: string
  brokerName: string
  /** Broker id (decimal; '0' is the master) → `ip:port`. */
  brokerAddrs: Record<string, string>
  enableActingMaster: boolean
}

export interface TopicRouteData {
  queueDatas: QueueData[]
  brokerDatas: BrokerData[]
  orderTopicConf?: string
}

export interface ClusterInfo {
  brokerAddrTable: Record<string, BrokerData>
  clusterAddrTable: Record<string, string[]>
}
