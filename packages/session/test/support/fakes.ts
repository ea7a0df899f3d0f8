import {
  type Cluster,
  ClusterError,
  type ClusterErrorCode,
  type MessageQueue,
  type ReceivedMessage,
  type Sender,
  type SendItem,
  type SendSink,
  type SendStatus,
} from '@cometmq/cluster'
import type { Frame, Ranges, SeekTarget, SubResult, SubSpec } from '@cometmq/protocol'
import { silentLogger } from '@cometmq/remoting'
import { createRandom, FakeClock } from '@cometmq/testkit'
import { expect } from 'vitest'
import { createSessionsWith } from '../../src/core/sessions.ts'
import { createQueueNumbers } from '../../src/subscriptions/index.ts'
import {
  everything,
  type Principal,
  type SessionLimits,
  type Sessions,
  type SessionsOptions,
  type Subscription,
  type SubscriptionHost,
  type Subscriptions,
} from '../../src/index.ts'

export const queue: MessageQueue = { topic: 'orders', brokerName: 'b-1', queueId: 3 }

export const clusterError = (code: ClusterErrorCode, outcome: 'not-executed' | 'unknown' = 'unknown'): ClusterError =>
  new ClusterError(code, 'send to topic orders', { why: 'because', outcome })

/** Takes what is submitted and answers when the test says so. */
export class FakeSender implements Sender {
  readonly group = 'test'
  readonly submissions: { items: readonly SendItem[]; sink: SendSink; atomic: boolean }[] = []
  /** Answers at once. */
  automatic = false
  closed = false
  #offset = 0

  get items(): SendItem[] {
    return this.submissions.flatMap(submission => submission.items)
  }

  submit(items: readonly SendItem[], sink: SendSink): void {
    this.#take(items, sink, false)
  }

  submitAtomic(items: readonly SendItem[], sink: SendSink): void {
    this.#take(items, sink, true)
  }

  get pending(): number {
    return this.items.length
  }

  async flush(): Promise<void> {}

  close(): void {
    this.closed = true
  }

  /** Answers everything of the submissions so far. */
  store(status: SendStatus = 'SEND_OK'): void {
    for (const { items, sink } of this.submissions.splice(0))
      items.forEach((_, index) => sink.stored(index, queue, this.#offset++, status, undefined))
  }

  fail(error: ClusterError): void {
    for (const { items, sink } of this.submissions.splice(0)) items.forEach((_, index) => sink.failed(index, error))
  }

  #take(items: readonly SendItem[], sink: SendSink, atomic: boolean): void {
    this.submissions.push({ items, sink, atomic })
    if (this.automatic) this.store()
  }
}

/** What a session uses of a cluster, scripted: for errors that a broker does not produce on demand. */
export class FakeCluster {
  readonly sender_ = new FakeSender()
  readonly topics = new Set(['orders', 'news', 'later'])
  /** Lookups of routes wait for this. */
  gate: Promise<void> = Promise.resolve()
  routeError: ClusterError | undefined
  found: ReceivedMessage[] = []

  get cluster(): Cluster {
    const routes = {
      forPublishing: async (topic: string) => {
        await this.gate
        if (this.routeError) throw this.routeError
        if (!this.topics.has(topic)) throw clusterError('E_NO_ROUTE', 'not-executed')
        return {}
      },
    }
    const messages = { byUniqueKey: async () => this.found, byKey: async () => this.found }
    return { routes, messages, sender: () => this.sender_ } as unknown as Cluster
  }
}

/** Writes down what it is told; delivers `waiting` bytes a frame at a time. */
export class FakeSubscription implements Subscription {
  readonly sid: number
  readonly spec: SubSpec
  readonly host: SubscriptionHost
  readonly calls: unknown[][] = []
  leaseLeftMs = 0
  outstanding = 0
  /** Bytes of the frames that wait for the pump. */
  waiting: number[] = []
  redelivers = 0
  closed = false
  closing: Promise<void> = Promise.resolve()
  #seq = 1

  constructor(host: SubscriptionHost, sid: number, spec: SubSpec) {
    this.host = host
    this.sid = sid
    this.spec = spec
  }

  /** Frames of these sizes wait from now on. */
  arrive(...sizes: number[]): void {
    this.waiting.push(...sizes)
    this.host.ready(this)
  }

