import { type Clock } from './clock.ts'
import { type Command, isOneway, isResponse, type Reply, type Request } from './command.ts'
import { Deadline, Deadlines } from './deadlines.ts'
import { CommandError, type HandlerTable, type Peer, RemotingError } from './link.ts'
import { type Logger } from './logger.ts'
import { createStamp, FrameTooLargeError, type Serialize, type Stamp } from './codec/encode.ts'

/** What one link may hold. A link above a limit slows its own peer down; others do not notice. */
export interface LinkLimits {
  /** Calls waiting for an answer; one more is rejected as 'overloaded'. Default 65 536. */
  readonly maxPendingCalls: number
  /** Requests of the peer without an answer, parked ones included; above it nothing more is read. Default 16 384. */
  readonly maxUnansweredRequests: number
  /** Output not yet taken by the peer; above it nothing more is read, calls and one-ways are refused. Default 8 MiB. */
  readonly maxOutputBytes: number
  /** Output that ends the link: the peer keeps asking and never reads. Default 256 MiB. */
  readonly closeAboveOutputBytes: number
  /** A link silent in both directions for so long is closed. Default 120 000 (spec: remoting, section 1.4). */
  readonly idleCloseMs: number
}

export const DEFAULT_LINK_LIMITS: LinkLimits = {
  maxPendingCalls: 65_536,
  maxUnansweredRequests: 16_384,
  maxOutputBytes: 8 * 1024 * 1024,
  closeAboveOutputBytes: 256 * 1024 * 1024,
  idleCloseMs: 120_000,
}

/** A request answered with GO_AWAY: whoever owns the link may send it elsewhere, and settles it either way. */
export interface TurnedAway {
  readonly answer: Command
  readonly request: Request
  readonly remainingMs: number
  resolve(answer: Command): void
  reject(error: RemotingError): void
}

/** What all links of one server or one caller share. */
export interface LinkSetup {
  readonly handlers: HandlerTable
  readonly clock: Clock
  readonly logger: Logger
  readonly deadlines: Deadlines
  readonly limits: LinkLimits
  readonly stamp: Stamp
  /** Called when the other end answers that it is shutting down. Without it the answer is handed on as it is. */
  readonly onTurnedAway?: (peer: Peer, call: TurnedAway) => void
}

export interface LinkOptions {
  readonly handlers?: HandlerTable | undefined
  readonly clock: Clock
  readonly logger: Logger
  readonly limits?: Partial<LinkLimits> | undefined
  readonly language?: string | undefined
  readonly serialize?: Serialize | undefined
}

/** A setup with the defaults filled in: no handlers, language OTHER, JSON headers. */
export function createLinkSetup(options: LinkOptions): LinkSetup {
  return {
    handlers: options.handlers ?? new Map(),
    clock: options.clock,
    logger: options.logger,
    deadlines: new Deadlines(options.clock),
    limits: { ...DEFAULT_LINK_LIMITS, ...options.limits },
    stamp: createStamp(options.language ?? 'OTHER', options.serialize ?? 'JSON'),
  }
}

export const SYSTEM_ERROR = 1
export const REQUEST_CODE_NOT_SUPPORTED = 3
export const GO_AWAY = 1500
/** Clients above this version understand GO_AWAY; older ones just see the link close (spec: remoting, section 1.4). */
const LAST_VERSION_WITHOUT_GO_AWAY = 475
/** One-way requests whose handler did not return a reply, remembered so that a late reply to them is dropped. */
const MAX_ONEWAYS_REMEMBERED = 4096

let lastPeerId = 0

class PendingCall extends Deadline {
  readonly owner: Exchange
  readonly opaque: number
  readonly request: Request
  readonly timeoutMs: number
  readonly resolve: (answer: Command) => void
  readonly reject: (error: RemotingError) => void
  /** Place in the link's output behind the request: tells whether it has left. */
  outputEnd = 0

  // eslint-disable-next-line max-params -- one object per call, built in one go
  constructor(
    owner: Exchange,
    opaque: number,
    request: Request,
    timeoutMs: number,
    resolve: (answer: Command) => void,
    reject: (error: RemotingError) => void,
  ) {
    super()
    this.owner = owner
    this.opaque = opaque
    this.request = request
    this.timeoutMs = timeoutMs
    this.resolve = resolve
    this.reject = reject
  }

