import type { DeliverFrame, Ranges, SeekTarget, ServerFrame, SubArgs, SubResult, Value } from '@cometmq/protocol'
import * as Kind from '@cometmq/protocol/kind'
import type { BroadcastCursor, ConsumerEvent, Signalled } from '../api.ts'
import type { Channel, DeliveryLink, Part, PartReport } from '../channel.ts'
import { Feed } from '../connection/feed.ts'
import { report } from '../connection/guard.ts'
import { BridgeError } from '../errors.ts'
import { Cursor } from './cursor.ts'
import { decode } from './decode.ts'
import { type LeaseOwner, Leases } from './leases.ts'
import { Delivered } from './message.ts'
import { type AnyConsumerOptions, settingsOf } from './options.ts'
import { holds } from './ranges.ts'
import * as Op from './op.ts'
import { Source, type SourceOptions } from './source.ts'
import type { TopicDef } from '../topic.ts'
import { maxInflation } from '../figures.ts'

/** Which messages may be handed out while others are being handled. */
export interface Lanes {
  isFree(message: Delivered): boolean
  enter(message: Delivered): void
  leave(message: Delivered): void
}

/**
 * One subscription: what was delivered waits here, within the window, until the application asks for it. The window is raised when half of
 * it was taken; what is lost counts as taken.
 */
export class Subscription implements Part, LeaseOwner {
  readonly type = 'subscription'
  readonly id: number
  readonly channel: Channel
  readonly auto: boolean
  readonly ordered: boolean
  #settings: ReturnType<typeof settingsOf>
  readonly #isGroup: boolean
  readonly #cursor: Cursor
  readonly #sourceOptions: SourceOptions
  readonly #leases: Leases
  readonly #feeds = new Set<Feed<ConsumerEvent>>()
  leaseMs: number
  #source: Source | undefined
  /** Sessions that the connection has moved away from, as long as something of them is in hand. */
  #old: Source[] = []
  #open = false
  #buffer: Delivered[] = []
  #waiters: (() => void)[] = []
  #paused = false
  #ended = false
  #error: BridgeError | undefined
  /** What was told by LIMIT. */
  #maxSeq = 0
  #maxBytes = 0
  #draining: Promise<PartReport> | undefined
  #ackedCount = 0
  #settled: () => void = () => undefined

