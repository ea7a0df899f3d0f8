import { encodeFrame, type Frame, Kind, PROTOCOL_VERSION, SUBPROTOCOL, type SubSpec } from '@cometmq/protocol'
import { connect, type Socket } from 'node:net'
import { randomBytes } from 'node:crypto'

/** Local addresses in turn, so that ten thousand sockets have ports enough. */
const addresses = 8
/** What nobody says to have taken is kept in mind by the bridge, up to a limit. */
const ackEvery = 1_000

/**
 * A WebSocket that subscribes and then only counts entries of DELIVER frames, without decoding them: thousands of subscribers in the process
 * of the load must cost it little. `taken` is called with the number of entries that came together.
 */
export class RawSubscriber {
  entries = 0
  #acked = 0
  readonly #socket: Socket
  readonly #taken: (entries: number) => void
  readonly #spec: SubSpec
  #rest: Buffer = Buffer.alloc(0)
  #upgraded = false
  #opened = false
  #ready: { resolve: () => void; reject: (error: Error) => void } | undefined

  private constructor(socket: Socket, spec: SubSpec, taken: (entries: number) => void) {
    this.#socket = socket
    this.#spec = spec
    this.#taken = taken
    socket.on('data', chunk => this.#read(chunk))
    socket.on('error', error => this.#ready?.reject(error))
    socket.on('close', () => this.#ready?.reject(new Error('the bridge closed the socket')))
  }

  /** Resolves when the subscription is open. */
  static open(port: number, index: number, spec: SubSpec, taken: (entries: number) => void): Promise<RawSubscriber> {
    const socket = connect({ port, host: '127.0.0.1', localAddress: `127.0.0.${2 + (index % addresses)}`, noDelay: true })
    const subscriber = new RawSubscriber(socket, spec, taken)
    const head = [
      'GET /ws HTTP/1.1',
      `Host: 127.0.0.1:${port}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
      `Sec-WebSocket-Protocol: ${SUBPROTOCOL}`,
    ]
    socket.write(head.join('\r\n') + '\r\n\r\n')
    return new Promise((resolve, reject) => (subscriber.#ready = { resolve: () => resolve(subscriber), reject }))
  }

  #hello(): void {
    const subs = [[2, 1, this.#spec]]
    const options = { proto: PROTOCOL_VERSION, sdk: 'bench', runtime: 'bench', maxFrame: 262_144, producers: [], subs }
    this.#send([Kind.HELLO, 1, options] as unknown as Frame)
  }

  /** Tells the bridge that everything up to here may be followed by so much more. */
  limit(maxSeq: number, maxBytes: number): void {
    this.#send([Kind.LIMIT, 1, maxSeq, maxBytes])
  }

  close(): void {
    this.#ready = undefined
    this.#socket.destroy()
  }

  /** Masked with zeros: this end is no browser. */
  #send(frame: Frame): void {
    const bytes = encodeFrame(frame)
    const head = bytes.length < 126 ? Buffer.alloc(6) : Buffer.alloc(8)
    head[0] = 0x82
    if (bytes.length < 126) head[1] = 0x80 | bytes.length
    else {
      head[1] = 0x80 | 126
      head.writeUInt16BE(bytes.length, 2)
    }
    this.#socket.write(Buffer.concat([head, bytes]))
  }

  #read(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    if (!this.#upgraded) {
      const end = bytes.indexOf('\r\n\r\n')
      if (end < 0) return void (this.#rest = bytes)
      if (!bytes.toString('latin1', 0, 12).endsWith('101'))
        return this.#ready?.reject(new Error(bytes.toString('latin1', 0, 200)))
      this.#upgraded = true
      this.#hello()
      bytes = bytes.subarray(end + 4)
    }
    let came = 0
    let at = 0
    for (;;) {
      if (bytes.length - at < 10 && bytes.length - at < headBytes(bytes, at)) break
      const short = bytes[at + 1]! & 127
      const start = at + headBytes(bytes, at)
      const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2))
      if (bytes.length < start + length) break
      came += this.#frame(bytes, start)
      at = start + length
    }
    this.#rest = at === bytes.length ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at))
    if (came === 0) return
    this.entries += came
    if (this.entries - this.#acked >= ackEvery) {
      this.#acked = this.entries
      this.#send([Kind.ACK, 1, [1, this.entries]])
    }
    this.#taken(came)
  }

  /** Entries in the frame: `[33, sid, firstSeq, [entry…]…]`. */
  #frame(bytes: Buffer, at: number): number {
    const kind = bytes[at + 1]!
    if (kind === Kind.DELIVER) return arrayLength(bytes, afterNumber(bytes, afterNumber(bytes, at + 2)))
    // SUBINFO: its queues are assigned.
    if (kind === Kind.SUBINFO && !this.#opened) {
      this.#opened = true
      this.#ready?.resolve()
    }
    return 0
  }
}

function headBytes(bytes: Buffer, at: number): number {
  const short = (bytes[at + 1] ?? 0) & 127
  return short < 126 ? 2 : short === 126 ? 4 : 10
}

/** Behind a MessagePack whole number. */
function afterNumber(bytes: Buffer, at: number): number {
  const code = bytes[at]!
  return code < 0x80 ? at + 1 : at + 1 + (1 << (code - 0xcc))
}

function arrayLength(bytes: Buffer, at: number): number {
  const code = bytes[at]!
  if (code >= 0x90 && code < 0xa0) return code & 15
  return code === 0xdc ? bytes.readUInt16BE(at + 1) : bytes.readUInt32BE(at + 1)
}
