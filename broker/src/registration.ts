import {
  crc32,
  decodeKVTable,
  encodeRegisterBrokerBody,
  registerBrokerRequest,
  RequestCode,
  ResponseCode,
  unregisterBrokerRequest,
  type Caller,
  type Clock,
  type Logger,
  type Request,
  type Timer,
  type TopicConfig,
} from '@cometmq/remoting'
import type { Topics } from './registry/types.ts'

const READ_WRITE = 6
const PERIOD_MS_MIN = 10_000
const PERIOD_MS_MAX = 60_000
const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 15_000
const UNREGISTER_TIMEOUT_MS = 3000

export interface RegistrationOptions {
  /** One long-lived link per name server; tell `linkClosed` when one closes. */
  caller: Caller
  clock: Clock
  logger: Logger
  /** [0, 1); spreads retries. */
  random: () => number
  /** `host:port` each; empty: nothing is done. */
  nameServers: readonly string[]
  identity: { clusterName: string; brokerName: string; brokerId: number; brokerAddr: string; haServerAddr: string }
  topics: Topics
  /** Read at each registration, so changes count at once. */
  config: {
    readonly brokerPermission: number
    readonly registerNameServerPeriod: number
    readonly registerBrokerTimeoutMills: number
  }
}

export interface Registration {
  /**
   * Resolves when every name server that answered last time knows the topics of this moment, or has failed to learn them (which is
   * reported and tried again). Never rejects.
   */
  announce(): Promise<void>
  /** The link to a name server has closed: it has forgotten this broker, which registers again soon. */
  linkClosed(address: string): void
  /** Unregisters at the name servers that are there. */
  close(): Promise<void>
}

/**
 * Registers this broker at its name servers: at once, after each change of a topic, and every registerNameServerPeriod (10 s to 60 s), always with
 * all topics (spec remoting, 3.1; Java: BrokerOuterAPI). A name server that is down is reported once, and tried again with growing pauses.
 */
export function startRegistration(options: RegistrationOptions): Registration {
  const registrar = new Registrar(options)
  void registrar.announce()
  return registrar
}

class Registrar implements Registration {
  readonly #options: RegistrationOptions
  readonly #links: readonly NameServerLink[]
  #timer: Timer | null = null
  #body: { version: unknown; permission: number; bytes: Buffer } | null = null
  #closed = false

