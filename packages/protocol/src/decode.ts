import { defaultMaxDepth, ProtocolError } from './protocol-error.ts'

export interface DecodeLimits {
  /** Default 16. */
  readonly maxDepth?: number
}

/**
 * Memory the values of one input may take: 4 × its length and this much. Small values need more memory than bytes (an empty byte string of
 * two bytes is an object of a hundred), so short inputs are given this in addition.
 */
const slackBytes = 1 << 20
/** Up to this length adding character by character is faster than a call of TextDecoder. */
const shortText = 40

// State of the one decode that runs: nothing in here calls out, so there is never a second.
let at = 0
let budgetBytes = 0
let textDecoder: InstanceType<typeof TextDecoder> | undefined
let scratch: DataView | undefined

function fail(what: string): never {
  throw new ProtocolError(`not a MessagePack value of this protocol: ${what} at byte ${at}`)
}

/** Throws when `count` items cannot be in what is left (an item has a byte at least), or their memory is over the limit. */
function charge(bytes: Uint8Array, count: number, memory: number): void {
  if (count > bytes.length - at) fail('cut off')
  if ((budgetBytes -= memory) < 0) fail('too many small values')
}

function unsigned(bytes: Uint8Array, size: number): number {
  if (size > bytes.length - at) fail('cut off')
  let value = 0
  while (size-- > 0) value = value * 256 + bytes[at++]!
  return value
}

function signed(bytes: Uint8Array, size: number): number {
  const value = unsigned(bytes, size)
  const half = 2 ** (size * 8 - 1)
  return value < half ? value : value - half * 2
}

function long(high: number, bytes: Uint8Array): number {
  const value = high * 0x1_0000_0000 + unsigned(bytes, 4)
  return Number.isSafeInteger(value) ? value : fail('an integer beyond 2^53−1')
}

function float(bytes: Uint8Array, size: number): number {
  if (size > bytes.length - at) fail('cut off')
  scratch ??= new DataView(new ArrayBuffer(8))
  for (let index = 0; index < size; index++) scratch.setUint8(index, bytes[at++]!)
  return size === 4 ? scratch.getFloat32(0) : scratch.getFloat64(0)
}

function text(bytes: Uint8Array, length: number): string {
  charge(bytes, length, 16 + length * 2)
  const end = at + length
  if (length <= shortText) {
    let result = ''
    let index = at
    while (index < end && bytes[index]! < 128) result += String.fromCharCode(bytes[index++]!)
    if (index === end) {
      at = end
      return result
    }
  }
  textDecoder ??= new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let result
  try {
    result = textDecoder.decode(bytes.subarray(at, end))
  } catch {
    fail('text that is not UTF-8')
  }
  at = end
  return result
}

function binary(bytes: Uint8Array, length: number): Uint8Array {
  charge(bytes, length, 128)
  const start = at
  at += length
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, length)
}

function array(bytes: Uint8Array, length: number, depth: number): unknown[] {
  if (depth === 0) fail('too many levels')
  charge(bytes, length, 48 + length * 8)
  const items = new Array<unknown>(length)
  for (let index = 0; index < length; index++) items[index] = read(bytes, depth - 1)
  return items
}

function map(bytes: Uint8Array, length: number, depth: number): Record<string, unknown> {
  if (depth === 0) fail('too many levels')
  charge(bytes, length * 2, 56 + length * 16)
  const result: Record<string, unknown> = {}
  // A key that is a small number makes V8 reserve all slots up to it and half as many again: a few bytes must not cost kilobytes unseen.
  let slots = 0
  for (; length > 0; length--) {
    const key = read(bytes, 0)
    if (typeof key === 'number' ? !Number.isInteger(key) : typeof key !== 'string')
      fail('a map key that is neither text nor integer')
    if (typeof key === 'number' || (key as string).charCodeAt(0) < 58) {
      const index = +(key as string)
      if (index >= slots && index < 8192) {
        slots = index * 1.5 + 16
        charge(bytes, 0, slots * 8)
      }
    }
    const value = read(bytes, depth - 1)
    if (key === '__proto__') Object.defineProperty(result, key, { value, writable: true, enumerable: true, configurable: true })
    else result[key as string] = value
  }
  return result
}

function read(bytes: Uint8Array, depth: number): unknown {
  if (at >= bytes.length) fail('cut off')
  const code = bytes[at++]!
  if (code < 0x80) return code
  if (code < 0x90) return map(bytes, code & 15, depth)
  if (code < 0xa0) return array(bytes, code & 15, depth)
  if (code < 0xc0) return text(bytes, code & 31)
  if (code >= 0xe0) return code - 256
  switch (code) {
    case 0xc0:
      return null
    case 0xc2:
      return false
    case 0xc3:
      return true
    case 0xc4:
    case 0xc5:
    case 0xc6:
      return binary(bytes, unsigned(bytes, 1 << (code - 0xc4)))
    case 0xca:
    case 0xcb:
      return float(bytes, 4 << (code - 0xca))
    case 0xcc:
    case 0xcd:
    case 0xce:
      return unsigned(bytes, 1 << (code - 0xcc))
    case 0xcf:
      return long(unsigned(bytes, 4), bytes)
    case 0xd0:
    case 0xd1:
    case 0xd2:
      return signed(bytes, 1 << (code - 0xd0))
    case 0xd3:
      return long(signed(bytes, 4), bytes)
    case 0xd9:
    case 0xda:
    case 0xdb:
      return text(bytes, unsigned(bytes, 1 << (code - 0xd9)))
    case 0xdc:
    case 0xdd:
      return array(bytes, unsigned(bytes, 2 << (code - 0xdc)), depth)
    case 0xde:
    case 0xdf:
      return map(bytes, unsigned(bytes, 2 << (code - 0xde)), depth)
    default:
      return fail('an extension type')
  }
}

/**
 * Exactly one value. Byte strings are views on `bytes`, maps are plain objects. Throws ProtocolError for anything else: cut off or followed
 * by more bytes, extension types, integers beyond ±(2^53−1), text that is not UTF-8, keys that are neither text nor integers, too many
 * levels. The values take at most 4 × the input and 1 MiB.
 */
export function decode(bytes: Uint8Array, limits?: DecodeLimits): unknown {
  at = 0
  budgetBytes = bytes.length * 4 + slackBytes
  const value = read(bytes, limits?.maxDepth ?? defaultMaxDepth)
  if (at < bytes.length) fail('more bytes after the value')
  return value
}
