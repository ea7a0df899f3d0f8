import { type Socket } from 'node:net'
import { type RawData, type WebSocket } from 'ws'
import { type EngineSocket, type SendResult, type SocketHandlers } from './types.ts'

interface Parts {
  readonly ws: WebSocket
  readonly connection: Socket
  readonly remoteAddress: string
  readonly maxBufferedBytes: number
}

/** Messages together smaller than this are copied into one piece. */
const COPIED_BYTES = 65_536

export class WsSocket implements EngineSocket {
  readonly remoteAddress: string
  readonly #ws: WebSocket
  readonly #connection: Socket
  readonly #maxBufferedBytes: number
  readonly #all: Set<WsSocket>
  #handlers: SocketHandlers | undefined
  #isOpen = true

  constructor(parts: Parts, all: Set<WsSocket>) {
    this.remoteAddress = parts.remoteAddress
    this.#ws = parts.ws
    this.#connection = parts.connection
    this.#maxBufferedBytes = parts.maxBufferedBytes
    this.#all = all
    all.add(this)
  }

  start(open: (socket: EngineSocket) => SocketHandlers): void {
    const ws = this.#ws
    ws.on('error', () => {})
    ws.on('message', (data: RawData, binary: boolean) => this.#handlers?.message(data as Buffer, binary))
    // A client that pings and does not read must not fill the memory.
    ws.on('ping', data => this.#takes() && ws.pong(data))
    ws.on('close', (code, reason) => this.#ended(code, reason.toString()))
    this.#connection.on('drain', () => this.#handlers?.drained())
    this.#handlers = open(this)
  }

  get bufferedBytes(): number {
    return this.#isOpen ? this.#connection.writableLength : 0
  }

  send(bytes: Uint8Array): SendResult {
    if (!this.#takes()) return 'dropped'
    this.#write([bytes])
    return this.#connection.writableLength === 0 ? 'sent' : 'queued'
  }

  sendAll(messages: readonly Uint8Array[]): number {
    let from = 0
    while (from < messages.length && this.#takes()) {
      const to = this.#endOfWrite(messages, from)
      this.#write(from === 0 && to === messages.length ? messages : messages.slice(from, to))
      from = to
    }
    return from
  }

  close(code: number, reason: string): void {
    if (!this.#isOpen) return
    this.#ws.close(code, reason)
    this.#ended(code, reason)
  }

  terminate(): void {
    this.#connection.destroy()
    this.#ended(1006, '')
  }

  #takes(): boolean {
    return this.#isOpen && this.#connection.writableLength <= this.#maxBufferedBytes
  }

  /** Index after the last message that goes into the same write. */
  #endOfWrite(messages: readonly Uint8Array[], from: number): number {
    let bytes = 0
    let at = from
    while (at < messages.length && bytes < COPIED_BYTES) bytes += (messages[at++] as Uint8Array).length
    return at
  }

  /**
   * Without compression a message of a server is a short head and the bytes as they are. Writing them here, not through `ws`, makes one piece
   * of all that is sent in a turn. `ws` writes its pongs and its close frame as wholes to the same connection, so nothing is cut.
   */
  #write(messages: readonly Uint8Array[]): void {
    let size = 0
    for (const bytes of messages) size += headLength(bytes.length) + bytes.length
    if (size <= 2 * COPIED_BYTES) {
      const piece = Buffer.allocUnsafe(size)
      let at = 0
      for (const bytes of messages) {
        at = writeHead(piece, at, bytes.length)
        piece.set(bytes, at)
        at += bytes.length
      }
      this.#connection.write(piece)
      return
    }
    this.#connection.cork()
    for (const bytes of messages) {
      const head = Buffer.allocUnsafe(headLength(bytes.length))
      writeHead(head, 0, bytes.length)
      this.#connection.write(head)
      this.#connection.write(bytes)
    }
    this.#connection.uncork()
  }

  #ended(code: number, reason: string): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#all.delete(this)
    const handlers = this.#handlers
    this.#handlers = undefined
    if (handlers) setImmediate(() => handlers.closed(code, reason))
  }
}

const FIN_BINARY = 0x82

/** RFC 6455, section 5.2: a whole, unmasked message. */
const headLength = (length: number): number => (length < 126 ? 2 : length < 65_536 ? 4 : 10)

function writeHead(target: Buffer, at: number, length: number): number {
  target[at] = FIN_BINARY
  if (length < 126) {
    target[at + 1] = length
    return at + 2
  }
  if (length < 65_536) {
    target[at + 1] = 126
    return target.writeUInt16BE(length, at + 2)
  }
  target[at + 1] = 127
  target.writeUInt32BE(Math.floor(length / 0x1_0000_0000), at + 2)
  return target.writeUInt32BE(length % 0x1_0000_0000, at + 6)
}
