import { encodeBatch, encodeSendHeader, RequestCode, type Serialize } from '@cometmq/remoting'

/** A send request as bytes, to be copied for each send. */
export interface SendTemplate {
  readonly frameBytes: number
  /** Messages in one request. */
  readonly messages: number
  /** Opaque of request 0. */
  readonly firstOpaque: number
  /** Puts the frame of request `n` at `at`: its opaque, keys and queue follow from `n`. */
  write(target: Buffer, at: number, n: number): void
}

const PROPERTIES = 'TAGS\x01TagA\x02WAIT\x01true\x02'
/** Marks the places of changing digits; of the same width as what replaces them. */
const KEY_MARK = '@KEY@@@@'
const OPAQUE_MARK = 1_987_654_321
/** Always ten digits. */
const FIRST_OPAQUE = 1_000_000_000
const QUEUE_MARK = '7777'
const TOPIC_MARK = '#T#'

/**
 * Requests for `queues` queues in turn. With more than `queuesPerTopic` of them, topics `<topic>000`, `<topic>001` … share them.
 * Body and properties are those of an ordinary producer: a unique key and a tag.
 */
export function sendTemplate(options: {
  topic: string
  queues: number
  queuesPerTopic?: number
  bodyBytes: number
  batch: number
  serialize: Serialize
}): SendTemplate {
  const { queues, batch } = options
  const queuesPerTopic = options.queuesPerTopic ?? queues
  const body = Buffer.alloc(options.bodyBytes, 0x61)
  const code = batch === 1 ? RequestCode.SEND_MESSAGE_V2 : RequestCode.SEND_BATCH_MESSAGE
  const properties = `UNIQ_KEY\x017F0000010000${KEY_MARK}${KEY_MARK}ABCD\x02${PROPERTIES}`
  const ext = encodeSendHeader(code, {
    producerGroup: 'bench',
    topic: options.topic + TOPIC_MARK,
    defaultTopic: 'TBW102',
    defaultTopicQueueNums: 4,
    queueId: 0,
    sysFlag: 0,
    bornTimestamp: Date.now(),
    flag: 0,
    properties,
    reconsumeTimes: 0,
    unitMode: false,
    batch: batch > 1,
  })
  ext['e'] = QUEUE_MARK
  const content = batch === 1 ? body : encodeBatch(Array.from({ length: batch }, () => ({ flag: 0, body, properties })))
  const header = options.serialize === 'JSON' ? jsonHeader(code, ext) : binaryHeader(code, ext)
  const frame = Buffer.alloc(8 + header.length + content.length)
  frame.writeInt32BE(4 + header.length + content.length, 0)
  frame.writeInt32BE(header.length | (options.serialize === 'JSON' ? 0 : 1 << 24), 4)
  header.copy(frame, 8)
  content.copy(frame, 8 + header.length)
  const keys = placesOf(frame, KEY_MARK)
  const topicAt = placesOf(frame, TOPIC_MARK)[0]!
  const queueAt = placesOf(frame, QUEUE_MARK)[0]!
  const opaqueAt = options.serialize === 'JSON' ? placesOf(frame, String(OPAQUE_MARK))[0]! : 8 + 5
  return {
    frameBytes: frame.length,
    messages: batch,
    firstOpaque: FIRST_OPAQUE,
    write(target, at, n) {
      frame.copy(target, at)
      const queue = n % queues
      digits(target, at + topicAt, 3, Math.floor(queue / queuesPerTopic))
      digits(target, at + queueAt, 4, queue % queuesPerTopic)
      if (options.serialize === 'JSON') digits(target, at + opaqueAt, 10, n + FIRST_OPAQUE)
      else target.writeInt32BE(n + FIRST_OPAQUE, at + opaqueAt)
      for (let i = 0; i < keys.length; i++) digits(target, at + keys[i]!, 8, (n * batch + (i >> 1)) % 100_000_000)
    },
  }
}

function placesOf(bytes: Buffer, mark: string): number[] {
  const places: number[] = []
  for (let at = bytes.indexOf(mark); at !== -1; at = bytes.indexOf(mark, at + mark.length)) places.push(at)
  return places
}

function digits(target: Buffer, at: number, width: number, value: number): void {
  for (let i = width - 1; i >= 0; i--) {
    const rest = Math.floor(value / 10)
    target[at + i] = 48 + value - rest * 10
    value = rest
  }
}

function jsonHeader(code: number, ext: Record<string, string>): Buffer {
  return Buffer.from(
    JSON.stringify({
      code,
      extFields: ext,
      flag: 0,
      language: 'JAVA',
      opaque: OPAQUE_MARK,
      serializeTypeCurrentRPC: 'JSON',
      version: 479,
    }),
  )
}

/** Spec remoting, 1.3. */
function binaryHeader(code: number, ext: Record<string, string>): Buffer {
  const fields = Object.entries(ext).map(([key, value]) => {
    const entry = Buffer.alloc(6 + key.length + Buffer.byteLength(value))
    entry.writeInt16BE(key.length, 0)
    entry.write(key, 2)
    entry.writeInt32BE(Buffer.byteLength(value), 2 + key.length)
    entry.write(value, 6 + key.length)
    return entry
  })
  const start = Buffer.alloc(21)
  start.writeInt16BE(code, 0)
  start.writeInt16BE(479, 3)
  start.writeInt32BE(
    fields.reduce((sum, entry) => sum + entry.length, 0),
    17,
  )
  return Buffer.concat([start, ...fields])
}
