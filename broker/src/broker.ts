import {
  createCaller,
  createUniqueIdGenerator,
  hostBytes,
  notifyConsumerIdsChangedRequest,
  formatAddress,
  offsetMessageIdsOf,
  RequestCode,
  startServer,
  tcpTransport,
  type Caller,
  type Clock,
  type Handler,
  type HandlerTable,
  type Logger,
  type RunningServer,
} from '@cometmq/remoting'
import { advertised } from './advertised-address.ts'
import { BrokerTimers } from './broker-timers.ts'
import type { BrokerConfig } from './config.ts'
import { AckGate } from './delivery/ack-gate.ts'
import { delayLevels, type DelayLevels } from './delivery/delay-levels.ts'
import { DelayService } from './delivery/delay.ts'
import { PopService } from './delivery/pop/pop-service.ts'
import { ClusterQueues } from './cluster-queues.ts'
import type { AssignmentParts } from './handlers/assignment.ts'
import type { Broker } from './handlers/context.ts'
import { popHandlers, type PopHandlers } from './handlers/pop.ts'
import { pullService, type PullService } from './handlers/pull.ts'
import { ClientTable, GroupTable, LockTable, OffsetTable, TopicTable } from './registry/index.ts'
import { RequestModeTable } from './registry/request-modes.ts'
import { startRegistration, type Registration } from './registration.ts'
import { requestTable } from './requests.ts'
import { BrokerStats } from './stats/broker-stats.ts'
import { replaceWholeFile, type Disk } from './store/disk.ts'
import { openStore } from './store/open-store.ts'
import { retentionOptions, storeOptions } from './store-options.ts'
import type { Store } from './store/types.ts'

const CLIENT_EXPIRY_MS = 10_000
/** What waits for name servers (a heartbeat, a new topic) waits no longer than this. */
const ANNOUNCE_WAIT_MS = 1000

export interface BrokerOptions {
  config: BrokerConfig
  disk: Disk
  clock: Clock
  logger: Logger
  /** 0 (inclusive) to 1; default Math.random. */
  random?: () => number
  /** File that request 25 writes changed values to; none by default. */
  configFile?: string
  /** Name servers of this process, by address: reached without a socket. */
  inProcessNameServers?: ReadonlyMap<string, HandlerTable>
  limits?: Partial<BrokerLimits>
}

export interface BrokerLimits {
  /** Sends waiting for the log; one more is answered with code 2. Default 100 000. */
  maxWaitingReplies: number
  /** Pulls waiting for messages, in all and per queue; one more is answered at once. Defaults 100 000 and 10 000. */
  maxParkedPulls: number
  maxParkedPullsPerQueue: number
  /** How long a stopping broker waits for what is in flight. Default 3000. */
  closeGraceMs: number
}

const DEFAULT_LIMITS: BrokerLimits = {
  maxWaitingReplies: 100_000,
  maxParkedPulls: 100_000,
  maxParkedPullsPerQueue: 10_000,
  closeGraceMs: 3000,
}

export interface RunningBroker {
  /** Advertised `ip:port`: routes name it. */
  readonly address: string
  readonly port: number
  /** For the in-process link. */
  readonly handlers: HandlerTable
  /** Refuses new sends, answers what is in flight, unregisters, writes everything, closes. */
  close(): Promise<void>
}

/**
 * Opens the store and the state files under `storePathRootDir`, listens, and registers at the name servers.
 * Rejects, with everything closed again, when the store is damaged or in use, a state file is unreadable, or the port is taken.
 */
export async function startBroker(options: BrokerOptions): Promise<RunningBroker> {
  const opened: (() => Promise<void> | void)[] = []
  try {
    return await open(options, opened)
  } catch (error) {
    for (const close of opened.reverse()) await close()
    throw error
  }
}

async function open(options: BrokerOptions, opened: (() => Promise<void> | void)[]): Promise<RunningBroker> {
  const { config, clock, disk, logger } = options
  for (const warning of config.warnings) logger.warn(warning)
  const handlers = new Map<number, Handler>()
  const listen = async (): Promise<RunningServer> => {
    const server = await startServer({
      host: config.bindAddress,
      port: config.listenPort,
      handlers,
      clock,
      logger,
      limits: { idleCloseMs: config.serverChannelMaxIdleTimeSeconds * 1000 },
    })
    opened.push(() => server.close(0))
    config.learn('listenPort', server.port)
    return server
  }
  // Records hold our port. A free one is known only after listening; nobody can know it before we tell.
  const early = config.listenPort === 0 ? await listen() : null
  const self = await advertised(config, early?.port ?? config.listenPort)
  const store = await openStore(storeOptions({ config, disk, clock, logger, storeHost: hostBytes(self.ip, self.port) }))
  opened.push(() => store.close())
  config.onChange(() => store.setRetention(retentionOptions(config)))
  const parts = await openParts(options, store, self)
  opened.push(() => parts.stop())
  for (const [code, handler] of requestTable(parts.broker, {
    pull: parts.pulls.handler,
    pops: parts.pops,
    assignment: parts.assignment,
  }))
    handlers.set(code, handler)
  const server = early ?? (await listen())
  parts.register()
  logger.info('broker is ready', { name: config.brokerName, address: self.address, listening: server.address })
  let closing: Promise<void> | null = null
  return {
    address: self.address,
    port: server.port,
    handlers,
    close: () => (closing ??= closeBroker(parts, server)),
  }
}

