import {
  type ClientFrame,
  CloseCode,
  type ErrFrame,
  type HelloOptions,
  Kind,
  type OkFrame,
  type PopenArgs,
  type ServerFrame,
  type SubArgs,
  type Value,
  type WelcomeFrame,
} from '@cometmq/protocol'
import type { Principal } from '../principal.ts'
import { verifyAgain } from './auth.ts'
import type { Connection } from './connection.ts'
import { control } from './control.ts'
import { closeReason, errFrame, type Fault, faultOf, refuse } from './errors.ts'
import { frameOverheadBytes, openMs, renewTokenMs } from './limits.ts'
import { Liveness } from './liveness.ts'
import { Publishing } from './publishing.ts'
import { Requests } from './requests.ts'
import { sealToken } from './resume-token.ts'
import { Rids } from './rids.ts'
import { bytesOf, countsAsFrame, SessionRates } from './session-rates.ts'
import type { SessionHost, Shared } from './shared.ts'
import { scopeLost, Subs } from './subs.ts'
import { TokenWatch } from './token-watch.ts'
import { within } from './within.ts'

export interface SessionEvents {
  /** The socket is gone and the session waits for a resume. */
  detached(session: Session): void
  /** It is over; `closing` resolves when its leases are released. */
  ended(session: Session, closing: Promise<void>): void
}

/** One client, from its first HELLO until it says BYE or stays away: outlives sockets. */
export class Session implements SessionHost {
  readonly id: string
  readonly shared: Shared
  readonly publishing: Publishing
  readonly subs: Subs
  readonly requests: Requests
  principal: Principal
  connection: Connection | undefined
  epoch: number
  /** Monotonic ms. */
  heardAt = 0
  saidAt = 0
  ended = false
  /** BYE, or the node is leaving: the end of the socket is the end of the session. */
  leaving = false
  readonly #rids = new Rids()
  readonly #events: SessionEvents
  readonly #tokens: TokenWatch
  #liveness: Liveness | undefined
  #rates: SessionRates
  #flushing = false
  /** WELCOME has gone out over the present socket. */
  #live = false
  /** Frames with a request id on this socket. */
  #position = 0
  #pings = 0
  #refreshing = 0
  #expired = false
  #resumeToken = ''
  #sealedAt = 0

