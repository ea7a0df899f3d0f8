import type { Command } from '../command.ts'
import { FrameError } from '../frame.ts'
import { newExt } from './ext.ts'
import { fieldName } from './keys.ts'
import { languageName } from './languages.ts'

/** Everything but the bytes of remark and fields. */
export const BINARY_FIXED_BYTES = 21

const int32 = (bytes: Buffer, at: number): number =>
  ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)

const int16 = (bytes: Buffer, at: number): number => (((bytes[at] as number) << 24) >> 16) | (bytes[at + 1] as number)

/** Reads a ROCKETMQ header (spec: remoting, section 1.3). Throws FrameError. */
export function readBinaryHeader(bytes: Buffer, start: number, end: number, body: Buffer | null): Command {
  if (end - start < BINARY_FIXED_BYTES)
    throw new FrameError(`the ROCKETMQ header has ${end - start} bytes, fewer than ${BINARY_FIXED_BYTES}`)
  const remarkBytes = int32(bytes, start + 13)
  if (remarkBytes < 0 || remarkBytes > end - start - BINARY_FIXED_BYTES) throw overrun('remark', remarkBytes, end - start)
  const remarkEnd = start + 17 + remarkBytes
  const extBytes = int32(bytes, remarkEnd)
  const extStart = remarkEnd + 4
  if (extBytes < 0 || extBytes > end - extStart) throw overrun('extFields', extBytes, end - start)
  return {
    code: int16(bytes, start),
    opaque: int32(bytes, start + 5),
    flag: int32(bytes, start + 9),
    version: int16(bytes, start + 3),
    language: languageName(bytes[start + 2] as number),
    remark: remarkBytes === 0 ? null : bytes.toString('utf8', start + 17, remarkEnd),
    ext: extBytes === 0 ? null : readExt(bytes, extStart, extStart + extBytes),
    body,
  }
}

function readExt(bytes: Buffer, start: number, end: number): Record<string, string> {
  const ext = newExt()
  const text = asciiText(bytes, start, end)
  let at = start
  while (at < end) {
    if (end - at < 2) throw overrun('key', 2, end - at)
    const keyBytes = int16(bytes, at)
    at += 2
    if (keyBytes < 0 || keyBytes + 4 > end - at) throw overrun('key', keyBytes, end - at)
    const key = text === null ? bytes.toString('utf8', at, at + keyBytes) : fieldName(bytes, at, at + keyBytes, text, start)
    at += keyBytes
    const valueBytes = int32(bytes, at)
    at += 4
    if (valueBytes < 0 || valueBytes > end - at) throw overrun('value', valueBytes, end - at)
    ext[key] = text === null ? bytes.toString('utf8', at, at + valueBytes) : text.slice(at - start, at - start + valueBytes)
    at += valueBytes
  }
  return ext
}

/** The whole range as text when its strings are ASCII: slices of one string cost far less than a call into the decoder for each. */
function asciiText(bytes: Buffer, start: number, end: number): string | null {
  for (let at = start; at < end; at++) if ((bytes[at] as number) > 0x7f) return null
  return bytes.toString('latin1', start, end)
}

const overrun = (what: string, announced: number, available: number): FrameError =>
  new FrameError(`the ROCKETMQ header announces ${announced} bytes of ${what}, ${available} are there`)
