import type { Clock } from '../clock.ts'
import { MessageFormatError } from './errors.ts'

/** Message ids (spec: remoting, sections 5.5 and 5.6; Java: MessageDecoder.createMessageId, MessageClientIDSetter). */

const hexOfByte: readonly string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).toUpperCase().padStart(2, '0'))

/** Upper case. */
function hexOf(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i++) text += hexOfByte[bytes[i]!]!
  return text
}

const hexOfInt32 = (value: number): string =>
  hexOfByte[value >>> 24]! + hexOfByte[(value >>> 16) & 0xff]! + hexOfByte[(value >>> 8) & 0xff]! + hexOfByte[value & 0xff]!

const TWO_32 = 4294967296

/** Id of a stored message: upper-case hex of the store host (4 or 16 address bytes, int32 port) and the int64 position. */
export function offsetMessageId(host: Uint8Array, physicalOffset: number): string {
  let at = 0
  for (let i = 0; i < host.length; i++) at = putByte(at, host[i]!)
  at = putInt32(at, Math.floor(physicalOffset / TWO_32))
  at = putInt32(at, physicalOffset | 0)
  return scratch.toString('latin1', 0, at)
}

// One flat string out of a scratch buffer: half the time of joining sixteen pieces.
const scratch = Buffer.allocUnsafe(2 * 64)
const digits = Buffer.from('0123456789ABCDEF', 'latin1')

function putByte(at: number, byte: number): number {
  scratch[at] = digits[byte >> 4]!
  scratch[at + 1] = digits[byte & 15]!
  return at + 2
}

function putInt32(at: number, value: number): number {
  putByte(at, value >>> 24)
  putByte(at + 2, (value >>> 16) & 0xff)
  putByte(at + 4, (value >>> 8) & 0xff)
  return putByte(at + 6, value & 0xff)
}

/** The same for a host that stays: its half is made once. */
export function offsetMessageIdsOf(host: Uint8Array): (physicalOffset: number) => string {
  const hostText = hexOf(host)
  let high = -1
  let start = ''
  return physicalOffset => {
    const nextHigh = Math.floor(physicalOffset / TWO_24)
    if (nextHigh !== high) {
      high = nextHigh
      start = hostText + high.toString(16).toUpperCase().padStart(10, '0')
    }
    const low = physicalOffset - high * TWO_24
    return start + threeDigits[low >>> 12]! + threeDigits[low & 0xfff]!
  }
}

const TWO_24 = 16_777_216
const threeDigits: readonly string[] = Array.from({ length: 4096 }, (_, i) => i.toString(16).toUpperCase().padStart(3, '0'))

export interface OffsetMessageId {
  /** `1.2.3.4`, or the eight groups of an IPv6 address. */
  address: string
  port: number
  physicalOffset: number
}

/** Throws MessageFormatError for anything but 32 or 56 hex digits with a port and a position that exist. */
export function parseOffsetMessageId(id: string): OffsetMessageId {
  if ((id.length !== 32 && id.length !== 56) || !/^[0-9a-fA-F]+$/.test(id)) {
    throw new MessageFormatError(`"${id.slice(0, 64)}" is no offset message id: expected 32 or 56 hex digits`)
  }
  const bytes = Buffer.from(id, 'hex')
  const hostBytes = bytes.length - 12
  const port = bytes.readInt32BE(hostBytes)
  const physicalOffset = Number(bytes.readBigInt64BE(hostBytes + 4))
  if (port < 0 || port > 65535 || !Number.isSafeInteger(physicalOffset) || physicalOffset < 0) {
    throw new MessageFormatError(`"${id}" is no offset message id: port ${port} or position ${physicalOffset} is out of range`)
  }
  return { address: addressText(bytes.subarray(0, hostBytes)), port, physicalOffset }
}

/** `1.2.3.4` for 4 bytes, `2001:db8:0:0:0:0:0:1` for 16. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups: string[] = []
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i]! << 8) | bytes[i + 1]!).toString(16))
  return groups.join(':')
}

export interface UniqueIdOptions {
  /** 4 or 16 bytes: the address that this process is known by. */
  address: Uint8Array
  /** Low 16 bits are used. */
  processId: number
  /** int32 that tells apart several generators of one process. */
  seed: number
}

/**
 * Makes client unique ids (UNIQ_KEY): upper-case hex of address, int16 pid, int32 seed, int32 milliseconds since the local
 * start of the month, int16 counter. Unique while fewer than 65536 ids are made in a millisecond.
 */
export function createUniqueIdGenerator(clock: Pick<Clock, 'now'>, options: UniqueIdOptions): () => string {
  const prefix = hexOf(options.address) + hexOfInt32(options.processId).slice(4) + hexOfInt32(options.seed)
  let month = monthOf(clock.now())
  let counter = 0
  let lastTime = -1
  let timeHex = ''
  return () => {
    const now = clock.now()
    if (now !== lastTime) {
      if (now >= month.end || now < month.start) month = monthOf(now)
      lastTime = now
      timeHex = hexOfInt32((now - month.start) | 0)
    }
    const id = prefix + timeHex + hexOfByte[(counter >>> 8) & 0xff]! + hexOfByte[counter & 0xff]!
    counter = (counter + 1) & 0xffff
    return id
  }
}

function monthOf(time: number): { start: number; end: number } {
  const date = new Date(time)
  const at = (month: number): number => new Date(date.getFullYear(), month, 1).getTime()
  return { start: at(date.getMonth()), end: at(date.getMonth() + 1) }
}
