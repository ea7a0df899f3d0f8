import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type Command, decodeCommand, FrameReader } from '@cometmq/remoting'

/** One recorded frame (test/golden/README.md). */
export interface Frame {
  /** Milliseconds since the recording began. */
  t: number
  note: string
  conn: number
  port: number
  dir: '<' | '>'
  code: number
  opaque: number
  flag: number
  serialize: 0 | 1
  header?: string
  headerHex?: string
  bodyHex: string
}

export const isResponse = (frame: Frame): boolean => (frame.flag & 1) !== 0
export const isOneway = (frame: Frame): boolean => (frame.flag & 2) !== 0

/** The bytes of a recorded frame, with other values of some header fields. */
export function frameBytes(frame: Frame, replace: Record<string, string> = {}): Buffer {
  const header = frame.serialize === 1 ? binaryHeader(Buffer.from(frame.headerHex!, 'hex'), replace) : jsonHeader(frame.header!, replace)
  const body = Buffer.from(frame.bodyHex, 'hex')
  const prefix = Buffer.alloc(8)
  prefix.writeInt32BE(4 + header.length + body.length, 0)
  prefix.writeInt32BE((frame.serialize << 24) | header.length, 4)
  return Buffer.concat([prefix, header, body])
}

function jsonHeader(text: string, replace: Record<string, string>): Buffer {
  if (Object.keys(replace).length === 0) return Buffer.from(text)
  const header = JSON.parse(text) as { extFields?: Record<string, string> }
  return Buffer.from(JSON.stringify({ ...header, extFields: { ...header.extFields, ...replace } }))
}

/** Fixed part of 13 bytes, remark and fields each with an int32 length; a field is int16 length, name, int32 length, value. */
function binaryHeader(header: Buffer, replace: Record<string, string>): Buffer {
  if (Object.keys(replace).length === 0) return header
  const fieldsAt = 17 + header.readInt32BE(13)
  const fields: Buffer[] = []
  for (let at = fieldsAt + 4; at < header.length;) {
    const nameEnd = at + 2 + header.readInt16BE(at)
    const valueEnd = nameEnd + 4 + header.readInt32BE(nameEnd)
    const other = replace[header.toString('utf8', at + 2, nameEnd)]
    const length = Buffer.alloc(4)
    length.writeInt32BE(other?.length ?? 0)
    fields.push(...(other === undefined ? [header.subarray(at, valueEnd)] : [header.subarray(at, nameEnd), length, Buffer.from(other)]))
    at = valueEnd
  }
  const all = Buffer.concat(fields)
  const length = Buffer.alloc(4)
  length.writeInt32BE(all.length)
  return Buffer.concat([header.subarray(0, fieldsAt), length, all])
}

export const decodeFrame = (bytes: Buffer): Command => decodeCommand(bytes, 4, bytes.length)

/** A recorded connection, made again: sends frames as they were and keeps the answers by opaque. */
export class ReplayConnection {
  readonly #socket: Socket
  readonly #answers = new Map<number, Command>()
  readonly #waiting = new Map<number, (answer: Command | undefined) => void>()

  private constructor(socket: Socket) {
    this.#socket = socket
    const reader = new FrameReader()
    socket.on('data', (chunk: Buffer) => {
      reader.push(chunk)
      while (reader.next()) this.#received(decodeCommand(reader.bytes, reader.start, reader.end))
    })
    socket.on('error', () => socket.destroy())
  }

  static async open(port: number): Promise<ReplayConnection> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    return new ReplayConnection(socket)
  }

  #received(command: Command): void {
    if ((command.flag & 1) === 0) return // the server asks; the recorded answers to that are not ours to give
    const waiting = this.#waiting.get(command.opaque)
    this.#waiting.delete(command.opaque)
    if (waiting === undefined) this.#answers.set(command.opaque, command)
    else waiting(command)
  }

  send(bytes: Buffer): void {
    this.#socket.write(bytes)
  }

  /** The answer to a request, or undefined when none comes in time. */
  answer(opaque: number, limitMs: number): Promise<Command | undefined> {
    const there = this.#answers.get(opaque)
    if (there !== undefined) return Promise.resolve(there)
    return new Promise(resolve => {
      const timer = setTimeout(() => resolve(undefined), limitMs)
      this.#waiting.set(opaque, answer => {
        clearTimeout(timer)
        resolve(answer)
      })
    })
  }

  close(): void {
    this.#socket.destroy()
  }
}
