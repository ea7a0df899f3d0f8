import { readInt32, recordQueueOffset } from '@cometmq/remoting'
import type { OrderQueue } from '../delivery/pop/order-queue.ts'
import type { GetResult } from '../store/types.ts'
import type { Broker } from './context.ts'
import type { PopRun } from './pop-run.ts'

/**
 * An orderly pop of one queue (spec store, 10.6): from the committed offset, and only when nothing of the batch before is still held by a
 * consumer. Undefined when it is done, with or without messages.
 */
export function takeInOrder(broker: Broker, run: PopRun, queueId: number, initial: () => number): Promise<void> | undefined {
  const { pops, store, offsets } = broker
  const { group, topic, attemptId, accepts } = run.asked
  const queue = pops.orders.open(group, topic, queueId)
  if (offsets.takeReset(group, topic, queueId) !== -1) pops.orders.forget(queue)
  let from = offsets.query(group, topic, queueId)
  if (from < 0) offsets.commit(group, topic, queueId, (from = initial()))
  const left = Math.max(0, store.maxOffset(topic, queueId) - from)
  if (left === 0) return undefined
  if (run.room <= 0 || queue.busy || pops.orders.isBlocked(queue, attemptId)) {
    run.rest += left
    return undefined
  }
  const read = (offset: number): GetResult | Promise<GetResult> =>
    store.get({ topic, queueId, offset, maxCount: run.room, maxBytes: run.bytesRoom, accepts })
  const result = read(from)
  if (result instanceof Promise) {
    queue.busy = true
    return result
      .then(found => settleRead(broker, run, queue, found, read))
      .finally(() => {
        queue.busy = false
        broker.wakePops(group, topic)
      })
  }
  return settleRead(broker, run, queue, result, read)
}

/** What matches nothing is passed over; what is not there any more as well. */
function settleRead(
  broker: Broker,
  run: PopRun,
  queue: OrderQueue,
  result: GetResult,
  read: (offset: number) => GetResult | Promise<GetResult>,
): Promise<void> | undefined {
  const { offsets } = broker
  const { group, topic, queueId } = queue
  if (result.status === 'FOUND') return void found(broker, run, queue, result)
  const from = offsets.query(group, topic, queueId)
  if (result.nextOffset === from || result.maxOffset === 0) return undefined
  offsets.commit(group, topic, queueId, result.nextOffset)
  if (result.nextOffset >= result.maxOffset) return undefined
  const again = read(result.nextOffset)
  if (again instanceof Promise) return again.then(next => settleRead(broker, run, queue, next, read))
  // Off the stack: a filter may pass over a great many messages.
  return Promise.resolve().then(() => settleRead(broker, run, queue, again, read))
}

function found(broker: Broker, run: PopRun, queue: OrderQueue, { body, nextOffset, maxOffset }: GetResult): void {
  const { pops, stats, config } = broker
  const { asked } = run
  const offsets: number[] = []
  const bodies: Buffer[] = []
  let bytes = 0
  for (let at = 0; at < body.length; at += readInt32(body, at)) {
    const offset = recordQueueOffset(body, at)
    // Acknowledged behind one that was not: it does not come again.
    if (queue.isAcked(offset)) continue
    const size = readInt32(body, at)
    offsets.push(offset)
    bodies.push(body.subarray(at, at + size))
    bytes += size
  }
  run.rest += Math.max(0, maxOffset - nextOffset)
  if (offsets.length === 0) return
  const { popTime } = run
  pops.orders.take(queue, offsets, { popTime, invisibleMs: asked.invisibleMs, attemptId: asked.attemptId })
  run.add(0, queue.queueId, { from: offsets[0]!, offsets, bodies, bytes })
  run.orderCountInfo += (run.orderCountInfo === '' ? '' : ';') + queue.countInfo()
  stats.get(asked.topic, asked.group, config.brokerClusterName, offsets.length, bytes)
}
