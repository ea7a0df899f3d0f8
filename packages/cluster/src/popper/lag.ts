import { type MessageQueue, popRetryTopic } from '@cometmq/remoting'
import { type ClusterError } from '../errors.ts'
import { type Offsets } from '../offsets.ts'
import { type Routes } from '../routes.ts'
import { type Reader } from '../streaming.ts'
import { popRetryTopicV2 } from './receipts.ts'

export interface LagParts {
  routes: Routes
  offsets: Offsets
  reader: Reader
}

interface Lag {
  messages: number
  /** Epoch ms. */
  oldest: number | undefined
}

const maxQueuesAtOnce = 16

/** Over the topic and what of it waits for another delivery. Without a committed offset all messages of a queue wait. */
export async function lagOf(parts: LagParts, topic: string, group: string): Promise<Lag> {
  const queues = [...(await parts.routes.forReading(topic)).read]
  for (const retry of [popRetryTopic(group, topic), popRetryTopicV2(group, topic)])
    queues.push(...(await queuesIfThere(parts.routes, retry)))
  const total: Lag = { messages: 0, oldest: undefined }
  for (let at = 0; at < queues.length; at += maxQueuesAtOnce) {
    const lags = await Promise.all(queues.slice(at, at + maxQueuesAtOnce).map(queue => lagOfQueue(parts, queue, group)))
    for (const lag of lags) {
      total.messages += lag.messages
      if (lag.oldest !== undefined) total.oldest = Math.min(total.oldest ?? lag.oldest, lag.oldest)
    }
  }
  return total
}

async function queuesIfThere(routes: Routes, topic: string): Promise<readonly MessageQueue[]> {
  try {
    return (await routes.forReading(topic)).read
  } catch (error) {
    if (isMissing(error as ClusterError)) return []
    throw error
  }
}

const isMissing = ({ code }: ClusterError): boolean =>
  code === 'E_NO_ROUTE' || code === 'E_NO_QUEUE' || code === 'E_TOPIC_NOT_FOUND'

async function lagOfQueue(parts: LagParts, queue: MessageQueue, group: string): Promise<Lag> {
  const { offsets, reader } = parts
  const [committed, min, max] = await Promise.all([offsets.committed(group, queue), offsets.min(queue), offsets.max(queue)])
  const next = Math.max(committed ?? min, min)
  if (next >= max) return { messages: 0, oldest: undefined }
  const { messages } = await reader.read({ queue, offset: next, maxMessages: 1, maxBytes: 1, holdMs: 0 })
  return { messages: max - next, oldest: messages[0]?.storeTimestamp }
}
