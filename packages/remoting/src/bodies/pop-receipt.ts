import { parseLong } from '../header-rows.ts'

/**
 * Texts of POP consumption (spec: remoting, section 3.5; Java: org.apache.rocketmq.remoting.protocol.header.ExtraInfoUtil):
 * fields separated by one space, entries by `;`.
 */

/** Where a popped message came from: 0 its topic, 1 the retry topic `%RETRY%<group>_<topic>`, 2 `%RETRY%<group>+<topic>`. */
export type PopRetryFlag = 0 | 1 | 2

/** reviveQid of orderly pops: acknowledging releases in order. */
export const ORDERLY_REVIVE_QUEUE = 999

/** POP_CK, called extraInfo in requests: what acknowledges one popped message. */
export interface PopCheckPoint {
  /** First offset of the run the message was popped in. */
  startOffset: number
  /** Epoch ms of the broker. */
  popTime: number
  invisibleTime: number
  reviveQueueId: number
  retry: PopRetryFlag
  brokerName: string
  queueId: number
  /** Of the message itself. */
  offset: number
}

export const encodePopCheckPoint = (ck: PopCheckPoint): string =>
  `${ck.startOffset} ${ck.popTime} ${ck.invisibleTime} ${ck.reviveQueueId} ${ck.retry} ${ck.brokerName} ${ck.queueId} ${ck.offset}`

/** Null when it cannot be read. The last field may be missing: it is -1 then. */
export function parsePopCheckPoint(text: string): PopCheckPoint | null {
  const fields = text.split(' ')
  if (fields.length < 7 || fields.length > 8) return null
  const startOffset = parseLong(fields[0]!)
  const popTime = parseLong(fields[1]!)
  const invisibleTime = parseLong(fields[2]!)
  const reviveQueueId = parseLong(fields[3]!)
  const retry = retryFlag(fields[4]!)
  const queueId = parseLong(fields[6]!)
  const offset = fields.length === 8 ? parseLong(fields[7]!) : -1
  if (startOffset === undefined || popTime === undefined || invisibleTime === undefined || reviveQueueId === undefined)
    return null
  if (retry === null || queueId === undefined || offset === undefined) return null
  return { startOffset, popTime, invisibleTime, reviveQueueId, retry, brokerName: fields[5]!, queueId, offset }
}

const retryFlag = (text: string): PopRetryFlag | null => (text === '0' ? 0 : text === '1' ? 1 : text === '2' ? 2 : null)

/** One entry of startOffsetInfo and of msgOffsetInfo. */
export interface PoppedQueue {
  retry: PopRetryFlag
  queueId: number
  /** startOffsetInfo: the start offset alone. msgOffsetInfo: the offsets of the messages, ascending. */
  offsets: number[]
}

/** Reads startOffsetInfo or msgOffsetInfo; entries that cannot be read are left out. */
export function parsePoppedQueues(text: string): PoppedQueue[] {
  const queues: PoppedQueue[] = []
  for (const entry of text.split(';')) {
    const [flag, queue, list] = entry.split(' ')
    const retry = retryFlag(flag ?? '')
    const queueId = parseLong(queue ?? '')
    if (retry === null || queueId === undefined || list === undefined) continue
    const offsets: number[] = []
    for (const item of list.split(',')) {
      const offset = parseLong(item)
      if (offset !== undefined) offsets.push(offset)
    }
    queues.push({ retry, queueId, offsets })
  }
  return queues
}

/**
 * Reads orderCountInfo: times a message was delivered before. Keys as on the wire, `<r> <queueId>` for a whole queue and
 * `<r> qo<queueId>%<offset>` for one message, which wins.
 */
export function parseOrderCounts(text: string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const entry of text.split(';')) {
    const split = entry.lastIndexOf(' ')
    const count = parseLong(entry.slice(split + 1))
    if (split > 0 && count !== undefined) counts.set(entry.slice(0, split), count)
  }
  return counts
}