interface Parts {
  broker: Broker
  pulls: PullService
  pops: PopHandlers
  assignment: AssignmentParts
  delay: DelayService
  timers: BrokerTimers
  limits: BrokerLimits
  offsets: OffsetTable
  /** Sends are refused from now on. */
  refuse(reason: string): void
  register(): void
  unregister(): Promise<void>
  stop(): void
}

async function openParts(
  options: BrokerOptions,
  store: Store,
  self: { ip: string; port: number; address: string },
): Promise<Parts> {
  const { config, clock, disk, logger } = options
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const folder = config.storePathRootDir
  const shared = { disk, folder, clock, logger, config }
  const topics = await TopicTable.load(shared)
  const groups = await GroupTable.load(shared)
  const offsets = await OffsetTable.load(shared)
  const modes = await RequestModeTable.load(shared)
  const clients = new ClientTable({ clock, logger, isAllowed: group => groups.find(group) !== undefined })
  const messageIdOf = offsetMessageIdsOf(hostBytes(self.ip, self.port))
  const levels = delayLevels(config.messageDelayLevel)
  const gate = new AckGate({
    store,
    clock,
    messageIdOf,
    config,
    maxWaitingReplies: limits.maxWaitingReplies,
    maxUnwrittenBytes: config.unwrittenBytesMax,
    timeoutMs: config.syncFlushTimeout,
    startPosition: store.stats().appended,
  })
  const delay = await startDelay(options, store, gate, levels)
  const stats = new BrokerStats(clock)
  const timers = new BrokerTimers(clock, logger)
  let refusal: string | null = null
  const popService = await PopService.start({
    store,
    disk,
    clock,
    logger,
    topics,
    offsets,
    folder,
    config,
    gate,
    mustBeSynced: config.flushDiskType === 'SYNC_FLUSH',
    refusing: () => refusal,
    host: hostBytes(self.ip, self.port),
  })
  let registration: { announce(): Promise<void>; close(): Promise<void> } | null = null
  const broker: Broker = {
    config,
    clock,
    logger,
    address: self.address,
    store,
    topics,
    groups,
    offsets,
    clients,
    locks: new LockTable({ clock, logger }),
    gate,
    pops: popService,
    messageIdOf,
    delayLevels: levels,
    stats,
    uniqueId: createUniqueIdGenerator(clock, {
      address: hostBytes(self.ip, 0).subarray(0, -4),
      processId: process.pid,
      seed: self.port,
    }),
    random: options.random ?? Math.random,
    refusingSends: () => refusal,
    announceTopics: () => atMost(clock, ANNOUNCE_WAIT_MS, registration?.announce()),
    configChanged: async keys => {
      if (keys.includes('brokerPermission')) void registration?.announce()
      if (options.configFile !== undefined) await replaceWholeFile(disk, options.configFile, Buffer.from(config.fileText()))
    },
    delayProgress: () => delay.progress(),
    delayOffsetsJson: () => delay.json(),
    parkedPulls: () => pulls.parked.parked,
    wakePulls: (topic, queueId) => pulls.parked.arrived(topic, queueId),
    wakePops: (group, topic) => pops.polls.wake(group, topic),
  }
  const links: Links = { closed: () => undefined }
  const caller = createCaller({
    transport: tcpTransport,
    clock,
    logger,
    language: 'JAVA',
    ...(options.inProcessNameServers === undefined ? {} : { inProcess: options.inProcessNameServers }),
    onClose: address => links.closed(address),
  })
  const { brokerName } = config
  const clusterQueues = new ClusterQueues({ caller, clock, logger, nameServers: nameServersOf(config), topics, brokerName })
  const pulls = pullService(broker, limits)
  const pops = popHandlers(broker)
  store.onArrival((topic, queueId) => {
    pulls.parked.arrived(topic, queueId)
    pops.polls.arrived(topic, queueId)
  })
  popService.onRoom((group, topic) => pops.polls.wake(group, topic))
  popService.onCopied(retryTopic => pops.polls.expect(retryTopic))
  notifyMembers(broker)
  timers.every(config.flushConsumerOffsetInterval, 'saving consumer offsets', () => offsets.save())
  timers.every(config.flushConsumerOffsetInterval, 'syncing the pop journal', () => popService.tidy())
  timers.every(config.flushDelayOffsetInterval, 'saving delay offsets', () => delay.save())
  timers.every(CLIENT_EXPIRY_MS, 'dropping silent clients', () => clients.expire())
  return {
    broker,
    pulls,
    pops,
    assignment: { modes, queuesOf: topic => clusterQueues.of(topic) },
    delay,
    timers,
    limits,
    offsets,
    refuse: reason => (refusal = reason),
    register: () => (registration = register(options, broker, caller, links)),
    unregister: async () => registration?.close(),
    stop: () => {
      timers.stop()
      delay.stop()
      popService.stop()
      stats.close()
      gate.close()
    },
  }
}