  constructor(options: RegistrationOptions) {
    this.#options = options
    this.#links = [...new Set(options.nameServers)].map(
      address =>
        new NameServerLink(address, options, {
          request: () => this.#request(),
          answered: (link, body) => this.#answered(link, body),
        }),
    )
    options.topics.onChange(() => void this.announce())
    this.#repeat()
  }

  async announce(): Promise<void> {
    if (this.#closed) return
    await Promise.all(this.#links.map(link => link.register()))
  }

  linkClosed(address: string): void {
    if (this.#closed) return
    this.#links.find(link => link.address === address)?.lost()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    const { identity } = this.#options
    const request = { code: RequestCode.UNREGISTER_BROKER, ext: unregisterBrokerRequest.encode(identity) }
    await Promise.all(this.#links.map(link => link.close(request)))
  }

  #repeat(): void {
    const { clock, config } = this.#options
    const periodMs = Math.min(PERIOD_MS_MAX, Math.max(PERIOD_MS_MIN, config.registerNameServerPeriod))
    this.#timer = clock.setTimeout(() => {
      void this.announce()
      this.#repeat()
    }, periodMs)
  }

  #request(): Request {
    const { identity } = this.#options
    const body = this.#encodeTopics()
    const ext = registerBrokerRequest.encode({
      ...identity,
      enableActingMaster: false,
      compressed: false,
      bodyCrc32: crc32(body),
    })
    return { code: RequestCode.REGISTER_BROKER, ext, body }
  }

  /** Encoded once per change, for all name servers. The table replaces dataVersion at each change. */
  #encodeTopics(): Buffer {
    const { topics, config } = this.#options
    const version = topics.dataVersion
    if (this.#body?.version !== version || this.#body.permission !== config.brokerPermission) {
      const topicConfigTable = Object.fromEntries([...topics.all()].map(topic => [topic.topicName, this.#permitted(topic)]))
      const bytes = encodeRegisterBrokerBody({
        topicConfigSerializeWrapper: { dataVersion: version, topicConfigTable },
        filterServerList: [],
      })
      this.#body = { version, permission: config.brokerPermission, bytes }
    }
    return this.#body.bytes
  }

  #permitted(topic: TopicConfig): TopicConfig {
    const { brokerPermission } = this.#options.config
    return brokerPermission === READ_WRITE ? topic : { ...topic, perm: topic.perm & brokerPermission }
  }

  /** The first name server of the list that answers decides which topics are ordered, so that two that differ do not take turns. */
  #answered(link: NameServerLink, body: Buffer | null): void {
    if (body === null || link !== this.#links.find(other => !other.isFailing)) return
    const ordered = decodeKVTable(body)
    for (const topic of [...this.#options.topics.all()]) {
      const order = Object.hasOwn(ordered, topic.topicName)
      if (topic.order !== order) this.#options.topics.put({ ...topic, order })
    }
  }
}

interface LinkEvents {
  /** The registration of this moment. */
  request: () => Request
  answered: (link: NameServerLink, body: Buffer | null) => void
}

/** Registrations at one name server: one at a time, what is asked meanwhile shares the next. */
class NameServerLink {
  readonly address: string
  readonly #options: RegistrationOptions
  readonly #events: LinkEvents
  /** Number of registrations asked for, and of those that have been tried. */
  #asked = 0
  #tried = 0
  #running: Promise<void> | null = null
  #failures = 0
  #isRegistered = false
  #retry: Timer | null = null
  #closed = false

  constructor(address: string, options: RegistrationOptions, events: LinkEvents) {
    this.address = address
    this.#options = options
    this.#events = events
  }

  get isFailing(): boolean {
    return this.#failures > 0
  }

  /** Resolves when a registration begun after this call has been tried; at once while the name server does not answer. */
  async register(): Promise<void> {
    const wanted = ++this.#asked
    this.#start()
    while (!this.isFailing && !this.#closed && this.#tried < wanted) {
      this.#start()
      await this.#running
    }
  }

  lost(): void {
    this.#isRegistered = false
    this.#scheduleRetry(FIRST_RETRY_MS)
  }

  async close(unregister: Request): Promise<void> {
    this.#closed = true
    this.#retry?.cancel()
    if (!this.#isRegistered) return
    try {
      await this.#options.caller.call(this.address, unregister, UNREGISTER_TIMEOUT_MS)
    } catch (error) {
      this.#options.logger.warn(`could not unregister at name server ${this.address}`, { reason: (error as Error).message })
    }
  }

  #start(): void {
    if (this.#running !== null || this.#closed) return
    this.#retry?.cancel()
    this.#retry = null
    this.#running = this.#run().finally(() => (this.#running = null))
  }

  async #run(): Promise<void> {
    while (this.#tried < this.#asked && !this.#closed) {
      await Promise.resolve() // lets the changes of this turn in
      const asked = this.#asked
      const failure = await this.#registerOnce()
      this.#tried = asked
      if (failure === null) this.#succeeded()
      else return this.#failed(failure)
    }
  }

  /** Null, or why it failed. */
  async #registerOnce(): Promise<string | null> {
    const { caller, config } = this.#options
    try {
      const answer = await caller.call(this.address, this.#events.request(), config.registerBrokerTimeoutMills)
      if (answer.code !== ResponseCode.SUCCESS) return `it answered with code ${answer.code}: ${answer.remark ?? 'no remark'}`
      this.#events.answered(this, answer.body)
      return null
    } catch (error) {
      return (error as Error).message
    }
  }

  #succeeded(): void {
    if (!this.#isRegistered) this.#options.logger.info(`registered at name server ${this.address}`)
    this.#isRegistered = true
    this.#failures = 0
  }

  #failed(reason: string): void {
    if (!this.isFailing)
      this.#options.logger.warn(
        `name server ${this.address} does not take this broker's registration, trying again until it does`,
        { reason },
      )
    this.#isRegistered = false
    const pauseMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(10, this.#failures++))
    this.#scheduleRetry(pauseMs)
  }

  #scheduleRetry(pauseMs: number): void {
    if (this.#closed) return
    const { clock, random } = this.#options
    this.#retry?.cancel()
    this.#retry = clock.setTimeout(() => void this.register(), pauseMs * (0.5 + random()))
  }
}
