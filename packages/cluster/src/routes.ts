import {
  type Clock,
  type Logger,
  type MessageQueue,
  RequestCode,
  ResponseCode,
  type Timer,
  type TopicRouteData,
} from '@cometmq/remoting'
import { parseRoute } from './bodies.ts'
import { type CallOptions, errorOfAnswer, within } from './calls.ts'
import { ClusterError } from './errors.ts'
import { type NameServers } from './name-servers.ts'
import { MASTER_ID, publishQueues, readQueues, routeFromTemplate } from './queues.ts'

/** Spec remoting 7.6: the topic whose route stands in for one that the broker will create with the first message. */
export const templateTopic = 'TBW102'
export const defaultTopicQueueNums = 4

const refreshPeriodMs = 30_000
const forgetAfterMs = 10 * 60_000
const maxTopics = 10_000
const maxMasters = 10_000
const timeoutMs = 3_000

/** What is known about a topic. Both queue lists are sorted by broker name and queue id. */
export interface TopicRoute {
  readonly topic: string
  readonly data: TopicRouteData
  readonly publish: readonly MessageQueue[]
  readonly read: readonly MessageQueue[]
  /** True when the topic does not exist yet and this is the template's route. */
  readonly fromTemplate: boolean
}

interface Entry {
  route: TopicRoute | undefined
  usedAt: number
  pending: Promise<TopicRoute> | undefined
}

/** Routes of the topics in use: fetched on first use, refreshed every 30 s and on demand, forgotten after 10 minutes without use. */
export class Routes {
  readonly #nameServers: NameServers
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #entries = new Map<string, Entry>()
  /** Addresses of all masters seen so far. */
  readonly #masters = new Set<string>()
  #newBrokers: () => void = () => {}
  #timer: Timer | undefined
  #closed = false

  constructor(nameServers: NameServers, clock: Clock, logger: Logger) {
    this.#nameServers = nameServers
    this.#clock = clock
    this.#logger = logger
  }

  /** For a producer: falls back to the template's route. Rejects with E_NO_ROUTE, E_NO_QUEUE or E_NO_NAME_SERVER. */
  async forPublishing(topic: string, options: CallOptions = {}): Promise<TopicRoute> {
    const route = this.#entry(topic).route ?? (await this.#shared(topic, options))
    if (route.publish.length === 0) throw noQueue(topic, 'write')
    return route
  }

  /** What is known already, without asking; undefined when nothing is. */
  cached(topic: string): TopicRoute | undefined {
    const entry = this.#entries.get(topic)
    if (entry === undefined) return undefined
    entry.usedAt = this.#clock.monotonic()
    return entry.route
  }

  /** For a consumer: the topic must exist. */
  async forReading(topic: string, options: CallOptions = {}): Promise<TopicRoute> {
    let route = this.#entry(topic).route
    if (!route || route.fromTemplate) route = await this.#shared(topic, options)
    if (route.fromTemplate) throw noRoute(topic, 'the name server does not know the topic')
    return route
  }

  /** Asks again now; callers at the same time share one request. A failure leaves the known route in place. */
  async refresh(topic: string, options: CallOptions = {}): Promise<TopicRoute> {
    return this.#shared(topic, options)
  }

  /** Passes on what becomes of a request to a broker of `topic`; when there was no answer, a newer route is asked for meanwhile. */
  async watch<T>(topic: string, asking: Promise<T>): Promise<T> {
    try {
      return await asking
    } catch (error) {
      const { brokerCode, code } = error as ClusterError
      if (brokerCode === undefined && code !== 'E_ABORTED') this.#refreshSoon(topic)
      throw error
    }
  }

  /** Without cache, without template, and also when it has no queues. */
  async fetch(topic: string, options: CallOptions = {}): Promise<TopicRouteData | undefined> {
    const what = `route of topic ${topic}`
    const request = { code: RequestCode.GET_ROUTEINFO_BY_TOPIC, ext: { topic, acceptStandardJsonOnly: 'true' } }
    const { answer, address } = await this.#nameServers.ask(what, request, options.timeoutMs ?? timeoutMs, options.signal)
    if (answer.code === ResponseCode.TOPIC_NOT_EXIST) return undefined
    if (answer.code !== 0) throw errorOfAnswer(what, address, answer)
    return parseRoute(answer.body)
  }

