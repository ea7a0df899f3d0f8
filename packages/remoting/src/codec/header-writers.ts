import { OUR_VERSION } from '../command.ts'
import { BINARY_FIXED_BYTES } from './binary-header.ts'

/**
 * Both header serializations, written byte by byte into memory the caller has reserved: strings here are short and mostly ASCII, for
 * which this beats building a text and encoding it.
 */

type Ext = Readonly<Record<string, string>> | null

const JSON_TAIL = `,"serializeTypeCurrentRPC":"JSON","version":${OUR_VERSION}}`
/** Everything but the values that vary in length. */
const JSON_FIXED_BYTES = 256
/** A control character becomes `\u0001`. */
const MAX_JSON_BYTES_PER_UNIT = 6
/** Quotes, colon and comma. */
const JSON_BYTES_PER_FIELD = 6
const MAX_UTF8_BYTES_PER_UNIT = 3
const BINARY_BYTES_PER_FIELD = 6
const QUOTE = 0x22
const BACKSLASH = 0x5c
const HEX = '0123456789abcdef'

export function maxJsonBytes(ext: Ext, remark: string | null): number {
  let units = remark === null ? 0 : remark.length
  let fields = 0
  for (const key in ext) {
    units += key.length + (ext[key]?.length ?? 0)
    fields++
  }
  return JSON_FIXED_BYTES + units * MAX_JSON_BYTES_PER_UNIT + fields * JSON_BYTES_PER_FIELD
}

export function maxBinaryBytes(ext: Ext): number {
  let bytes = BINARY_FIXED_BYTES
  for (const key in ext) bytes += BINARY_BYTES_PER_FIELD + (key.length + (ext[key]?.length ?? 0)) * MAX_UTF8_BYTES_PER_UNIT
  return bytes
}

/** Writes a JSON header with its keys in Java's order (spec: remoting, section 1.2); gives the place behind it. */
// eslint-disable-next-line max-params -- once per command: an object would be garbage
export function putJsonHeader(
  block: Buffer,
  start: number,
  code: number,
  flag: number,
  opaque: number,
  language: string,
  ext: Ext,
  remark: string | null,
): number {
  let at = putAscii(block, start, '{"code":')
  at = putAscii(block, at, String(code))
  if (ext !== null) at = putJsonFields(block, at, ext)
  at = putAscii(block, at, ',"flag":')
  at = putAscii(block, at, String(flag))
  at = putAscii(block, at, ',"language":"')
  at = putAscii(block, at, language)
  at = putAscii(block, at, '","opaque":')
  at = putAscii(block, at, String(opaque))
  if (remark !== null) at = putQuoted(block, putAscii(block, at, ',"remark":'), remark)
  return putAscii(block, at, JSON_TAIL)
}

function putJsonFields(block: Buffer, start: number, ext: Readonly<Record<string, string>>): number {
  let at = putAscii(block, start, ',"extFields":{')
  const first = at
  for (const key in ext) {
    const value = ext[key]
    if (value === undefined || value === null) continue
    if (at !== first) block[at++] = 0x2c
    at = putQuoted(block, at, key)
    block[at++] = 0x3a
    at = putQuoted(block, at, value)
  }
  block[at] = 0x7d
  return at + 1
}

/** A JSON string. */
function putQuoted(block: Buffer, start: number, value: string): number {
  let at = start
  block[at++] = QUOTE
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i)
    if (unit > 0x7f) return start + block.write(JSON.stringify(value), start, 'utf8')
    if (unit < 0x20) {
      at = putAscii(block, at, '\\u00')
      block[at++] = HEX.charCodeAt(unit >> 4)
      block[at++] = HEX.charCodeAt(unit & 15)
      continue
    }
    if (unit === QUOTE || unit === BACKSLASH) block[at++] = BACKSLASH
    block[at++] = unit
  }
  block[at] = QUOTE
  return at + 1
}

/** Writes a ROCKETMQ header (spec: remoting, section 1.3); gives the place behind it. */
// eslint-disable-next-line max-params -- once per command: an object would be garbage
export function putBinaryHeader(
  block: Buffer,
  start: number,
  code: number,
  flag: number,
  opaque: number,
  language: number,
  ext: Ext,
): number {
  putInt16(block, start, code)
  block[start + 2] = language
  putInt16(block, start + 3, OUR_VERSION)
  putInt32(block, start + 5, opaque)
  putInt32(block, start + 9, flag)
  putInt32(block, start + 13, 0)
  const fieldsStart = start + BINARY_FIXED_BYTES
  let at = fieldsStart
  for (const key in ext) {
    const value = ext[key]
    if (value === undefined || value === null) continue
    const keyEnd = putText(block, at + 2, key)
    putInt16(block, at, keyEnd - at - 2)
    at = putText(block, keyEnd + 4, value)
    putInt32(block, keyEnd, at - keyEnd - 4)
  }
  putInt32(block, start + 17, at - fieldsStart)
  return at
}

/** Writes UTF-8 and gives the place behind it. */
function putText(block: Buffer, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0x7f) return at + block.write(text, at, 'utf8')
    block[at + i] = unit
  }
  return at + text.length
}

function putAscii(block: Buffer, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) block[at + i] = text.charCodeAt(i)
  return at + text.length
}

export function putInt32(block: Buffer, at: number, value: number): void {
  block[at] = value >>> 24
  block[at + 1] = value >>> 16
  block[at + 2] = value >>> 8
  block[at + 3] = value
}

function putInt16(block: Buffer, at: number, value: number): void {
  block[at] = value >>> 8
  block[at + 1] = value
}