  constructor(channel: Channel, topics: readonly TopicDef[], options: AnyConsumerOptions) {
    this.channel = channel
    this.#settings = settingsOf(topics, options)
    const { spec, auto, leaseMs } = this.#settings
    this.auto = auto
    this.ordered = spec.ordered ?? false
    this.#isGroup = spec.mode === 'group'
    this.leaseMs = leaseMs
    const { start } = spec
    this.#cursor = new Cursor(typeof start === 'object' && 'cursor' in start ? start.cursor : [])
    this.#leases = new Leases(this, channel.clock)
    this.id = channel.nextPartId()
    this.#sourceOptions = {
      clock: channel.clock,
      sid: this.id,
      leased: this.#isGroup,
      windowMessages: spec.limit[0],
      settled: op => {
        if (op === Op.ack || op === Op.acked) this.#ackedCount++
        this.#settled()
      },
    }
    channel.attach(this)
  }

  // ---- the application takes

  /** At once when one is there. Undefined: the consumer has ended, or the signal fired. Rejects when it has failed. */
  next(signal?: AbortSignal, lanes?: Lanes): Delivered | Promise<Delivered | undefined> {
    const message = signal?.aborted ? undefined : this.take(lanes)
    const ready = message && this.prepare(message)
    return ready === true ? message : this.#next(message, ready, signal, lanes)
  }

  async #next(
    message: Delivered | undefined,
    ready: Promise<boolean> | boolean | undefined,
    signal: AbortSignal | undefined,
    lanes: Lanes | undefined,
  ): Promise<Delivered | undefined> {
    for (;;) {
      if (message) {
        if (await ready) return message
        lanes?.leave(message)
      } else if (signal?.aborted) return undefined
      else if (this.#error) throw this.#error
      else if (this.#ended) return undefined
      else await this.#wait(signal)
      message = signal?.aborted ? undefined : this.take(lanes)
      ready = message && this.prepare(message)
    }
  }

  /** The first that may be handed out; it still has to be prepared. */
  take(lanes?: Lanes): Delivered | undefined {
    if (this.#paused || this.#ended) return undefined
    // Losing one makes another array of the rest.
    for (let at = 0; at < this.#buffer.length; at++) {
      const message = this.#buffer[at]!
      if (lanes && !lanes.isFree(message)) continue
      if (at === 0) this.#buffer.shift()
      else this.#buffer.splice(at, 1)
      if (this.#took(message)) {
        lanes?.enter(message)
        return message
      }
      at--
    }
    return undefined
  }

  /** Inflates, decodes and checks. False: it cannot be handed out. */
  prepare(message: Delivered): Promise<boolean> | boolean {
    try {
      const work = decode(message, this.channel.maxBodyBytes * maxInflation)
      if (!work) return true
      return work.then(
        () => !message.lost,
        (error: unknown) => this.#undecodable(message, error),
      )
    } catch (error) {
      return this.#undecodable(message, error)
    }
  }

  /** Others may be free now. */
  wake(): void {
    if (this.#waiters.length > 0) for (const waiter of this.#waiters.splice(0)) waiter()
  }

  pause(paused: boolean): void {
    this.#paused = paused
    if (!paused) this.wake()
  }

  events(signal?: AbortSignal): Feed<ConsumerEvent> {
    const feed = new Feed(this.#feeds, signal)
    if (this.#ended) feed.end()
    return feed
  }

  get cursor(): BroadcastCursor {
    return this.#cursor.items
  }

  async lag({ signal }: Signalled = {}): Promise<{ messages: number; age: number }> {
    while (!this.#open && !this.#ended && !signal?.aborted) await this.#wait(signal)
    if (this.#error) throw this.#error
    const result = await this.channel.request(rid => [Kind.QUERY, rid, 'lag', { sid: this.id }], signal)
    const { messages, ageMs } = result as { messages: number; ageMs: number }
    return { messages, age: ageMs }
  }

  /** What was delivered before the answer came belongs to the old position. */
  seek(to: Date | Exclude<SeekTarget, { at: number }>): Promise<void> {
    const target: SeekTarget = to instanceof Date ? { at: Number(to) } : to
    const { channel } = this
    if (this.#ended) return Promise.reject(this.#error ?? new BridgeError(60000, 'the consumer has ended'))
    return new Promise((resolve, reject) => {
      const rid = channel.nextRid()
      channel.pending.set(rid, {
        ok: () => {
          this.#sought(target)
          resolve()
        },
        fail: reject,
        again: () => [Kind.SEEK, rid, this.id, target],
      })
      channel.send([Kind.SEEK, rid, this.id, target])
    })
  }

  // ---- the connection calls

  get buffered(): number {
    return this.#buffer.length
  }

  get lastSeq(): number {
    return this.#source?.lastSeq ?? 0
  }

  openArgs(rid: number): SubArgs {
    const { spec } = this.#settings
    const cursor = this.#isGroup ? [] : this.#cursor.items
    return [rid, this.id, cursor.length ? { ...spec, start: { cursor } } : spec]
  }

  opened(how: 'new' | 'hot' | 'cold' | 'none', result: Value, link: DeliveryLink): void {
    const { leaseMs, redelivered = 0 } = (result ?? {}) as SubResult
    this.leaseMs = leaseMs ?? this.leaseMs
    this.#open = true
    if (how === 'hot' && this.#source) {
      this.#source.settler.link = link
      this.#source.settler.repeat()
      if (this.#maxSeq > 0) this.#tellLimit()
    } else this.#begin(link)
    this.wake()
    if (how !== 'new') this.#emit({ type: 'resumed', how: how === 'hot' ? 'hot' : 'cold', redelivered })
  }

  disconnected(): void {
    this.#open = false
  }

  refused(error: BridgeError): void {
    this.#end(error)
  }

  ended(error: BridgeError | undefined): void {
    this.#end(error)
  }

  frame(frame: ServerFrame, link: DeliveryLink): void {
    const source = this.#source?.link === link ? this.#source : this.#old.find(old => old.link === link)
    if (!source) return
    if (frame[0] === Kind.DELIVER) {
      if (source === this.#source) this.#deliver(source, frame)
    } else if (frame[0] === Kind.ACKED) source.confirmed(frame[2], frame[3])
    else if (frame[0] === Kind.LEASE) this.#lostLeases(source, frame[2])
    else if (frame[0] === Kind.GAP) {
      const [, , queue, from, to, cause] = frame
      this.#emit({ type: 'gap', queue, from, to, cause })
    } else if (frame[0] === Kind.SUBINFO) {
      const { state, queues } = frame[2]
      if (queues) {
        this.#cursor.assigned(queues, this.#settings.topics.map(nameOf))
        this.#emit({ type: 'assigned', queues: queues.length })
      }
      if (state === 'slow') this.#emit({ type: 'slow', buffered: this.#buffer.length })
    }
  }

  busy(link: DeliveryLink): boolean {
    const source = [...this.#old, this.#source].find(other => other?.link === link)
    return source !== undefined && (source.inHand > 0 || !source.settler.isEmpty)
  }

  drain(timeoutMs: number, signal?: AbortSignal): Promise<PartReport> {
    return (this.#draining ??= this.#drain(timeoutMs, signal))
  }

  // ----

  /** A new session: what came with the old one comes again, except what is in hand while its link is alive. */
  #begin(link: DeliveryLink): void {
    const old = this.#source
    if (old) {
      for (const message of this.#buffer) old.held.delete(message.seq)
      this.#buffer = []
      this.#old.push(old)
    }
    this.#source = new Source(link, this.#sourceOptions)
    this.#cursor.renumber()
    ;[this.#maxSeq, this.#maxBytes] = this.#settings.spec.limit
    this.dropDead()
  }

  dropDead(): void {
    this.#old = this.#old.filter(source => {
      if (!source.link.alive) this.lose(source.end())
      return source.link.alive && (source.held.size > 0 || !source.settler.isEmpty)
    })
  }

  #deliver(source: Source, [, , firstSeq, entries, base = 0]: DeliverFrame): void {
    if (this.#ended) return
    const lease = this.#isGroup ? source.leaseFor(this.leaseMs) : undefined
    for (let at = 0; at < entries.length; at++) {
      const seq = firstSeq + at
      // Came over the old socket already.
      if (seq <= source.lastSeq) continue
      source.lastSeq = seq
      const entry = entries[at]!
      const def = this.#settings.topics[entry[0] + base]
      if (!def) continue
      const message = new Delivered(entry, seq, source, def, lease)
      if (lease) source.held.set(seq, message)
      this.#buffer.push(message)
    }
    source.highestSeq = Math.max(source.highestSeq, source.lastSeq)
    if (lease) this.#leases.watch()
    this.wake()
  }

  /** False: it was lost while it waited, or a broadcast had it before. */
  #took(message: Delivered): boolean {
    const { source, lease, entry } = message
    if (lease && source.isOver(lease)) {
      this.lose([message])
      return false
    }
    source.takenBytes += message.bytes
    this.#raise()
    message.taken = true
    if (lease) return true
    source.settler.add(Op.ack, message.seq)
    return this.#cursor.take(this.#settings.topics.indexOf(message.def), entry[1], entry[2])
  }

  #raise(): void {
    const source = this.#source
    if (!source) return
    const [messages, bytes] = this.#settings.spec.limit
    const maxSeq = source.highestSeq - this.#buffer.length + messages
    const maxBytes = source.takenBytes + bytes
    if ((maxSeq - this.#maxSeq) * 2 < messages && (maxBytes - this.#maxBytes) * 2 < bytes) return
    this.#maxSeq = maxSeq
    this.#maxBytes = maxBytes
    this.#tellLimit()
  }

  #tellLimit(): void {
    this.#source!.link.send([Kind.LIMIT, this.id, this.#maxSeq, this.#maxBytes])
  }

  #undecodable(message: Delivered, cause: unknown): false {
    const why = cause instanceof Error ? cause.message : String(cause)
    const error = new BridgeError(40092, `message ${message.id} of ${message.topic} cannot be decoded: ${why}`, { cause })
    message.nack({ reason: why })
    this.#emit({ type: 'undecodable', topic: message.topic, id: message.id, error })
    if (this.#feeds.size === 0) report(error)
    return false
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise(resolve => {
      const done = (): void => {
        signal?.removeEventListener('abort', done)
        resolve()
      }
      signal?.addEventListener('abort', done)
      this.#waiters.push(done)
    })
  }

  #emit(event: ConsumerEvent): void {
    for (const feed of this.#feeds) feed.push(event)
  }

  #sought(target: SeekTarget): void {
    const queue = typeof target === 'object' && 'queue' in target ? target.queue : undefined
    this.#buffer = this.#buffer.filter(message => {
      if (queue !== undefined && message.queue !== queue) return true
      message.source.takenBytes += message.bytes
      message.source.settler.add(Op.ack, message.seq)
      return false
    })
    if (typeof target === 'object' && 'queue' in target) this.#cursor.moved(queue, target.offset)
    else {
      this.#cursor.moved()
      this.#settings = { ...this.#settings, spec: { ...this.#settings.spec, start: target } }
    }
    this.#raise()
  }

  // ---- leases

  #lostLeases(source: Source, ranges: Ranges): void {
    const lost = [...source.held.values()].filter(({ seq }) => holds(ranges, seq))
    // After a resume: also of messages that never came. They use up the window all the same.
    source.highestSeq = Math.max(source.highestSeq, ranges.at(-1) ?? 0)
    this.lose(lost)
    this.#raise()
  }

  lose(messages: readonly Delivered[]): void {
    if (messages.length === 0) return
    for (const message of messages) {
      message.source.held.delete(message.seq)
      message.lose()
      if (!message.taken) message.source.takenBytes += message.bytes
    }
    this.#buffer = this.#buffer.filter(message => !message.lost)
    this.#emit({ type: 'lease-lost', ids: messages.map(message => message.id) })
    this.#raise()
    this.#settled()
  }

  get sources(): readonly Source[] {
    return this.#source ? [this.#source, ...this.#old] : this.#old
  }

  get isOpen(): boolean {
    return this.#open
  }

  // ---- the end

  #end(error: BridgeError | undefined): void {
    this.#open = false
    this.#ended = true
    this.#error ??= error
    this.#leases.stop()
    for (const source of this.sources) this.lose(source.end())
    this.#buffer = []
    this.wake()
    for (const feed of [...this.#feeds]) feed.end()
  }

  async #drain(timeoutMs: number, signal: AbortSignal | undefined): Promise<PartReport> {
    const { channel, id } = this
    const deadline = channel.clock.monotonic() + timeoutMs
    const before = this.#ackedCount
    const waiting = this.#buffer
    this.#ended = true
    this.#buffer = []
    for (const message of waiting) message.source.held.delete(message.seq)
    this.wake()
    if (this.#open) channel.request(rid => [Kind.UNSUB, rid, id, 1]).catch(() => undefined)
    const inHand = (): number => this.sources.reduce((sum, source) => sum + source.held.size, 0)
    await this.#within(timeoutMs, signal, done => {
      this.#settled = () => inHand() === 0 && done()
      this.#settled()
    })
    const held = inHand()
    let lost = held
    for (const source of this.sources) source.settler.flush()
    if (this.#open) {
      const left = Math.max(1_000, deadline - channel.clock.monotonic())
      // What is still in hand is given back, too.
      const gone = channel
        .request(rid => [Kind.UNSUB, rid, id, 0])
        .then(
          () => (lost = 0),
          () => undefined,
        )
      await this.#within(left, undefined, done => void gone.then(done))
    }
    this.#end(undefined)
    channel.detach(this)
    return { flushed: 0, acked: this.#ackedCount - before, released: (this.#isGroup ? waiting.length : 0) + held - lost, lost }
  }

  /** Until `begin` calls back, the time is over, or the signal fires. */
  #within(ms: number, signal: AbortSignal | undefined, begin: (done: () => void) => void): Promise<void> {
    return new Promise(resolve => {
      const done = (): void => {
        timer.cancel()
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = this.channel.clock.setTimeout(done, ms)
      signal?.addEventListener('abort', done)
      begin(done)
      if (signal?.aborted) done()
    })
  }
}

const nameOf = (def: TopicDef): string => def.name
