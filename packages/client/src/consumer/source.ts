import { type Ranges } from '@cometmq/protocol'
import type { DeliveryLink } from '../channel.ts'
import type { ClientClock } from '../environment.ts'
import { BridgeError } from '../errors.ts'
import { flushMs, takenMs } from '../figures.ts'
import { type Delivered, type Lease, leaseLost } from './message.ts'
import { holds } from './ranges.ts'
import * as Op from './op.ts'
import { Settler } from './settler.ts'

interface Confirm {
  readonly resolve: () => void
  readonly reject: (error: BridgeError) => void
}

export interface SourceOptions {
  readonly clock: ClientClock
  readonly sid: number
  readonly leased: boolean
  readonly windowMessages: number
  /** A message has been settled. */
  settled(op: Op.Op): void
}

/** The deliveries of one session, which are settled where they came from. */
export class Source {
  readonly settler: Settler
  /** Delivered and not settled: those that wait, and those that the application has. Empty without leases. */
  readonly held = new Map<number, Delivered>()
  /** Highest seq that came; highest that is known to exist. */
  lastSeq = 0
  highestSeq = 0
  /** Of what does not wait any more. */
  takenBytes = 0
  readonly #options: SourceOptions
  readonly #confirms = new Map<number, Confirm>()

  constructor(link: DeliveryLink, options: SourceOptions) {
    this.#options = options
    this.settler = new Settler(link, options.sid, options.clock, options.windowMessages, options.leased ? flushMs : takenMs)
  }

  get link(): DeliveryLink {
    return this.settler.link
  }

  get inHand(): number {
    let count = 0
    for (const message of this.held.values()) if (message.taken) count++
    return count
  }

  leaseFor(ms: number): Lease {
    const { clock } = this.#options
    return { wall: clock.now() + ms, monotonic: clock.monotonic() + ms }
  }

  isOver(lease: Lease): boolean {
    const { clock } = this.#options
    return clock.now() >= lease.wall || clock.monotonic() >= lease.monotonic
  }

  /** Once for each message; what comes later, or without a lease, does nothing. */
  settle(message: Delivered, op: Op.Op, argument?: number | null, reason?: string): void {
    if (!this.held.delete(message.seq)) return
    this.settler.add(op, message.seq, argument, reason)
    this.#options.settled(op)
  }

  /** A message whose lease is lost, or that was settled, cannot be extended. */
  extend(message: Delivered, ms: number): void {
    if (!this.held.has(message.seq)) return
    message.lease = this.leaseFor(ms)
    this.settler.add(Op.extend, message.seq, ms)
  }

  confirm(message: Delivered): Promise<void> {
    if (!this.#options.leased) return Promise.resolve()
    if (message.lost) return Promise.reject(leaseLost(message))
    return new Promise((resolve, reject) => {
      this.#confirms.set(message.seq, { resolve, reject })
      if (this.held.has(message.seq)) this.settle(message, Op.acked)
      else this.settler.add(Op.acked, message.seq)
      queueMicrotask(this.settler.flush)
    })
  }

  confirmed(ranges: Ranges, failed: Ranges = []): void {
    for (const [seq, { resolve, reject }] of this.#confirms) {
      const isLost = holds(failed, seq)
      if (!isLost && !holds(ranges, seq)) continue
      this.#confirms.delete(seq)
      if (isLost) reject(new BridgeError(40490, 'the lease is lost; the message comes again'))
      else resolve()
    }
  }

  /** The session is gone, and with it whatever was not settled. */
  end(): Delivered[] {
    const lost = [...this.held.values()]
    this.held.clear()
    for (const { reject } of this.#confirms.values())
      reject(new BridgeError(40490, 'the session was lost before the answer came', { outcome: 'unknown' }))
    this.#confirms.clear()
    return lost
  }
}
