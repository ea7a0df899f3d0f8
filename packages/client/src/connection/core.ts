import {
  type ClientFrame,
  type ErrFrame,
  type GoawayFrame,
  mayReconnect,
  PROTOCOL_VERSION,
  type ServerFrame,
  type Value,
  type WelcomeInfo,
} from '@cometmq/protocol'
import * as CloseCode from '@cometmq/protocol/close-code'
import * as Kind from '@cometmq/protocol/kind'
import type { ConnState, ConnStats, DrainReport, Observer } from '../api.ts'
import type { Channel, Part } from '../channel.ts'
import type { ClientClock, Environment } from '../environment.ts'
import { BridgeError } from '../errors.ts'
import { withSignal } from '../signals.ts'
import type { Backoff } from './backoff.ts'
import { Dialer, type DialerHost } from './dialer.ts'
import * as Failure from './failure.ts'
import { closeError, errError } from './failures.ts'
import { Feed } from './feed.ts'
import { guard, report } from './guard.ts'
import { Line, type Link } from './link.ts'
import { observe, spanOf } from './observers.ts'
import { Parts } from './parts.ts'
import { Requests, type Resumed } from './requests.ts'
import { Retired } from './retired.ts'
import { type AuthCallback, Tokens } from './tokens.ts'
import { Urls } from './urls.ts'
import { maxFrameBytes, refreshMs } from '../figures.ts'

export interface CoreOptions {
  readonly environment: Environment
  readonly urls: readonly string[]
  readonly auth: AuthCallback | undefined
  readonly backoff: Backoff
  /** ms */
  readonly idle: number
  readonly observers: readonly Observer[]
}

interface Waiter {
  resolve(): void
  reject(error: unknown): void
}

/** The connection: whether there is a socket and which, and what is said over it in the name of all parts. */
export class Core implements Channel, DialerHost {
  readonly environment: Environment
  readonly clock: ClientClock
  readonly #options: CoreOptions
  readonly #requests = new Requests()
  readonly pending = this.#requests.pending
  readonly #parts: Parts
  readonly #dialer: Dialer
  readonly #retired: Retired
  readonly #feeds = new Set<Feed<ConnState>>()
  readonly #waiters = new Set<Waiter>()
  readonly #in = { frames: 0, messages: 0, bytes: 0 }
  readonly #out = { frames: 0, messages: 0, bytes: 0 }
  state: ConnState = { type: 'idle' }
  link: Link | undefined
  session: string | undefined
  maxBodyBytes = 4_194_304
  /** Leases of the present session; lives on without a socket until it is known that they are lost. */
  #line: Line | undefined
  #resumeToken: string | undefined
  #welcomes = 0
  #draining = false
  #idle: { cancel(): void } | undefined
  #unhook: (() => void) | undefined
  /** What parts send while they are told of a new socket. */
  #held: ClientFrame[] | undefined

  constructor(options: CoreOptions) {
    const { environment } = options
    const random = (): number => environment.random()
    this.#options = options
    this.environment = environment
    this.clock = environment.clock
    this.#parts = new Parts(this, () => this.link)
    this.#retired = new Retired(this.clock, this.#requests, this.#parts)
    this.#dialer = new Dialer(this, options.backoff, new Tokens(options.auth, this.clock), new Urls(options.urls, random))
  }

  // For the application

