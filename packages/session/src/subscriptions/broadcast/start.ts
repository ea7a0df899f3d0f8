import type { MessageQueue } from '@cometmq/cluster'
import type { SubStart } from '@cometmq/protocol'
import type { Shared } from '../shared.ts'
import type { Feeds } from './feeds.ts'

/** Where reading of a queue begins. `openedAt`: set for a queue that appeared later, when the subscription began (epoch ms). */
export async function startOffset(
  { reader }: Shared,
  feeds: Feeds,
  queue: MessageQueue,
  start: SubStart,
  openedAt?: number,
): Promise<number> {
  if (start === 'earliest') return (await feeds.bounds(queue)).min
  if (start !== 'latest' && 'at' in start) return reader.offsetAt(queue, start.at)
  if (start !== 'latest') {
    const { topic, brokerName, queueId } = queue
    const listed = start.cursor.find(([name, broker, id]) => name === topic && broker === brokerName && id === queueId)
    if (listed !== undefined) return listed[3]
    // The cursor holds every queue the client knew: this one is younger, unless it knew none of the topic.
    if (start.cursor.some(([name]) => name === topic)) return (await feeds.bounds(queue)).min
  }
  return openedAt === undefined ? (await feeds.bounds(queue)).max : reader.offsetAt(queue, openedAt)
}
