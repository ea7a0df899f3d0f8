import type { StoredMessage } from '@cometmq/cluster'
import { type Entry, Flag } from '@cometmq/protocol'
import { createScanned, type Scanned, scanProperties } from './properties.ts'

const scanned: Scanned = createScanned()

/** A stored message as clients get it; undefined when it has expired by `now` (epoch ms). */
export function entryOf(message: StoredMessage, topicIx: number, queue: number, now: number): Entry | undefined {
  scanProperties(message.properties, scanned)
  if (scanned.expires < now) return undefined
  let flags = 0
  if (message.compression === 'zlib') flags |= Flag.compressed
  if (scanned.resent) flags |= Flag.resent
  if (scanned.text) flags |= Flag.text
  const { queueOffset, msgId, bornTimestamp, reconsumeTimes, body } = message
  return [topicIx, queue, queueOffset, msgId, bornTimestamp, reconsumeTimes + 1, flags, scanned.meta, body]
}
