import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'

/**
 * Reads a store directory with nothing but the format's description: no code of the broker. Java: org.apache.rocketmq.store.CommitLog,
 * ConsumeQueue, index.IndexFile.
 */
export interface DecodedMessage {
  topic: string
  queueId: number
  queueOffset: number
  commitLogOffset: number
  storeSize: number
  bodyCRC: number
  flag: number
  sysFlag: number
  bornTimestamp: number
  bornHost: string
  storeTimestamp: number
  storeHost: string
  reconsumeTimes: number
  preparedTransactionOffset: number
  properties: Record<string, string>
  /** As stored, compressed or not. */
  body: Buffer
}

const MAGIC_V1 = 0xdaa320a7 | 0
const MAGIC_V2 = 0xdaa320ab | 0
const BLANK = 0xcbd43194 | 0

/** Every record of the commit log by position; throws where a record does not end where the next begins. */
export function readCommitLog(store: string): Map<number, DecodedMessage> {
  const found = new Map<number, DecodedMessage>()
  const folder = join(store, 'commitlog')
  for (const name of readdirSync(folder).sort()) {
    const bytes = readFileSync(join(folder, name))
    const base = Number(name)
    for (let at = 0; at + 8 <= bytes.length;) {
      const size = bytes.readInt32BE(at)
      const magic = bytes.readInt32BE(at + 4)
      if (magic === BLANK || size === 0) break
      if (magic !== MAGIC_V1 && magic !== MAGIC_V2) throw new Error(`no record at ${base + at}: magic ${magic}`)
      const message = decodeMessage(bytes.subarray(at, at + size))
      if (message.commitLogOffset !== base + at) throw new Error(`the record at ${base + at} says it is at ${message.commitLogOffset}`)
      found.set(base + at, message)
      at += size
    }
  }
  return found
}

/** One record that fills the buffer exactly; its body must have the CRC it names. */
export function decodeMessage(record: Buffer): DecodedMessage {
  const sysFlag = record.readInt32BE(36)
  const bornLength = (sysFlag & 0x10) === 0 ? 4 : 16
  const storeLength = (sysFlag & 0x20) === 0 ? 4 : 16
  let at = 48 + bornLength + 4
  const storeTimestamp = long(record, at)
  const storeHost = host(record, at + 8, storeLength)
  at += 8 + storeLength + 4
  const reconsumeTimes = record.readInt32BE(at)
  const preparedTransactionOffset = long(record, at + 4)
  const bodyLength = record.readInt32BE(at + 12)
  const body = record.subarray(at + 16, at + 16 + bodyLength)
  at += 16 + bodyLength
  const wide = record.readInt32BE(4) === MAGIC_V2
  const topicLength = wide ? record.readInt16BE(at) : record.readInt8(at)
  at += wide ? 2 : 1
  const topic = record.toString('utf8', at, at + topicLength)
  at += topicLength
  const propertiesLength = record.readInt16BE(at)
  const properties = record.toString('utf8', at + 2, at + 2 + propertiesLength)
  if (at + 2 + propertiesLength !== record.length) throw new Error(`a record of ${record.length} bytes ends after ${at + 2 + propertiesLength}`)
  const bodyCRC = record.readInt32BE(8)
  if (bodyLength > 0 && (crc32(body) & 0x7fffffff) !== bodyCRC) throw new Error(`the body at ${long(record, 28)} has another CRC`)
  return {
    topic,
    queueId: record.readInt32BE(12),
    queueOffset: long(record, 20),
    commitLogOffset: long(record, 28),
    storeSize: record.readInt32BE(0),
    bodyCRC,
    flag: record.readInt32BE(16),
    sysFlag,
    bornTimestamp: long(record, 40),
    bornHost: host(record, 48, bornLength),
    storeTimestamp,
    storeHost,
    reconsumeTimes,
    preparedTransactionOffset,
    properties: splitProperties(properties),
    body,
  }
}

const long = (bytes: Buffer, at: number): number => Number(bytes.readBigInt64BE(at))

/** As Java prints a socket address. */
function host(bytes: Buffer, at: number, length: number): string {
  const port = bytes.readInt32BE(at + length)
  if (length === 4) return `/${[...bytes.subarray(at, at + 4)].join('.')}:${port}`
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(at + 2 * i).toString(16))
  return `/[${groups.join(':')}]:${port}`
}

function splitProperties(text: string): Record<string, string> {
  const properties: Record<string, string> = {}
  for (const pair of text.split('\x02')) {
    const cut = pair.indexOf('\x01')
    if (cut > 0 && cut < pair.length - 1) properties[pair.slice(0, cut)] = pair.slice(cut + 1)
  }
  return properties
}

export interface QueueRow {
  physicalOffset: number
  size: number
}

/** The row of one queue offset, or undefined. */
export function readRow(store: string, topic: string, queueId: number, offset: number, fileBytes: number): QueueRow | undefined {
  const position = offset * 20
  const start = position - (position % fileBytes)
  const path = join(store, 'consumequeue', topic, String(queueId), String(start).padStart(20, '0'))
  if (!existsSync(path)) return undefined
  const bytes = readFileSync(path)
  return { physicalOffset: long(bytes, position - start), size: bytes.readInt32BE(position - start + 8) }
}

/** Positions that the key index gives for a key, over all its files. */
export function readIndex(store: string, topic: string, key: string, slots: number): number[] {
  const found: number[] = []
  const hash = javaHash(`${topic}#${key}`)
  const folder = join(store, 'index')
  for (const name of readdirSync(folder)) {
    const bytes = readFileSync(join(folder, name))
    const count = bytes.readInt32BE(36)
    let entry = bytes.readInt32BE(40 + (hash % slots) * 4)
    for (let steps = 0; entry > 0 && entry < count && steps < count; steps++) {
      const at = 40 + slots * 4 + entry * 20
      if (bytes.readInt32BE(at) === hash) found.push(long(bytes, at + 4))
      entry = bytes.readInt32BE(at + 16)
    }
  }
  return found
}

function javaHash(text: string): number {
  let hash = 0
  for (let i = 0; i < text.length; i++) hash = (31 * hash + text.charCodeAt(i)) | 0
  const positive = Math.abs(hash)
  return positive > 0x7fffffff ? 0 : positive
}
