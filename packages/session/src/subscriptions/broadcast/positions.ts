import type { MessageQueue } from '@cometmq/cluster'
import type { SeekTarget, SubStart } from '@cometmq/protocol'
import { RefusedError } from '../../principal.ts'
import type { Shared } from '../shared.ts'
import type { Cursor } from './cursor.ts'
import type { Feeds } from './feeds.ts'

/** A queue of the topic at `topicIx`, and where reading of it begins. */
export interface Place {
  readonly queue: MessageQueue
  readonly topicIx: number
  readonly offset: number
}

export interface Beginning {
  readonly topicIx: number
  readonly start: SubStart
  /** For queues that appeared later: when the subscription began, epoch ms. */
  readonly openedAt?: number
}

export function placesOf(shared: Shared, feeds: Feeds, queues: readonly MessageQueue[], from: Beginning): Promise<Place[]> {
  const { topicIx } = from
  return Promise.all(queues.map(async queue => ({ queue, topicIx, offset: await startOffset(shared, feeds, queue, from) })))
}

async function startOffset({ reader }: Shared, feeds: Feeds, queue: MessageQueue, from: Beginning): Promise<number> {
  const { start, openedAt } = from
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

/** Those that a seek moves. Throws RefusedError 40016 for a queue that is not read. */
export function cursorsOf(cursors: readonly Cursor[], target: SeekTarget): readonly Cursor[] {
  if (typeof target !== 'object' || !('queue' in target)) return cursors
  const found = cursors.filter(({ feed }) => feed.number === target.queue)
  if (found.length === 0)
    throw new RefusedError(40016, `this subscription has no queue ${target.queue}; SUBINFO lists its queues`)
  return found
}

/** Where a seek leads, by cursor; an offset outside of a queue is moved to its nearer end. */
export function offsetsOf(shared: Shared, feeds: Feeds, cursors: readonly Cursor[], target: SeekTarget): Promise<number[]> {
  return Promise.all(
    cursors.map(async ({ feed: { queue } }) => {
      if (typeof target === 'object' && 'at' in target) return shared.reader.offsetAt(queue, target.at)
      const { min, max } = await feeds.bounds(queue)
      if (target === 'earliest') return min
      if (target === 'latest') return max
      return Math.min(Math.max(target.offset, min), max)
    }),
  )
}

/** Messages stored and not delivered (those a filter leaves out included), and how old the oldest is. */
export async function lagOf(
  { reader, clock }: Shared,
  feeds: Feeds,
  cursors: readonly Cursor[],
): Promise<{ messages: number; ageMs: number }> {
  let messages = 0
  let oldest = Infinity
  await Promise.all(
    cursors.map(async ({ feed: { queue }, offset, expression }) => {
      const { min, max } = await feeds.bounds(queue)
      const next = Math.max(offset, min)
      if (next >= max) return
      messages += max - next
      const first = await reader.read({ queue, offset: next, maxMessages: 1, maxBytes: 1, holdMs: 0, expression })
      oldest = Math.min(oldest, first.messages[0]?.storeTimestamp ?? Infinity)
    }),
  )
  return { messages, ageMs: oldest === Infinity ? 0 : Math.max(0, clock.now() - oldest) }
}
