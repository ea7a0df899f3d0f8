import type { ClientClock } from '../environment.ts'
import type { Delivered } from './message.ts'
import * as Op from './op.ts'
import type { Source } from './source.ts'
import { shortestMs } from '../figures.ts'

export interface LeaseOwner {
  readonly sources: readonly Source[]
  readonly leaseMs: number
  readonly isOpen: boolean
  /** Before a check: links may have died. */
  dropDead(): void
  lose(messages: readonly Delivered[]): void
}

/** Three times a lease, and when one ends: those that wait are extended, those in hand are the application's to extend. */
export class Leases {
  readonly #owner: LeaseOwner
  readonly #clock: ClientClock
  #timer: { cancel(): void } | undefined

  constructor(owner: LeaseOwner, clock: ClientClock) {
    this.#owner = owner
    this.#clock = clock
  }

  watch(): void {
    this.#timer ??= this.#clock.setTimeout(() => {
      this.#timer = undefined
      this.#owner.dropDead()
      if (this.#check()) this.watch()
    }, this.#nextMs())
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #nextMs(): number {
    const { sources, leaseMs } = this.#owner
    const now = this.#clock.monotonic()
    let at = now + leaseMs / 3
    for (const source of sources) for (const { lease } of source.held.values()) at = Math.min(at, lease!.monotonic)
    return Math.max(shortestMs, at - now)
  }

  /** Whether anything is held. */
  #check(): boolean {
    const { sources, leaseMs, isOpen } = this.#owner
    let any = false
    for (const source of sources) {
      const lost: Delivered[] = []
      const soon = source.leaseFor(leaseMs / 2)
      const renewed = source.leaseFor(leaseMs)
      for (const message of source.held.values()) {
        const lease = message.lease!
        if (source.isOver(lease)) lost.push(message)
        else if (!message.taken && isOpen && lease.monotonic < soon.monotonic) {
          message.lease = renewed
          source.settler.add(Op.extend, message.seq, leaseMs)
        }
      }
      this.#owner.lose(lost)
      any ||= source.held.size > 0
    }
    return any
  }
}
