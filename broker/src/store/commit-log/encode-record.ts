import { MAGIC_V1, MAGIC_V2, SysFlag } from '@cometmq/remoting'

/**
 * The record layout of spec store 2.1, written straight into the tail. Version 2 (16-bit topic length) only for topics above 127
 * bytes. Java: org.apache.rocketmq.store.MessageExtEncoder.
 */
/** A full file keeps at least this much for the blank record at its end. */
export const BLANK_BYTES = 8
/** Fixed part with IPv4 hosts and a version 1 topic. */
const FIXED_BYTES = 91
const PROPERTIES_MAX = 32_767
const PROPERTY_SEPARATOR_BYTE = 2
const TWO_32 = 4_294_967_296

const { BORN_HOST_V6, STORE_HOST_V6 } = SysFlag

/** What is the same for all elements of a batch and known before the body. */
export interface RecordHead {
  queueId: number
  sysFlag: number
  bornTimestamp: number
  bornHost: Uint8Array
  reconsumeTimes: number
  preparedTransactionOffset: number
}

export interface RecordContent {
  flag: number
  body: Uint8Array
  bodyCrc: number
  topic: Uint8Array
  properties: string
  /** Encoded properties behind `properties`. */
  added: Uint8Array
  storeHost: Uint8Array
}

/** Bytes that `properties` and what is added to them take together. */
export function propertyBytes(properties: string, added: Uint8Array): number {
  const separator =
    added.length > 0 && properties.length > 0 && properties.charCodeAt(properties.length - 1) !== PROPERTY_SEPARATOR_BYTE ? 1 : 0
  return Buffer.byteLength(properties) + separator + added.length
}

/** Upper bound of a record's size, cheap to compute: a UTF-16 unit takes at most three bytes. */
export function recordBytesMax(bodyBytes: number, topicBytes: number, propertyUnits: number): number {
  return FIXED_BYTES + 2 + 24 + bodyBytes + topicBytes + Math.min(propertyUnits * 3, PROPERTIES_MAX + 3)
}

/** Exact size of a record. Hosts are address and port: 8 or 20 bytes. */
export function recordBytes(bodyBytes: number, topicBytes: number, propertyBytes: number, hostBytes: number): number {
  return FIXED_BYTES - 16 + hostBytes + bodyBytes + topicBytes + (topicBytes > 127 ? 1 : 0) + propertyBytes
}

function putLong(view: DataView, at: number, value: number): void {
  const high = Math.floor(value / TWO_32)
  view.setInt32(at, high)
  view.setInt32(at + 4, value - high * TWO_32)
}

/**
 * Writes one record at `at` and returns its size; -1 when the properties take more than 32,767 bytes. There must be room for
 * `recordBytesMax`. The caller gives the final position, queue offset and store time: the log has one writer.
 */
export function encodeRecord(
  target: { buffer: Buffer; view: DataView },
  at: number,
  head: RecordHead,
  content: RecordContent,
  place: { queueOffset: number; physicalOffset: number; storeTimestamp: number },
): number {
  const { buffer, view } = target
  const { body, topic, properties, storeHost } = content
  const bornHost = head.bornHost
  const longTopic = topic.length > 127
  view.setInt32(at + 4, longTopic ? MAGIC_V2 : MAGIC_V1)
  view.setInt32(at + 8, content.bodyCrc)
  view.setInt32(at + 12, head.queueId)
  view.setInt32(at + 16, content.flag)
  putLong(view, at + 20, place.queueOffset)
  putLong(view, at + 28, place.physicalOffset)
  view.setInt32(
    at + 36,
    (head.sysFlag & ~(BORN_HOST_V6 | STORE_HOST_V6)) |
      (bornHost.length === 20 ? BORN_HOST_V6 : 0) |
      (storeHost.length === 20 ? STORE_HOST_V6 : 0),
  )
  putLong(view, at + 40, head.bornTimestamp)
  let p = at + 48
  for (let i = 0; i < bornHost.length; i++) buffer[p++] = bornHost[i]!
  putLong(view, p, place.storeTimestamp)
  p += 8
  for (let i = 0; i < storeHost.length; i++) buffer[p++] = storeHost[i]!
  view.setInt32(p, head.reconsumeTimes)
  putLong(view, p + 4, head.preparedTransactionOffset)
  view.setInt32(p + 12, body.length)
  p += 16
  buffer.set(body, p)
  p += body.length
  if (longTopic) view.setInt16(p++, topic.length)
  else buffer[p] = topic.length
  p++
  for (let i = 0; i < topic.length; i++) buffer[p++] = topic[i]!
  const propertiesLength = putProperties(buffer, p + 2, properties, content.added)
  if (propertiesLength > PROPERTIES_MAX) return -1
  view.setInt16(p, propertiesLength)
  p += 2 + propertiesLength
  view.setInt32(at, p - at)
  return p - at
}

/** Bytes written. Old clients leave the last separator out: it is put in before more follows (spec store, 2.2). */
function putProperties(buffer: Buffer, at: number, properties: string, added: Uint8Array): number {
  let bytes = properties.length === 0 ? 0 : buffer.write(properties, at, 'utf8')
  if (added.length === 0 || bytes > PROPERTIES_MAX) return bytes
  if (bytes > 0 && buffer[at + bytes - 1] !== PROPERTY_SEPARATOR_BYTE) buffer[at + bytes++] = PROPERTY_SEPARATOR_BYTE
  buffer.set(added, at + bytes)
  return bytes + added.length
}
