import {
  messageIdOf,
  type PopenArgs,
  type PopenResult,
  type Receipt as WireReceipt,
  type ServerFrame,
  type Value,
} from '@cometmq/protocol'
import * as Flag from '@cometmq/protocol/flag'
import * as Kind from '@cometmq/protocol/kind'
import type { ProducerOptions, Receipt, Signalled } from '../api.ts'
import type { Channel, DeliveryLink, Part, PartReport } from '../channel.ts'
import { report } from '../connection/guard.ts'
import { asyncDispose } from '../dispose.ts'
import { durationMs } from '../duration.ts'
import { BridgeError } from '../errors.ts'
import { fail, unsupported } from '../fail.ts'
import { cancelled, onAbort, withSignal } from '../signals.ts'
import type { TopicDef } from '../topic.ts'
import { Encoder, isText, unencodable } from './encode.ts'
import { type AnySend, metaOf } from './meta.ts'
import { Flight, type FlightOwner, Outgoing } from './outgoing.ts'
import * as State from './state.ts'
import { SendWindow } from './window.ts'
import { closeMs, frameBytes, maxTimerMs, writableMessages } from '../figures.ts'

const WINDOW_FULL = 60002

const recall = (): Promise<never> => Promise.reject(unsupported('recall()'))

/**
 * Messages wait in a queue until the bridge's window takes them. Those of one turn of the event loop share a frame: the first send of a turn
 * goes out in a microtask, what follows until the next timer or receipt goes together.
 */
export class TopicProducer implements Part, FlightOwner {
  readonly type = 'producer'
  readonly id: number
  readonly repeats: boolean
  readonly #channel: Channel
  readonly #topic: TopicDef
  readonly #options: Required<Pick<ProducerOptions, 'ifOffline' | 'maxQueued' | 'maxBytesQueued'>>
  readonly #lingerMs: number
  readonly #encoder: Encoder
  readonly #window: SendWindow
  /** Flags of every frame. */
  readonly #flags: number
  readonly #span: { topic: string }

  #open = false
  #link: DeliveryLink | undefined
  #error: BridgeError | undefined
  #closing: Promise<PartReport> | undefined
  /** From `#head` on; those settled meanwhile count no more. */
  #queue: Outgoing[] = []
  #head = 0
  #queuedCount = 0
  #queuedBytes = 0
  #soon = false
  #timer: { cancel(): void } | undefined
  #readyWaiters: { readonly resolve: () => void; readonly reject: (error: BridgeError) => void }[] = []
  #roomWaiters: (() => void)[] = []

