import {
  addressText,
  decodeRecords,
  decompressBody,
  type MessageRecord,
  offsetMessageId,
  parseOffsetMessageId,
  parseProperties,
  PropertyKey,
} from '@cometmq/remoting'
import { ClusterError, refused } from './errors.ts'

/** A message as it came from a broker. */
export interface ReceivedMessage {
  topic: string
  /** Empty when it is not known which broker it came from. */
  brokerName: string
  queueId: number
  queueOffset: number
  /** The client's unique id; the broker's id when the message has none. */
  msgId: string
  offsetMsgId: string
  tag: string | undefined
  keys: readonly string[]
  /** All properties, those of RocketMQ included. */
  properties: ReadonlyMap<string, string>
  /** Decompressed. */
  body: Buffer
  flag: number
  sysFlag: number
  /** Epoch ms, by the producer's clock. */
  bornTimestamp: number
  /** `ip:port` */
  bornHost: string
  /** Epoch ms, by the broker's clock. */
  storeTimestamp: number
  storeHost: string
  reconsumeTimes: number
  /** Position in the broker's log. */
  physicalOffset: number
  /** Bytes the whole record takes there. */
  storeSize: number
}

/** Messages of a pull, query or view body. Rejects damaged bodies with E_PROTOCOL. */
export function decodePulled(body: Buffer, brokerName: string): ReceivedMessage[] {
  try {
    return decodeRecords(body).map(record => received(record, brokerName))
  } catch (cause) {
    throw new ClusterError('E_PROTOCOL', 'messages from the broker cannot be read', {
      why: (cause as Error).message,
      outcome: 'unknown',
      cause,
    })
  }
}

function received(record: MessageRecord, brokerName: string): ReceivedMessage {
  const properties = parseProperties(record.properties)
  const offsetMsgId = offsetMessageId(record.storeHost, record.physicalOffset)
  return {
    topic: record.topic,
    brokerName,
    queueId: record.queueId,
    queueOffset: record.queueOffset,
    msgId: properties.get(PropertyKey.UNIQ_KEY) ?? offsetMsgId,
    offsetMsgId,
    tag: properties.get(PropertyKey.TAGS),
    keys:
      properties
        .get(PropertyKey.KEYS)
        ?.split(' ')
        .filter(key => key !== '') ?? [],
    properties,
    body: decompressBody(record.body, record.sysFlag),
    flag: record.flag,
    sysFlag: record.sysFlag,
    bornTimestamp: record.bornTimestamp,
    bornHost: hostText(record.bornHost),
    storeTimestamp: record.storeTimestamp,
    storeHost: hostText(record.storeHost),
    reconsumeTimes: record.reconsumeTimes,
    physicalOffset: record.physicalOffset,
    storeSize: record.totalSize,
  }
}

function hostText(host: Buffer): string {
  const address = addressText(host.subarray(0, host.length - 4))
  const port = host.readInt32BE(host.length - 4)
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

/** The broker and the position that an offsetMsgId names. Throws E_ARGUMENT. */
export function parseOffsetMsgId(id: string): { address: string; offset: number } {
  try {
    const { address, port, physicalOffset } = parseOffsetMessageId(id)
    return { address: address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`, offset: physicalOffset }
  } catch (cause) {
    throw refused('E_ARGUMENT', 'no message id of a broker', (cause as Error).message)
  }
}
