import { crc32 } from './crc.ts'
import { MessageFormatError } from './errors.ts'
import { readInt16, readInt32, readInt64, writeInt16, writeInt32, writeInt64 } from './int64.ts'
import { bornHostBytes, storeHostBytes, SysFlag } from './sys-flag.ts'

/**
 * One stored message, in the commit log and in pull, query and check bodies alike (big-endian; offsets for IPv4 hosts;
 * spec: remoting 5.1, store 2.1; Java: org.apache.rocketmq.common.message.MessageDecoder):
 *
 *   0 i32 totalSize   4 i32 magic        8 i32 bodyCRC        12 i32 queueId   16 i32 flag   20 i64 queueOffset
 *  28 i64 position   36 i32 sysFlag     40 i64 bornTime       48 bornHost 4|16 + i32 port
 *  56 i64 storeTime  64 storeHost 4|16 + i32 port             72 i32 reconsumeTimes           76 i64 preparedPosition
 *  84 i32 n, body    i8 (V1) | i16 (V2) n, topic              i16 n, properties
 */

export const MAGIC_V1 = 0xdaa320a7 | 0
export const MAGIC_V2 = 0xdaa320ab | 0
/** Fills the rest of a commit log file: i32 size, this, anything (spec: store, section 2.4). */
export const BLANK_MAGIC = 0xcbd43194 | 0

/** V1, IPv4, empty body, topic and properties. */
export const MIN_RECORD_BYTES = 91

export interface MessageRecord {
  totalSize: number
  magic: number
  /** CRC32 of the stored (perhaps compressed) body, 31 bits. */
  bodyCrc: number
  queueId: number
  flag: number
  queueOffset: number
  physicalOffset: number
  sysFlag: number
  bornTimestamp: number
  /** 4 or 16 address bytes and an int32 port; a view. */
  bornHost: Buffer
  storeTimestamp: number
  storeHost: Buffer
  reconsumeTimes: number
  preparedTransactionOffset: number
  /** As stored: a view, perhaps compressed (see decompressBody). */
  body: Buffer
  topic: string
  properties: string
}

/**
 * The record at `position`. Throws MessageFormatError when it is cut, its lengths disagree or its magic is not V1 or V2.
 * Does not compare the body with its CRC (Java clients do not either): `checkRecord` does.
 */
export function decodeRecord(buffer: Buffer, position = 0): MessageRecord {
  const fault = checkRecord(buffer, position, buffer.length)
  if (fault !== null) throw new MessageFormatError(`no message record at byte ${position}: ${fault}`)
  const sysFlag = readInt32(buffer, position + 36)
  const storeTimeAt = position + 48 + bornHostBytes(sysFlag)
  const afterHosts = storeTimeAt + 8 + storeHostBytes(sysFlag)
  const body = bodyStart(buffer, position)
  const bodyEnd = body + readInt32(buffer, body - 4)
  const topic = topicStart(buffer, position)
  const topicEnd = topic + topicLength(buffer, position)
  const properties = topicEnd + 2
  return {
    totalSize: readInt32(buffer, position),
    magic: readInt32(buffer, position + 4),
    bodyCrc: readInt32(buffer, position + 8),
    queueId: readInt32(buffer, position + 12),
    flag: readInt32(buffer, position + 16),
    queueOffset: readInt64(buffer, position + 20),
    physicalOffset: readInt64(buffer, position + 28),
    sysFlag,
    bornTimestamp: readInt64(buffer, position + 40),
    bornHost: buffer.subarray(position + 48, storeTimeAt),
    storeTimestamp: readInt64(buffer, storeTimeAt),
    storeHost: buffer.subarray(storeTimeAt + 8, afterHosts),
    reconsumeTimes: readInt32(buffer, afterHosts),
    preparedTransactionOffset: readInt64(buffer, afterHosts + 4),
    body: buffer.subarray(body, bodyEnd),
    topic: buffer.toString('utf8', topic, topicEnd),
    properties: buffer.toString('utf8', properties, properties + readInt16(buffer, topicEnd)),
  }
}