  override expire(): void {
    this.owner.expire(this)
  }
}

/**
 * What every link does whatever carries it: requests of the other end go to their handlers, its answers to the calls that wait for them.
 * A subclass moves the commands.
 */
export abstract class Exchange implements Peer {
  readonly id = ++lastPeerId
  abstract readonly remoteAddress: string
  abstract readonly localAddress: string
  abstract readonly remoteHost: Buffer
  closed = false
  protected readonly setup: LinkSetup
  /** Requests of the other end that wait for an answer. */
  protected unanswered = 0
  #draining = false
  #opaque = 0
  readonly #pending = new Map<number, PendingCall>()
  readonly #oneways = new Set<number>()
  #closeListeners: (() => void)[] = []

  constructor(setup: LinkSetup) {
    this.setup = setup
  }

  /** Version of the other end as its last request told it, 0 before. */
  peerVersion = 0

  get unansweredRequests(): number {
    return this.unanswered
  }

  get pendingCalls(): number {
    return this.#pending.size
  }

  /** From now on requests are turned away. One-ways are still handled: nobody would send them again. */
  drain(): void {
    this.#draining = true
  }

  protected abstract sendReply(opaque: number, reply: Reply): void
  protected abstract sendRequest(opaque: number, oneway: boolean, request: Request): void
  /** Whether the other end takes what it is sent. */
  protected abstract outputFull(): boolean
  /** Bytes given to `sendRequest` and `sendReply` so far, and how many of them have left. */
  protected abstract outputEnd(): number
  protected abstract outputLeft(): number
  abstract close(reason: string): void

