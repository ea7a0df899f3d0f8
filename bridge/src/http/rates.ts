import type { Clock } from '@cometmq/cluster'
import { codeOf } from '@cometmq/protocol'
import { type Principal, RefusedError, type SessionLimits, SessionRates } from '@cometmq/session'

/** What each subject may send, the same as on one socket: requests and bytes a second. */
export class SubjectRates {
  readonly #limits: SessionLimits
  readonly #clock: Clock
  readonly #maxSubjects: number
  /** Longest unused first. */
  readonly #rates = new Map<string, SessionRates>()

  constructor(limits: SessionLimits, clock: Clock, maxSubjects: number) {
    this.#limits = limits
    this.#clock = clock
    this.#maxSubjects = maxSubjects
  }

  /** Throws CONNECTION_RATE. */
  take({ subject, scopes }: Principal, bytes: number): void {
    const now = this.#clock.monotonic()
    const key = `${scopes.framesPerSecond} ${subject}`
    const rates = this.#rates.get(key) ?? new SessionRates(this.#limits, scopes.framesPerSecond, now)
    this.#rates.delete(key)
    if (this.#rates.size >= this.#maxSubjects) this.#rates.delete(this.#rates.keys().next().value!)
    this.#rates.set(key, rates)
    const over = rates.take(bytes, now)
    if (over === undefined) return
    const text = 'this user sends more than the bridge takes from it; send less often, or more messages in one request'
    throw new RefusedError(codeOf('CONNECTION_RATE'), text, { outcome: 'not-executed', retryAfter: over.waitMs })
  }
}

/** How many of something each subject, and all together, have at this moment. */
export class Places {
  readonly #most: number
  readonly #taken = new Map<string, number>()
  #total = 0

  constructor(most: number) {
    this.#most = most
  }

  /** Takes a place until the function that is returned is called (once). Throws TOO_MANY_CONNECTIONS. */
  take(subject: string, mostOfSubject: number, what: string): () => void {
    const own = this.#taken.get(subject) ?? 0
    if (own >= mostOfSubject) throw full(`this user has ${own} ${what} already`)
    if (this.#total >= this.#most) throw full(`this node has ${this.#total} ${what}, as many as it may have`)
    this.#taken.set(subject, own + 1)
    this.#total++
    return () => {
      this.#total--
      const left = this.#taken.get(subject)! - 1
      if (left > 0) this.#taken.set(subject, left)
      else this.#taken.delete(subject)
    }
  }
}

const full = (text: string): RefusedError =>
  new RefusedError(codeOf('TOO_MANY_CONNECTIONS'), text, { outcome: 'not-executed', retryAfter: 1_000 })
