import { mayReconnect } from '@cometmq/protocol'
import * as CloseCode from '@cometmq/protocol/close-code'
import { BridgeError } from '../errors.ts'
import { type Backoff, delayOf } from './backoff.ts'
import * as Failure from './failure.ts'
import { Link, type LinkEvents } from './link.ts'
import type { Tokens } from './tokens.ts'
import type { Urls } from './urls.ts'
import { attemptMs, authMs, offlineMs } from '../figures.ts'

export interface DialerHost extends LinkEvents {
  /** The open socket: then an attempt is a move away from it. */
  readonly link: Link | undefined
  connecting(attempt: number, retryAt?: number): void
  /** No more attempts. */
  end(error: BridgeError): void
}

/** Makes sockets: which address, when, with which token, until one is welcome. */
export class Dialer {
  readonly #host: DialerHost
  readonly #backoff: Backoff
  readonly tokens: Tokens
  readonly urls: Urls
  /** The socket in the making. */
  link: Link | undefined
  /** For its HELLO, and whether an earlier connection used it. */
  token: string | undefined
  #reused = false
  /** The bridge did not take the last token. */
  #afterRejection = false
  /** Counts attempts: what belongs to an abandoned one is recognised. */
  #dial = 0
  /** Since there was a socket, or since the runtime woke up. */
  #failures = 0
  /** ms, monotonic */
  #since = 0
  #timer: { cancel(): void } | undefined
  /** Waiting of our own accord: waking up shortens it. */
  #patient = false

  constructor(host: DialerHost, backoff: Backoff, tokens: Tokens, urls: Urls) {
    this.#host = host
    this.#backoff = backoff
    this.tokens = tokens
    this.urls = urls
  }

  /** There is no socket and one is wanted. */
  start(): void {
    this.#begin()
    this.#connect()
  }

  /** There is no socket any more. A move that is under way goes on. */
  lost(error: BridgeError): void {
    this.#begin()
    if (this.#timer && !this.#patient) this.#host.connecting(1)
    else this.#later(error)
  }

  #begin(): void {
    this.#since = this.#host.environment.clock.monotonic()
    this.#failures = 0
  }

  /** A new socket after a pause, with or without the present one. */
  after(delayMs: number): void {
    this.stop()
    this.#timer = this.#host.environment.clock.setTimeout(() => this.#connect(), delayMs)
  }

  /** The end of whatever is under way. */
  stop(): void {
    this.#dial++
    this.#timer?.cancel()
    const { link } = this
    this.#timer = this.link = undefined
    this.#patient = false
    this.tokens.abort()
    link?.close(CloseCode.NORMAL, '')
  }

  welcome(tokenTtl: number | undefined): void {
    this.urls.worked(this.link!.url)
    this.link = undefined
    this.stop()
    this.#failures = 0
    this.tokens.accepted(tokenTtl)
  }

  /** The socket in the making has been closed. */
  closed(code: number, error: BridgeError): void {
    const expired = code === CloseCode.TOKEN_EXPIRED || (code === CloseCode.UNAUTHORISED && this.#reused)
    const refused = expired && this.tokens.available
    // Two new tokens in a row that the bridge did not take: a third would not be better.
    const again = this.#afterRejection && !this.#reused
    if (refused && !again) this.tokens.forget('rejected')
    else if (refused || !mayReconnect(code)) return this.#host.end(error)
    this.#failed(error)
  }

  woke(): void {
    const { environment } = this.#host
    if (!this.#patient || environment.online?.() === false) return
    this.#failures = 0
    // A little later all the same: networks need a moment, and pages are shown and hidden quickly.
    this.after(this.#delay())
  }

  #failed(error: BridgeError): void {
    this.#failures++
    this.#later(error)
  }

  /** The next attempt, when it is time. */
  #later(error: BridgeError): void {
    this.stop()
    const { environment, link } = this.#host
    const { clock } = environment
    const offline = environment.online?.() === false
    const delay = offline ? offlineMs : (error.retryAfter ?? this.#delay())
    if (!link && clock.monotonic() + delay - this.#since > this.#backoff.giveUpAfter) {
      const text = `no connection for ${this.#backoff.giveUpAfter} ms: ${error.message}`
      return this.#host.end(new BridgeError(Failure.OFFLINE, text, { cause: error }))
    }
    this.after(delay)
    this.#patient = offline || error.retryAfter === undefined
    if (!link) this.#host.connecting(this.#failures + 1, clock.now() + delay)
  }

  #delay(): number {
    return delayOf(this.#failures, this.#backoff, () => this.#host.environment.random())
  }

  #connect(): void {
    this.stop()
    const dial = this.#dial
    if (!this.#host.link) this.#host.connecting(this.#failures + 1)
    this.#reused = this.tokens.cached
    this.#afterRejection = this.tokens.reason === 'rejected'
    if (!this.tokens.available) return this.#open(undefined)
    this.#deadline(authMs, 'auth() has not answered')
    this.tokens.get().then(
      token => dial === this.#dial && this.#open(token),
      (cause: unknown) => dial === this.#dial && this.#authFailed(cause),
    )
  }

  #open(token: string | undefined): void {
    this.token = token
    this.#deadline(attemptMs, 'no WELCOME')
    this.link = new Link(this.urls.next(this.#host.link?.url), this.#host)
  }

  /** An application ends the attempts by throwing when its token was rejected, or what cannot be retried. */
  #authFailed(cause: unknown): void {
    const told: BridgeError | undefined = BridgeError.is(cause) ? cause : undefined
    const final = told ? !told.retryable : this.tokens.reason === 'rejected'
    const error =
      told ?? new BridgeError(final ? Failure.TOKEN_REFUSED : Failure.CONNECTION_LOST, 'auth() gave no token', { cause })
    if (final) this.#host.end(error)
    else this.#failed(error)
  }

  #deadline(ms: number, text: string): void {
    this.#timer?.cancel()
    this.#timer = this.#host.environment.clock.setTimeout(() => {
      if (this.link) this.link.close(CloseCode.NO_PONG, text)
      else this.#failed(new BridgeError(Failure.CONNECTION_LOST, text))
    }, ms)
  }
}
