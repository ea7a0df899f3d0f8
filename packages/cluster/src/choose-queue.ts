import { type MessageQueue } from '@cometmq/remoting'
import { type Avoidance } from './avoidance.ts'

/**
 * The next queue in turn whose broker is neither avoided nor tried already for this message; when all are, the next whose
 * broker was not tried; else simply the next. `turn` is any non-negative integer that grows by one a message.
 */
export function chooseQueue(
  queues: readonly MessageQueue[],
  turn: number,
  tried: ReadonlySet<string>,
  avoidance: Avoidance,
): MessageQueue {
  const count = queues.length
  let untried: MessageQueue | undefined
  for (let step = 0; step < count; step++) {
    const queue = queues[(turn + step) % count]!
    if (tried.has(queue.brokerName)) continue
    if (!avoidance.isAvoided(queue.brokerName)) return queue
    untried ??= queue
  }
  return untried ?? queues[turn % count]!
}
