import type { Clock, Logger } from '@cometmq/cluster'

/**
 * The port between the bridge and a WebSocket server library. Both engines behave the same here (bridge/test/engine-contract.test.ts); where
 * their libraries differ, the engine makes up for it.
 */
export type EngineName = 'uws' | 'ws'

export interface Engine {
  readonly name: EngineName
  /** Rejects with an error whose `code` is EADDRINUSE, EACCES or EADDRNOTAVAIL when the port cannot be had. */
  listen(options: ListenOptions): Promise<RunningEngine>
}

export interface ListenOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly tls?: TlsFiles
  /** Several processes listen on this port; not with port 0. Default: the port is this listener's alone. */
  readonly shared?: boolean
  readonly limits: EngineLimits
  readonly clock: Clock
  readonly logger: Logger
  readonly handlers: EngineHandlers
}

/** Paths of PEM files. */
export interface TlsFiles {
  readonly certFile: string
  readonly keyFile: string
}

export interface EngineLimits {
  /** A larger inbound message ends the connection at once (1009 or 1006). */
  readonly maxMessageBytes: number
  /** The ceiling: above it nothing more is taken for a socket. */
  readonly maxBufferedBytes: number
  /** The head of a request must be there by then. uWebSockets has a fixed 10 s. */
  readonly headerMs: number
  /** How long the decision on an upgrade may take; then it is refused with 503. */
  readonly upgradeMs: number
}

export interface EngineHandlers {
  /** Must not throw. `request.body` may only be called before it returns. */
  request(request: HttpRequest, response: HttpResponse): void
  upgrade(request: HttpRequest): UpgradeDecision | Promise<UpgradeDecision>
}

export type UpgradeDecision =
  | {
      /** One of those the client offered. */
      readonly protocol?: string
      /** The handshake is done. The handlers are called from the next turn on. */
      readonly open: (socket: EngineSocket) => SocketHandlers
    }
  | Refusal

export interface Refusal {
  readonly status: number
  readonly headers?: Headers
  readonly body: string
}

/** None of them may throw. */
export interface SocketHandlers {
  /** `bytes` are the receiver's own. */
  message(bytes: Uint8Array, binary: boolean): void
  /** Some of what was queued has left: look at `bufferedBytes`. Called at the latest when it is 0 again. */
  drained(): void
  /** Once, never within a call of `close` or `terminate`. 1005: without a code; 1006: without a close frame. */
  closed(code: number, reason: string): void
}

/** sent: the network has it. queued: it counts in `bufferedBytes`. dropped: not taken, because more than the ceiling was queued, or closed. */
export type SendResult = 'sent' | 'queued' | 'dropped'

export interface EngineSocket {
  /** As text; IPv4 also where the socket is an IPv6 one. */
  readonly remoteAddress: string
  /** Not yet taken by the network. */
  readonly bufferedBytes: number
  /** One binary message. */
  send(bytes: Uint8Array): SendResult
  /** Binary messages in one write. Returns how many were taken; the rest was dropped. */
  sendAll(messages: readonly Uint8Array[]): number
  /** Close frame, then the end; a peer that does not answer is cut after a few seconds. `reason`: at most 123 bytes. */
  close(code: number, reason: string): void
  /** The end without a close frame. */
  terminate(): void
}

/** Names in lower case. */
export type Headers = Readonly<Record<string, string>>

export interface HttpRequest {
  /** Upper case. */
  readonly method: string
  /** As it was sent, without the query. */
  readonly path: string
  /** Without the question mark. */
  readonly query: string
  readonly headers: Headers
  readonly remoteAddress: string
  /** Rejects with a BodyError. */
  body(maxBytes: number): Promise<Uint8Array>
}

export class BodyError extends Error {
  override readonly name = 'BodyError'
  /** 'late': asked for after the handler had returned. */
  readonly reason: 'too-large' | 'aborted' | 'late'
  constructor(reason: 'too-large' | 'aborted' | 'late', text: string) {
    super(text)
    this.reason = reason
  }
}

export interface HttpResponse {
  /** The client went away before the response was complete; answers are ignored from now on. */
  onAbort(listener: () => void): void
  readonly aborted: boolean
  /** The whole response; `connection: close` ends the connection. Only once, and not after `stream`. Nothing happens when the client is gone. */
  respond(status: number, headers: Headers, body: Uint8Array | string): void
  /** A response of unknown length that is sent piece by piece, for as long as wanted (server-sent events). `first` goes with the head. */
  stream(status: number, headers: Headers, first: Uint8Array | string): ResponseStream
}

export interface ResponseStream {
  /** queued: wait for `onDrain` before more. dropped: more than the ceiling is queued, or the client is gone. */
  write(chunk: Uint8Array | string): SendResult
  onDrain(listener: () => void): void
  end(): void
}

export interface RunningEngine {
  readonly port: number
  /** Open WebSockets. */
  readonly sockets: number
  /** No new connections; those there are go on. */
  stopListening(): void
  /** Ends all connections at once, without close frames. */
  close(): Promise<void>
}
