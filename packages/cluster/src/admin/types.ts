/** What administration gives back: plain data, times in epoch ms, offsets as numbers (exact to 2^53). */

export interface BrokerInfo {
  cluster: string
  brokerName: string
  /** 0 is the master. */
  brokerId: number
  address: string
}

export interface QueueStats {
  brokerName: string
  queueId: number
  minOffset: number
  maxOffset: number
  /** Store time of the last message, epoch ms; 0 when empty. */
  lastUpdate: number
}

export interface TopicInfo {
  topic: string
  readQueues: number
  writeQueues: number
  /** Sum over brokers of the messages that are still there. */
  messages: number
  brokers: { brokerName: string; address: string; readQueues: number; writeQueues: number; perm: number }[]
  attributes: Record<string, string>
  order: boolean
  queues: QueueStats[]
  groups: string[]
}

export interface GroupSummary {
  group: string
  /** Connected members; 0 when none is. */
  members: number
  model: string
  lag: number
  topics: number
}

export interface GroupQueue {
  topic: string
  brokerName: string
  queueId: number
  brokerOffset: number
  /** -1: nothing committed. */
  consumerOffset: number
  lag: number
  /** Pulled but not committed yet. */
  inFlight: number
  /** Store time of the last consumed message, epoch ms; 0 when unknown. */
  lastConsumed: number
}

export interface GroupMember {
  clientId: string
  address: string
  language: string
  version: number
}

export interface GroupInfo {
  group: string
  state: 'online' | 'offline'
  consumeType: string
  model: string
  startFrom: string
  lag: number
  consumeTps: number
  members: GroupMember[]
  subscriptions: { topic: string; expression: string; type: string }[]
  queues: GroupQueue[]
}

/** Result on one broker of a change made on many. */
export interface BrokerChange {
  brokerName: string
  address: string
  ok: boolean
  error: string | undefined
}
