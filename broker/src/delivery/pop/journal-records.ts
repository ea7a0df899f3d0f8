import { crc32, readInt32, readInt64, writeInt32, writeInt64 } from '@cometmq/remoting'
import type { Lease } from './lease.ts'

/**
 * Records of the pop journal (docs/storage.md). Big-endian: i32 length of the rest, i32 CRC of the rest (31 bits), then i8 kind and the
 * fields of the kind. Queues are named once and then by number.
 */
export const RecordKind = {
  /** i32 number, i32 queue id, i64 next offset, i16 n + group, i16 n + topic. */
  QUEUE: 1,
  /** i32 number, i64 start, i32 span, i64 pop time, i64 invisible ms, i8 suspended, i16 n + n i32 settled bits (none: all open). */
  RUN: 2,
  /** i32 number, i64 first offset, i32 offsets. */
  SETTLED: 3,
  /** i32 number, i64 offset, i64 pop time, i64 invisible ms, i8 suspended. */
  MOVED: 4,
  /** i32 number, i64 next offset: all leases are forgotten. */
  AT: 5,
  /** i32 number, i64 next offset: what lies before was looked at and is not wanted. */
  SKIPPED: 6,
  /** i32 number: the queue is forgotten. */
  GONE: 7,
  /** UTF-8 JSON: state of an orderly queue. */
  ORDER: 8,
  /** The file holds a whole state up to here. */
  COMPLETE: 9,
  /** The broker stopped in order. */
  CLOSED: 10,
} as const

const PREFIX_BYTES = 8
const FIRST_BYTES = 64 * 1024
/** A gathered buffer larger than this is given back after use. */
const KEPT_BYTES = 1024 * 1024
/** Larger records are damage. */
const RECORD_BYTES_MAX = 16 * 1024 * 1024

/** Gathers records in one buffer. */
export class RecordWriter {
  #buffer = Buffer.allocUnsafeSlow(FIRST_BYTES)
  #used = 0
  #at = 0

  get length(): number {
    return this.#used
  }

  /** A view, good until the next call. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#used)
  }

  /** The bytes for good; the writer goes on with a new buffer. */
  detach(): Buffer {
    const bytes = this.bytes()
    this.#buffer = Buffer.allocUnsafeSlow(FIRST_BYTES)
    this.#used = 0
    return bytes
  }

  /** Puts earlier records in front. */
  putBack(earlier: Buffer): void {
    const all = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, earlier.length + this.#used))
    earlier.copy(all)
    this.#buffer.copy(all, earlier.length, 0, this.#used)
    this.#buffer = all
    this.#used += earlier.length
  }

  clear(): void {
    this.#used = 0
    if (this.#buffer.length > KEPT_BYTES) this.#buffer = Buffer.allocUnsafeSlow(FIRST_BYTES)
  }

  queue(number: number, queue: { group: string; topic: string; queueId: number }, next: number): void {
    const group = Buffer.from(queue.group)
    const topic = Buffer.from(queue.topic)
    this.#begin(RecordKind.QUEUE, 20 + group.length + topic.length)
    this.#int(number)
    this.#int(queue.queueId)
    this.#long(next)
    this.#text(group)
    this.#text(topic)
    this.#end()
  }

  run(number: number, lease: Lease): void {
    const words = lease.left === lease.span ? NO_WORDS : lease.words()
    this.#begin(RecordKind.RUN, 35 + words.length * 4)
    this.#int(number)
    this.#long(lease.start)
    this.#int(lease.span)
    this.#long(lease.popTime)
    this.#long(lease.invisibleMs)
    this.#byte(lease.suspended ? 1 : 0)
    this.#short(words.length)
    for (let i = 0; i < words.length; i++) this.#int(words[i]!)
    this.#end()
  }

  settled(number: number, first: number, count: number): void {
    this.#begin(RecordKind.SETTLED, 16)
    this.#int(number)
    this.#long(first)
    this.#int(count)
    this.#end()
  }

  moved(number: number, lease: Lease): void {
    this.#begin(RecordKind.MOVED, 29)
    this.#int(number)
    this.#long(lease.start)
    this.#long(lease.popTime)
    this.#long(lease.invisibleMs)
    this.#byte(lease.suspended ? 1 : 0)
    this.#end()
  }

  /** AT or SKIPPED. */
  offset(kind: 5 | 6, number: number, next: number): void {
    this.#begin(kind, 12)
    this.#int(number)
    this.#long(next)
    this.#end()
  }

  gone(number: number): void {
    this.#begin(RecordKind.GONE, 4)
    this.#int(number)
    this.#end()
  }

  order(json: string): void {
    const text = Buffer.from(json)
    this.#begin(RecordKind.ORDER, text.length)
    this.#raw(text)
    this.#end()
  }

  mark(kind: 9 | 10): void {
    this.#begin(kind, 0)
    this.#end()
  }

  #begin(kind: number, bytes: number): void {
    const needed = this.#used + PREFIX_BYTES + 1 + bytes
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2))
      this.#buffer.copy(larger, 0, 0, this.#used)
      this.#buffer = larger
    }
    this.#at = this.#used + PREFIX_BYTES
    this.#buffer[this.#at++] = kind
  }

  #end(): void {
    const start = this.#used + PREFIX_BYTES
    writeInt32(this.#buffer, this.#used, this.#at - start)
    writeInt32(this.#buffer, this.#used + 4, crc32(this.#buffer, start, this.#at))
    this.#used = this.#at
  }

  #byte(value: number): void {
    this.#buffer[this.#at++] = value
  }

  #short(value: number): void {
    this.#buffer[this.#at++] = value >> 8
    this.#buffer[this.#at++] = value
  }

  #int(value: number): void {
    writeInt32(this.#buffer, this.#at, value)
    this.#at += 4
  }

  #long(value: number): void {
    writeInt64(this.#buffer, this.#at, value)
    this.#at += 8
  }

  #text(bytes: Buffer): void {
    this.#short(bytes.length)
    this.#raw(bytes)
  }

  #raw(bytes: Buffer): void {
    bytes.copy(this.#buffer, this.#at)
    this.#at += bytes.length
  }
}

