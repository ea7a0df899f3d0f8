import {
  emptyRecord,
  sameDataVersion,
  type BrokerData,
  type ClusterInfo,
  type DataVersion,
  type QueueData,
  type TopicConfig,
} from '@cometmq/remoting'

/**
 * Which broker has which queues of which topic, and which brokers are alive (spec store, 12.6; Java: RouteInfoManager). Pure: no sockets, no
 * clock of its own; times are Clock.monotonic of the caller.
 */
export const MASTER_ID = 0
const WRITE = 2
const READ_WRITE = 6
const UNIT = 1
const UNIT_SUB = 2
/** A broker without a registration for this long is dropped, unless it asks for another time. */
export const BROKER_EXPIRY_MS = 120_000

export interface RouteLimits {
  topicsMax: number
  /** Broker names. */
  brokersMax: number
  /** Brokers of one name. */
  brokersPerNameMax: number
}
export const DEFAULT_ROUTE_LIMITS: RouteLimits = { topicsMax: 200_000, brokersMax: 10_000, brokersPerNameMax: 64 }

export interface BrokerIdentity {
  clusterName: string
  brokerName: string
  /** `ip:port` */
  brokerAddr: string
  brokerId: number
}

export interface Registration extends BrokerIdentity {
  haServerAddr: string
  /** Undefined: a broker too old to know it. */
  enableActingMaster: boolean | undefined
  heartbeatTimeoutMs: number | undefined
  dataVersion: DataVersion
  topics: readonly TopicConfig[]
  /** Connection that registers; when it closes the broker is gone. */
  peerId: number
}

/** `refused`: why, in words. `ignored`: a newer master holds the id, the caller is answered as if it were registered. */
export type RegisterResult =
  | { state: 'registered'; masterAddr?: string; haServerAddr?: string }
  | { state: 'ignored' }
  | { state: 'refused'; reason: string }

export interface RegisterOptions {
  deleteMissingTopics: boolean
}

interface BrokerGroup {
  cluster: string
  brokerName: string
  /** Id → address. */
  addrs: Map<number, string>
  enableActingMaster: boolean
}

interface LiveBroker extends BrokerIdentity {
  seenAt: number
  timeoutMs: number
  dataVersion: DataVersion
  peerId: number
  haServerAddr: string
}

export type Route = { queueDatas: QueueData[]; brokerDatas: BrokerData[] } | { missing: 'unknown topic' | 'no live broker' }

export class RouteTable {
  readonly #limits: RouteLimits
  readonly #groups = new Map<string, BrokerGroup>()
  /** By cluster and address. */
  readonly #live = new Map<string, LiveBroker>()
  /** Topic → broker name → queues. */
  readonly #topics = new Map<string, Map<string, QueueData>>()

  constructor(limits: Partial<RouteLimits> = {}) {
    this.#limits = { ...DEFAULT_ROUTE_LIMITS, ...limits }
  }

