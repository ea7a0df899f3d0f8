import type { Clock } from '@cometmq/cluster'

export interface TokenEvents {
  /** Time to ask for a new token; `leftMs`: until the present one ends. */
  expiring(leftMs: number): void
  expired(): void
}

const earliestMs = 60_000
/** Longer timers do not fit the runtime; they are set in steps. */
const longestTimerMs = 24 * 3_600_000

/** Asks at exp − min(60 s, 20 % of what the token is good for), and tells the end. */
export class TokenWatch {
  readonly #clock: Clock
  readonly #events: TokenEvents
  #expiresAt = Infinity
  #askAt = Infinity
  #asked = false
  #timer: { cancel(): void } | undefined

  constructor(clock: Clock, events: TokenEvents) {
    this.#clock = clock
    this.#events = events
  }

  /** `expiresAt`: epoch ms, Infinity when the token does not end. */
  start(expiresAt: number): void {
    this.stop()
    this.#expiresAt = expiresAt
    const ttl = expiresAt - this.#clock.now()
    this.#askAt = expiresAt - Math.min(earliestMs, ttl / 5)
    this.#asked = false
    this.#arm()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #arm(): void {
    const due = this.#asked ? this.#expiresAt : this.#askAt
    if (due === Infinity) return
    const wait = Math.max(0, Math.min(due - this.#clock.now(), longestTimerMs))
    this.#timer = this.#clock.setTimeout(() => this.#fire(), wait)
  }

  /** By the wall clock: it is what a token is measured with, and it may have been moved. */
  #fire(): void {
    const now = this.#clock.now()
    if (now >= this.#expiresAt) return this.#events.expired()
    if (!this.#asked && now >= this.#askAt) {
      this.#asked = true
      this.#events.expiring(this.#expiresAt - now)
    }
    this.#arm()
  }
}