  constructor(parts: { shared: Shared; id: string; epoch: number; principal: Principal; events: SessionEvents }) {
    const { shared, id, epoch, principal, events } = parts
    this.shared = shared
    this.id = id
    this.epoch = epoch
    this.principal = principal
    this.#events = events
    this.publishing = new Publishing(this, this.#rids)
    this.subs = new Subs(this)
    this.requests = new Requests(this, this.#rids)
    this.#tokens = new TokenWatch(shared.clock, { expiring: left => this.#expiring(left), expired: () => this.#tokenExpired() })
    this.#rates = this.#newRates()
  }

  get connected(): boolean {
    return this.connection !== undefined
  }

  get attached(): boolean {
    return this.#live && this.connection !== undefined
  }

  get writable(): boolean {
    return this.attached && this.connection!.link.writable
  }

  /** How long it may wait for its client: never longer than the shortest lease it holds. */
  get keepMs(): number {
    return this.leaving ? 0 : Math.min(this.shared.limits.keepMs, this.subs.leaseLeftMs)
  }

  send(frame: ServerFrame): void {
    const { connection, shared } = this
    if (!connection || !this.#live) return
    this.saidAt = shared.clock.monotonic()
    shared.counters.framesOut++
    connection.link.send(frame)
  }

  flushSoon(): void {
    if (this.#flushing) return
    this.#flushing = true
    this.shared.turn.add(this)
  }

  /** End of a turn: answers first, then deliveries. */
  flush(): void {
    this.#flushing = false
    if (!this.attached) return
    this.publishing.flush()
    this.subs.pump()
  }

  disconnect(code: number, reason: string): void {
    this.connection?.end(code, reason)
  }

  /** A socket whose client is `principal`; an earlier one ends. */
  attach(connection: Connection, principal: Principal): void {
    const earlier = this.connection
    this.connection = undefined
    this.#live = false
    if (earlier) {
      this.#stopWatching()
      this.publishing.detach()
      this.subs.detach()
      earlier.end(CloseCode.REPLACED, closeReason(CloseCode.REPLACED, 'this session went on over another socket'))
    }
    this.connection = connection
    this.#setPrincipal(principal)
    this.#position = 0
    this.#resumeToken = ''
    this.heardAt = this.saidAt = this.shared.clock.monotonic()
  }

  /** Opens what HELLO lists and the session does not have; what it has and HELLO does not list was closed by the client. */
  open(hello: HelloOptions, hot: boolean): Promise<(OkFrame | ErrFrame)[]> {
    const { producers = [], subs = [] } = hello
    if (hot) {
      this.publishing.closeAllBut(new Set(producers.map(args => args[1])))
      this.subs.closeAllBut(new Set(subs.map(args => args[1])))
      // The client hears of it by the results: opening it anew is refused.
      this.#closeForbidden()
    }
    const lastSeqs = new Map(hello.resume?.subs ?? [])
    return Promise.all([
      ...producers.map(args => this.#openProducer(args, hot)),
      ...subs.map(args => this.#openSub(args, hot ? (lastSeqs.get(args[1]) ?? 0) : undefined)),
    ])
  }

  /** WELCOME goes out; nothing may be sent before it. */
  welcome(frame: WelcomeFrame, hello: HelloOptions): void {
    this.#live = true
    this.send(frame)
    for (const args of hello.subs ?? []) this.subs.release(args[1])
    const { clock, limits } = this.shared
    this.#liveness = new Liveness(clock, this, frame[2].hb, limits.pongMs)
    this.flushSoon()
  }

  /** The socket is gone. */
  detach(): void {
    this.connection = undefined
    this.#live = false
    this.#stopWatching()
    if (this.ended) return
    this.publishing.detach()
    this.subs.detach()
    if (this.leaving) this.end()
    else this.#events.detached(this)
  }

  end(): void {
    if (this.ended) return
    this.ended = true
    this.#stopWatching()
    this.requests.abort()
    this.publishing.end()
    this.#events.ended(this, this.subs.end())
  }

  /** For the next HELLO; sealed anew when it is old. */
  resumeToken(): { token: string; changed: boolean } {
    const { resumeKey, node, randomBytes, clock } = this.shared
    const now = clock.now()
    if (this.#resumeToken !== '' && now - this.#sealedAt < renewTokenMs) return { token: this.#resumeToken, changed: false }
    const claims = { session: this.id, epoch: this.epoch, subject: this.principal.subject, node, iat: now }
    this.#resumeToken = sealToken(resumeKey, claims, randomBytes(12))
    this.#sealedAt = now
    return { token: this.#resumeToken, changed: true }
  }

  frame(frame: ClientFrame): void {
    this.heardAt = this.shared.clock.monotonic()
    const over = this.#rates.take(bytesOf(frame), this.heardAt, countsAsFrame(frame[0]) ? 1 : 0)
    if (over !== undefined && this.#tooFast(over.waitMs, over.banned)) return
    switch (frame[0]) {
      case Kind.SEND:
        this.#position++
        return this.publishing.send(frame, over?.fault)
      case Kind.SENDB:
        this.#position++
        return this.publishing.sendBatch(frame, over?.fault)
      case Kind.ACK:
      case Kind.NACK:
      case Kind.EXTEND:
      case Kind.DEAD:
      case Kind.LIMIT:
        return this.subs.settle(frame)
      case Kind.PING:
        return this.#pong(frame[1])
      case Kind.PONG:
        return
      case Kind.CANCEL:
        return this.requests.cancel(frame[1])
      case Kind.BYE:
        return this.#bye(frame[1])
      case Kind.AUTH:
        this.#position++
        if (over?.fault) return this.requests.refuse(frame[1], over.fault)
        return this.requests.begin(frame[1], { run: () => this.#refresh(frame[2]) })
      default:
        this.#position++
        return control(this, frame, over?.fault)
    }
  }

  /** A frame of a newer kind: nothing but a sign of life, that counts in the rate. */
  ignored(): void {
    this.heardAt = this.shared.clock.monotonic()
    const over = this.#rates.take(frameOverheadBytes, this.heardAt)
    if (over) this.#tooFast(over.waitMs, over.banned)
  }

  drained(): void {
    this.subs.pump()
  }

  ping(): void {
    this.send([Kind.PING, ++this.#pings, this.#position])
  }

  /** No sign of life. */
  dead(): void {
    this.disconnect(CloseCode.NO_PONG, closeReason(CloseCode.NO_PONG, 'no frame came after a ping'))
  }

  #pong(n: number): void {
    const { token, changed } = this.resumeToken()
    this.send(changed ? [Kind.PONG, n, this.#position, token] : [Kind.PONG, n, this.#position])
  }

  /** 1: no more deliveries, the rest goes on until the socket ends. 0: that is now. Nothing is kept in either case. */
  #bye(mode: 0 | 1): void {
    this.leaving = true
    if (mode === 1) this.subs.stop()
    else this.disconnect(CloseCode.NORMAL, closeReason(CloseCode.NORMAL, 'bye'))
  }

  /** True: the socket has ended. */
  #tooFast(waitMs: number, banned: boolean): boolean {
    if (!banned) {
      this.connection?.link.pause?.(waitMs)
      return false
    }
    this.disconnect(CloseCode.BANNED_RATE, closeReason(42990, 'far more frames or bytes than this bridge takes'))
    return true
  }

  #openProducer(args: PopenArgs, hot: boolean): Promise<OkFrame | ErrFrame> {
    const [rid, pid] = args
    const abort = new AbortController()
    const open = () => (hot && this.publishing.has(pid) ? this.publishing.resumed(pid) : this.publishing.open(args, abort.signal))
    return this.#result(rid, open, () => {
      abort.abort()
      this.publishing.close(pid)
    })
  }

  /** `lastSeq`: hot. */
  #openSub(args: SubArgs, lastSeq: number | undefined): Promise<OkFrame | ErrFrame> {
    const [rid, sid] = args
    const open = () => (lastSeq !== undefined && this.subs.has(sid) ? this.subs.resume(sid, lastSeq) : this.subs.open(args))
    return this.#result(rid, open, () => void this.subs.close(sid))
  }

  /** `giveUp`: it took too long, the client is told that it is not open, and so it must not become it. */
  async #result(rid: number, open: () => Promise<object> | object, giveUp: () => void): Promise<OkFrame | ErrFrame> {
    const late = (): Error => {
      giveUp()
      const text = `not open after ${openMs} ms: the cluster does not answer; open it again`
      return refuse(50400, text, { outcome: 'not-executed' })
    }
    try {
      const work = open()
      const result = work instanceof Promise ? await within<object>(this.shared.clock, work, openMs, late) : work
      return [Kind.OK, rid, { ...result }]
    } catch (error) {
      return errFrame(rid, this.#faultOf('opening', error))
    }
  }

  // ---- rights

  async #refresh(token: string): Promise<Value> {
    const { connection, shared } = this
    if (!connection) throw refuse(50390, 'the socket has closed', { outcome: 'not-executed' })
    this.#refreshing++
    try {
      const principal = await verifyAgain(shared, token, connection.context, this.principal.subject)
      if (this.connection !== connection) throw refuse(50390, 'the socket has closed', { outcome: 'not-executed' })
      this.#expired = false
      this.#setPrincipal(principal)
    } finally {
      this.#refreshing--
      if (this.#expired && this.#refreshing === 0) this.#closeExpired()
    }
    const { pids, sids } = this.#closeForbidden()
    for (const pid of pids) this.send(errFrame(0, scopeLost, { pid }))
    for (const sid of sids) this.send(errFrame(0, scopeLost, { sid }))
    return this.tokenTtl === undefined ? undefined : { tokenTtl: this.tokenTtl }
  }

  /** ms; undefined when the token does not end. */
  get tokenTtl(): number | undefined {
    const { expiresAt } = this.principal
    return expiresAt === Infinity ? undefined : Math.max(0, expiresAt - this.shared.clock.now())
  }

  #setPrincipal(principal: Principal): void {
    const changed = this.principal.scopes.framesPerSecond !== principal.scopes.framesPerSecond
    this.principal = principal
    if (changed) this.#rates = this.#newRates()
    this.#expired = false
    this.#tokens.start(principal.expiresAt)
  }

  #closeForbidden(): { pids: number[]; sids: number[] } {
    return { pids: this.publishing.closeForbidden(), sids: this.subs.closeForbidden() }
  }

  #expiring(leftMs: number): void {
    this.send([Kind.AUTHREQ, 'expiring', leftMs])
  }

  #tokenExpired(): void {
    this.#expired = true
    // A new token is being verified: its result decides.
    if (this.#refreshing === 0) this.#closeExpired()
  }

  #closeExpired(): void {
    this.disconnect(CloseCode.TOKEN_EXPIRED, closeReason(40191, 'the token has expired; connect again with a new one'))
  }

  #newRates(): SessionRates {
    const { limits, clock } = this.shared
    return new SessionRates(limits, this.principal.scopes.framesPerSecond, clock.monotonic())
  }

  #stopWatching(): void {
    this.#tokens.stop()
    this.#liveness?.stop()
    this.#liveness = undefined
  }

  #faultOf(what: string, error: unknown): Fault {
    const fault = faultOf(error)
    if (fault.code === 50001) this.shared.logger.error(`${what} failed`, { session: this.id, error: String(error) })
    return fault
  }
}
