/**
 * A key index file: header (40 bytes), `slots` int32, `entries` entries of 20 bytes, big-endian (spec store, section 4; Java: IndexFile).
 *
 * Header: 0 i64 beginTimestamp, 8 i64 endTimestamp, 16 i64 beginPhyOffset, 24 i64 endPhyOffset, 32 i32 hashSlotCount, 36 i32 indexCount.
 * Entry: 0 i32 keyHash, 4 i64 phy, 12 i32 seconds since beginTimestamp, 16 i32 number of the previous entry of the slot. Entry 0 is never used.
 */
export interface Geometry {
  /** maxHashSlotNum. */
  slots: number
  /** maxIndexNum; the first is never used. */
  entries: number
}

export const headerBytes = 40
export const slotBytes = 4
export const entryBytes = 20

export const entriesStart = (geometry: Geometry): number => headerBytes + geometry.slots * slotBytes
export const fileBytes = (geometry: Geometry): number => entriesStart(geometry) + geometry.entries * entryBytes

export interface Header {
  /** Store times, epoch ms. */
  beginTimestamp: number
  endTimestamp: number
  beginPhy: number
  endPhy: number
  usedSlots: number
  /** Number of the next entry: 1 in an empty file. */
  count: number
}

export function encodeHeader(header: Header): Uint8Array {
  const bytes = new Uint8Array(headerBytes)
  const view = new DataView(bytes.buffer)
  setInt64(view, 0, header.beginTimestamp)
  setInt64(view, 8, header.endTimestamp)
  setInt64(view, 16, header.beginPhy)
  setInt64(view, 24, header.endPhy)
  view.setInt32(32, header.usedSlots)
  view.setInt32(36, header.count)
  return bytes
}

export function decodeHeader(bytes: Uint8Array): Header {
  const view = viewOf(bytes)
  return {
    beginTimestamp: getInt64(view, 0),
    endTimestamp: getInt64(view, 8),
    beginPhy: getInt64(view, 16),
    endPhy: getInt64(view, 24),
    usedSlots: view.getInt32(32),
    count: Math.max(1, view.getInt32(36)),
  }
}

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const two32 = 4_294_967_296

export function setInt64(view: DataView, at: number, value: number): void {
  view.setInt32(at, Math.floor(value / two32))
  view.setInt32(at + 4, value | 0)
}

/** Exact up to 2^53. */
export function getInt64(view: DataView, at: number): number {
  return view.getInt32(at) * two32 + view.getUint32(at + 4)
}

/** Java's String.hashCode, continued from the hash of what stands before, over `text` from `from` to `to`. */
export function continueHash(hash: number, text: string, from: number, to: number): number {
  for (let at = from; at < to; at++) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0
  return hash
}

/** keyHash of an entry: the absolute value, and 0 for the one int32 that has none. */
export function keyHashOf(hash: number): number {
  const positive = hash < 0 ? -hash | 0 : hash
  return positive < 0 ? 0 : positive
}

const secondsMax = 2_147_483_647

/** Seconds stored with an entry; 0 when time went back. */
export function secondsSince(beginTimestamp: number, timestamp: number): number {
  if (beginTimestamp <= 0 || timestamp <= beginTimestamp) return 0
  const seconds = Math.floor((timestamp - beginTimestamp) / 1000)
  return seconds > secondsMax ? secondsMax : seconds
}

/** yyyyMMddHHmmssSSS in local time, made greater than `after` when the clock stood still or went back. */
export function fileName(now: number, after: string): string {
  const date = new Date(now)
  const two = (value: number): string => String(value).padStart(2, '0')
  const name =
    String(date.getFullYear()).padStart(4, '0') +
    two(date.getMonth() + 1) +
    two(date.getDate()) +
    two(date.getHours()) +
    two(date.getMinutes()) +
    two(date.getSeconds()) +
    String(date.getMilliseconds()).padStart(3, '0')
  return name > after ? name : String(BigInt(after) + 1n).padStart(after.length, '0')
}
