import type {
  ConsumerData,
  DataVersion,
  HeartbeatData,
  MessageQueue,
  Peer,
  SubscriptionData,
  SubscriptionGroupConfig,
  TopicConfig,
} from '@cometmq/remoting'

/** Topics of this broker, kept in config/topics.json. Java: org.apache.rocketmq.broker.topic.TopicConfigManager. */
export interface Topics {
  get(name: string): TopicConfig | undefined
  all(): Iterable<TopicConfig>
  readonly dataVersion: DataVersion
  /** Creates or replaces; a change bumps dataVersion, is saved, and is announced. An identical config changes nothing. */
  put(config: TopicConfig): void
  remove(name: string): boolean
  /** Spec remoting 7.6: creates `name` after the template, or says why not. */
  autoCreate(name: string, template: string, queueNums: number, topicSysFlag: number): TopicConfig | { refused: string }
  /** For %RETRY%, %DLQ% and the like: returns the topic, created with these queues and permission when missing. */
  ensure(name: string, queueNums: number, perm: number, topicSysFlag?: number): TopicConfig
  isSystem(name: string): boolean
  /** Called after each change with the configs that changed (undefined: a removal). */
  onChange(listener: (changed: TopicConfig | undefined) => void): void
  /** Resolves when everything is on disk. */
  saved(): Promise<void>
}

/** Consumer groups, kept in config/subscriptionGroup.json. Java: SubscriptionGroupManager. */
export interface Groups {
  /** Creates the group when auto-creation is on (or it is a system group); undefined otherwise. */
  find(name: string): SubscriptionGroupConfig | undefined
  /** Never creates. */
  get(name: string): SubscriptionGroupConfig | undefined
  all(): Iterable<SubscriptionGroupConfig>
  readonly dataVersion: DataVersion
  put(config: SubscriptionGroupConfig): void
  remove(name: string): boolean
  isForbidden(group: string, topic: string): boolean
  setForbidden(group: string, topic: string, forbidden: boolean): void
  forbiddenTable(): Record<string, Record<string, number>>
  saved(): Promise<void>
}

/** Consumer offsets, kept in config/consumerOffset.json. Java: ConsumerOffsetManager. */
export interface Offsets {
  /** Committed offset, or -1. A pending reset wins. */
  query(group: string, topic: string, queueId: number): number
  /** False when ignored because a reset is pending. */
  commit(group: string, topic: string, queueId: number, offset: number): boolean
  /** Server-side reset: the next pull of the queue takes it with `takeReset`; commits until then are ignored. */
  reset(group: string, topic: string, queueId: number, offset: number): void
  /** The pending reset, removed by this call; -1 when there is none. */
  takeReset(group: string, topic: string, queueId: number): number
  hasReset(group: string, topic: string, queueId: number): boolean
  /** Last offset asked for by a pull (memory only), or -1. */
  pullOffset(group: string, topic: string, queueId: number): number
  setPullOffset(group: string, topic: string, queueId: number, offset: number): void
  topicsOf(group: string): string[]
  groupsOf(topic: string): string[]
  queuesOf(group: string, topic: string): ReadonlyMap<number, number>
  clone(from: string, to: string, topic: string): void
  removeGroup(group: string): void
  removeTopic(topic: string): void
  /** `topic@group` → queue id → offset. */
  table(): Record<string, Record<string, number>>
  readonly dataVersion: DataVersion
  save(): Promise<void>
}

export interface ClientChannel {
  clientId: string
  peer: Peer
  language: string
  version: number
  /** Epoch ms of the last heartbeat. */
  lastUpdate: number
}

export interface ConsumerGroupInfo {
  group: string
  consumeType: ConsumerData['consumeType']
  messageModel: ConsumerData['messageModel']
  consumeFromWhere: string
  channels: readonly ClientChannel[]
  subscriptions: ReadonlyMap<string, SubscriptionData>
}

/** Connected clients, memory only. Java: ConsumerManager and ProducerManager. */
export interface Clients {
  /** Applies a heartbeat. `isAllowed` is asked per consumer group (the group exists). */
  heartbeat(data: HeartbeatData, peer: Peer, info: { language: string; version: number }): { subscriptionChanged: boolean }
  unregister(clientId: string, peer: Peer, groups: { producerGroup?: string; consumerGroup?: string }): void
  consumers(group: string): ConsumerGroupInfo | undefined
  producers(group: string): readonly ClientChannel[]
  producerGroups(): Iterable<string>
  consumerGroups(): Iterable<string>
  groupsSubscribedTo(topic: string): string[]
  findConsumer(group: string, clientId: string): ClientChannel | undefined
  /** By client id over all producer groups (request-reply). */
  findProducer(clientId: string): ClientChannel | undefined
  /** Membership or subscription of a group changed: tell its members (code 40). */
  onGroupChange(listener: (group: string, channels: readonly ClientChannel[]) => void): void
  /** Drops channels without a heartbeat for 120 s. Called by a timer. */
  expire(): void
}

/** Queue locks of orderly consumers. Java: RebalanceLockManager. */
export interface QueueLocks {
  /** Queues that `clientId` holds afterwards. */
  lock(group: string, queues: readonly MessageQueue[], clientId: string): MessageQueue[]
  unlock(group: string, queues: readonly MessageQueue[], clientId: string): void
  /** True while any queue of the group has a lock that has not expired. */
  isAnyLocked(group: string): boolean
}
