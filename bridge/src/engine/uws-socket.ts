import type { WebSocket } from 'uWebSockets.js'
import { type EngineSocket, type SendResult, type SocketHandlers } from './types.ts'

export interface SocketData {
  readonly socket: UwsSocket
}

/** What `send` of uWebSockets answers. */
const QUEUED = 0
const DROPPED = 2

export class UwsSocket implements EngineSocket {
  readonly remoteAddress: string
  readonly #open: (socket: EngineSocket) => SocketHandlers
  readonly #all: Set<UwsSocket>
  /** Undefined once closed: the library throws when a socket is used after that. */
  #ws: WebSocket<SocketData> | undefined
  #handlers: SocketHandlers | undefined
  #batch: readonly Uint8Array[] = []
  #taken = 0

  constructor(open: (socket: EngineSocket) => SocketHandlers, remoteAddress: string, all: Set<UwsSocket>) {
    this.#open = open
    this.remoteAddress = remoteAddress
    this.#all = all
  }

  get bufferedBytes(): number {
    return this.#ws === undefined ? 0 : this.#ws.getBufferedAmount()
  }

  send(bytes: Uint8Array): SendResult {
    if (this.#ws === undefined) return 'dropped'
    const result = this.#ws.send(bytes, true, false)
    return result === DROPPED ? 'dropped' : result === QUEUED ? 'queued' : 'sent'
  }

  sendAll(messages: readonly Uint8Array[]): number {
    if (this.#ws === undefined) return 0
    this.#batch = messages
    this.#ws.cork(this.#sendBatch)
    this.#batch = []
    return this.#taken
  }

  readonly #sendBatch = (): void => {
    this.#taken = 0
    for (const bytes of this.#batch) {
      // A failed write may close the socket in the middle.
      if (this.#ws === undefined || this.#ws.send(bytes, true, false) === DROPPED) return
      this.#taken++
    }
  }

  close(code: number, reason: string): void {
    this.#ws?.end(code, reason)
  }

  terminate(): void {
    this.#ws?.close()
  }

  opened(ws: WebSocket<SocketData>): void {
    this.#ws = ws
    this.#all.add(this)
    this.#handlers = this.#open(this)
  }

  received(bytes: ArrayBuffer, binary: boolean): void {
    // The library's buffer is gone when this returns.
    const own = Buffer.allocUnsafe(bytes.byteLength)
    own.set(new Uint8Array(bytes))
    this.#handlers?.message(own, binary)
  }

  drained(): void {
    this.#handlers?.drained()
  }

  /** The library calls this also within `end` and `close`. */
  ended(code: number, reason: string): void {
    this.#ws = undefined
    this.#all.delete(this)
    const handlers = this.#handlers
    this.#handlers = undefined
    if (handlers) setImmediate(() => handlers.closed(code, reason))
  }
}
