import { isOneway, type Command, ONEWAY_FLAG, OUR_VERSION, RESPONSE_FLAG, type Reply, type Request } from './command.ts'
import { FrameTooLargeError } from './codec/encode.ts'
import { type Clock } from './clock.ts'
import { createLinkSetup, Exchange, type LinkLimits, type LinkSetup } from './exchange.ts'
import { flushLater } from './flush.ts'
import { MAX_FRAME_BYTES } from './frame.ts'
import { type HandlerTable, type Peer } from './link.ts'
import { type Logger } from './logger.ts'

const ADDRESS = 'in-process'

/** One end of a link without bytes. Commands reach the other end in a later turn of the event loop, in order, bodies and fields by reference. */
class InProcessPeer extends Exchange {
  override readonly remoteAddress: string
  override readonly localAddress = ADDRESS
  /** 127.0.0.1, port 0. */
  override readonly remoteHost = Buffer.from([127, 0, 0, 1, 0, 0, 0, 0])
  #other: InProcessPeer | null = null
  #queue: Command[] = []
  #queuedBytes = 0
  #scheduled = false
  #sent = 0

  constructor(setup: LinkSetup, remoteAddress: string) {
    super(setup)
    this.remoteAddress = remoteAddress
  }

  join(other: InProcessPeer): void {
    this.#other = other
  }

  close(reason: string): void {
    if (this.closed) return
    this.flush()
    this.closedBecause(reason)
    this.#queue = []
    const other = this.#other
    if (other === null || other.closed) return
    other.#closeSoon(reason)
  }

  /** Hands over what was sent, unless the other end has too much to answer already: then its answers make it go on. */
  flush(): void {
    this.#scheduled = false
    const other = this.#other
    if (other === null || this.closed) return
    const queue = this.#queue
    let taken = 0
    while (taken < queue.length && !other.closed && other.#takes(queue[taken] as Command)) {
      const command = queue[taken++] as Command
      this.#queuedBytes -= command.body?.length ?? 0
      this.#sent++
      other.receive(command)
    }
    this.#queue = taken === queue.length ? [] : queue.slice(taken)
    if (other.#queue.length > 0) other.#schedule()
  }

  protected override sendReply(opaque: number, reply: Reply): void {
    this.#send(reply, opaque, RESPONSE_FLAG, reply.remark ?? null)
  }

  protected override sendRequest(opaque: number, oneway: boolean, request: Request): void {
    this.#send(request, opaque, oneway ? ONEWAY_FLAG : 0, null)
  }

  protected override outputFull(): boolean {
    return this.#queuedBytes > this.setup.limits.maxOutputBytes || this.#queue.length > this.setup.limits.maxPendingCalls
  }

  protected override outputEnd(): number {
    return this.#sent + this.#queue.length
  }

  protected override outputLeft(): number {
    return this.#sent
  }

  #send(parts: Request | Reply, opaque: number, flag: number, remark: string | null): void {
    const body = parts.body === undefined || parts.body === null || parts.body.length === 0 ? null : parts.body
    if (body !== null && body.length > MAX_FRAME_BYTES) throw new FrameTooLargeError(body.length)
    const { language } = this.setup.stamp
    this.#queue.push({ code: parts.code, opaque, flag, version: OUR_VERSION, language, remark, ext: parts.ext ?? null, body })
    this.#queuedBytes += body?.length ?? 0
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    flushLater(this)
  }

  #takes(command: Command): boolean {
    if ((command.flag & RESPONSE_FLAG) !== 0 || isOneway(command)) return true
    return this.unanswered < this.setup.limits.maxUnansweredRequests
  }

  #closeSoon(reason: string): void {
    setImmediate(() => this.closedBecause(reason))
  }
}

/** The two ends of a link inside this process: the server's peer is what its handlers see, the client's one makes the calls. */
export interface InProcessLink {
  readonly client: Peer
  readonly server: Peer
}

export interface InProcessOptions {
  readonly serverHandlers: HandlerTable
  readonly clientHandlers?: HandlerTable
  readonly clock: Clock
  readonly logger: Logger
  readonly limits?: Partial<LinkLimits>
}

/** A link without a socket, with the same semantics otherwise: asynchronous, answers by opaque, deadlines, limits. */
export function createInProcessLink(options: InProcessOptions): InProcessLink {
  const { serverHandlers, clientHandlers, ...common } = options
  const server = createLinkSetup({ ...common, handlers: serverHandlers, language: 'JAVA' })
  return joinInProcess(server, createLinkSetup({ ...common, handlers: clientHandlers }), ADDRESS)
}

/** Joins two sides; `address` is what the client called. */
export function joinInProcess(server: LinkSetup, client: LinkSetup, address: string): InProcessLink {
  const serverEnd = new InProcessPeer(server, ADDRESS)
  const clientEnd = new InProcessPeer(client, address)
  serverEnd.join(clientEnd)
  clientEnd.join(serverEnd)
  return { client: clientEnd, server: serverEnd }
}
