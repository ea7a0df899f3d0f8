import type { ClientClock } from '../environment.ts'
import { marginMs } from '../figures.ts'

export type AuthReason = 'connect' | 'refresh' | 'rejected'
export type AuthCallback = (context: { reason: AuthReason; signal: AbortSignal }) => string | Promise<string>

/** The application's tokens: asked for one at a time, kept in memory while good, never logged. */
export class Tokens {
  readonly #auth: AuthCallback | undefined
  readonly #clock: ClientClock
  #token: string | undefined
  /** Epoch ms: the clock goes on while the machine sleeps. */
  #endsAt = Infinity
  #running: { promise: Promise<string>; controller: AbortController } | undefined
  /** Why the next token is asked for. */
  reason: AuthReason = 'connect'

  constructor(auth: AuthCallback | undefined, clock: ClientClock) {
    this.#auth = auth
    this.#clock = clock
  }

  get available(): boolean {
    return this.#auth !== undefined
  }

  /** Whether `get` would answer with a token that was used before. */
  get cached(): boolean {
    return this.#token !== undefined && !this.endsWithin(marginMs)
  }

  endsWithin(ms: number): boolean {
    return this.#endsAt - this.#clock.now() < ms
  }

  /** For a connection: the one at hand, or a new one. */
  get(): Promise<string> {
    if (this.cached) return Promise.resolve(this.#token!)
    return this.fresh(this.#token === undefined ? this.reason : 'refresh')
  }

  /** Joins a call that is under way. */
  fresh(reason: AuthReason): Promise<string> {
    this.#running ??= this.#ask(reason)
    return this.#running.promise
  }

  /** The bridge took the token, for `ttlMs`. */
  accepted(ttlMs: number | undefined): void {
    this.#endsAt = ttlMs === undefined ? Infinity : this.#clock.now() + ttlMs
    this.reason = 'refresh'
  }

  forget(reason: AuthReason): void {
    this.#token = undefined
    this.reason = reason
  }

  abort(): void {
    this.#running?.controller.abort()
    this.#running = undefined
  }

  #ask(reason: AuthReason): { promise: Promise<string>; controller: AbortController } {
    const controller = new AbortController()
    const { signal } = controller
    const promise = new Promise<string>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error))
      // In a later turn: what it throws at once is a rejection, and calls back do not meet us half way.
      Promise.resolve({ reason, signal }).then(this.#auth).then(resolve, reject)
    }).then(token => {
      if (typeof token !== 'string' || token === '') throw new TypeError('auth() must return a token')
      this.#token = token
      this.#endsAt = Infinity
      return token
    })
    const done = (): void => {
      if (this.#running?.controller === controller) this.#running = undefined
    }
    promise.then(done, done)
    return { promise, controller }
  }
}
