import type { Command } from '../command.ts'
import { FrameError } from '../frame.ts'
import { readBinaryHeader } from './binary-header.ts'
import { readJsonHeader } from './json-header.ts'

const JSON_HEADER = 0
const BINARY_HEADER = 1

/**
 * The command in `bytes`, whose frame begins (behind its length word) at `start` and ends at `end`; the frame reader has checked that the
 * header lies inside. The body is a view. Throws FrameError.
 */
export function decodeCommand(bytes: Buffer, start: number, end: number): Command {
  const type = bytes[start] as number
  const headerStart = start + 4
  const headerEnd =
    headerStart + (((bytes[start + 1] as number) << 16) | ((bytes[start + 2] as number) << 8) | (bytes[start + 3] as number))
  const body = headerEnd === end ? null : bytes.subarray(headerEnd, end)
  if (type === JSON_HEADER) return readJsonHeader(bytes, headerStart, headerEnd, body)
  if (type === BINARY_HEADER) return readBinaryHeader(bytes, headerStart, headerEnd, body)
  throw new FrameError(`header serialization ${type} is unknown; 0 is JSON, 1 is ROCKETMQ`)
}
