import { defaultMaxDepth, keptBytes, shortWrite } from './figures.ts'
import type { Frame, Value } from './frames.ts'
import { ProtocolError } from './protocol-error.ts'

/** Appends MessagePack values to a buffer that grows and is used again. */
export interface Writer {
  /**
   * One value. Integers up to ±(2^53−1) are written as integers, other numbers as float64. Undefined items at the end of an array and
   * undefined members of an object are left out, elsewhere undefined is nil. Keys that are whole numbers from 0 to 127 are written as
   * integers; an object sees no difference. Lone surrogates become U+FFFD. Throws ProtocolError for what the subset does not have
   * (bigint, functions, symbols, more than 16 levels); nothing of that value is left in the writer then.
   */
  value(value: Value): void
  /** Bytes so far. */
  readonly length: number
  /** A copy of what was written; the writer starts anew. */
  take(): Uint8Array
}

let textEncoder: InstanceType<typeof TextEncoder> | undefined
let shared: Writer | undefined

export function createWriter(initialBytes = 1024): Writer {
  let buffer = new Uint8Array(initialBytes)
  let at = 0

  function reserve(count: number): void {
    if (at + count <= buffer.length) return
    const larger = new Uint8Array(buffer.length * 2 + count)
    larger.set(buffer.subarray(0, at))
    buffer = larger
  }

  /** A whole number behind `code` + 0, 1, 2 or 3 in 1, 2, 4 or 8 bytes that hold `span`, big end first, two's complement. */
  function sized(code: number, value: number, span: number): void {
    // Arrays (0xdc) and maps (0xde) have no count of one byte.
    const step = span < 256 && code < 0xdb ? 0 : span < 65_536 ? 1 : span < 0x1_0000_0000 ? 2 : 3
    let size = 1 << step
    buffer[at] = code + step
    at += size + 1
    for (let index = at; size > 0; size--) {
      buffer[--index] = value
      value = Math.floor(value / 256)
    }
  }

  /** First byte and count of something counted; `code` is that of the 8-bit count. */
  function head(count: number, few: number, fewest: number, code: number): void {
    if (count < fewest) buffer[at++] = few | count
    else sized(code, count, count)
  }

  function number(value: number): void {
    if (!Number.isSafeInteger(value)) {
      buffer[at] = 0xcb
      new DataView(buffer.buffer).setFloat64(at + 1, value)
      at += 9
    } else if (value >= -32 && value < 128) buffer[at++] = value
    else if (value < 0) sized(0xd0, value, -2 * value - 1)
    else sized(0xcc, value, value)
  }

  function text(value: string): void {
    const { length } = value
    // A character outside the BMP is two units and four bytes: three a unit is the most. Five for the head.
    reserve(length * 3 + 5)
    if (length <= shortWrite) {
      const start = at
      head(length, 0xa0, 32, 0xd9)
      let index = 0
      for (; index < length; index++) {
        const unit = value.charCodeAt(index)
        if (unit > 127) break
        buffer[at++] = unit
      }
      if (index === length) return
      at = start
    }
    textEncoder ??= new TextEncoder()
    const { written } = textEncoder.encodeInto(value, buffer.subarray(at + 5))
    const from = at + 5
    head(written, 0xa0, 32, 0xd9)
    buffer.copyWithin(at, from, from + written)
    at += written
  }

  function raw(bytes: Uint8Array): void {
    reserve(bytes.length)
    buffer.set(bytes, at)
    at += bytes.length
  }

  function members(value: { readonly [key: string]: Value }, depth: number): void {
    const keys = Object.keys(value)
    const { encoded } = value
    if (keys.length === 1 && keys[0] === 'encoded' && ArrayBuffer.isView(encoded)) return raw(encoded)
    let count = 0
    for (const key of keys) if (value[key] !== undefined) count++
    head(count, 0x80, 16, 0xdd)
    for (const key of keys) {
      const member = value[key]
      if (member === undefined) continue
      write(key.charCodeAt(0) < 58 && String(+key & 127) === key ? +key : key, depth)
      write(member, depth)
    }
  }

  function items(value: readonly Value[], depth: number): void {
    let count = value.length
    while (count > 0 && value[count - 1] === undefined) count--
    head(count, 0x90, 16, 0xdb)
    for (let index = 0; index < count; index++) write(value[index], depth)
  }

  function write(value: Value, depth: number): void {
    reserve(9)
    if (typeof value === 'number') number(value)
    else if (typeof value === 'string') text(value)
    else if (value === null || value === undefined) buffer[at++] = 0xc0
    else if (typeof value === 'boolean') buffer[at++] = value ? 0xc3 : 0xc2
    else if (typeof value !== 'object') throw new ProtocolError(typeof value + ' cannot be sent')
    else if (ArrayBuffer.isView(value)) {
      head(value.byteLength, 0, 0, 0xc4)
      raw(value)
    } else if (depth === 0) throw new ProtocolError('too many levels')
    else if (Array.isArray(value)) items(value as readonly Value[], depth - 1)
    else members(value as { readonly [key: string]: Value }, depth - 1)
  }

  return {
    value(value) {
      const start = at
      try {
        write(value, defaultMaxDepth)
      } catch (error) {
        at = start
        throw error
      }
    },
    get length() {
      return at
    },
    take() {
      const bytes = buffer.slice(0, at)
      at = 0
      if (buffer.length > keptBytes) buffer = new Uint8Array(initialBytes)
      return bytes
    },
  }
}

/** One value, in a buffer of its own. Throws as `Writer.value` does. */
export function encode(value: Value): Uint8Array {
  shared ??= createWriter()
  shared.value(value)
  return shared.take()
}

export const encodeFrame = (frame: Frame): Uint8Array => encode(frame as Value)
