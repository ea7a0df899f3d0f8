import type { MessageQueue } from '@cometmq/cluster'
import { type Entry, type Frame, Kind, type Ranges, type SeekTarget, type SubInfo, type SubSpec } from '@cometmq/protocol'
import type { Subscription, SubscriptionHost } from '../../subscription.ts'
import { Fifo } from '../fifo.ts'
import { TokenFilter } from '../filter.ts'
import { isLasting, type Shared, textOf } from '../shared.ts'
import { entryOverheadBytes, Window } from '../window.ts'
import { Conflater } from './conflater.ts'
import { Cursor, type CursorOwner } from './cursor.ts'
import { type BatchPart, columnsOf, type EntryBatch } from './entry-batch.ts'
import type { Feeds } from './feeds.ts'
import { Sent } from './sent.ts'
import { SlowWatch } from './slow-watch.ts'
import { cursorsOf, lagOf, offsetsOf, type Place, placesOf } from './positions.ts'

export interface BroadcastOptions {
  readonly shared: Shared
  readonly feeds: Feeds
  readonly host: SubscriptionHost
  readonly sid: number
  readonly spec: SubSpec
  /** It was closed. */
  readonly onClose: (subscription: Subscription) => void
  /** Tag expressions, by topic. */
  readonly expressions: readonly string[]
}

/** What of a part of a batch one client is sent. */
type Sending = Pick<BatchPart, 'entries' | 'offsets' | 'sizes' | 'bytes'>

/** Frames that wait for the client to take anything. */
const maxOutbox = 1024

/** One client's view of whole topics: a cursor for each queue over what all subscribers read together. */
export class BroadcastSubscription implements Subscription, CursorOwner {
  readonly sid: number
  readonly spec: SubSpec
  /** No leases in this mode. */
  readonly leaseLeftMs = 0
  readonly #options: BroadcastOptions
  readonly #shared: Shared
  readonly #host: SubscriptionHost
  readonly #window: Window
  readonly #filter: TokenFilter
  readonly #sent = new Sent()
  readonly #cursors: Cursor[] = []
  /** Cursors that may have something to deliver, in turn. */
  readonly #listed = new Fifo<Cursor>()
  readonly #slow: SlowWatch | undefined
  readonly #openedAt: number
  #outbox: Frame[] = []
  readonly #troubles = new Set<Cursor | undefined>()
  #refreshTimer: { cancel(): void } | undefined
  #attached = true
  #stopped = false
  #closed = false
  #announced = false

  constructor(options: BroadcastOptions) {
    const { shared, spec, host, sid } = options
    this.#options = options
    this.#shared = shared
    this.#host = host
    this.sid = sid
    this.spec = spec
    this.#window = new Window(...spec.limit)
    this.#filter = new TokenFilter(host)
    this.#openedAt = shared.clock.now()
    if (spec.slow === 'disconnect') this.#slow = new SlowWatch(shared, () => host.tooSlow(this))
    shared.counters.subscriptions++
  }

