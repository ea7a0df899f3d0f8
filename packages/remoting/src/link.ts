import type { Command, Reply, Request } from './command.ts'

/**
 * The other end of one link, as a request handler sees it: a TCP or TLS connection, or the in-process link.
 * Both ends may send requests; answers are matched by opaque.
 */
export interface Peer {
  /** Unique in this process. */
  readonly id: number
  /** `ip:port` of the other end; `in-process` for the in-process link. */
  readonly remoteAddress: string
  /** `ip:port` of our end, as the other end reached us. */
  readonly localAddress: string
  /** The remote address as 4 or 16 bytes of IP and an int32 port, as message records store it (born host). */
  readonly remoteHost: Buffer
  readonly closed: boolean
  /**
   * Answers a request whose handler returned undefined. Ignored when the link is closed. Bytes are gathered and written
   * once per event-loop turn.
   */
  respond(opaque: number, reply: Reply): void
  /** Sends a request and resolves with the answer. Rejects with RemotingError (timeout, closed, overloaded). */
  call(request: Request, timeoutMs: number): Promise<Command>
  /** Sends a request without waiting for an answer. Returns false when the link is closed or its output is full. */
  oneway(request: Request): boolean
  /** Runs once, when the link has closed. */
  onClose(listener: () => void): void
  close(reason: string): void
}

/**
 * Handles one request. Return the reply, a promise of it, or undefined to answer later with `peer.respond(request.opaque, …)`.
 * What it throws becomes code 1 with the error's message, or the code of a thrown `CommandError`.
 * Replies to one-way requests are dropped.
 */
export type Handler = (request: Command, peer: Peer) => Reply | Promise<Reply> | undefined

/** Request code → handler: the contents page of a server. */
export type HandlerTable = ReadonlyMap<number, Handler>

/** Thrown by a handler to answer with a given response code and remark. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly code: number
  constructor(code: number, remark: string) {
    super(remark)
    this.code = code
  }
}

export type RemotingErrorKind = 'connect' | 'closed' | 'timeout' | 'overloaded' | 'protocol'

/** A call that got no answer. `sent` tells whether the request may have reached the other end. */
export class RemotingError extends Error {
  override readonly name = 'RemotingError'
  readonly kind: RemotingErrorKind
  readonly address: string
  readonly sent: boolean
  constructor(kind: RemotingErrorKind, address: string, message: string, options: { sent: boolean; cause?: unknown }) {
    super(message, { cause: options.cause })
    this.kind = kind
    this.address = address
    this.sent = options.sent
  }
}

/** A client's way to one address or many: connects on first use, reconnects after a failure, shares one link per address. */
export interface Caller {
  /** Resolves with the answer whatever its code; rejects with RemotingError when there is none. */
  call(address: string, request: Request, timeoutMs: number): Promise<Command>
  /** Sends without waiting for an answer. Rejects when no connection could be made. */
  oneway(address: string, request: Request): Promise<void>
  close(): Promise<void>
}