  states(signal?: AbortSignal): Feed<ConnState> {
    const feed = new Feed(this.#feeds, signal)
    feed.push(this.state)
    if (this.state.type === 'closed') feed.end()
    return feed
  }

  async ready(signal?: AbortSignal): Promise<void> {
    if (this.link) return
    if (this.state.type === 'closed') throw this.#closedError()
    let waiter: Waiter | undefined
    const welcome = new Promise<void>((resolve, reject) => {
      this.#waiters.add((waiter = { resolve, reject }))
      this.#used()
    })
    try {
      await withSignal(welcome, signal, 'not-executed')
    } finally {
      this.#waiters.delete(waiter!)
      this.#released()
    }
  }

  stats(): ConnStats {
    const { link } = this
    const reconnects = Math.max(0, this.#welcomes - 1)
    let buffered = 0
    for (const { part } of this.#parts.slots.values()) buffered += part.buffered ?? 0
    const unsent = link?.bufferedBytes ?? 0
    return { in: { ...this.#in }, out: { ...this.#out }, rtt: link?.rtt ?? 0, buffered, unsent, reconnects }
  }

  async drain(timeoutMs: number, signal?: AbortSignal): Promise<DrainReport> {
    const sum = { flushed: 0, acked: 0, released: 0, lost: 0 }
    if (this.state.type === 'closed') return sum
    this.#show({ type: 'draining' })
    this.#draining = true
    const drains = [...this.#parts.slots.values()].map(async ({ part }) => {
      const done = await part.drain?.(timeoutMs, signal)
      if (done) for (const key of Object.keys(sum) as (keyof DrainReport)[]) sum[key] += done[key]
    })
    for (const result of await Promise.allSettled(drains)) if (result.status === 'rejected') report(result.reason)
    this.end()
    return sum
  }

  /** For good. */
  end(error?: BridgeError): void {
    if (this.state.type === 'closed') return
    this.#show({ type: 'closed', ...(error && { error }) })
    this.#leave()
    this.#parts.ended(error)
    this.#requests.failAll(outcome => this.#closedError(outcome))
    for (const waiter of this.#waiters) waiter.reject(this.#closedError())
    for (const feed of this.#feeds) feed.end()
  }

  // For producers and consumers

  get isOpen(): boolean {
    return this.link !== undefined
  }

  nextRid(count?: number): number {
    return this.#requests.next(count)
  }

  nextPartId(): number {
    return this.#parts.nextId()
  }

  attach(part: Part): void {
    if (this.state.type === 'closed' || this.#draining) {
      const error = this.#closedError()
      return queueMicrotask(() => guard(() => part.ended(error)))
    }
    this.#parts.attach(part)
    this.#used()
  }

  detach(part: Part): void {
    this.#parts.detach(part.id)
    this.#released()
  }

  send(frame: ClientFrame): boolean {
    if (this.#held) return this.#held.push(frame) > 0
    return this.link?.send(frame) ?? false
  }

  async request(make: (rid: number) => ClientFrame, signal?: AbortSignal): Promise<Value> {
    if (this.state.type === 'closed') throw this.#closedError()
    const answer = this.#requests.request(make, frame => this.send(frame), signal)
    this.#used()
    return answer.finally(() => this.#released())
  }

  span<X>(name: string, attributes: Record<string, string | number>, work: () => X): X {
    return spanOf(this.#options.observers, name, attributes, work)
  }

  // Coming and going

  #used(): void {
    this.#idle?.cancel()
    this.#idle = undefined
    if (this.state.type !== 'idle') return
    this.#unhook = this.environment.onWake?.(() => this.#woke())
    this.#dialer.start()
  }

  #released(): void {
    const { type } = this.state
    if (this.#parts.slots.size + this.#waiters.size > 0 || this.#idle || type === 'idle' || type === 'closed') return
    this.#idle = this.clock.setTimeout(() => {
      this.#idle = undefined
      if (this.pending.size > 0) return this.#released()
      this.#leave()
      this.#show({ type: 'idle' })
    }, this.#options.idle)
  }

  /** Says good-bye on all sockets; the session is over. */
  #leave(): void {
    const links = [this.link, ...this.#retired.links]
    if (this.link) this.#requests.markSent()
    this.link = undefined
    this.#dialer.stop()
    this.#idle?.cancel()
    this.#unhook?.()
    this.#idle = this.#unhook = this.#resumeToken = undefined
    this.#loseLine()
    for (const link of links) {
      if (link?.line) link.send([Kind.BYE, 0])
      link?.close(CloseCode.NORMAL, '')
    }
  }

  #loseLine(): void {
    if (this.#line) this.#line.alive = false
    this.#line = undefined
  }

  #closedError(outcome: 'unknown' | 'not-executed' = 'not-executed'): BridgeError {
    const cause = this.state.type === 'closed' ? this.state.error : undefined
    if (cause) return new BridgeError(cause.status, cause.message, { cause, outcome })
    return new BridgeError(Failure.CLOSED, 'the connection was closed', { outcome })
  }

  #show(state: ConnState): void {
    if (this.#draining && state.type !== 'closed') return
    this.state = state
    for (const feed of this.#feeds) feed.push(state)
    for (const observer of this.#options.observers) guard(() => observer.state?.(state))
  }

  #woke(): void {
    const { tokens } = this.#dialer
    this.link?.probe()
    if (this.link && tokens.available && tokens.endsWithin(refreshMs)) this.#refresh('refresh')
    this.#dialer.woke()
  }

  #refresh(reason: 'refresh' | 'rejected'): void {
    const { link } = this
    const { tokens } = this.#dialer
    if (!tokens.available) return
    const renew = async (): Promise<void> => {
      const token = await tokens.fresh(reason)
      if (link !== this.link) return
      try {
        const result = await this.request(rid => [Kind.AUTH, rid, token])
        tokens.accepted((result as { tokenTtl?: number } | null | undefined)?.tokenTtl)
      } catch (error) {
        if (BridgeError.is(error, 'COMET_TOKEN_REFUSED', 'COMET_TOKEN_EXPIRED', 'COMET_TOKEN_NOT_YET_VALID'))
          tokens.forget('rejected')
      }
    }
    // Without a new one the bridge closes the socket at the token's end, and the next connection asks again.
    renew().catch(() => undefined)
  }

  // For the dialer and sockets

  connecting(attempt: number, retryAt?: number): void {
    this.#show({ type: 'connecting', attempt, ...(retryAt !== undefined && { retryAt }) })
  }

  opened(link: Link): void {
    const { sdk, runtime } = this.environment
    const { token } = this.#dialer
    const rid = this.nextRid()
    const { slots, producers, subs, seen } = this.#parts.hello()
    link.hello = slots
    link.helloAt = this.clock.monotonic()
    const auth = token !== undefined && { auth: token }
    const resume = this.#resumeToken !== undefined && { resume: { token: this.#resumeToken, subs: seen } }
    link.send([
      Kind.HELLO,
      rid,
      { proto: PROTOCOL_VERSION, sdk, runtime, maxFrame: maxFrameBytes, producers, subs, ...auth, ...resume },
    ])
  }

  closed(link: Link, code: number, reason: string): void {
    const error = link.error ?? closeError(code, reason)
    if (code === CloseCode.STATE_LOST || (code === CloseCode.REPLACED && link === this.link && !this.#dialer.link)) {
      this.#resumeToken = undefined
    }
    if (this.#retired.has(link)) {
      const { rids, how } = this.#retired.closed(link)
      if (this.link) this.#requests.repeat(rids, how, frame => this.send(frame))
    } else if (link === this.#dialer.link) {
      this.#dialer.closed(code, error)
    } else if (link === this.link) {
      this.#lost(code, error)
    }
  }

  #lost(code: number, error: BridgeError): void {
    this.#requests.markSent()
    this.link = undefined
    if (!mayReconnect(code)) return this.end(error)
    if (code === CloseCode.TOKEN_EXPIRED) this.#dialer.tokens.forget('refresh')
    this.#parts.disconnected()
    this.#dialer.lost(error)
  }

  counted(direction: 'in' | 'out', frame: readonly unknown[], bytes: number): void {
    const counter = direction === 'in' ? this.#in : this.#out
    const kind = frame[0] as number
    counter.frames++
    counter.bytes += bytes
    if (kind === Kind.SEND) counter.messages++
    else if (kind === Kind.SENDB) counter.messages += (frame[4] as unknown[]).length
    else if (kind === Kind.DELIVER) counter.messages += (frame[3] as unknown[]).length
    if (this.#options.observers.length > 0) observe(this.#options.observers, direction, kind, bytes)
  }

  frame(link: Link, value: readonly unknown[]): void {
    const frame = value as unknown as ServerFrame
    if (!link.line) return this.#first(link, frame)
    this.#dispatch(link, frame)
    this.#retired.frame(link)
  }

  #first(link: Link, frame: ServerFrame): void {
    if (frame[0] === Kind.WELCOME) this.#welcome(link, frame[2])
    else if (frame[0] === Kind.ERR) link.error = errError(frame)
    else link.close(CloseCode.PROTOCOL, '40090 the first frame is not WELCOME')
  }

  #welcome(link: Link, info: WelcomeInfo): void {
    const old = this.link
    const how = (['none', 'cold', 'hot'] as const)[info.resumed]
    // Those of a socket that stays for a while are answered there.
    const rids = this.#requests.unanswered().filter(rid => !this.#retired.owns(rid) && (how === 'hot' || !old))
    this.#dialer.welcome(info.tokenTtl)
    this.session = info.session
    this.#resumeToken = info.resumeToken
    this.maxBodyBytes = info.limits.maxBody
    this.#welcomes++
    this.#take(link, how)
    link.live(info.hb, info.limits.maxFrame)
    this.#held = []
    this.#show({ type: 'open', resumed: how === 'none' ? false : how, node: info.node, rtt: link.rtt })
    this.#parts.welcome(link, how, info.results)
    this.#requests.repeat(rids, how, frame => link.send(frame))
    const held = this.#held
    this.#held = undefined
    for (const frame of held) link.send(frame)
    this.#requests.markSent()
    for (const waiter of this.#waiters) waiter.resolve()
    this.#released()
  }

  /** Makes `link` the current one; the one before stays for what began on it, unless its session has come over. */
  #take(link: Link, how: Resumed): void {
    const old = this.link
    const hot = how === 'hot' && this.#line
    if (how === 'none') this.#retired.forgotten()
    if (!hot && !old) this.#loseLine()
    this.link = link
    link.line = this.#line = hot || new Line()
    link.line.link = link
    if (!old) return
    this.#requests.markSent()
    if (hot) old.close(CloseCode.NORMAL, '')
    else this.#retired.add(old, how)
  }

  #dispatch(link: Link, frame: ServerFrame): void {
    switch (frame[0]) {
      case Kind.RECEIPT:
        this.#requests.receipts(frame[1])
        break
      case Kind.OK:
        this.#requests.ok(frame[1], frame[2])
        break
      case Kind.ERR:
        this.#failed(link, frame)
        break
      case Kind.PING:
        link.send([Kind.PONG, frame[1]])
        break
      case Kind.PONG:
        link.pong(frame[1])
        if (frame[3] !== undefined && link === this.link) this.#resumeToken = frame[3]
        break
      case Kind.AUTHREQ:
        if (link === this.link) this.#refresh(frame[1] === 'revoked' ? 'rejected' : 'refresh')
        break
      case Kind.GOAWAY:
        if (link === this.link) this.#goaway(link, frame)
        break
      case Kind.PLIMIT:
      case Kind.DELIVER:
      case Kind.ACKED:
      case Kind.SUBINFO:
      case Kind.GAP:
      case Kind.LEASE:
        this.#parts.frame(frame[1], frame, link.line!)
        break
      default:
      // Of a later version.
    }
  }

  #failed(link: Link, frame: ErrFrame): void {
    const error = errError(frame)
    const { sid, pid } = frame[4] ?? {}
    const id = sid ?? pid
    if (frame[1] !== 0) this.#requests.err(frame[1], error)
    else if (id !== undefined) this.#parts.failed(id, error)
    else link.error = error
  }

  #goaway(link: Link, [, , graceMs, url, spreadMs]: GoawayFrame): void {
    link.leaveAt = this.clock.monotonic() + graceMs
    if (url !== null) this.#dialer.urls.prefer(url)
    this.#show({ type: 'moving', reason: 'the node is leaving' })
    this.#dialer.after(this.environment.random() * spreadMs)
  }
}
