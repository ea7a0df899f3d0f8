import { type Clock } from './clock.ts'
import { createStamp, type Serialize } from './codec/encode.ts'
import { type Command, type Request } from './command.ts'
import { Deadline } from './deadlines.ts'
import { createLinkSetup, type LinkLimits, type LinkSetup, type TurnedAway } from './exchange.ts'
import { joinInProcess } from './in-process.ts'
import { type Caller, type HandlerTable, type Peer, RemotingError } from './link.ts'
import { type Logger } from './logger.ts'
import { type Transport } from './tcp.ts'

export interface CallerOptions {
  readonly transport: Transport
  readonly clock: Clock
  readonly logger: Logger
  /** Serialization of request headers. Default JSON. */
  readonly serialize?: Serialize
  /** What the servers may ask this side. Default: nothing. */
  readonly handlers?: HandlerTable
  /** Language in the headers. Default OTHER, which every server knows. */
  readonly language?: string
  readonly limits?: Partial<LinkLimits>
  /** Default 3000. */
  readonly connectTimeoutMs?: number
  /** Addresses served inside this process: no socket is opened for them. */
  readonly inProcess?: ReadonlyMap<string, HandlerTable>
  readonly onConnect?: (address: string, peer: Peer) => void
  readonly onClose?: (address: string) => void
}

const CONNECT_TIMEOUT_MS = 3000
/** Pause after a failed connect: doubles from the first to the last. Calls made meanwhile fail at once with the last cause. */
const FIRST_BACKOFF_MS = 50
const MAX_BACKOFF_MS = 1000
const MAX_ADDRESSES = 4096

/**
 * Makes a caller. While an address cannot be reached its calls fail at once with the cause, so that a producer can try another broker; the
 * address is tried again, on use, after a short pause. A call's timeout includes connecting.
 */
export function createCaller(options: CallerOptions): Caller {
  return new LinkCaller(options)
}

/** State of one address. */
interface Link {
  peer: Peer | null
  connecting: Promise<Peer> | null
  failures: number
  retryAtMs: number
  lastError: RemotingError | null
}

class CallDeadline extends Deadline {
  readonly #run: () => void
  constructor(run: () => void) {
    super()
    this.#run = run
  }
  override expire(): void {
    this.#run()
  }
}

class LinkCaller implements Caller {
  readonly #options: CallerOptions
  readonly #setup: LinkSetup
  readonly #links = new Map<string, Link>()
  readonly #peers = new Set<Peer>()
  /** Requests being made a second time because the first link's server went away. */
  readonly #repeated = new WeakSet<Request>()
  #closed = false

  constructor(options: CallerOptions) {
    this.#options = options
    this.#setup = createLinkSetup(options)
  }

  call(address: string, request: Request, timeoutMs: number): Promise<Command> {
    const peer = this.#links.get(address)?.peer
    if (peer !== null && peer !== undefined && !peer.closed) return peer.call(request, timeoutMs)
    return this.#connectAndCall(address, request, timeoutMs)
  }

