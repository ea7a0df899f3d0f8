import type { NewMessage } from '../store/types.ts'

const BORN_HOST_V6 = 0x10
const STORE_HOST_V6 = 0x20
const HOST_FLAGS = BORN_HOST_V6 | STORE_HOST_V6
const MAGIC_V2 = -626843477

/** A stored record as a message to be stored again: fields as they are, the body still compressed. */
export interface RecordCopy extends NewMessage {
  queueOffset: number
  physicalOffset: number
  storeTimestamp: number
  storeHost: Buffer
}

/**
 * Reads a record (spec store, 2.1) without decompressing or parsing properties. Body and hosts are views on `record`. Tags,
 * keys and uniqKey are left empty. Throws when lengths do not fit.
 */
export function copyRecord(record: Buffer): RecordCopy {
  const sysFlag = record.readInt32BE(36)
  let at = 48
  const bornHost = record.subarray(at, (at += (sysFlag & BORN_HOST_V6) !== 0 ? 20 : 8))
  const storeTimestamp = Number(record.readBigInt64BE(at))
  at += 8
  const storeHost = record.subarray(at, (at += (sysFlag & STORE_HOST_V6) !== 0 ? 20 : 8))
  const reconsumeTimes = record.readInt32BE(at)
  const preparedTransactionOffset = Number(record.readBigInt64BE(at + 4))
  const bodyLength = record.readInt32BE(at + 12)
  at += 16
  const body = slice(record, at, bodyLength)
  at += bodyLength
  const wideTopic = record.readInt32BE(4) === MAGIC_V2
  const topicLength = wideTopic ? record.readUInt16BE(at) : record.readUInt8(at)
  at += wideTopic ? 2 : 1
  const topic = slice(record, at, topicLength).toString('utf8')
  at += topicLength
  const properties = slice(record, at + 2, record.readUInt16BE(at)).toString('utf8')
  return {
    topic,
    queueId: record.readInt32BE(12),
    flag: record.readInt32BE(16),
    queueOffset: Number(record.readBigInt64BE(20)),
    physicalOffset: Number(record.readBigInt64BE(28)),
    sysFlag: sysFlag & ~HOST_FLAGS,
    bornTimestamp: Number(record.readBigInt64BE(40)),
    bornHost,
    storeTimestamp,
    storeHost,
    reconsumeTimes,
    preparedTransactionOffset,
    body,
    properties,
    tags: '',
    uniqKey: '',
    keys: '',
  }
}

function slice(record: Buffer, from: number, length: number): Buffer {
  if (length < 0 || from + length > record.length) throw new Error(`record is damaged: ${length} bytes at ${from} of ${record.length}`)
  return record.subarray(from, from + length)
}