const nameServersOf = ({ namesrvAddr }: BrokerConfig): string[] =>
  namesrvAddr
    .split(';')
    .map(address => address.trim())
    .filter(address => address !== '')

/** Registers at the name servers of `namesrvAddr` and stays registered. Closes the caller in the end. */
function register(
  options: BrokerOptions,
  broker: Broker,
  caller: Caller,
  links: Links,
): Pick<Registration, 'announce' | 'close'> {
  const { config, clock, logger } = options
  const registration = startRegistration({
    caller,
    clock,
    logger,
    random: () => broker.random(),
    nameServers: nameServersOf(config),
    identity: {
      clusterName: config.brokerClusterName,
      brokerName: config.brokerName,
      brokerId: config.brokerId,
      brokerAddr: broker.address,
      haServerAddr: formatAddress(config.brokerIP2, config.haListenPort),
    },
    topics: broker.topics,
    config,
  })
  links.closed = address => registration.linkClosed(address)
  return {
    announce: () => registration.announce(),
    close: async () => {
      await registration.close()
      await caller.close()
    },
  }
}

/** Who is told when a link to a name server closes. */
interface Links {
  closed: (address: string) => void
}

function atMost(clock: Clock, ms: number, work: Promise<void> | undefined): Promise<void> {
  if (work === undefined) return Promise.resolve()
  return new Promise(resolve => {
    const timer = clock.setTimeout(() => resolve(), ms)
    void work.finally(() => {
      timer.cancel()
      resolve()
    })
  })
}

function startDelay(options: BrokerOptions, store: Store, gate: AckGate, levels: DelayLevels): Promise<DelayService> {
  const { config, clock, disk, logger } = options
  return DelayService.start({
    store,
    disk,
    clock,
    logger,
    levels,
    file: `${config.storePathRootDir}/config/delayOffset.json`,
    appended: end => gate.appended(end),
    overloaded: () => gate.overloaded(),
  })
}

/** 40 NOTIFY_CONSUMER_IDS_CHANGED to all members of a group that changed (spec remoting, 3.7). */
function notifyMembers({ clients, config, groups }: Broker): void {
  clients.onGroupChange((group, channels) => {
    if (!config.notifyConsumerIdsChangedEnable || groups.get(group)?.notifyConsumerIdsChangedEnable === false) return
    const ext = notifyConsumerIdsChangedRequest.encode({ consumerGroup: group })
    for (const { peer } of channels) peer.oneway({ code: RequestCode.NOTIFY_CONSUMER_IDS_CHANGED, ext })
  })
}

async function closeBroker(parts: Parts, server: RunningServer): Promise<void> {
  const { broker, pulls, pops, delay, offsets, limits } = parts
  const { logger, store, topics, groups, gate } = broker
  parts.refuse('the broker is shutting down; send to another broker')
  pulls.parked.close()
  pops.polls.close()
  broker.pops.stop()
  parts.timers.stop()
  delay.stop()
  const tasks: [string, () => Promise<unknown>][] = [
    ['answering what is in flight', () => Promise.all([store.flush(), gate.drained()])],
    ['unregistering at the name servers', () => parts.unregister()],
    ['closing connections', () => server.close(limits.closeGraceMs)],
    ['writing the log', () => store.flush()],
    ['saving delay offsets', () => delay.save()],
    ['closing the pop journal', () => broker.pops.close()],
    ['saving consumer offsets', () => offsets.save()],
    ['saving topics', () => topics.saved()],
    ['saving groups', () => groups.saved()],
    ['saving request modes', () => parts.assignment.modes.saved()],
  ]
  // Each step is tried whatever became of the one before: a full disk must not keep the rest open.
  for (const [what, task] of tasks) {
    try {
      await task()
    } catch (error) {
      logger.error(`${what} failed while closing`, { error: String(error) })
    }
  }
  parts.stop()
  await store.close()
}
