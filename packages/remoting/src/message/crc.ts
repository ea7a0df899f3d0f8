import { crc32 as zlibCrc32 } from 'node:zlib'

/**
 * CRC32 (ISO-HDLC) with the sign bit cleared, as RocketMQ stores it (spec: remoting, section 5.1, field 3).
 * Slicing by eight in JavaScript is faster than the call into zlib below about 256 bytes, and slower above.
 */
const ZLIB_FROM_BYTES = 256

const tables = makeTables()

function makeTables(): Uint32Array {
  const table = new Uint32Array(8 * 256)
  for (let i = 0; i < 256; i++) {
    let value = i
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (0xedb88320 & -(value & 1))
    table[i] = value
  }
  for (let i = 256; i < 8 * 256; i++) {
    const previous = table[i - 256]!
    table[i] = (previous >>> 8) ^ table[previous & 0xff]!
  }
  return table
}

export function crc32(bytes: Uint8Array, start = 0, end = bytes.length): number {
  if (end - start >= ZLIB_FROM_BYTES) return zlibCrc32(bytes.subarray(start, end)) & 0x7fffffff
  return crc32Sliced(bytes, start, end)
}

/** The JavaScript half, exported so that a test can compare both at any length. */
export function crc32Sliced(bytes: Uint8Array, start: number, end: number): number {
  const t = tables
  let crc = -1
  let i = start
  for (const last = end - 7; i < last; i += 8) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    crc =
      t[0x700 + (crc & 0xff)]! ^
      t[0x600 + ((crc >>> 8) & 0xff)]! ^
      t[0x500 + ((crc >>> 16) & 0xff)]! ^
      t[0x400 + (crc >>> 24)]! ^
      t[0x300 + bytes[i + 4]!]! ^
      t[0x200 + bytes[i + 5]!]! ^
      t[0x100 + bytes[i + 6]!]! ^
      t[bytes[i + 7]!]!
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ t[(crc ^ bytes[i]!) & 0xff]!
  return ~crc & 0x7fffffff
}