  constructor(channel: Channel, topic: TopicDef, options: ProducerOptions) {
    const { linger = 0, idempotent = true, compress, maxInFlight = Infinity, maxBytesInFlight = Infinity } = options
    this.#channel = channel
    this.#topic = topic
    this.#options = {
      ifOffline: 'queue',
      maxQueued: 10_000,
      maxBytesQueued: 16 * 1024 * 1024,
      ...options,
    }
    this.#lingerMs = durationMs(linger, 'linger')
    this.repeats = idempotent
    this.#encoder = new Encoder(topic, compress, channel)
    this.#window = new SendWindow(maxInFlight, maxBytesInFlight)
    this.#flags = isText(topic) ? Flag.text : 0
    this.#span = { topic: topic.name }
    this.id = channel.nextPartId()
    channel.attach(this)
  }

  send(value: unknown, options?: AnySend): Promise<Receipt> {
    return this.#channel.span('send', this.#span, () => this.#send(value, options))
  }

  sendBatch(
    items: Iterable<{ value: unknown } & AnySend>,
    options: { atomic?: boolean } & Signalled = {},
  ): Promise<(Receipt | BridgeError)[]> {
    return this.#channel.span('send', this.#span, () => {
      const batch: Outgoing[] | undefined = options.atomic ? [] : undefined
      // Read to its end first: it may throw, and half of an atomic batch must not go.
      const all = [...items]
      return new Promise(resolve => {
        const results = new Array<Receipt | BridgeError>(all.length)
        let left = all.length
        if (left === 0) resolve(results)
        all.forEach((item, index) => {
          const settled = (result: Receipt | BridgeError): void => {
            results[index] = result
            if (--left === 0) resolve(results)
          }
          this.#begin(new Outgoing(0, settled, settled), item.value, item, batch, options.signal)
        })
      })
    })
  }

  oneway(value: unknown, options?: AnySend): boolean {
    const { messages, bytes } = this.window
    if (!this.#open || messages < 1 || bytes < 1) return false
    const item = new Outgoing(Flag.oneway, () => undefined, report)
    item.meta = metaOf(this.#topic, options)
    const body = this.#encoder.encode(value, item)
    if (!(body instanceof Promise) && body.length > bytes) return false
    this.#enqueue(item, body, options)
    return true
  }

  writable(): WritableStream<{ value: unknown } & AnySend> {
    let failed: (error: unknown) => void
    const most = Math.min(writableMessages, this.#options.maxQueued)
    return new WritableStream({
      start(controller) {
        failed = error => controller.error(error)
      },
      write: item => {
        this.send(item.value, item).catch(failed)
        if (this.#queuedCount >= most) return new Promise(resolve => this.#roomWaiters.push(resolve))
      },
      close: () => this.flush(),
    })
  }

  transaction(): Promise<never> {
    return Promise.reject(unsupported('transaction()'))
  }

  get window(): { messages: number; bytes: number } {
    return this.#window.room(this.#queuedCount, this.#queuedBytes)
  }

  ready({ signal }: Signalled = {}): Promise<void> {
    if (this.#error) return Promise.reject(this.#error)
    if (this.#open) return Promise.resolve()
    const ready = new Promise<void>((resolve, reject) => this.#readyWaiters.push({ resolve, reject }))
    return withSignal(ready, signal, 'not-executed')
  }

  async flush({ signal }: Signalled = {}): Promise<void> {
    this.#flush()
    const settled = this.#unsettled().map(item => new Promise<void>(resolve => (item.after ??= []).push(resolve)))
    await withSignal(Promise.all(settled), signal)
  }

  drain(timeoutMs: number, signal?: AbortSignal): Promise<PartReport> {
    return (this.#closing ??= this.#drain(timeoutMs, signal))
  }

  async [asyncDispose](): Promise<void> {
    await this.drain(closeMs)
  }

  // ---- the connection calls

  get pid(): number {
    return this.id
  }

  openArgs(rid: number): PopenArgs {
    return [rid, this.id, this.#topic.name, { kind: this.#topic.kind }]
  }

  opened(how: 'new' | 'hot' | 'cold' | 'none', result: Value, link: DeliveryLink): void {
    this.#open = true
    this.#link = link
    this.#window.opened(how, result as unknown as PopenResult)
    for (const { resolve } of this.#readyWaiters.splice(0)) resolve()
    this.#schedule()
  }

  disconnected(): void {
    this.#open = false
    for (const item of this.#queue) if (item.fleeting) this.settle(item, undefined, offline())
  }

  refused(error: BridgeError): void {
    this.ended(error)
  }

  ended(error = new BridgeError(60000, 'the connection was closed')): void {
    this.#open = false
    this.#error ??= error
    this.#timer?.cancel()
    const { status, message } = error
    for (const item of this.#queue)
      this.settle(item, undefined, new BridgeError(status, message, { outcome: 'not-executed', cause: error }))
    for (const { reject } of this.#readyWaiters.splice(0)) reject(error)
  }

  frame(frame: ServerFrame, link: DeliveryLink): void {
    if (frame[0] !== Kind.PLIMIT || link !== this.#link) return
    this.#window.raise(frame[2], frame[3])
    this.#flush()
  }

  // ---- its flights call

  pend(flight: Flight): void {
    for (const item of flight.items) if (item.state === State.sent) this.#channel.pending.set(item.rid, flight)
  }

  count(flight: Flight): void {
    flight.at = this.#window.sent(flight.items.length, bytesOf(flight.items))
  }

  /** The window of another session may be used up by now: then they wait in the queue, under new ids. */
  repeat(flight: Flight, resumed: 'hot' | 'cold' | 'none'): boolean {
    const { items } = flight
    if (resumed === 'hot' && this.#window.hasCounted(flight.at)) return true
    if (this.#window.allows(items.length, bytesOf(items))) {
      this.count(flight)
      return true
    }
    for (const item of items) {
      this.#landed(item)
      item.state = State.ready
      item.flags |= flight.flags & Flag.resent
      this.#queuedCount++
      this.#queuedBytes += item.body.length
    }
    this.#queue.unshift(...items)
    this.#schedule()
    return false
  }

  /** Once for each message; later answers count for nothing. */
  settle(item: Outgoing, receipt: WireReceipt | undefined, error?: BridgeError): void {
    const { state } = item
    if (state === State.settled) return
    if (state !== State.sent) this.#leaveQueue(item)
    // Who brings a receipt has taken out its id already.
    else if (receipt) this.#window.landed(item.body.length)
    else this.#landed(item)
    item.state = State.settled
    if (receipt) this.#turnOver()
    if (receipt && receipt[1] === 0) item.resolve(this.#receiptOf(receipt))
    else item.reject(error ?? refusal(receipt!))
    item.finish()
  }

  // ----

  #send(value: unknown, options?: AnySend): Promise<Receipt> {
    return new Promise((resolve, reject) => this.#begin(new Outgoing(0, resolve, reject), value, options))
  }

  #begin(item: Outgoing, value: unknown, options?: AnySend, batch?: Outgoing[], signal?: AbortSignal): void {
    if (batch) {
      item.batch = batch
      batch.push(item)
    }
    try {
      item.meta = metaOf(this.#topic, options)
      this.#watch(item, options?.signal)
      this.#watch(item, signal)
      this.#enqueue(item, this.#encoder.encode(value, item), options)
    } catch (error) {
      // Of an atomic batch the others must know.
      item.finish()
      item.reject(unencodable(error))
    }
  }

  #enqueue(item: Outgoing, body: Uint8Array | Promise<Uint8Array>, options: AnySend | undefined): void {
    if (this.#error ?? this.#closing) throw this.#error ?? new BridgeError(60000, 'the producer was closed')
    const { ifOffline, maxQueued } = this.#options
    const policy = options?.ifOffline ?? ifOffline
    if (policy !== 'queue' && !this.#open) throw offline()
    item.fleeting = policy === 'drop'
    if (this.#queuedCount >= maxQueued) fail(WINDOW_FULL, `${maxQueued} messages wait; await receipts, or use writable()`)
    if (body instanceof Promise) {
      body.then(ready => this.#ready(item, ready)).catch((error: unknown) => this.settle(item, undefined, unencodable(error)))
    } else this.#ready(item, body)
    // Those that were cancelled while there was no connection.
    if (this.#queue.length > 2 * this.#queuedCount + 1000) this.#queue = this.#queue.filter(isOpen)
    this.#queuedCount++
    this.#queue.push(item)
    if (options?.expires !== undefined) this.#expire(item, durationMs(options.expires))
    this.#schedule()
  }

  #ready(item: Outgoing, body: Uint8Array): void {
    if (item.state === State.settled) return
    const { maxBodyBytes } = this.#channel
    const { maxBytesQueued } = this.#options
    const { length } = body
    if (length === 0) fail(40000, 'the body is empty, which RocketMQ does not store')
    if (length > maxBodyBytes) fail(41301, `the body has ${length} bytes, the limit is ${maxBodyBytes}`)
    if (this.#queuedBytes + length > maxBytesQueued)
      fail(WINDOW_FULL, `${this.#queuedBytes} bytes wait, the limit is ${maxBytesQueued}; await receipts, or use writable()`)
    item.body = body
    item.state = State.ready
    this.#queuedBytes += length
    this.#schedule()
  }

  #watch(item: Outgoing, signal: AbortSignal | undefined): void {
    if (!signal) return
    if (signal.aborted) throw cancelled(signal, 'not-executed')
    const stop = onAbort(signal, () => {
      const sent = item.state === State.sent
      if (sent) this.#channel.send([Kind.CANCEL, item.rid])
      this.settle(item, undefined, cancelled(signal, sent ? 'unknown' : 'not-executed'))
    })
    ;(item.after ??= []).push(stop)
  }

  #expire(item: Outgoing, ms: number): void {
    const { clock } = this.#channel
    item.expiresAt = clock.now() + ms
    const expired = (): void => {
      if (item.state !== State.sent) this.settle(item, undefined, tooLate())
    }
    if (ms > maxTimerMs) return
    const timer = clock.setTimeout(expired, ms)
    ;(item.after ??= []).push(() => timer.cancel())
  }

  #landed(item: Outgoing): void {
    this.#channel.pending.delete(item.rid)
    this.#window.landed(item.body.length)
  }

  #leaveQueue(item: Outgoing): void {
    this.#queuedCount--
    this.#queuedBytes -= item.body.length
    if (this.#queuedCount < writableMessages) for (const resolve of this.#roomWaiters.splice(0)) resolve()
  }

  #schedule(): void {
    if (this.#soon || this.#timer || !this.#open) return
    if (this.#lingerMs > 0) return this.#later(this.#lingerMs)
    this.#soon = true
    queueMicrotask(() => {
      this.#soon = false
      if (this.#flush()) this.#later(0)
    })
  }

  #later(ms: number): void {
    this.#timer?.cancel()
    this.#timer = this.#channel.clock.setTimeout(() => {
      this.#timer = undefined
      if (this.#flush() && this.#lingerMs === 0) this.#later(0)
    }, ms)
  }

  /** A receipt belongs to another turn, and makes room. */
  #turnOver(): void {
    if (this.#lingerMs === 0) {
      this.#timer?.cancel()
      this.#timer = undefined
    }
    if (this.#queuedCount > 0) this.#schedule()
  }

  /** Sends what may be sent; whether there was anything. */
  #flush(): boolean {
    let any = false
    while (this.#open) {
      const run = this.#gather()
      if (run.length === 0) break
      this.#launch(run)
      any = true
    }
    if (this.#head > 0) {
      this.#queue.splice(0, this.#head)
      this.#head = 0
    }
    return any
  }

  /** The messages of the next frame: of one sort, ready, within the window. */
  #gather(): Outgoing[] {
    const run: Outgoing[] = []
    let bytes = 0
    for (; this.#head < this.#queue.length; this.#head++) {
      const item = this.#queue[this.#head]!
      if (item.state === State.settled) continue
      if (item.state === State.preparing) break
      const first = run[0]
      const size = item.body.length
      if (item.expiresAt > 0 && this.#outdated(item)) continue
      if (!first) {
        if (this.#neverFits(item)) continue
        if (item.batch && !this.#batchFits(item.batch)) break
      } else if (
        ((first.flags ^ item.flags) & Flag.oneway) !== 0 ||
        first.batch !== item.batch ||
        (!item.batch && bytes + size > frameBytes)
      )
        break
      if (!item.batch && !this.#window.fits(run.length + 1, bytes + size, !first)) break
      run.push(item)
      bytes += size
    }
    return run
  }

  #outdated(item: Outgoing): boolean {
    const left = item.expiresAt - this.#channel.clock.now()
    if (left > 0) (item.meta as Record<number, unknown>)[12] = left
    else this.settle(item, undefined, tooLate())
    return left <= 0
  }

  /** Fails what could wait for ever: larger than the whole window, or of a batch that is broken. */
  #neverFits(item: Outgoing): boolean {
    const { batch } = item
    const { count, bytes } = this.#window
    const all = batch ?? [item]
    let why: string | undefined
    if (!all.every(isOpen)) why = 'another message of the batch was refused or cancelled'
    else if (all.length > count || bytesOf(all) > bytes) why = `the limit of the bridge is ${count} messages, ${bytes} bytes`
    if (why === undefined) return false
    for (const other of all) this.settle(other, undefined, new BridgeError(batch ? 60004 : 41301, why))
    return true
  }

  #batchFits(batch: readonly Outgoing[]): boolean {
    return batch.every(item => item.state === State.ready) && this.#window.fits(batch.length, bytesOf(batch), true)
  }

  #launch(run: Outgoing[]): void {
    const oneway = (run[0]!.flags & Flag.oneway) !== 0
    const rid = this.#channel.nextRid(run.length)
    const flight = new Flight(this, rid, run, this.#flags | (run[0]!.batch ? Flag.atomic : 0))
    run.forEach((item, index) => {
      item.rid = rid + index
      item.state = State.sent
      if (oneway) item.finish()
      else {
        this.#window.flyingCount++
        this.#window.flyingBytes += item.body.length
      }
      this.#leaveQueue(item)
    })
    this.count(flight)
    this.pend(flight)
    this.#channel.send(flight.frame())
  }

  #receiptOf([rid, , msgId, queue, offset, extra]: WireReceipt): Receipt {
    return {
      id: msgId ?? messageIdOf(this.#channel.session ?? '', rid),
      queue,
      offset,
      duplicate: extra?.duplicate ?? false,
      recall: this.#topic.kind === 'delay' ? recall : undefined,
    }
  }

  #unsettled(): Outgoing[] {
    const open = new Set(this.#queue)
    for (const entry of this.#channel.pending.values()) {
      if (entry instanceof Flight && entry.owner === this) for (const item of entry.items) open.add(item)
    }
    return [...open].filter(isOpen)
  }

  async #drain(timeoutMs: number, signal: AbortSignal | undefined): Promise<PartReport> {
    const all = this.#unsettled()
    let timer: { cancel(): void } | undefined
    const timeout = new Promise<void>(resolve => (timer = this.#channel.clock.setTimeout(resolve, timeoutMs)))
    await Promise.race([this.flush(signal && { signal }).catch(() => undefined), timeout])
    timer?.cancel()
    const left = this.#unsettled()
    this.ended(new BridgeError(60000, 'the producer was closed'))
    const error = new BridgeError(60000, 'the producer was closed before the answer came', { outcome: 'unknown' })
    for (const item of left) this.settle(item, undefined, error)
    this.#channel.detach(this)
    return { flushed: all.length - left.length, acked: 0, released: 0, lost: left.length }
  }
}

const isOpen = (item: Outgoing): boolean => item.state !== State.settled
const bytesOf = (items: readonly Outgoing[]): number => items.reduce((sum, { body }) => sum + body.length, 0)
const offline = (): BridgeError => new BridgeError(60001, 'no connection')
const tooLate = (): BridgeError => new BridgeError(40891, 'expired before it could be sent', { outcome: 'not-executed' })

function refusal([, code, , , , extra]: WireReceipt): BridgeError {
  return new BridgeError(code, extra?.text ?? 'the bridge refused the message', extra)
}
