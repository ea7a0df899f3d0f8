import { CommandError, type Clock, type ConsumerData, type HeartbeatData, type Logger, type Peer } from '@cometmq/remoting'
import { ConsumerGroup, SUBSCRIPTIONS_PER_GROUP_MAX } from './consumer-group.ts'
import { Membership, type Member } from './membership.ts'
import type { ClientChannel, Clients, ConsumerGroupInfo } from './types.ts'

/** A member without a heartbeat for this long is dropped (spec remoting, 3.3.3). */
const EXPIRY_MS = 120_000
/** Pairs of connection and group; beyond it heartbeats of new ones are refused. */
const MEMBERS_MAX = 200_000
/** Groups one heartbeat may name. */
const GROUPS_PER_HEARTBEAT_MAX = 2_000
const GROUP_LENGTH_MAX = 255
const CLIENT_ID_LENGTH_MAX = 512
const SYSTEM_ERROR = 1
const SYSTEM_BUSY = 2
const NO_CHANNELS: readonly ClientChannel[] = []

export interface ClientsOptions {
  clock: Clock
  logger: Logger
  /** Whether a consumer group exists (or may now be created); heartbeats of others are skipped. */
  isAllowed: (group: string) => boolean
  /** Default 200 000. */
  membersMax?: number
}

/** Java: org.apache.rocketmq.broker.client.ConsumerManager and ProducerManager. */
export class ClientTable implements Clients {
  readonly #options: ClientsOptions
  readonly #consumers = new Map<string, ConsumerGroup>()
  readonly #producers = new Map<string, Membership>()
  /** Client id → its producer connections, for request-reply: one lookup per message. */
  readonly #producersById = new Map<string, Map<number, { channel: Member; groups: number }>>()
  /** Connection id → groups it may be a member of; its close is awaited. */
  readonly #watched = new Map<number, { producers: Set<string>; consumers: Set<string> }>()
  readonly #listeners: ((group: string, channels: readonly ClientChannel[]) => void)[] = []
  #members = 0

  constructor(options: ClientsOptions) {
    this.#options = options
  }

  /** Throws CommandError for a heartbeat beyond a limit: SYSTEM_ERROR when it alone is too large, SYSTEM_BUSY when the broker is full. */
  heartbeat(data: HeartbeatData, peer: Peer, info: { language: string; version: number }): { subscriptionChanged: boolean } {
    this.#check(data)
    if (peer.closed) return { subscriptionChanged: true }
    for (const producer of data.producerDataSet) this.#joinProducers(producer.groupName, this.#member(data.clientID, peer, info))
    let subscriptionChanged = data.heartbeatFingerprint === 0
    for (const consumer of data.consumerDataSet) {
      if (!this.#options.isAllowed(consumer.groupName)) continue
      const changed = this.#joinConsumers(consumer, data, this.#member(data.clientID, peer, info))
      subscriptionChanged = changed || subscriptionChanged
    }
    return { subscriptionChanged }
  }

  unregister(clientId: string, peer: Peer, groups: { producerGroup?: string; consumerGroup?: string }): void {
    void clientId // the connection decides, as in RocketMQ
    if (groups.producerGroup !== undefined) this.#leaveProducers(groups.producerGroup, peer)
    if (groups.consumerGroup !== undefined) this.#leaveConsumers(groups.consumerGroup, peer)
  }

  consumers(group: string): ConsumerGroupInfo | undefined {
    return this.#consumers.get(group)
  }

  producers(group: string): readonly ClientChannel[] {
    return this.#producers.get(group)?.channels ?? NO_CHANNELS
  }

  producerGroups(): Iterable<string> {
    return this.#producers.keys()
  }

  consumerGroups(): Iterable<string> {
    return this.#consumers.keys()
  }

  groupsSubscribedTo(topic: string): string[] {
    const groups: string[] = []
    for (const group of this.#consumers.values()) if (group.subscriptions.has(topic)) groups.push(group.group)
    return groups
  }

  findConsumer(group: string, clientId: string): ClientChannel | undefined {
    return this.#consumers.get(group)?.members.find(clientId)
  }

  findProducer(clientId: string): ClientChannel | undefined {
    let newest: ClientChannel | undefined
    for (const entry of this.#producersById.get(clientId)?.values() ?? []) newest = entry.channel
    return newest
  }

  onGroupChange(listener: (group: string, channels: readonly ClientChannel[]) => void): void {
    this.#listeners.push(listener)
  }

  expire(): void {
    const oldest = this.#options.clock.monotonic() - EXPIRY_MS
    for (const [group, members] of [...this.#producers]) {
      for (const member of members.channels) if (member.seenAt < oldest) this.#leaveProducers(group, member.peer)
    }
    for (const [group, { members }] of [...this.#consumers]) {
      for (const member of members.channels) {
        if (member.seenAt >= oldest) continue
        this.#options.logger.warn(
          `consumer ${member.clientId} of group ${group} sent no heartbeat for ${EXPIRY_MS / 1000} s and is dropped from it`,
        )
        this.#leaveConsumers(group, member.peer)
      }
    }
  }

  #check(data: HeartbeatData): void {
    const groups = data.producerDataSet.length + data.consumerDataSet.length
    if (data.clientID === '' || data.clientID.length > CLIENT_ID_LENGTH_MAX) {
      throw new CommandError(
        SYSTEM_ERROR,
        `the heartbeat's clientID has ${data.clientID.length} characters, 1 to ${CLIENT_ID_LENGTH_MAX} are allowed`,
      )
    }
    if (groups > GROUPS_PER_HEARTBEAT_MAX)
      throw new CommandError(
        SYSTEM_ERROR,
        `the heartbeat names ${groups} groups, at most ${GROUPS_PER_HEARTBEAT_MAX} are allowed`,
      )
    for (const { groupName, subscriptionDataSet } of data.consumerDataSet) {
      if (subscriptionDataSet.length > SUBSCRIPTIONS_PER_GROUP_MAX) {
        throw new CommandError(
          SYSTEM_ERROR,
          `group ${groupName.slice(0, 64)} subscribes to ${subscriptionDataSet.length} topics, at most ${SUBSCRIPTIONS_PER_GROUP_MAX} are allowed`,
        )
      }
    }
    if (data.producerDataSet.some(producer => producer.groupName.length > GROUP_LENGTH_MAX)) {
      throw new CommandError(SYSTEM_ERROR, `a producer group's name has more than ${GROUP_LENGTH_MAX} characters`)
    }
  }

  #member(clientId: string, peer: Peer, info: { language: string; version: number }): Member {
    const { clock } = this.#options
    return { clientId, peer, language: info.language, version: info.version, lastUpdate: clock.now(), seenAt: clock.monotonic() }
  }

  #admitNew(): void {
    const max = this.#options.membersMax ?? MEMBERS_MAX
    if (this.#members >= max)
      throw new CommandError(
        SYSTEM_BUSY,
        `[OVERLOAD]this broker has ${max} group members, the most it keeps; use more brokers or fewer clients`,
      )
    this.#members++
  }

  #joinProducers(group: string, member: Member): void {
    const members = this.#producers.get(group)
    const old = members?.get(member.peer)
    if (old === undefined) this.#admitNew()
    if (old !== undefined && old.clientId !== member.clientId) this.#forgetProducer(old)
    const target = members ?? new Membership()
    if (members === undefined) this.#producers.set(group, target)
    this.#watch(member.peer).producers.add(group)
    if (target.renew(member)) this.#rememberProducer(member)
  }

  #leaveProducers(group: string, peer: Peer): void {
    const members = this.#producers.get(group)
    const member = members?.remove(peer)
    if (members === undefined || member === undefined) return
    this.#members--
    this.#watched.get(peer.id)?.producers.delete(group)
    this.#forgetProducer(member)
    if (members.size === 0) this.#producers.delete(group)
  }