  known(): TopicRoute[] {
    return [...this.#entries.values()].flatMap(entry => entry.route ?? [])
  }

  /** `listener` runs after a route named a master that no earlier route did. */
  onNewBrokers(listener: () => void): void {
    this.#newBrokers = listener
  }

  forget(topic: string): void {
    this.#entries.delete(topic)
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#entries.clear()
  }

  #entry(topic: string): Entry {
    let entry = this.#entries.get(topic)
    if (!entry) {
      if (this.#entries.size >= maxTopics) this.#entries.delete(this.#entries.keys().next().value!)
      entry = { route: undefined, usedAt: 0, pending: undefined }
      this.#entries.set(topic, entry)
      if (!this.#timer && !this.#closed) this.#schedule()
    }
    entry.usedAt = this.#clock.monotonic()
    return entry
  }

  #shared(topic: string, options: CallOptions): Promise<TopicRoute> {
    const entry = this.#entry(topic)
    entry.pending ??= this.#load(topic, entry).finally(() => (entry.pending = undefined))
    return within(entry.pending, `route of topic ${topic}`, options, this.#clock)
  }

  async #load(topic: string, entry: Entry): Promise<TopicRoute> {
    const own = await this.fetch(topic)
    const data = own && own.queueDatas.length > 0 ? own : await this.#template(topic)
    entry.route = {
      topic,
      data,
      publish: publishQueues(topic, data),
      read: readQueues(topic, data),
      fromTemplate: data !== own,
    }
    this.#noteMasters(data)
    return entry.route
  }

  #noteMasters(data: TopicRouteData): void {
    const before = this.#masters.size
    for (const broker of data.brokerDatas) {
      const address = broker.brokerAddrs[MASTER_ID]
      if (address !== undefined && before < maxMasters) this.#masters.add(address)
    }
    if (this.#masters.size > before) this.#newBrokers()
  }

  async #template(topic: string): Promise<TopicRouteData> {
    const template = await this.fetch(templateTopic)
    if (!template) throw noRoute(topic, `the name server does not know the topic, and no broker there creates topics by itself`)
    return routeFromTemplate(template, defaultTopicQueueNums)
  }

  #refreshSoon(topic: string): void {
    this.#shared(topic, {}).catch((error: unknown) => {
      this.#logger.debug('route not refreshed, the known one stays', { topic, why: (error as Error).message })
    })
  }

  #schedule(): void {
    this.#timer = this.#clock.setTimeout(() => {
      void this.#refreshAll().finally(() => {
        this.#timer = undefined
        if (!this.#closed && this.#entries.size > 0) this.#schedule()
      })
    }, refreshPeriodMs)
  }

  async #refreshAll(): Promise<void> {
    const oldest = this.#clock.monotonic() - forgetAfterMs
    for (const [topic, entry] of this.#entries) {
      if (entry.usedAt < oldest) {
        this.#entries.delete(topic)
        continue
      }
      entry.pending ??= this.#load(topic, entry).finally(() => (entry.pending = undefined))
      try {
        await entry.pending
      } catch (error) {
        this.#logger.warn('route not refreshed, the known one stays', { topic, why: (error as Error).message })
      }
      if (this.#closed) return
    }
  }
}

const noRoute = (topic: string, why: string): ClusterError =>
  new ClusterError('E_NO_ROUTE', `no route for topic ${topic}`, { why, outcome: 'not-executed' })

const noQueue = (topic: string, action: string): ClusterError =>
  new ClusterError('E_NO_QUEUE', `no queue of topic ${topic} to ${action}`, {
    why: `no queue of the topic has ${action} permission on a broker with a master`,
    outcome: 'not-executed',
  })