  /** A registration is also a sign of life. Topics are merged, never replaced: it may name only those that changed. */
  register(registration: Registration, now: number, options: RegisterOptions = { deleteMissingTopics: false }): RegisterResult {
    const refused = this.#refusal(registration)
    if (refused !== null) return { state: 'refused', reason: refused }
    const { clusterName, brokerName, brokerAddr, brokerId } = registration
    const known = this.#groups.get(brokerName)
    if (known !== undefined && this.#isHeldByNewer(known, registration)) {
      this.#live.delete(liveKey(clusterName, brokerAddr))
      return { state: 'ignored' }
    }
    const isFirst = known?.addrs.has(brokerId) !== true
    if (isFirst && registration.topics.length === 1) {
      return {
        state: 'refused',
        reason: `register broker failed: ${brokerName} ${brokerAddr} is not known here, so its registration must name all its topics, not one`,
      }
    }
    this.#leaveFormerPlace(registration, known)
    const group = known ?? { cluster: clusterName, brokerName, addrs: new Map<number, string>(), enableActingMaster: false }
    this.#groups.set(brokerName, group)
    this.#join(group, registration)
    this.#takeTopics(group, registration, isFirst, options)
    this.#live.set(liveKey(clusterName, brokerAddr), liveBroker(registration, now))
    return { state: 'registered', ...this.#masterOf(group, brokerId) }
  }

  /** Takes a broker out of all routes. Returns whether it was there. */
  unregister({ clusterName, brokerName, brokerAddr, brokerId }: BrokerIdentity): boolean {
    const wasLive = this.#live.delete(liveKey(clusterName, brokerAddr))
    const group = this.#groups.get(brokerName)
    if (group === undefined || group.addrs.get(brokerId) !== brokerAddr) return wasLive
    group.addrs.delete(brokerId)
    if (group.addrs.size === 0) this.#forget(brokerName)
    else if (group.enableActingMaster && !group.addrs.has(MASTER_ID)) this.#changePerm(brokerName, perm => perm & ~WRITE)
    return true
  }

  /** Takes out every broker that has been silent for its time-out; returns them. */
  expire(now: number): BrokerIdentity[] {
    return this.#unregisterAll(live => now - live.seenAt > live.timeoutMs)
  }

  /** Takes out the brokers whose latest registration came over this connection; returns them. */
  peerClosed(peerId: number): BrokerIdentity[] {
    return this.#unregisterAll(live => live.peerId === peerId)
  }

  /** A sign of life without a registration (322, 904). False when the broker is not known. */
  touch(clusterName: string, brokerAddr: string, now: number): boolean {
    const live = this.#live.get(liveKey(clusterName, brokerAddr))
    if (live === undefined) return false
    live.seenAt = now
    return true
  }

  /** Of the broker's latest registration. */
  dataVersion(clusterName: string, brokerAddr: string): DataVersion | undefined {
    return this.#live.get(liveKey(clusterName, brokerAddr))?.dataVersion
  }

  route(topic: string, actingMaster = false): Route {
    const queues = this.#topics.get(topic)
    if (queues === undefined) return { missing: 'unknown topic' }
    const brokerDatas: BrokerData[] = []
    for (const name of queues.keys()) {
      const group = this.#groups.get(name)
      if (group !== undefined) brokerDatas.push(brokerData(group))
    }
    if (brokerDatas.length === 0) return { missing: 'no live broker' }
    const queueDatas = [...queues.values()].map(data => ({ ...data }))
    if (actingMaster) for (const data of brokerDatas) actAsMaster(data, queueDatas)
    return { queueDatas, brokerDatas }
  }

  clusterInfo(): ClusterInfo {
    const info: ClusterInfo = { brokerAddrTable: emptyRecord(), clusterAddrTable: emptyRecord() }
    for (const group of this.#groups.values()) {
      info.brokerAddrTable[group.brokerName] = brokerData(group)
      ;(info.clusterAddrTable[group.cluster] ??= []).push(group.brokerName)
    }
    return info
  }

  memberGroup(clusterName: string, brokerName: string): BrokerData | undefined {
    const group = this.#groups.get(brokerName)
    return group === undefined || group.cluster !== clusterName ? undefined : brokerData(group)
  }

  topics(): string[] {
    return [...this.#topics.keys()]
  }

  topicsOfCluster(cluster: string): string[] {
    return this.#topicsWhere(queues => this.#isInCluster(queues, cluster))
  }

  /** Topics by the unit bits of topicSysFlag (311, 312, 313). */
  unitTopics(kind: 'unit' | 'unit-sub' | 'unit-sub-not-unit'): string[] {
    return this.#topicsWhere(queues => {
      const flag = queues.values().next().value?.topicSysFlag ?? 0
      if (kind === 'unit') return (flag & UNIT) !== 0
      return (flag & UNIT_SUB) !== 0 && (kind === 'unit-sub' || (flag & UNIT) === 0)
    })
  }

  /** Cluster and broker names, which are topics too, and the address of one broker (304). */
  systemTopics(): { topicList: string[]; brokerAddr?: string } {
    const names = new Set<string>()
    let brokerAddr: string | undefined
    for (const group of this.#groups.values()) {
      names.add(group.cluster).add(group.brokerName)
      brokerAddr ??= group.addrs.values().next().value
    }
    return { topicList: [...names], ...(brokerAddr === undefined ? {} : { brokerAddr }) }
  }