/** All records of a concatenation. Fewer than 4 bytes at the end are ignored, as Java does; anything else must be a record. */
export function decodeRecords(buffer: Buffer): MessageRecord[] {
  const records: MessageRecord[] = []
  for (let position = 0; buffer.length - position >= 4;) {
    const record = decodeRecord(buffer, position)
    records.push(record)
    position += record.totalSize
  }
  return records
}

/**
 * Why the bytes from `base` (no further than `end`) are not one whole record; null when they are.
 * Compares every length with totalSize; with `verifyCrc` also the body with its CRC.
 */
export function checkRecord(bytes: Uint8Array, base: number, end: number, verifyCrc = false): string | null {
  if (base < 0 || end > bytes.length || end - base < MIN_RECORD_BYTES) return `${end - base} bytes are fewer than any record has`
  const magic = readInt32(bytes, base + 4)
  if (magic !== MAGIC_V1 && magic !== MAGIC_V2) return `magic ${hex(magic)} is neither V1 nor V2`
  const totalSize = readInt32(bytes, base)
  if (totalSize < MIN_RECORD_BYTES || totalSize > end - base) return `total size ${totalSize} does not fit ${end - base} bytes`
  const recordEnd = base + totalSize
  const body = bodyStart(bytes, base)
  if (body > recordEnd) return `total size ${totalSize} is too small for its fields`
  const bodyLength = readInt32(bytes, body - 4)
  const topicLengthBytes = magic === MAGIC_V2 ? 2 : 1
  if (bodyLength < 0 || bodyLength > recordEnd - body - topicLengthBytes - 2) return `body length ${bodyLength} is out of range`
  const topicBytes = topicLength(bytes, base)
  const properties = body + bodyLength + topicLengthBytes + topicBytes + 2
  if (topicBytes < 0 || properties > recordEnd) return `topic length ${topicBytes} is out of range`
  const propertyBytes = readInt16(bytes, properties - 2)
  if (propertyBytes < 0 || properties + propertyBytes !== recordEnd) {
    return `properties length ${propertyBytes} disagrees with total size ${totalSize}`
  }
  if (verifyCrc && crc32(bytes, body, body + bodyLength) !== readInt32(bytes, base + 8)) return 'body does not match its CRC'
  return null
}

const hex = (value: number): string => '0x' + (value >>> 0).toString(16).padStart(8, '0')

// Single fields of the record that starts at `base`. The caller has checked the record, or at least its first 91 bytes.

export const recordSize = (bytes: Uint8Array, base: number): number => readInt32(bytes, base)
export const recordMagic = (bytes: Uint8Array, base: number): number => readInt32(bytes, base + 4)
export const recordQueueId = (bytes: Uint8Array, base: number): number => readInt32(bytes, base + 12)
export const recordQueueOffset = (bytes: Uint8Array, base: number): number => readInt64(bytes, base + 20)
export const recordPhysicalOffset = (bytes: Uint8Array, base: number): number => readInt64(bytes, base + 28)
export const recordSysFlag = (bytes: Uint8Array, base: number): number => readInt32(bytes, base + 36)
export const recordStoreTimestamp = (bytes: Uint8Array, base: number): number =>
  readInt64(bytes, base + 48 + bornHostBytes(recordSysFlag(bytes, base)))
export const recordReconsumeTimes = (bytes: Uint8Array, base: number): number => readInt32(bytes, bodyStart(bytes, base) - 16)
export const recordPreparedTransactionOffset = (bytes: Uint8Array, base: number): number =>
  readInt64(bytes, bodyStart(bytes, base) - 12)

/** Index of the first body byte. */
export function bodyStart(bytes: Uint8Array, base: number): number {
  const sysFlag = readInt32(bytes, base + 36)
  return base + 72 + bornHostBytes(sysFlag) + storeHostBytes(sysFlag)
}
export const bodyLength = (bytes: Uint8Array, base: number): number => readInt32(bytes, bodyStart(bytes, base) - 4)
const bodyEnd = (bytes: Uint8Array, base: number): number => {
  const start = bodyStart(bytes, base)
  return start + readInt32(bytes, start - 4)
}

/** Index of the first topic byte. */
export const topicStart = (bytes: Uint8Array, base: number): number =>
  bodyEnd(bytes, base) + (recordMagic(bytes, base) === MAGIC_V2 ? 2 : 1)