  #rememberProducer(channel: Member): void {
    let peers = this.#producersById.get(channel.clientId)
    if (peers === undefined)
      this.#producersById.set(channel.clientId, (peers = new Map<number, { channel: Member; groups: number }>()))
    const entry = peers.get(channel.peer.id)
    if (entry === undefined) peers.set(channel.peer.id, { channel, groups: 1 })
    else entry.groups++
  }

  #forgetProducer(channel: Member): void {
    const peers = this.#producersById.get(channel.clientId)
    const entry = peers?.get(channel.peer.id)
    if (peers === undefined || entry === undefined || --entry.groups > 0) return
    peers.delete(channel.peer.id)
    if (peers.size === 0) this.#producersById.delete(channel.clientId)
  }

  /** Returns what V2 clients are told: whether they must send their subscriptions again. */
  #joinConsumers(consumer: ConsumerData, data: HeartbeatData, member: Member): boolean {
    let group = this.#consumers.get(consumer.groupName)
    if (group === undefined || group.members.get(member.peer) === undefined) this.#admitNew()
    if (group === undefined) this.#consumers.set(consumer.groupName, (group = new ConsumerGroup(consumer)))
    const differs = group.fingerprint !== undefined && group.fingerprint !== data.heartbeatFingerprint
    group.fingerprint = data.heartbeatFingerprint
    group.describe(consumer)
    this.#watch(member.peer).consumers.add(group.group)
    const joined = group.members.renew(member)
    const subscribed = !data.withoutSub && group.subscribe(consumer.subscriptionDataSet)
    if (joined || subscribed) this.#announce(group)
    // A client that left its subscriptions out counts on us knowing them, which ends with a restart of this broker.
    return differs || (data.withoutSub && group.subscriptions.size === 0)
  }

  #leaveConsumers(name: string, peer: Peer): void {
    const group = this.#consumers.get(name)
    if (group?.members.remove(peer) === undefined) return
    this.#members--
    this.#watched.get(peer.id)?.consumers.delete(name)
    if (group.members.size === 0) this.#consumers.delete(name)
    this.#announce(group)
  }

  #announce(group: ConsumerGroup): void {
    for (const listener of this.#listeners) listener(group.group, group.channels)
  }

  #watch(peer: Peer): { producers: Set<string>; consumers: Set<string> } {
    let groups = this.#watched.get(peer.id)
    if (groups !== undefined) return groups
    this.#watched.set(peer.id, (groups = { producers: new Set(), consumers: new Set() }))
    peer.onClose(() => this.#closed(peer))
    return groups
  }

  #closed(peer: Peer): void {
    const groups = this.#watched.get(peer.id)
    this.#watched.delete(peer.id)
    for (const group of groups?.producers ?? []) this.#leaveProducers(group, peer)
    for (const group of groups?.consumers ?? []) this.#leaveConsumers(group, peer)
  }
}