  respond(opaque: number, reply: Reply): void {
    if (this.closed) return
    if (this.#oneways.size !== 0 && this.#oneways.delete(opaque)) return
    if (this.unanswered > 0) this.unanswered--
    this.#reply(opaque, reply)
  }

  call(request: Request, timeoutMs: number): Promise<Command> {
    return new Promise((resolve, reject) => this.startCall(request, timeoutMs, resolve, reject))
  }

  /** `call` without a promise. */
  startCall(
    request: Request,
    timeoutMs: number,
    resolve: (answer: Command) => void,
    reject: (error: RemotingError) => void,
  ): void {
    if (this.closed) return reject(this.#error('closed', `the link to ${this.remoteAddress} is closed`, false))
    if (this.#pending.size >= this.setup.limits.maxPendingCalls || this.outputFull()) {
      return reject(
        this.#error('overloaded', `${this.#pending.size} calls to ${this.remoteAddress} wait already; send slower`, false),
      )
    }
    const opaque = this.#nextOpaque()
    const call = new PendingCall(this, opaque, request, timeoutMs, resolve, reject)
    try {
      this.sendRequest(opaque, false, request)
    } catch (cause) {
      if (!(cause instanceof FrameTooLargeError)) throw cause
      return reject(
        this.#error('protocol', `request ${request.code} to ${this.remoteAddress} was not sent: ${cause.message}`, false, cause),
      )
    }
    call.outputEnd = this.outputEnd()
    this.#pending.set(opaque, call)
    this.setup.deadlines.add(call, timeoutMs)
  }

  oneway(request: Request): boolean {
    if (this.closed || this.outputFull()) return false
    this.sendRequest(this.#nextOpaque(), true, request)
    return true
  }

  onClose(listener: () => void): void {
    if (this.closed) this.setup.clock.setTimeout(listener, 0)
    else this.#closeListeners.push(listener)
  }

  /** Called by the deadlines. */
  expire(call: PendingCall): void {
    if (!this.#pending.delete(call.opaque)) return
    const message = `no answer to request ${call.request.code} from ${this.remoteAddress} within ${call.timeoutMs} ms`
    call.reject(this.#error('timeout', message, call.outputEnd <= this.outputLeft()))
  }

  /** Takes a command of the other end. */
  protected receive(command: Command): void {
    if (isResponse(command)) this.#settle(command)
    else this.#dispatch(command)
  }

  /** Marks the link closed, fails what waits and tells the listeners. */
  protected closedBecause(reason: string): void {
    if (this.closed) return
    this.closed = true
    const left = this.outputLeft()
    const calls = [...this.#pending.values()]
    this.#pending.clear()
    for (const call of calls) {
      this.setup.deadlines.remove(call)
      const message = `the link to ${this.remoteAddress} closed before request ${call.request.code} was answered: ${reason}`
      call.reject(this.#error('closed', message, call.outputEnd <= left))
    }
    const listeners = this.#closeListeners
    this.#closeListeners = []
    for (const listener of listeners) this.#runListener(listener)
  }

  #runListener(listener: () => void): void {
    try {
      listener()
    } catch (error) {
      this.setup.logger.error('a close listener failed', { peer: this.remoteAddress, error })
    }
  }

  #settle(answer: Command): void {
    const call = this.#pending.get(answer.opaque)
    if (call === undefined) {
      this.setup.logger.debug('an answer nobody waits for', {
        peer: this.remoteAddress,
        opaque: answer.opaque,
        code: answer.code,
      })
      return
    }
    this.#pending.delete(answer.opaque)
    this.setup.deadlines.remove(call)
    if (answer.code === GO_AWAY && this.setup.onTurnedAway !== undefined) {
      const { request, resolve, reject } = call
      const remainingMs = call.deadlineMs - this.setup.clock.monotonic()
      this.setup.onTurnedAway(this, { answer, request, remainingMs, resolve, reject })
    } else call.resolve(answer)
  }

  #dispatch(request: Command): void {
    this.peerVersion = request.version
    const oneway = isOneway(request)
    if (!oneway) {
      this.unanswered++
      if (this.#oneways.size !== 0) this.#oneways.delete(request.opaque)
      if (this.#draining && this.#turnAway(request)) return
    }
    const handler = this.setup.handlers.get(request.code)
    if (handler === undefined) {
      if (!oneway)
        this.respond(request.opaque, { code: REQUEST_CODE_NOT_SUPPORTED, remark: ` request type ${request.code} not supported` })
      return
    }
    if (oneway) this.#rememberOneway(request.opaque)
    let reply: Reply | Promise<Reply> | undefined
    try {
      reply = handler(request, this)
    } catch (error) {
      this.#handlerFailed(request, oneway, error)
      return
    }
    if (reply === undefined) return
    if (oneway) this.#oneways.delete(request.opaque)
    if (reply instanceof Promise) this.#replyLater(request, oneway, reply)
    else if (!oneway) this.respond(request.opaque, reply)
  }

  #turnAway(request: Command): boolean {
    if (request.version <= LAST_VERSION_WITHOUT_GO_AWAY) return false
    this.respond(request.opaque, { code: GO_AWAY, remark: 'the server is shutting down; connect again' })
    return true
  }

  #replyLater(request: Command, oneway: boolean, reply: Promise<Reply>): void {
    reply.then(
      value => {
        if (!oneway) this.respond(request.opaque, value)
      },
      (error: unknown) => this.#handlerFailed(request, oneway, error),
    )
  }

  #handlerFailed(request: Command, oneway: boolean, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error)
    if (!(error instanceof CommandError)) {
      this.setup.logger.error('a request handler failed', { peer: this.remoteAddress, code: request.code, error })
    }
    if (!oneway)
      this.respond(request.opaque, { code: error instanceof CommandError ? error.code : SYSTEM_ERROR, remark: message })
  }

  #reply(opaque: number, reply: Reply): void {
    try {
      this.sendReply(opaque, reply)
    } catch (error) {
      if (!(error instanceof FrameTooLargeError)) throw error
      this.sendReply(opaque, { code: SYSTEM_ERROR, remark: `the answer cannot be sent: ${error.message}; ask for less` })
    }
  }

  #rememberOneway(opaque: number): void {
    if (this.#oneways.size >= MAX_ONEWAYS_REMEMBERED) {
      for (const oldest of this.#oneways) {
        this.#oneways.delete(oldest)
        break
      }
    }
    this.#oneways.add(opaque)
  }

  #nextOpaque(): number {
    do this.#opaque = (this.#opaque + 1) & 0x7fff_ffff
    while (this.#pending.has(this.#opaque))
    return this.#opaque
  }

  #error(kind: RemotingError['kind'], message: string, sent: boolean, cause?: unknown): RemotingError {
    return new RemotingError(kind, this.remoteAddress, message, { sent, cause })
  }
}