/** Bytes. A negative length is a damaged record. */
export function topicLength(bytes: Uint8Array, base: number): number {
  const at = bodyEnd(bytes, base)
  return recordMagic(bytes, base) === MAGIC_V2 ? readInt16(bytes, at) : (bytes[at]! << 24) >> 24
}

/** Index of the first property byte. */
export const propertiesStart = (bytes: Uint8Array, base: number): number => topicStart(bytes, base) + topicLength(bytes, base) + 2
export const propertiesLength = (bytes: Uint8Array, base: number): number => readInt16(bytes, propertiesStart(bytes, base) - 2)

/** What `encodeRecord` takes: sizes, CRC and magic are computed, the two IPv6 bits of sysFlag follow the hosts. */
export interface RecordFields extends Omit<MessageRecord, 'totalSize' | 'magic' | 'bodyCrc' | 'bornHost' | 'storeHost' | 'body'> {
  bornHost: Uint8Array
  storeHost: Uint8Array
  body: Uint8Array
}

/** Whole record in a new buffer; V2 only for topics over 127 bytes. Throws MessageFormatError when a part is too long. */
export function encodeRecord(message: RecordFields): Buffer {
  const { body, bornHost, storeHost } = message
  const topic = Buffer.from(message.topic, 'utf8')
  const properties = Buffer.from(message.properties, 'utf8')
  checkParts(message, topic.length, properties.length)
  const v2 = topic.length > 127
  const topicLengthBytes = v2 ? 2 : 1
  const bodyAt = 72 + bornHost.length + storeHost.length
  const record = Buffer.allocUnsafe(bodyAt + body.length + topicLengthBytes + topic.length + 2 + properties.length)
  writeInt32(record, 0, record.length)
  writeInt32(record, 4, v2 ? MAGIC_V2 : MAGIC_V1)
  writeInt32(record, 8, crc32(body))
  writeInt32(record, 12, message.queueId)
  writeInt32(record, 16, message.flag)
  writeInt64(record, 20, message.queueOffset)
  writeInt64(record, 28, message.physicalOffset)
  writeInt32(record, 36, sysFlagFor(message.sysFlag, bornHost, storeHost))
  writeInt64(record, 40, message.bornTimestamp)
  record.set(bornHost, 48)
  writeInt64(record, 48 + bornHost.length, message.storeTimestamp)
  record.set(storeHost, 56 + bornHost.length)
  writeInt32(record, bodyAt - 16, message.reconsumeTimes)
  writeInt64(record, bodyAt - 12, message.preparedTransactionOffset)
  writeInt32(record, bodyAt - 4, body.length)
  record.set(body, bodyAt)
  const topicAt = bodyAt + body.length + topicLengthBytes
  if (v2) writeInt16(record, topicAt - 2, topic.length)
  else record[topicAt - 1] = topic.length
  record.set(topic, topicAt)
  writeInt16(record, topicAt + topic.length, properties.length)
  record.set(properties, topicAt + topic.length + 2)
  return record
}

function sysFlagFor(sysFlag: number, bornHost: Uint8Array, storeHost: Uint8Array): number {
  const v4 = sysFlag & ~(SysFlag.BORN_HOST_V6 | SysFlag.STORE_HOST_V6)
  return v4 | (bornHost.length === 20 ? SysFlag.BORN_HOST_V6 : 0) | (storeHost.length === 20 ? SysFlag.STORE_HOST_V6 : 0)
}

function checkParts(message: RecordFields, topicBytes: number, propertyBytes: number): void {
  for (const host of [message.bornHost, message.storeHost]) {
    if (host.length !== 8 && host.length !== 20) {
      throw new MessageFormatError(`a host has 8 bytes (IPv4 and port) or 20 (IPv6 and port), not ${host.length}`)
    }
  }
  if (topicBytes > 32767) throw new MessageFormatError(`topic of ${topicBytes} bytes; the record format takes 32767`)
  if (propertyBytes > 32767) throw new MessageFormatError(`properties of ${propertyBytes} bytes; the record format takes 32767`)
}
