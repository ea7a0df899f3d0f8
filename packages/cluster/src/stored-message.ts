import {
  bodyStart,
  checkRecord,
  compressionTypeOf,
  decompressBody,
  getProperty,
  offsetMessageId,
  PropertyKey,
  readInt16,
  readInt32,
  readInt64,
  recordMagic,
  recordPhysicalOffset,
  recordStoreTimestamp,
  MAGIC_V2,
  SysFlag,
} from '@cometmq/remoting'
import { ClusterError } from './errors.ts'
import { type StoredMessage } from './streaming.ts'

const v4HostBytes = 8
const v6HostBytes = 20

/** One record of an answer; what is not needed for every message is read when it is asked for. */
export class Stored implements StoredMessage {
  readonly topic: string
  readonly queueId: number
  readonly queueOffset: number
  reconsumeTimes: number
  readonly compression: 'none' | 'zlib'
  private readonly bytes: Buffer
  private readonly base: number
  private readonly bodyAt: number
  private readonly propertiesAt: number
  private text: string | undefined = undefined
  private content: Uint8Array | undefined = undefined

  /** The record at `base`, which was checked. `topic` is that of the record. */
  constructor(bytes: Buffer, base: number, topic: string, propertiesAt: number) {
    const sysFlag = readInt32(bytes, base + 36)
    const bodyAt = bodyStart(bytes, base)
    this.bytes = bytes
    this.base = base
    this.bodyAt = bodyAt
    this.propertiesAt = propertiesAt
    this.topic = topic
    this.queueId = readInt32(bytes, base + 12)
    this.queueOffset = readInt64(bytes, base + 20)
    this.reconsumeTimes = readInt32(bytes, bodyAt - 16)
    this.compression = 'none'
    if ((sysFlag & SysFlag.COMPRESSED) !== 0) {
      if (compressionTypeOf(sysFlag) === 'ZLIB') this.compression = 'zlib'
      else this.content = decompressed(this.storedBody, sysFlag)
    }
  }

  get flag(): number {
    return readInt32(this.bytes, this.base + 16)
  }

  get physicalOffset(): number {
    return recordPhysicalOffset(this.bytes, this.base)
  }

  get bornTimestamp(): number {
    return readInt64(this.bytes, this.base + 40)
  }

  get storeTimestamp(): number {
    return recordStoreTimestamp(this.bytes, this.base)
  }

  get msgId(): string {
    return getProperty(this.properties, PropertyKey.UNIQ_KEY) ?? this.offsetMsgId
  }

  get properties(): string {
    return (this.text ??= this.bytes.toString('utf8', this.propertiesAt, this.base + readInt32(this.bytes, this.base)))
  }

  get body(): Uint8Array {
    return (this.content ??= this.storedBody)
  }

  private get storedBody(): Buffer {
    return this.bytes.subarray(this.bodyAt, this.bodyAt + readInt32(this.bytes, this.bodyAt - 4))
  }

  private get offsetMsgId(): string {
    const reconsumeAt = this.bodyAt - 16
    const hostBytes = (readInt32(this.bytes, this.base + 36) & SysFlag.STORE_HOST_V6) === 0 ? v4HostBytes : v6HostBytes
    return offsetMessageId(this.bytes.subarray(reconsumeAt - hostBytes, reconsumeAt), this.physicalOffset)
  }
}

/** Of a kind browsers cannot undo. One that is damaged is handed on as it is: refusing it would hold up all that come with it. */
function decompressed(body: Buffer, sysFlag: number): Uint8Array {
  try {
    return decompressBody(body, sysFlag)
  } catch {
    return body
  }
}

export type MakeStored<T> = (bytes: Buffer, base: number, topic: string, propertiesAt: number) => T

/** All records of an answer, made by `make`. Rejects damaged answers with E_PROTOCOL. */
export function decodeStored<T>(bytes: Buffer, make: MakeStored<T>): T[] {
  const messages: T[] = []
  let topic = ''
  let topicAt = 0
  let topicBytes = -1
  for (let base = 0; bytes.length - base >= 4;) {
    const fault = checkRecord(bytes, base, bytes.length)
    if (fault !== null) throw damaged(`at byte ${base}: ${fault}`)
    const bodyAt = bodyStart(bytes, base)
    const bodyEnd = bodyAt + readInt32(bytes, bodyAt - 4)
    const isV2 = recordMagic(bytes, base) === MAGIC_V2
    const length = isV2 ? readInt16(bytes, bodyEnd) : bytes[bodyEnd]!
    const at = bodyEnd + (isV2 ? 2 : 1)
    if (length !== topicBytes || !sameBytes(bytes, topicAt, at, length)) {
      topic = bytes.toString('utf8', at, at + length)
      topicAt = at
      topicBytes = length
    }
    messages.push(make(bytes, base, topic, at + length + 2))
    base += readInt32(bytes, base)
  }
  return messages
}

function sameBytes(bytes: Buffer, a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[a + i] !== bytes[b + i]) return false
  return true
}

const damaged = (why: string): ClusterError =>
  new ClusterError('E_PROTOCOL', 'messages from the broker cannot be read', { why, outcome: 'unknown' })
