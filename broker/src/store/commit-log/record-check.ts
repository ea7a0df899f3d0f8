import { BLANK_MAGIC, crc32, MAGIC_V1, MAGIC_V2, SysFlag } from '@cometmq/remoting'

/** No release ever wrote a larger one; bounds what a damaged size field can cost. */
const RECORD_BYTES_MAX = 64 * 1024 * 1024

/** Fields of a record that recovery needs; one object is filled again and again. */
export class CheckedRecord {
  size = 0
  queueId = 0
  queueOffset = 0
  physicalOffset = 0
  sysFlag = 0
  storeTimestamp = 0
  topic = ''
  /** Where the property string starts in the buffer, and its bytes. */
  propertiesAt = 0
  propertiesBytes = 0
  /** Why the last check said 'invalid'. */
  problem = ''
  #topicBytes: Buffer = Buffer.alloc(0)

  /**
   * Checks what stands at `at` in `buffer`, of which bytes before `end` belong to the same file (spec store, 5.3).
   * 'more': the record is cut by `end`.
   */
  check(buffer: Buffer, at: number, end: number, withCrc: boolean): 'record' | 'blank' | 'invalid' | 'more' {
    if (end - at < 8) return 'more'
    const size = buffer.readInt32BE(at)
    const magic = buffer.readInt32BE(at + 4)
    if (magic === BLANK_MAGIC) return 'blank'
    if (magic !== MAGIC_V1 && magic !== MAGIC_V2)
      return this.#invalid(`no record starts here (magic ${(magic >>> 0).toString(16)})`)
    if (size < 91 || size > RECORD_BYTES_MAX) return this.#invalid(`a record cannot have ${size} bytes`)
    if (at + size > end) {
      this.size = size
      return 'more'
    }
    const sysFlag = buffer.readInt32BE(at + 36)
    const bornBytes = (sysFlag & SysFlag.BORN_HOST_V6) === 0 ? 8 : 20
    const storeBytes = (sysFlag & SysFlag.STORE_HOST_V6) === 0 ? 8 : 20
    const stop = at + size
    let p = at + 48 + bornBytes
    const storeTimestampAt = p
    p += 8 + storeBytes + 12
    if (p + 4 > stop) return this.#invalid('the record is shorter than its fixed fields')
    const bodyBytes = buffer.readInt32BE(p)
    const bodyAt = p + 4
    if (bodyBytes < 0 || bodyAt + bodyBytes + 3 > stop)
      return this.#invalid(`a body of ${bodyBytes} bytes does not fit into a record of ${size}`)
    p = bodyAt + bodyBytes
    let topicBytes = buffer[p]!
    p += 1
    if (magic === MAGIC_V2) topicBytes = (topicBytes << 8) | buffer[p++]!
    const topicAt = p
    p += topicBytes
    if (p + 2 > stop) return this.#invalid(`a topic of ${topicBytes} bytes does not fit into a record of ${size}`)
    const propertiesBytes = buffer.readInt16BE(p)
    p += 2
    if (propertiesBytes < 0 || p + propertiesBytes !== stop)
      return this.#invalid('the lengths inside the record do not add up to its size')
    if (withCrc && bodyBytes > 0 && crc32(buffer, bodyAt, bodyAt + bodyBytes) !== buffer.readInt32BE(at + 8)) {
      return this.#invalid('the checksum of the body is wrong')
    }
    this.size = size
    this.sysFlag = sysFlag
    this.queueId = buffer.readInt32BE(at + 12)
    this.queueOffset = readLong(buffer, at + 20)
    this.physicalOffset = readLong(buffer, at + 28)
    this.storeTimestamp = readLong(buffer, storeTimestampAt)
    this.propertiesAt = p
    this.propertiesBytes = propertiesBytes
    this.#readTopic(buffer, topicAt, topicBytes)
    return 'record'
  }

  #invalid(problem: string): 'invalid' {
    this.problem = problem
    return 'invalid'
  }

  /** Neighbours mostly have the same topic: then the string is not made again. */
  #readTopic(buffer: Buffer, at: number, bytes: number): void {
    const known = this.#topicBytes
    if (known.length === bytes && bytes > 0 && known.compare(buffer, at, at + bytes) === 0) return
    this.topic = buffer.toString('utf8', at, at + bytes)
    this.#topicBytes = Buffer.from(buffer.subarray(at, at + bytes))
  }

  properties(buffer: Buffer): string {
    return this.propertiesBytes === 0 ? '' : buffer.toString('utf8', this.propertiesAt, this.propertiesAt + this.propertiesBytes)
  }
}

function readLong(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * 4_294_967_296 + buffer.readUInt32BE(at + 4)
}
