import { defaultMaxDepth, shortRead, slackBytes } from './figures.ts'
import { ProtocolError } from './protocol-error.ts'

export interface DecodeLimits {
  /** Default 16. */
  readonly maxDepth?: number
}

// State of the one decode that runs: nothing in here calls out, so there is never a second.
let at = 0
let budgetBytes = 0
let textDecoder: InstanceType<typeof TextDecoder> | undefined

function fail(what: string): never {
  throw new ProtocolError(`MessagePack: ${what} at byte ${at}`)
}

/** Throws when `count` items cannot be in what is left (an item has a byte at least), or their memory is over the limit. */
function charge(bytes: Uint8Array, count: number, memory: number): void {
  if (count > bytes.length - at) fail('cut off')
  if ((budgetBytes -= memory) < 0) fail('too many values')
}

/** A whole number of `size` bytes, big end first; `sign`: two's complement. */
function integer(bytes: Uint8Array, size: number, sign = false): number {
  charge(bytes, size, 0)
  const flip = sign && bytes[at]! > 127 ? 255 : 0
  let value = 0
  // What does not fit into 53 bits is rounded, and stays too large.
  while (size-- > 0) value = value * 256 + (bytes[at++]! ^ flip)
  if (flip) value = -value - 1
  return Number.isSafeInteger(value) ? value : fail('bad integer')
}

function float(bytes: Uint8Array, size: number): number {
  charge(bytes, size, 0)
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, size)
  at += size
  return size === 4 ? view.getFloat32(0) : view.getFloat64(0)
}

function text(bytes: Uint8Array, length: number): string {
  charge(bytes, length, 16 + length * 2)
  const start = at
  const end = (at += length)
  if (length <= shortRead) {
    const units = new Array<number>(length)
    let index = 0
    while (index < length && (units[index] = bytes[start + index]!) < 128) index++
    if (index === length) return String.fromCharCode.apply(null, units)
  }
  textDecoder ??= new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  try {
    return textDecoder.decode(bytes.subarray(start, end))
  } catch {
    return fail('bad UTF-8')
  }
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
    if (typeof key !== 'number' && typeof key !== 'string') return fail('bad key')
    // Not text that starts behind the digits.
    if (!(key >= ':')) {
      const index = +key
      if (index >= slots && index < 8192) {
        slots = index * 1.5 + 16
        charge(bytes, 0, slots * 8)
      }
    }
    const value = read(bytes, depth - 1)
    if (key === '__proto__') Object.defineProperty(result, key, { value, writable: true, enumerable: true, configurable: true })
    else result[key] = value
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
  if (code < 0xc4 && code !== 0xc1) return code === 0xc0 ? null : code === 0xc3
  const size = 1 << (code & 3)
  if (code > 0xd8) {
    const length = integer(bytes, code < 0xdc ? size >> 1 : code & 1 ? 4 : 2)
    return code < 0xdc ? text(bytes, length) : code < 0xde ? array(bytes, length, depth) : map(bytes, length, depth)
  }
  if (code > 0xd3 || code === 0xc1 || (code > 0xc6 && code < 0xca)) fail('bad type')
  if (code === 0xca || code === 0xcb) return float(bytes, size)
  const value = integer(bytes, size, code > 0xcf)
  return code < 0xc7 ? binary(bytes, value) : value
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
  if (at < bytes.length) fail('too long')
  return value
}