  /** Begins to read. The client is told the queues first. */
  start(places: readonly Place[]): void {
    if (this.#closed) return
    this.#add(places)
    this.#refreshTimer = this.#shared.clock.setTimeout(() => void this.#refresh(), this.#shared.limits.refreshMs)
  }

  get outstanding(): number {
    return this.#window.lastSeq - this.#sent.acked
  }

  // Cursors.

  get isAttached(): boolean {
    return this.#attached && !this.#stopped && !this.#closed
  }

  arrived(cursor: Cursor): void {
    if (this.#troubles.size > 0) this.trouble(cursor, undefined)
    if (this.#closed || cursor.listed) return
    cursor.listed = true
    this.#listed.push(cursor)
    this.#announce()
  }

  trouble(cursor: Cursor | undefined, why: string | undefined): void {
    const before = this.#troubles.size
    if (why === undefined) this.#troubles.delete(cursor)
    else this.#troubles.add(cursor)
    if (before === 0 && why !== undefined) this.#tell({ state: 'retrying', detail: why })
    else if (before > 0 && this.#troubles.size === 0) this.#tell({ state: 'running' })
  }

  failed(error: unknown): void {
    if (this.#stopped || this.#closed) return
    this.stop()
    this.#host.failed(this, error)
  }

  #add(places: readonly Place[]): void {
    const { feeds, spec, expressions } = this.#options
    const { keepMessages, keepBytes } = this.#shared.limits
    const added: Cursor[] = []
    for (const { queue, topicIx, offset } of places) {
      const expression = expressions[topicIx]!
      const feed = feeds.acquire(queue, expression)
      const conflater = spec.slow === 'latest-per-key' ? new Conflater(keepMessages, keepBytes) : undefined
      added.push(new Cursor(this, feed, { topicIx, expression, offset }, conflater))
    }
    this.#cursors.push(...added)
    this.#tell(infoOf(added))
    for (const cursor of added) this.arrived(cursor)
  }

  async #refresh(): Promise<void> {
    const { clock, limits, reader } = this.#shared
    const { feeds, spec } = this.#options
    let why: string | undefined
    for (let topicIx = 0; topicIx < (this.isAttached ? this.spec.topics.length : 0); topicIx++) {
      try {
        const queues = await reader.queuesOf(this.spec.topics[topicIx]![0])
        const unknown = queues.filter(queue => !this.#cursors.some(({ feed }) => isSame(feed.queue, queue)))
        const places = await placesOf(this.#shared, feeds, unknown, {
          topicIx,
          start: spec.start ?? 'latest',
          openedAt: this.#openedAt,
        })
        if (!this.#closed && places.length > 0) this.#add(places)
      } catch (error) {
        if (isLasting(error)) return this.failed(error)
        why = textOf(error)
      }
    }
    if (this.#closed) return
    this.trouble(undefined, this.#cursors.length === 0 ? why : undefined)
    this.#refreshTimer = clock.setTimeout(() => void this.#refresh(), limits.refreshMs)
  }

  // Delivering.

  pump(budgetBytes: number): number {
    this.#announced = false
    if (!this.#attached || this.#closed) return 0
    this.#flush()
    if (this.#stopped) return 0
    let sent = 0
    let visits = this.#listed.length
    while (sent < budgetBytes && this.#canSend && visits > 0) {
      const cursor = this.#listed.shift()
      if (cursor === undefined) break
      cursor.listed = false
      const bytes = cursor.conflater === undefined ? this.#deliver(cursor) : this.#conflate(cursor, cursor.conflater)
      sent += bytes
      // Nothing sent: it waits for the feed now, or (latest-per-key) for the window.
      visits = bytes > 0 ? this.#listed.length + 1 : visits - 1
      if (bytes > 0 && !cursor.listed) {
        cursor.listed = true
        this.#listed.push(cursor)
      }
    }
    if (this.#slow !== undefined) {
      const waits = this.#somethingWaits
      if (sent > 0 || !waits) this.#slow.free()
      if (waits) this.#slow.blocked()
    }
    return sent
  }

  get #somethingWaits(): boolean {
    return this.#listed.some(({ offset, feed }) => offset < feed.maxOffset || feed.get(offset) !== undefined)
  }

  get #canSend(): boolean {
    return this.#window.isOpen && this.outstanding < this.#shared.limits.maxUnsettledMessages
  }

  /** One DELIVER frame of a queue; its bytes. 0: there is nothing, and the cursor waits for the feed. */
  #deliver(cursor: Cursor): number {
    const { feed } = cursor
    for (;;) {
      const batch = this.#next(cursor)
      if (batch === undefined) return 0
      const where = this.#filter.current
      const view = where === null ? batch : batch.view(where)
      const at = view.indexOf(cursor.offset)
      const { maxSeq, lastSeq, maxBytes, bytes } = this.#window
      const count = view.fit(at, maxSeq - lastSeq, maxBytes - bytes)
      if (count === 0) {
        cursor.offset = batch.next
        continue
      }
      const to = at + count
      const last = to === view.entries.length
      const part = view.part(at, to)
      this.#send(cursor, part)
      cursor.offset = last ? batch.next : view.entries[to]![2]
      if (cursor.offset >= feed.maxOffset) cursor.joined = true
      return part.bytes
    }
  }

  /** The batch at a cursor, after what is gone or left out by the policy has been told. */
  #next(cursor: Cursor): EntryBatch | undefined {
    const { feed } = cursor
    for (;;) {
      const behind = feed.maxOffset - cursor.offset
      const { keepMessages } = this.#shared.limits
      if (behind <= 0) cursor.joined ||= feed.hasRead
      else if (this.spec.slow === 'drop-oldest' && cursor.joined && behind > keepMessages) {
        this.#gap(cursor, cursor.offset, feed.maxOffset - keepMessages, 'slow')
        cursor.offset = feed.maxOffset - keepMessages
      }
      const batch = feed.get(cursor.offset)
      if (batch !== undefined) return batch
      if (cursor.offset >= feed.minOffset) break
      this.#gap(cursor, cursor.offset, feed.minOffset, 'expired')
      cursor.offset = feed.minOffset
    }
    feed.want(cursor)
    return undefined
  }

  /** Latest per key: takes in all there is, and delivers what is left of it once the end is near. */
  #conflate(cursor: Cursor, conflater: Conflater): number {
    const { feed } = cursor
    const where = this.#filter.current
    for (let batch = this.#next(cursor); batch !== undefined; batch = this.#next(cursor)) {
      const view = where === null ? batch : batch.view(where)
      for (let at = view.indexOf(cursor.offset); at < view.entries.length; at++) conflater.add(view.entries[at]!)
      cursor.offset = batch.next
    }
    if (feed.maxOffset - cursor.offset > this.#shared.limits.readMessages) {
      conflater.own()
      return 0
    }
    const entries: Entry[] = []
    const { maxSeq, lastSeq, maxBytes, bytes } = this.#window
    const { frameMessages, frameBytes } = this.#shared.limits
    const most = Math.min(maxBytes - bytes, frameBytes)
    let size = 0
    for (let next = conflater.peek(); next !== undefined; next = conflater.peek()) {
      if (entries.length >= Math.min(frameMessages, maxSeq - lastSeq) || size >= most) break
      const { entry, skippedFrom } = next
      if (skippedFrom !== -1) {
        if (entries.length > 0) break
        this.#gap(cursor, skippedFrom, entry[2], 'slow')
      }
      conflater.shift()
      entries.push(entry)
      size += entry[8].length + entryOverheadBytes
    }
    if (entries.length > 0) {
      this.#shared.counters.batchesEncoded++
      this.#send(cursor, { entries, ...columnsOf(entries), bytes: size })
    }
    conflater.own()
    return size
  }

  #send(cursor: Cursor, { entries, offsets, sizes, bytes }: Sending): void {
    const { counters } = this.#shared
    const count = entries.length
    const firstSeq = this.#window.takeMany(count, bytes)
    this.#sent.add({ firstSeq, count, cursor, epoch: cursor.epoch, offsets, sizes })
    counters.messagesOut += count
    counters.batchesOut++
    const { topicIx } = cursor
    this.#host.send(
      topicIx === 0 ? [Kind.DELIVER, this.sid, firstSeq, entries] : [Kind.DELIVER, this.sid, firstSeq, entries, topicIx],
    )
  }

  #gap(cursor: Cursor, from: number, to: number, cause: string): void {
    this.#host.send([Kind.GAP, this.sid, cursor.feed.number, from, to, cause])
    this.#sent.notice({ seq: this.#window.lastSeq, cursor, epoch: cursor.epoch, from, to, cause })
  }

