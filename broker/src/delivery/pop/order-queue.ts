import type { Timed } from './deadlines.ts'

/** The state of one orderly queue as it stands in the journal. Times of one message are kept as the change itself, so that they outlive a clock that jumps. */
export interface OrderRecord {
  /** `topic@group@queueId`. */
  key: string
  group: string
  topic: string
  queueId: number
  popTime: number
  invisibleMs: number
  attemptId: string
  /** Of the last batch, ascending; none: forget the queue. */
  offsets: number[]
  acked: number[]
  /** Offset, epoch ms of the change, ms. */
  changed: [number, number, number][]
  /** Offset, times delivered before. */
  counts: [number, number][]
}

export type OrderAck = 'done' | 'ignored' | 'unknown'

/**
 * Orderly consumption of one queue (spec store, 10.6; Java: ConsumerOrderInfoManager): the last batch that was handed out. The next one
 * waits until all of it is acknowledged or its time is over; then what is not acknowledged comes again.
 */
export class OrderQueue implements Timed {
  readonly group: string
  readonly topic: string
  readonly queueId: number
  popTime = 0
  invisibleMs = 0
  attemptId = ''
  offsets: number[] = []
  /** Monotonic ms at which what is not acknowledged is due again. */
  #until = 0
  readonly #acked = new Set<number>()
  /** Messages with a time of their own: until when (monotonic), and the change. */
  readonly #changed = new Map<number, { until: number; at: number; ms: number }>()
  #counts = new Map<number, number>()
  tick = -1
  slot = 0
  busy = false

  constructor(group: string, topic: string, queueId: number) {
    this.group = group
    this.topic = topic
    this.queueId = queueId
  }

  /** Monotonic ms from which a pop is served, 0 for now. A retry of the pop that took the batch is served at once. */
  blockedUntil(attemptId: string, now: number): number {
    if (attemptId !== '' && attemptId === this.attemptId) return 0
    let latest = 0
    for (const offset of this.offsets) {
      if (this.#acked.has(offset)) continue
      const until = this.#changed.get(offset)?.until ?? this.#until
      if (until > now) latest = Math.max(latest, until)
    }
    return latest
  }

  /** Whether a message of the last batch was acknowledged: it does not come again. */
  isAcked(offset: number): boolean {
    return this.#acked.has(offset)
  }

  /** A new batch. Messages that were in the last one are delivered once more. */
  take(offsets: readonly number[], pop: { popTime: number; invisibleMs: number; attemptId: string }, now: number): void {
    const isRetry = pop.attemptId !== '' && pop.attemptId === this.attemptId
    const before = new Set(this.offsets)
    const counts = new Map<number, number>()
    for (const offset of offsets) {
      const count = (this.#counts.get(offset) ?? 0) + (!isRetry && before.has(offset) ? 1 : 0)
      if (count > 0) counts.set(offset, count)
    }
    this.#counts = counts
    this.offsets = [...offsets]
    this.#acked.clear()
    this.#changed.clear()
    this.popTime = pop.popTime
    this.invisibleMs = pop.invisibleMs
    this.attemptId = pop.attemptId
    this.#until = now + pop.invisibleMs
  }

  ack(offset: number, popTime: number): OrderAck {
    if (popTime !== this.popTime) return 'ignored'
    if (!this.offsets.includes(offset)) return 'unknown'
    this.#acked.add(offset)
    return 'done'
  }

  /** Gives one message another time from now on; false when the batch is not that of the receipt. */
  change(offset: number, popTime: number, change: { at: number; ms: number }, now: number): boolean {
    if (popTime !== this.popTime || !this.offsets.includes(offset) || this.#acked.has(offset)) return false
    this.#changed.set(offset, { until: now + change.ms, ...change })
    return true
  }

  /** The offset to commit: the first that is not acknowledged, or the one after the batch; -1 without a batch. */
  get done(): number {
    for (const offset of this.offsets) if (!this.#acked.has(offset)) return offset
    return this.offsets.length === 0 ? -1 : this.offsets[this.offsets.length - 1]! + 1
  }

  /** orderCountInfo: per message that came before, then the least of the batch. */
  countInfo(): string {
    let least = this.#counts.size === this.offsets.length ? Infinity : 0
    let text = ''
    for (const [offset, count] of this.#counts) {
      text += `0 qo${this.queueId}%${offset} ${count};`
      least = Math.min(least, count)
    }
    return `${text}0 ${this.queueId} ${Number.isFinite(least) ? least : 0}`
  }

  forget(): void {
    this.offsets = []
    this.attemptId = ''
    this.#acked.clear()
    this.#changed.clear()
    this.#counts.clear()
  }

  record(): OrderRecord {
    return {
      key: orderKey(this),
      group: this.group,
      topic: this.topic,
      queueId: this.queueId,
      popTime: this.popTime,
      invisibleMs: this.invisibleMs,
      attemptId: this.attemptId,
      offsets: this.offsets,
      acked: [...this.#acked],
      changed: [...this.#changed].map(([offset, { at, ms }]) => [offset, at, ms]),
      counts: [...this.#counts],
    }
  }

  /** @param wall epoch ms now. */
  restore(record: OrderRecord, wall: number, now: number): void {
    const left = (at: number, ms: number): number => Math.min(Math.max(0, at + ms - wall), ms)
    this.popTime = record.popTime
    this.invisibleMs = record.invisibleMs
    this.attemptId = record.attemptId
    this.offsets = record.offsets
    this.#until = now + left(record.popTime, record.invisibleMs)
    for (const offset of record.acked) this.#acked.add(offset)
    for (const [offset, at, ms] of record.changed) this.#changed.set(offset, { until: now + left(at, ms), at, ms })
    this.#counts = new Map(record.counts)
  }
}

export const orderKey = ({ group, topic, queueId }: { group: string; topic: string; queueId: number }): string =>
  `${topic}@${group}@${queueId}`
