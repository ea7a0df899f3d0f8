import { Kind, type Frame, type Ranges } from '@cometmq/protocol'
import { rangesOf } from '../ranges.ts'
import type { Shared } from '../shared.ts'
import { Ledger } from './ledger.ts'
import { type Lease, type LeaseTimes, leaseTimes, nackDelayMs } from './lease.ts'
import { Settler } from './settler.ts'

export interface HeldOptions {
  readonly shared: Shared
  readonly sid: number
  readonly times: LeaseTimes
  /** To the client; nothing happens while it is away. */
  send(frame: Frame): void
  /** Something was settled or lost: there may be room again. */
  freed(): void
}

/** A body is copied out of the answer it came in when it is held longer, ms. */
const pinnedMs = 2_000

/** What the client holds: settles it at its word, and watches the time. */
export class Held {
  readonly ledger = new Ledger()
  readonly settler: Settler
  readonly #options: HeldOptions
  readonly #shared: Shared
  #timer: { cancel(): void } | undefined
  #timerAt = Infinity

  constructor(options: HeldOptions) {
    this.#options = options
    this.#shared = options.shared
    this.settler = new Settler(options.shared)
  }

  /** `lease.seq` is set. */
  add(lease: Lease): void {
    this.ledger.add(lease)
  }

  ack(ranges: Ranges, confirm: boolean): void {
    const now = this.#shared.clock.monotonic()
    const leases: Lease[] = []
    const lose = (lease: Lease): void => this.ledger.lose(lease)
    this.ledger.take(ranges, lease => {
      if (lease.busy !== undefined) this.settler.track(lease.busy.then(() => this.settler.ack([lease], lose)))
      else if (lease.deadline > now) leases.push(lease)
      else this.#late(lease)
    })
    this.settler.ack(leases, lose)
    if (confirm) void this.#confirm(ranges)
    this.#options.freed()
  }

  nack(ranges: Ranges, afterMs: number | null): void {
    const { maxLeaseMs } = this.#shared.limits
    this.#settle(ranges, lease => {
      const delay = afterMs ?? nackDelayMs(lease.message.reconsumeTimes + 1)
      this.settler.release(lease, Math.min(Math.max(0, delay), maxLeaseMs))
    })
  }

  dead(ranges: Ranges, reason: string): void {
    const { logger } = this.#shared
    this.#settle(ranges, lease => {
      const { topic, msgId } = lease.message
      logger.info('the client sends a message to the dead letter topic', { topic, msgId, reason: reason.slice(0, 200) })
      this.settler.deadLetter(lease)
    })
  }

  extend(ranges: Ranges, ms: number): void {
    const { minLeaseMs, maxLeaseMs } = this.#shared.limits
    const times = leaseTimes(Math.min(Math.max(ms, minLeaseMs), maxLeaseMs))
    const now = this.#shared.clock.monotonic()
    this.ledger.visit(ranges, lease => {
      if (lease.busy !== undefined || lease.deadline <= now) return
      lease.busy = this.#extend(lease, times)
      this.settler.track(lease.busy)
    })
  }

  async #extend(lease: Lease, times: LeaseTimes): Promise<void> {
    const { clock, popper, logger } = this.#shared
    const asked = clock.monotonic()
    try {
      lease.receipt = await popper.changeInvisible(lease.receipt, times.invisibleMs)
      lease.extend(asked + times.holdMs)
    } catch (error) {
      const { topic } = lease.message
      logger.debug('a lease could not be extended; it ends as it would have', { topic, why: (error as Error).message })
    }
    lease.busy = undefined
    this.ledger.watch(lease.deadline)
    this.watch()
  }

  /** Everything is released at once; resolves when that and all else under way has been tried. */
  async releaseAll(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    for (const lease of this.ledger.takeAll()) this.#whenFree(lease, () => this.settler.release(lease, 0))
    await this.settler.idle()
  }

  /** Sets the timer for what ends next. */
  watch(): void {
    const next = this.ledger.nextDeadline
    if (next === Infinity || (this.#timer !== undefined && this.#timerAt <= next)) return
    this.#timer?.cancel()
    const now = this.#shared.clock.monotonic()
    this.#timerAt = next
    this.#timer = this.#shared.clock.setTimeout(() => this.#sweep(), Math.max(0, next - now))
  }

  #sweep(): void {
    const now = this.#shared.clock.monotonic()
    this.#timer = undefined
    const seqs = this.ledger.sweep(now, now - pinnedMs)
    this.watch()
    if (seqs.length === 0) return
    this.#shared.counters.leasesLost += seqs.length
    this.#options.send([Kind.LEASE, this.#options.sid, rangesOf(seqs)])
    this.#options.freed()
  }

  #settle(ranges: Ranges, settle: (lease: Lease) => void): void {
    const now = this.#shared.clock.monotonic()
    this.ledger.take(ranges, lease => {
      if (lease.busy === undefined && lease.deadline <= now) this.#late(lease)
      else this.#whenFree(lease, () => settle(lease))
    })
    this.#options.freed()
  }

  /** Its end has come and the timer has not run yet. */
  #late(lease: Lease): void {
    this.#shared.counters.leasesLost++
    this.ledger.lose(lease)
    this.#options.send([Kind.LEASE, this.#options.sid, [lease.seq, lease.seq]])
  }

  #whenFree(lease: Lease, task: () => void): void {
    if (lease.busy === undefined) task()
    else this.settler.track(lease.busy.then(task))
  }

  async #confirm(ranges: Ranges): Promise<void> {
    // An ack that waited for an extension begins its own request: hence until nothing runs any more, not only what runs now.
    await this.settler.idle()
    const failed = this.ledger.lostIn(ranges)
    const { sid } = this.#options
    this.#options.send(failed.length > 0 ? [Kind.ACKED, sid, ranges, failed] : [Kind.ACKED, sid, ranges])
  }
}
