import type { PoppedMessage } from '@cometmq/cluster'
import { type Entry, type Frame, Kind, type Ranges, type SeekTarget, type SubInfo, type SubSpec } from '@cometmq/protocol'
import { RefusedError } from '../../principal.ts'
import type { Subscription, SubscriptionHost } from '../../subscription.ts'
import { entryOf } from '../entries.ts'
import { type CompiledWhere, TokenFilter } from '../filter.ts'
import { rangesOf } from '../ranges.ts'
import type { Shared } from '../shared.ts'
import { Window } from '../window.ts'
import { Fetcher, type FetchTarget } from './fetcher.ts'
import { Held } from './held.ts'
import { Lease, type LeaseTimes } from './lease.ts'
import type { Sibling, Siblings } from './siblings.ts'
import { Waiting } from './waiting.ts'

export interface GroupOptions {
  readonly shared: Shared
  readonly siblings: Siblings
  readonly host: SubscriptionHost
  readonly sid: number
  readonly spec: SubSpec
  readonly group: string
  /** It was closed. */
  readonly onClose: (subscription: Subscription) => void
  /** Tag expressions, by topic. */
  readonly expressions: readonly string[]
  readonly times: LeaseTimes
}

/** Frames that wait for the client to take anything. */
const maxOutbox = 256

/** One client's part in a consumer group: pops with leases, delivers under seqs, settles. */
export class GroupSubscription implements Subscription, FetchTarget, Sibling {
  readonly sid: number
  readonly spec: SubSpec
  readonly #options: GroupOptions
  readonly #shared: Shared
  readonly #host: SubscriptionHost
  readonly #window: Window
  readonly #held: Held
  readonly #fetcher: Fetcher
  /** Per topic: what makes subscriptions siblings. */
  readonly #keys: readonly string[]
  readonly #filter: TokenFilter
  readonly #firstFilter: CompiledWhere | null
  readonly #buffer: Waiting
  /** Goes out before anything else. */
  #outbox: Frame[] = []
  /** Seqs to be delivered again, ascending. */
  #resend: number[] = []
  #attached = true
  #stopped = false
  #closed = false
  #announced = false