  pump(budgetBytes: number): number {
    let sent = 0
    while (this.waiting.length > 0 && sent < budgetBytes) {
      const bytes = this.waiting.shift()!
      const body = new Uint8Array(bytes)
      const frame: Frame = [33, this.sid, this.#seq, [[0, 0, this.#seq, 'id', 0, 1, 0, {}, body]]]
      this.#seq++
      this.host.send(frame)
      sent += bytes
    }
    return sent
  }

  ack(ranges: Ranges, confirm: boolean): void {
    this.calls.push(['ack', ranges, confirm])
  }
  nack(ranges: Ranges, afterMs: number | null, reason: string | undefined): void {
    this.calls.push(['nack', ranges, afterMs, reason])
  }
  extend(ranges: Ranges, ms: number): void {
    this.calls.push(['extend', ranges, ms])
  }
  dead(ranges: Ranges, reason: string): void {
    this.calls.push(['dead', ranges, reason])
  }
  limit(maxSeq: number, maxBytes: number): void {
    this.calls.push(['limit', maxSeq, maxBytes])
  }
  async seek(target: SeekTarget): Promise<void> {
    this.calls.push(['seek', target])
  }
  async lag(): Promise<{ messages: number; ageMs: number }> {
    return { messages: 7, ageMs: 70 }
  }
  detach(): void {
    this.calls.push(['detach'])
  }
  attach(lastSeq: number): number {
    this.calls.push(['attach', lastSeq])
    return this.redelivers
  }
  stop(): void {
    this.calls.push(['stop'])
  }
  async close(): Promise<void> {
    this.closed = true
    await this.closing
  }
}

export class FakeSubscriptions implements Subscriptions {
  readonly numbers = createQueueNumbers()
  readonly opened: FakeSubscription[] = []
  /** Opening waits for this. */
  gate: Promise<void> = Promise.resolve()
  /** Frames that a new subscription has at once, and what its opening waits for after that. */
  ready: readonly number[] = []
  afterwards: Promise<void> = Promise.resolve()
  error: unknown
  result: SubResult = {}

  async open(host: SubscriptionHost, sid: number, spec: SubSpec): Promise<{ subscription: Subscription; result: SubResult }> {
    await this.gate
    if (this.error) throw this.error as Error
    const subscription = new FakeSubscription(host, sid, spec)
    this.opened.push(subscription)
    // As one may: before the session could answer SUB.
    host.send([41, sid, { state: 'running' }])
    if (this.ready.length > 0) subscription.arrive(...this.ready)
    await this.afterwards
    return { subscription, result: this.result }
  }
  stats() {
    return { subscriptions: this.opened.length, messagesOut: 0, batchesOut: 0, batchesEncoded: 0, leasesLost: 0 }
  }
  async close(): Promise<void> {}
}

export interface Bench {
  readonly sessions: Sessions
  readonly clock: FakeClock
  readonly cluster: FakeCluster
  readonly sender: FakeSender
  readonly subs: FakeSubscriptions
}

/** Sessions over fakes. `parts` shared by two of them make two nodes of one bridge. */
export function bench(
  options: {
    limits?: Partial<SessionLimits>
    authenticate?: SessionsOptions['authenticate']
    clock?: FakeClock
    node?: string
    seed?: number
    resumeKey?: Uint8Array
  } = {},
): Bench {
  const { limits = {}, authenticate = () => everything, clock = new FakeClock(), node = 'n-1', seed = 1 } = options
  const cluster = new FakeCluster()
  const subs = new FakeSubscriptions()
  const random = createRandom(seed)
  const sessions = createSessionsWith(
    {
      cluster: cluster.cluster,
      clock,
      logger: silentLogger,
      randomBytes: count => random.bytes(count),
      authenticate,
      node,
      resumeKey: options.resumeKey ?? new Uint8Array(32).fill(7),
      limits,
    },
    subs,
  )
  return { sessions, clock, cluster, sender: cluster.sender_, subs }
}

export const may = (changes: Partial<Principal['scopes']>, subject = 'anna', expiresAt = Infinity): Principal => ({
  subject,
  expiresAt,
  where: null,
  scopes: { ...everything.scopes, maxConnections: null, ...changes },
})

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Everything that was ready has run, immediates included. */
export const turn = (): Promise<void> => new Promise(resolve => setImmediate(() => setImmediate(resolve)))

/** A text that matches, or holds something: typed, unlike vitest's own. */
export const like = (pattern: RegExp): unknown => expect.stringMatching(pattern)
export const holding = (part: string): unknown => expect.stringContaining(part)