const NO_WORDS: readonly number[] = []

/** Told of each record in turn. What it throws ends the reading: the record counts as damaged. */
export interface RecordReader {
  queue(number: number, identity: { group: string; topic: string; queueId: number }, next: number): void
  run(number: number, run: RunRecord): void
  settled(number: number, first: number, count: number): void
  moved(number: number, moved: { offset: number; popTime: number; invisibleMs: number; suspended: boolean }): void
  at(number: number, next: number): void
  skipped(number: number, next: number): void
  gone(number: number): void
  order(json: string): void
  complete(): void
  closed(): void
}

export interface RunRecord {
  start: number
  span: number
  popTime: number
  invisibleMs: number
  suspended: boolean
  /** Empty: all open. */
  words: readonly number[]
}

/** Reads whole, undamaged records from the start; returns where they end. */
export function readRecords(bytes: Buffer, reader: RecordReader): number {
  let at = 0
  while (bytes.length - at > PREFIX_BYTES) {
    const length = readInt32(bytes, at)
    const start = at + PREFIX_BYTES
    if (length < 1 || length > RECORD_BYTES_MAX || start + length > bytes.length) break
    if (crc32(bytes, start, start + length) !== readInt32(bytes, at + 4)) break
    if (!readRecord(bytes, start, start + length, reader)) break
    at = start + length
  }
  return at
}

/** False: not a record this release knows. */
function readRecord(bytes: Buffer, start: number, end: number, reader: RecordReader): boolean {
  const at = start + 1
  const number = end - at >= 4 ? readInt32(bytes, at) : 0
  switch (bytes[start]) {
    case RecordKind.QUEUE: {
      const groupEnd = at + 18 + bytes.readUInt16BE(at + 16)
      const identity = {
        group: bytes.toString('utf8', at + 18, groupEnd),
        topic: bytes.toString('utf8', groupEnd + 2, end),
        queueId: readInt32(bytes, at + 4),
      }
      reader.queue(number, identity, readInt64(bytes, at + 8))
      return true
    }
    case RecordKind.RUN: {
      const count = bytes.readUInt16BE(at + 33)
      const words: number[] = []
      for (let i = 0; i < count; i++) words.push(readInt32(bytes, at + 35 + i * 4))
      reader.run(number, {
        start: readInt64(bytes, at + 4),
        span: readInt32(bytes, at + 12),
        popTime: readInt64(bytes, at + 16),
        invisibleMs: readInt64(bytes, at + 24),
        suspended: bytes[at + 32] === 1,
        words,
      })
      return true
    }
    case RecordKind.SETTLED:
      reader.settled(number, readInt64(bytes, at + 4), readInt32(bytes, at + 12))
      return true
    case RecordKind.MOVED:
      reader.moved(number, {
        offset: readInt64(bytes, at + 4),
        popTime: readInt64(bytes, at + 12),
        invisibleMs: readInt64(bytes, at + 20),
        suspended: bytes[at + 28] === 1,
      })
      return true
    case RecordKind.AT:
      reader.at(number, readInt64(bytes, at + 4))
      return true
    case RecordKind.SKIPPED:
      reader.skipped(number, readInt64(bytes, at + 4))
      return true
    case RecordKind.GONE:
      reader.gone(number)
      return true
    case RecordKind.ORDER:
      reader.order(bytes.toString('utf8', at, end))
      return true
    case RecordKind.COMPLETE:
      reader.complete()
      return true
    case RecordKind.CLOSED:
      reader.closed()
      return true
    default:
      return false
  }
}