  #flush(): void {
    if (this.#outbox.length === 0) return
    const frames = this.#outbox
    this.#outbox = []
    for (const frame of frames) this.#host.send(frame)
  }

  #tell(info: SubInfo): void {
    if (this.#closed) return
    if (this.#outbox.length < maxOutbox) this.#outbox.push([Kind.SUBINFO, this.sid, info])
    this.#announce()
  }

  #announce(): void {
    if (!this.#attached || this.#closed) return
    if (this.#slow !== undefined && !this.#stopped && this.#somethingWaits) this.#slow.blocked()
    const due = this.#outbox.length > 0 || (this.#listed.length > 0 && !this.#stopped && this.#canSend)
    if (this.#announced || !due) return
    this.#announced = true
    this.#host.ready(this)
  }

  // What the client says.

  ack(ranges: Ranges, confirm: boolean): void {
    const { lastSeq } = this.#window
    this.#sent.ack(ranges, lastSeq)
    if (confirm && this.#attached) this.#host.send([Kind.ACKED, this.sid, ranges])
    this.#announce()
  }

  /** Without leases there is nothing to give back. */
  nack(ranges: Ranges): void {
    this.ack(ranges, false)
  }

  extend(): void {}

  dead(ranges: Ranges): void {
    this.ack(ranges, false)
  }

  limit(maxSeq: number, maxBytes: number): void {
    if (this.#window.raise(maxSeq, maxBytes)) this.#announce()
  }

  async seek(target: SeekTarget): Promise<void> {
    const cursors = cursorsOf(this.#cursors, target)
    const offsets = await offsetsOf(this.#shared, this.#options.feeds, cursors, target)
    if (this.#closed) return
    cursors.forEach((cursor, index) => cursor.seek(offsets[index]!))
    this.#tell(infoOf(cursors))
    for (const cursor of cursors) this.arrived(cursor)
  }

  lag(): Promise<{ messages: number; ageMs: number }> {
    return lagOf(this.#shared, this.#options.feeds, this.#cursors)
  }

  // The life of a subscription.

  detach(): void {
    this.#attached = false
    this.#announced = false
    this.#slow?.free()
  }

  attach(lastSeq: number): number {
    this.#attached = true
    this.#announced = false
    const window = this.#window
    const seen = Math.min(Math.max(lastSeq, this.#sent.acked), window.lastSeq)
    const unseen = window.lastSeq - seen
    for (const cursor of this.#cursors) {
      const { conflater } = cursor
      if (conflater?.lowest !== undefined) cursor.back(conflater.lowest)
      conflater?.clear()
    }
    const { bytes, notices } = this.#sent.rewind(seen)
    window.lastSeq = seen
    window.bytes -= bytes
    for (const { cursor, from, to, cause } of notices) {
      if (this.#outbox.length < maxOutbox) this.#outbox.push([Kind.GAP, this.sid, cursor.feed.number, from, to, cause])
    }
    for (const notice of notices) this.#sent.notice({ ...notice, seq: seen })
    for (const cursor of this.#cursors) this.arrived(cursor)
    this.#announce()
    return unseen
  }

  stop(): void {
    this.#stopped = true
    this.#refreshTimer?.cancel()
    this.#slow?.free()
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve()
    this.stop()
    this.#closed = true
    this.#shared.counters.subscriptions--
    this.#options.onClose(this)
    for (const { feed, expression } of this.#cursors) this.#options.feeds.release(feed, expression)
    return Promise.resolve()
  }
}

const isSame = (a: MessageQueue, b: MessageQueue): boolean =>
  a.queueId === b.queueId && a.brokerName === b.brokerName && a.topic === b.topic

const infoOf = (cursors: readonly Cursor[]): SubInfo => ({
  state: 'running',
  queues: cursors.map(({ feed: { number, queue }, offset }) => {
    return [number, queue.topic, queue.brokerName, queue.queueId, offset] as const
  }),
})
