/** A token bucket that may run into debt: whoever is slowed down by the transport never gets far into it. */
export class RateLimit {
  readonly #perMs: number
  readonly #burst: number
  #level: number
  #at: number

  /** `perSecond` Infinity: no limit. `now`: monotonic ms. */
  constructor(perSecond: number, burst: number, now: number) {
    this.#perMs = perSecond / 1000
    this.#burst = burst
    this.#level = burst
    this.#at = now
  }

  /** Takes `amount`; returns how far the bucket is in debt after it, in bursts: 0 when it is not. */
  take(amount: number, now: number): number {
    if (this.#perMs === Infinity) return 0
    const level = Math.min(this.#burst, this.#level + (now - this.#at) * this.#perMs)
    this.#at = now
    // No deeper than it takes to be refused: a client that then stays away is forgiven in bounded time.
    this.#level = Math.max(level - amount, -maxDebt * this.#burst)
    return this.#level >= 0 ? 0 : -this.#level / this.#burst
  }

  /** Milliseconds until the bucket is out of debt. */
  get waitMs(): number {
    return this.#level >= 0 ? 0 : Math.ceil(-this.#level / this.#perMs)
  }
}

const maxDebt = 8
