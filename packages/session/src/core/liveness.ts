import type { Clock } from '@cometmq/cluster'

/** What a watched link can do. Times are monotonic ms. */
export interface Watched {
  /** When the last frame came and when one went out. */
  readonly heardAt: number
  readonly saidAt: number
  ping(): void
  dead(): void
}

/** Pings after `hbMs` of outbound silence, and wants any frame within `pongMs` of that (spec bridge, section 7). */
export class Liveness {
  readonly #clock: Clock
  readonly #watched: Watched
  readonly #hbMs: number
  readonly #pongMs: number
  #timer: { cancel(): void } | undefined

  constructor(clock: Clock, watched: Watched, hbMs: number, pongMs: number) {
    this.#clock = clock
    this.#watched = watched
    this.#hbMs = hbMs
    this.#pongMs = pongMs
    this.#waitForSilence()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #waitForSilence(): void {
    const silent = this.#clock.monotonic() - this.#watched.saidAt
    this.#timer = this.#clock.setTimeout(() => this.#silent(), Math.max(1, this.#hbMs - silent))
  }

  #silent(): void {
    // Timers may be a little early; a millisecond of it is no reason for another round.
    if (this.#clock.monotonic() - this.#watched.saidAt < this.#hbMs - 1) return this.#waitForSilence()
    const asked = this.#clock.monotonic()
    this.#watched.ping()
    this.#timer = this.#clock.setTimeout(() => {
      if (this.#watched.heardAt < asked) this.#watched.dead()
      else this.#waitForSilence()
    }, this.#pongMs)
  }
}