  /** Adds queues of brokers that are known (217). Returns why not, or null. */
  addTopic(topic: string, queueDatas: readonly QueueData[]): string | null {
    const known = queueDatas.filter(data => this.#groups.has(data.brokerName))
    if (known.length > 0 && !this.#topics.has(topic) && this.#topics.size >= this.#limits.topicsMax) return this.#tooManyTopics()
    for (const data of known) this.#setQueues(topic, { ...data })
    return null
  }

  /** Everywhere, or on the brokers of one cluster. */
  deleteTopic(topic: string, cluster?: string): void {
    if (cluster === undefined) {
      this.#topics.delete(topic)
      return
    }
    for (const name of [...(this.#topics.get(topic)?.keys() ?? [])]) {
      if (this.#groups.get(name)?.cluster === cluster) this.#dropQueues(topic, name)
    }
  }

  /** Takes the write bit from all queues of a broker, until its next changed registration. Returns the topics touched. */
  wipeWritePerm(brokerName: string): number {
    return this.#changePerm(brokerName, perm => perm & ~WRITE)
  }

  addWritePerm(brokerName: string): number {
    return this.#changePerm(brokerName, () => READ_WRITE)
  }

  #refusal({ brokerName, brokerId, topics }: Registration): string | null {
    const { brokersMax, brokersPerNameMax, topicsMax } = this.#limits
    const group = this.#groups.get(brokerName)
    if (group === undefined && this.#groups.size >= brokersMax)
      return `this name server knows ${brokersMax} broker names, the most it keeps`
    if (group !== undefined && !group.addrs.has(brokerId) && group.addrs.size >= brokersPerNameMax) {
      return `${brokerName} has ${brokersPerNameMax} brokers here, the most a name may have`
    }
    if (this.#topics.size + topics.length <= topicsMax) return null
    let added = 0
    for (const topic of topics) if (!this.#topics.has(topic.topicName)) added++
    return this.#topics.size + added > topicsMax ? this.#tooManyTopics() : null
  }

  #tooManyTopics(): string {
    return `this name server knows ${this.#topics.size} topics, at most ${this.#limits.topicsMax} are kept; delete some first`
  }

  #isHeldByNewer(group: BrokerGroup, { clusterName, brokerAddr, brokerId, dataVersion }: Registration): boolean {
    const holder = group.addrs.get(brokerId)
    if (holder === undefined || holder === brokerAddr) return false
    const version = this.dataVersion(clusterName, holder)
    return version !== undefined && version.stateVersion > dataVersion.stateVersion
  }

  /** A broker that comes back under another name or cluster must not leave its address in the old one. */
  #leaveFormerPlace({ clusterName, brokerName, brokerAddr }: Registration, known: BrokerGroup | undefined): void {
    const before = this.#live.get(liveKey(clusterName, brokerAddr))
    if (before !== undefined && before.brokerName !== brokerName) this.unregister(before)
    if (known === undefined || known.cluster === clusterName) return
    this.#live.delete(liveKey(known.cluster, brokerAddr))
    known.cluster = clusterName
  }

  #join(group: BrokerGroup, { brokerAddr, brokerId, enableActingMaster }: Registration): void {
    group.enableActingMaster = enableActingMaster === true
    // A slave that became the master keeps its address and changes its id.
    for (const [id, address] of group.addrs) if (address === brokerAddr && id !== brokerId) group.addrs.delete(id)
    group.addrs.set(brokerId, brokerAddr)
  }

  #takeTopics(group: BrokerGroup, registration: Registration, isFirst: boolean, options: RegisterOptions): void {
    const { brokerId, clusterName, brokerAddr, brokerName, dataVersion, topics, enableActingMaster } = registration
    const isMaster = brokerId === MASTER_ID
    const isLowestSlave = !isMaster && enableActingMaster !== undefined && brokerId === Math.min(...group.addrs.keys())
    if (!isMaster && !isLowestSlave) return
    if (options.deleteMissingTopics) this.#dropMissing(brokerName, topics)
    const stored = this.dataVersion(clusterName, brokerAddr)
    const isChanged = isFirst || stored === undefined || !sameDataVersion(stored, dataVersion)
    const isReadOnly = isLowestSlave && group.enableActingMaster
    for (const topic of topics) {
      if (!isChanged && this.#topics.get(topic.topicName)?.has(brokerName) === true) continue
      this.#setQueues(topic.topicName, queueData(brokerName, topic, isReadOnly))
    }
  }

  #dropMissing(brokerName: string, topics: readonly TopicConfig[]): void {
    const named = new Set(topics.map(topic => topic.topicName))
    for (const [topic, queues] of this.#topics)
      if (queues.has(brokerName) && !named.has(topic)) this.#dropQueues(topic, brokerName)
  }

  /** A slave is told where its master is. */
  #masterOf(group: BrokerGroup, brokerId: number): { masterAddr?: string; haServerAddr?: string } {
    const masterAddr = brokerId === MASTER_ID ? undefined : group.addrs.get(MASTER_ID)
    if (masterAddr === undefined) return {}
    const live = this.#live.get(liveKey(group.cluster, masterAddr))
    return live === undefined ? {} : { masterAddr, haServerAddr: live.haServerAddr }
  }

  #unregisterAll(isGone: (live: LiveBroker) => boolean): BrokerIdentity[] {
    const gone = [...this.#live.values()].filter(isGone)
    for (const live of gone) this.unregister(live)
    return gone.map(({ clusterName, brokerName, brokerAddr, brokerId }) => ({ clusterName, brokerName, brokerAddr, brokerId }))
  }

  #forget(brokerName: string): void {
    this.#groups.delete(brokerName)
    for (const topic of [...this.#topics.keys()]) this.#dropQueues(topic, brokerName)
  }

  #setQueues(topic: string, data: QueueData): void {
    const queues = this.#topics.get(topic)
    if (queues === undefined) this.#topics.set(topic, new Map([[data.brokerName, data]]))
    else queues.set(data.brokerName, data)
  }

  #dropQueues(topic: string, brokerName: string): void {
    const queues = this.#topics.get(topic)
    if (queues?.delete(brokerName) === true && queues.size === 0) this.#topics.delete(topic)
  }

  #changePerm(brokerName: string, change: (perm: number) => number): number {
    let touched = 0
    for (const queues of this.#topics.values()) {
      const data = queues.get(brokerName)
      if (data === undefined) continue
      data.perm = change(data.perm)
      touched++
    }
    return touched
  }