  constructor(options: GroupOptions) {
    const { shared, spec, expressions, group, times } = options
    this.#filter = new TokenFilter(options.host)
    this.#firstFilter = this.#filter.current
    this.#options = options
    this.#shared = shared
    this.#host = options.host
    this.sid = options.sid
    this.spec = spec
    this.#window = new Window(...spec.limit)
    const ordered = spec.ordered === true
    this.#held = new Held({
      shared,
      sid: this.sid,
      times,
      send: frame => this.#send(frame),
      freed: () => this.#fetcher.kick(),
    })
    this.#buffer = new Waiting(shared, this.#held.settler, () => this.#fetcher.kick())
    const from = spec.start === 'earliest' ? ('earliest' as const) : ('latest' as const)
    const sources = spec.topics.map(([topic], topicIx) => {
      return { topic, topicIx, group, expression: expressions[topicIx]!, from, ordered, invisibleMs: times.invisibleMs }
    })
    this.#fetcher = new Fetcher(shared, this, sources)
    this.#keys = sources.map(({ topic, expression }) => {
      return JSON.stringify([group, topic, expression, this.#firstFilter?.key, times.leaseMs, ordered])
    })
    this.#keys.forEach((key, topicIx) => options.siblings.add(key, this, topicIx))
    shared.counters.subscriptions++
  }

  /** Begins to fetch from these brokers (by topic). */
  start(brokers: readonly (readonly string[])[]): void {
    if (!this.#closed) this.#fetcher.start(brokers)
  }

  /** A frame that goes before all deliveries. */
  tell(frame: Frame): void {
    if (!this.#attached || this.#closed) return
    if (this.#outbox.length === maxOutbox) this.#outbox.shift()
    this.#outbox.push(frame)
    this.#announce()
  }

  get leaseLeftMs(): number {
    const now = this.#shared.clock.monotonic()
    return Math.max(0, this.#held.ledger.latestDeadline - now, (this.#buffer.deliverBy ?? now) - now)
  }

  get outstanding(): number {
    return this.#held.ledger.size + this.#buffer.length
  }

  // What the fetcher asks.

  get isFetching(): boolean {
    return this.#attached && !this.#stopped && !this.#closed
  }

  get room(): number {
    const { maxSeq, lastSeq } = this.#window
    const { maxUnsettledMessages } = this.#shared.limits
    return Math.min(maxSeq - lastSeq, maxUnsettledMessages - this.#held.ledger.size) - this.#buffer.length
  }

  get roomBytes(): number {
    const { maxBytes, bytes } = this.#window
    const { bufferBytes, maxUnsettledBytes } = this.#shared.limits
    return Math.min(maxBytes - bytes, bufferBytes, maxUnsettledBytes - this.#held.ledger.bytes) - this.#buffer.bytes
  }

  popped(topicIx: number, brokerName: string, messages: readonly PoppedMessage[]): void {
    const { siblings } = this.#options
    const receivedAt = this.#shared.clock.monotonic()
    if (!this.isFetching && siblings.offer(this.#keys[topicIx]!, this, brokerName, messages)) return
    this.#accept(topicIx, brokerName, messages, receivedAt)
  }

  adopt(topicIx: number, brokerName: string, messages: readonly PoppedMessage[]): boolean {
    if (!this.isFetching || this.room <= 0 || this.roomBytes <= 0) return false
    this.#accept(topicIx, brokerName, messages, this.#shared.clock.monotonic())
    return true
  }

  state(info: SubInfo): void {
    this.tell([Kind.SUBINFO, this.sid, info])
  }

  failed(error: unknown): void {
    this.stop()
    this.#host.failed(this, error)
  }

  #accept(topicIx: number, brokerName: string, messages: readonly PoppedMessage[], receivedAt: number): void {
    const { times } = this.#options
    const where = this.#filter.current
    // Others would filter with the old token's rule.
    if (where !== this.#firstFilter) this.#leaveSiblings()
    const { maxAttempts } = this.#shared.limits
    const { settler } = this.#held
    const broker = this.#shared.numbers.of(brokerName, 0)
    const hold = { receivedAt, deliverBy: receivedAt + times.waitMs, deadline: receivedAt + times.holdMs }
    const filtered: Lease[] = []
    for (const message of messages) {
      const lease = new Lease(message, topicIx, broker + message.queueId, hold)
      if (where !== null && !where.passes(message.properties)) filtered.push(lease)
      else if (message.reconsumeTimes >= maxAttempts) this.#tooOften(lease)
      else if (this.#stopped || this.#closed) settler.release(lease, 0)
      else {
        this.#buffer.add(lease)
      }
    }
    settler.ack(filtered, () => {})
    this.#announce()
  }

  #leaveSiblings(): void {
    this.#keys.forEach(key => this.#options.siblings.remove(key, this))
  }

  #tooOften(lease: Lease): void {
    const { topic, msgId, reconsumeTimes } = lease.message
    const fields = { topic, msgId, group: this.#options.group, deliveries: reconsumeTimes }
    this.#shared.logger.info('a message was delivered too often and goes to the dead letter topic', fields)
    this.#held.settler.deadLetter(lease)
  }

  // Delivering.

  pump(budgetBytes: number): number {
    this.#announced = false
    if (!this.#attached || this.#closed) return 0
    if (this.#outbox.length > 0) {
      const frames = this.#outbox
      this.#outbox = []
      for (const frame of frames) this.#host.send(frame)
    }
    let sent = 0
    while (sent < budgetBytes && this.#resend.length > 0) sent += this.#sendAgain()
    while (sent < budgetBytes && this.#canDeliver) sent += this.#sendNext(budgetBytes - sent)
    if (sent > 0) {
      this.#held.watch()
      this.#fetcher.kick()
    }
    return sent
  }

  get #canDeliver(): boolean {
    return this.#buffer.length > 0 && this.#window.isOpen && !this.#stopped
  }

  /** One DELIVER frame of what waits; its bytes. */
  #sendNext(budgetBytes: number): number {
    const { clock, limits } = this.#shared
    const { frameMessages, frameBytes } = limits
    const window = this.#window
    const monotonic = clock.monotonic()
    const now = clock.now()
    const firstSeq = window.lastSeq + 1
    const entries: Entry[] = []
    const most = Math.min(budgetBytes, frameBytes)
    const expired: Lease[] = []
    let bytes = 0
    while (entries.length < frameMessages && bytes < most && window.isOpen) {
      const lease = this.#buffer.take(monotonic)
      if (lease === undefined) break
      const entry = entryOf(lease.message, lease.topicIx, lease.queue, now)
      if (entry === undefined) {
        expired.push(lease)
        continue
      }
      lease.seq = window.take(lease.size)
      this.#held.add(lease)
      entries.push(entry)
      bytes += lease.size
    }
    this.#held.settler.ack(expired, () => {})
    this.#deliver(firstSeq, entries)
    return bytes
  }

  /** One DELIVER frame of consecutive seqs that were delivered before; its bytes. */
  #sendAgain(): number {
    const { frameMessages, frameBytes } = this.#shared.limits
    const resend = this.#resend
    const entries: Entry[] = []
    let firstSeq = 0
    let bytes = 0
    let used = 0
    for (; used < resend.length && entries.length < frameMessages && bytes < frameBytes; used++) {
      const seq = resend[used]!
      const lease = this.#held.ledger.get(seq)
      if (entries.length > 0 && seq !== firstSeq + entries.length) break
      if (lease === undefined) continue
      if (entries.length === 0) firstSeq = seq
      // Also what has expired meanwhile: its seq is taken.
      entries.push(entryOf(lease.message, lease.topicIx, lease.queue, -Infinity)!)
      bytes += lease.size
    }
    resend.splice(0, used)
    this.#deliver(firstSeq, entries)
    return bytes
  }

  #deliver(firstSeq: number, entries: readonly Entry[]): void {
    if (entries.length === 0) return
    const { counters } = this.#shared
    counters.messagesOut += entries.length
    counters.batchesOut++
    counters.batchesEncoded++
    this.#host.send([Kind.DELIVER, this.sid, firstSeq, entries])
  }

  #announce(): void {
    if (this.#announced || !this.#attached || this.#closed) return
    if (this.#outbox.length === 0 && this.#resend.length === 0 && !this.#canDeliver) return
    this.#announced = true
    this.#host.ready(this)
  }

  #send(frame: Frame): void {
    if (this.#attached && !this.#closed) this.#host.send(frame)
  }

  limit(maxSeq: number, maxBytes: number): void {
    if (!this.#window.raise(maxSeq, maxBytes)) return
    this.#announce()
    this.#fetcher.kick()
  }

  // Settling.

  ack(ranges: Ranges, confirm: boolean): void {
    this.#held.ack(ranges, confirm)
  }

  nack(ranges: Ranges, afterMs: number | null): void {
    this.#held.nack(ranges, afterMs)
  }

  extend(ranges: Ranges, ms: number): void {
    this.#held.extend(ranges, ms)
  }

  dead(ranges: Ranges, reason: string): void {
    this.#held.dead(ranges, reason)
  }

  // The life of a subscription.

  seek(_target: SeekTarget): Promise<void> {
    const text =
      'the position of a consumer group cannot be moved by a client yet; use the resetOffset command of the administration'
    return Promise.reject(new RefusedError(50101, text))
  }

  async lag(): Promise<{ messages: number; ageMs: number }> {
    const { popper, clock } = this.#shared
    const lags = await Promise.all(this.spec.topics.map(([topic]) => popper.lag(topic, this.#options.group)))
    let messages = 0
    let oldest = Infinity
    for (const lag of lags) {
      messages += lag.messages
      oldest = Math.min(oldest, lag.oldest ?? Infinity)
    }
    return { messages, ageMs: oldest === Infinity ? 0 : Math.max(0, clock.now() - oldest) }
  }

  detach(): void {
    this.#attached = false
    this.#announced = false
    this.#outbox = []
    this.#resend = []
  }

  attach(lastSeq: number): number {
    this.#attached = true
    this.#announced = false
    const { ledger } = this.#held
    this.#resend = ledger.after(lastSeq)
    // The client never saw these and cannot count them.
    const lost = ledger.forgetSizesAfter(lastSeq)
    this.#window.bytes -= lost.bytes
    if (lost.seqs.length > 0) this.#outbox.push([Kind.LEASE, this.sid, rangesOf(lost.seqs)])
    const { length } = this.#resend
    this.#announce()
    this.#fetcher.kick()
    return length
  }

  stop(): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#fetcher.close()
    this.#buffer.releaseAll()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.stop()
    this.#closed = true
    this.#leaveSiblings()
    this.#shared.counters.subscriptions--
    this.#options.onClose(this)
    await this.#held.releaseAll()
  }
}