  async oneway(address: string, request: Request): Promise<void> {
    const peer = await this.#connected(address)
    if (peer.oneway(request)) return
    const kind = peer.closed ? 'closed' : 'overloaded'
    throw new RemotingError(kind, address, `one-way request ${request.code} to ${address} was not sent: the link is ${kind}`, {
      sent: false,
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    const connecting = [...this.#links.values()].map(link => link.connecting)
    const closing = [...this.#peers].map(
      peer =>
        new Promise<void>(resolve => {
          peer.onClose(resolve)
          peer.close('the caller was closed')
        }),
    )
    await Promise.allSettled([...closing, ...connecting])
    for (const peer of this.#peers) peer.close('the caller was closed')
  }

  async #connectAndCall(address: string, request: Request, timeoutMs: number): Promise<Command> {
    const startMs = this.#options.clock.monotonic()
    const peer = await this.#within(address, this.#connected(address), timeoutMs)
    return peer.call(request, timeoutMs - (this.#options.clock.monotonic() - startMs))
  }

  /** Rejects when `connecting` takes longer than the call may; connecting itself goes on for those who wait longer. */
  #within(address: string, connecting: Promise<Peer>, timeoutMs: number): Promise<Peer> {
    return new Promise((resolve, reject) => {
      const message = `no connection to ${address} within the ${timeoutMs} ms of the call`
      const deadline = new CallDeadline(() => reject(new RemotingError('timeout', address, message, { sent: false })))
      this.#setup.deadlines.add(deadline, timeoutMs)
      connecting.then(resolve, reject).finally(() => this.#setup.deadlines.remove(deadline))
    })
  }

  /** The link to `address`, which is made when there is none. Never two attempts at a time. */
  #connected(address: string): Promise<Peer> {
    if (this.#closed) return Promise.reject(new RemotingError('closed', address, 'this caller is closed', { sent: false }))
    const link = this.#links.get(address) ?? this.#newLink(address)
    if (link === null) {
      const message = `${this.#links.size} addresses are connected already; close callers that are not needed`
      return Promise.reject(new RemotingError('overloaded', address, message, { sent: false }))
    }
    if (link.peer !== null && !link.peer.closed) return Promise.resolve(link.peer)
    if (link.connecting !== null) return link.connecting
    if (link.lastError !== null && this.#options.clock.monotonic() < link.retryAtMs) return Promise.reject(link.lastError)
    link.connecting = this.#connect(address, link)
    return link.connecting
  }

  /** Null when there are too many. Addresses without a link are forgotten then: only their pause is lost. */
  #newLink(address: string): Link | null {
    if (this.#links.size >= MAX_ADDRESSES) {
      for (const [other, { peer, connecting }] of this.#links) if (peer === null && connecting === null) this.#links.delete(other)
      if (this.#links.size >= MAX_ADDRESSES) return null
    }
    const link: Link = { peer: null, connecting: null, failures: 0, retryAtMs: 0, lastError: null }
    this.#links.set(address, link)
    return link
  }

  async #connect(address: string, link: Link): Promise<Peer> {
    try {
      const peer = await this.#open(address, link)
      link.failures = 0
      link.lastError = null
      link.peer = peer
      this.#peers.add(peer)
      peer.onClose(() => this.#lost(address, link, peer))
      if (this.#closed) peer.close('the caller was closed')
      else this.#options.onConnect?.(address, peer)
      return peer
    } catch (error) {
      const pauseMs = Math.min(FIRST_BACKOFF_MS * 2 ** link.failures, MAX_BACKOFF_MS)
      link.failures++
      link.retryAtMs = this.#options.clock.monotonic() + pauseMs
      link.lastError = error as RemotingError
      throw error
    } finally {
      link.connecting = null
    }
  }

  async #open(address: string, link: Link): Promise<Peer> {
    const setup: LinkSetup = { ...this.#setup, onTurnedAway: (peer, call) => this.#turnedAway(address, link, peer, call) }
    const server = this.#options.inProcess?.get(address)
    if (server !== undefined) {
      const { stamp } = this.#setup
      return joinInProcess({ ...this.#setup, handlers: server, stamp: createStamp('JAVA', stamp.serialize) }, setup, address)
        .client
    }
    return this.#options.transport.connect(address, setup, this.#options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS)
  }

  #lost(address: string, link: Link, peer: Peer): void {
    this.#peers.delete(peer)
    if (link.peer === peer) link.peer = null
    this.#options.onClose?.(address)
  }

  /** The server goes away: the link is used no more, and the call is made once again on a new one. */
  #turnedAway(address: string, link: Link, peer: Peer, call: TurnedAway): void {
    if (link.peer === peer) link.peer = null
    if (this.#repeated.has(call.request)) return call.resolve(call.answer)
    this.#repeated.add(call.request)
    this.#repeat(address, call).then(
      answer => call.resolve(answer),
      (error: RemotingError) => call.reject(error),
    )
  }

  async #repeat(address: string, call: TurnedAway): Promise<Command> {
    try {
      const startMs = this.#options.clock.monotonic()
      const peer = await this.#within(address, this.#connected(address), call.remainingMs).catch(() => null)
      // Nobody listens there any more: the answer of the server tells more than a refused connection.
      if (peer === null) return call.answer
      return await peer.call(call.request, call.remainingMs - (this.#options.clock.monotonic() - startMs))
    } finally {
      this.#repeated.delete(call.request)
    }
  }
}