  #topicsWhere(matches: (queues: ReadonlyMap<string, QueueData>) => boolean): string[] {
    const found: string[] = []
    for (const [topic, queues] of this.#topics) if (matches(queues)) found.push(topic)
    return found
  }

  #isInCluster(queues: ReadonlyMap<string, QueueData>, cluster: string): boolean {
    for (const name of queues.keys()) if (this.#groups.get(name)?.cluster === cluster) return true
    return false
  }
}

const liveKey = (clusterName: string, brokerAddr: string): string => `${clusterName}\n${brokerAddr}`

const liveBroker = (registration: Registration, now: number): LiveBroker => ({
  clusterName: registration.clusterName,
  brokerName: registration.brokerName,
  brokerAddr: registration.brokerAddr,
  brokerId: registration.brokerId,
  seenAt: now,
  timeoutMs: registration.heartbeatTimeoutMs ?? BROKER_EXPIRY_MS,
  dataVersion: registration.dataVersion,
  peerId: registration.peerId,
  haServerAddr: registration.haServerAddr,
})

const queueData = (brokerName: string, topic: TopicConfig, isReadOnly: boolean): QueueData => ({
  brokerName,
  perm: isReadOnly ? topic.perm & ~WRITE : topic.perm,
  readQueueNums: topic.readQueueNums,
  topicSysFlag: topic.topicSysFlag,
  writeQueueNums: topic.writeQueueNums,
})

function brokerData(group: BrokerGroup): BrokerData {
  const brokerAddrs: Record<string, string> = {}
  for (const [id, address] of [...group.addrs].sort(([a], [b]) => a - b)) brokerAddrs[id] = address
  return { brokerAddrs, brokerName: group.brokerName, cluster: group.cluster, enableActingMaster: group.enableActingMaster }
}

/** Without a master, and with queues that cannot be written anyway, the lowest slave stands in as id 0. */
function actAsMaster(data: BrokerData, queueDatas: readonly QueueData[]): void {
  if (!data.enableActingMaster || data.brokerAddrs[MASTER_ID] !== undefined) return
  const queues = queueDatas.find(queue => queue.brokerName === data.brokerName)
  if (queues === undefined || (queues.perm & WRITE) !== 0) return
  const lowest = Object.keys(data.brokerAddrs)[0]
  if (lowest === undefined) return
  data.brokerAddrs = { [MASTER_ID]: data.brokerAddrs[lowest]!, ...without(data.brokerAddrs, lowest) }
}

function without(record: Readonly<Record<string, string>>, key: string): Record<string, string> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => name !== key))
}
