import type { Frame, Value } from './frames.ts'
import { defaultMaxDepth, ProtocolError } from './protocol-error.ts'

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

/** A larger buffer is given back after `take`. */
const keptBytes = 1 << 20
/** Up to this length a loop over the characters is faster than a call of TextEncoder. */
const shortText = 48

let textEncoder: InstanceType<typeof TextEncoder> | undefined
let scratch: DataView | undefined
let shared: Writer | undefined

export function createWriter(initialBytes = 1024): Writer {
  let buffer = new Uint8Array(initialBytes)
  let at = 0

  function reserve(count: number): void {
    if (at + count <= buffer.length) return
    const larger = new Uint8Array(Math.max(buffer.length * 2, at + count))
    larger.set(buffer.subarray(0, at))
    buffer = larger
  }

  /** `code`, and `value` in `size` bytes, big end first. */
  function put(code: number, size: number, value: number): void {
    buffer[at++] = code
    while (size > 0) buffer[at++] = value >>> (--size * 8)
  }

  /** The head of something counted: `few` when the count fits into the first byte, else by size. `code8` 0: there is no 8-bit form. */
  function head(count: number, few: number, fewest: number, code8: number): void {
    if (count < fewest) buffer[at++] = few | count
    else if (count < 256 && code8) put(code8, 1, count)
    else if (count < 65_536) put(code8 ? code8 + 1 : few === 0x90 ? 0xdc : 0xde, 2, count)
    else put(code8 ? code8 + 2 : few === 0x90 ? 0xdd : 0xdf, 4, count)
  }

  function number(value: number): void {
    if (Number.isSafeInteger(value)) {
      if (value >= -32 && value < 128) buffer[at++] = value
      else if (value >= 0) {
        if (value < 256) put(0xcc, 1, value)
        else if (value < 65_536) put(0xcd, 2, value)
        else if (value < 0x1_0000_0000) put(0xce, 4, value)
        else {
          put(0xcf, 4, value / 0x1_0000_0000)
          put(value >>> 24, 3, value)
        }
      } else if (value >= -128) put(0xd0, 1, value)
      else if (value >= -32_768) put(0xd1, 2, value)
      else if (value >= -0x8000_0000) put(0xd2, 4, value)
      else {
        put(0xd3, 4, Math.floor(value / 0x1_0000_0000))
        put(value >>> 24, 3, value)
      }
    } else {
      scratch ??= new DataView(new ArrayBuffer(8))
      scratch.setFloat64(0, value)
      put(0xcb, 4, scratch.getUint32(0))
      put(scratch.getUint8(4), 3, scratch.getUint32(4))
    }
  }

  function text(value: string): void {
    const { length } = value
    // A character outside the BMP is two units and four bytes: three a unit is the most. Five for the head.
    reserve(length * 3 + 5)
    if (length <= shortText) {
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
    let count = 0
    for (const key of keys) if (value[key] !== undefined) count++
    if (count === 1 && keys.length === 1 && keys[0] === 'encoded' && ArrayBuffer.isView(value['encoded'])) {
      return raw(value['encoded'] as Uint8Array)
    }
    head(count, 0x80, 16, 0)
    for (const key of keys) {
      const member = value[key]
      if (member === undefined) continue
      const first = key.charCodeAt(0)
      const small = first > 47 && first < 58 ? +key | 0 : -1
      if (small >= 0 && small < 128 && String(small) === key) {
        reserve(1)
        buffer[at++] = small
      } else text(key)
      write(member, depth)
    }
  }

  function items(value: readonly Value[], depth: number): void {
    let count = value.length
    while (count > 0 && value[count - 1] === undefined) count--
    head(count, 0x90, 16, 0)
    for (let index = 0; index < count; index++) write(value[index], depth)
  }

  function write(value: Value, depth: number): void {
    reserve(9)
    if (typeof value === 'number') number(value)
    else if (typeof value === 'string') text(value)
    else if (value === null || value === undefined) buffer[at++] = 0xc0
    else if (typeof value === 'boolean') buffer[at++] = value ? 0xc3 : 0xc2
    else if (typeof value !== 'object') throw new ProtocolError(`a ${typeof value} cannot be sent`)
    else if (ArrayBuffer.isView(value)) {
      head(value.byteLength, 0, 0, 0xc4)
      raw(value as Uint8Array)
    } else if (depth === 0) throw new ProtocolError(`more than ${defaultMaxDepth} levels of arrays and maps`)
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
