import type { Clock } from '@cometmq/remoting'
import type { Offsets } from '../../registry/types.ts'
import { Deadlines } from './deadlines.ts'
import type { RecordWriter } from './journal-records.ts'
import { OrderQueue, orderKey, type OrderAck, type OrderRecord } from './order-queue.ts'

/** A batch this old that nobody came back for is forgotten, and with it how often its messages came. */
const FORGOTTEN_AFTER_MS = 24 * 3_600_000

export interface OrderQueuesOptions {
  clock: Clock
  offsets: Offsets
  records: () => RecordWriter
  /** Told of a queue that may be popped again. */
  onFree: (group: string, topic: string) => void
}

/** All orderly queues, with their state in the journal. */
export class OrderQueues {
  readonly #options: OrderQueuesOptions
  readonly #queues = new Map<string, OrderQueue>()
  readonly #deadlines: Deadlines<OrderQueue>

  constructor(options: OrderQueuesOptions, restored: Iterable<string>) {
    this.#options = options
    this.#deadlines = new Deadlines<OrderQueue>(options.clock, queue => options.onFree(queue.group, queue.topic))
    for (const json of restored) this.#restore(JSON.parse(json) as OrderRecord)
  }

  open(group: string, topic: string, queueId: number): OrderQueue {
    const key = orderKey({ group, topic, queueId })
    let queue = this.#queues.get(key)
    if (queue === undefined) this.#queues.set(key, (queue = new OrderQueue(group, topic, queueId)))
    return queue
  }

  find(group: string, topic: string, queueId: number): OrderQueue | undefined {
    return this.#queues.get(orderKey({ group, topic, queueId }))
  }

  isBlocked(queue: OrderQueue, attemptId: string): boolean {
    return queue.blockedUntil(attemptId, this.#options.clock.monotonic()) > 0
  }

  take(queue: OrderQueue, offsets: readonly number[], pop: { popTime: number; invisibleMs: number; attemptId: string }): void {
    queue.take(offsets, pop, this.#options.clock.monotonic())
    this.#changed(queue)
  }

  acknowledge(queue: OrderQueue, offset: number, popTime: number): OrderAck {
    const { offsets } = this.#options
    const committed = offsets.query(queue.group, queue.topic, queue.queueId)
    if (offset < committed) return 'ignored'
    const outcome = queue.ack(offset, popTime)
    if (outcome !== 'done') return outcome
    if (queue.done > committed) offsets.commit(queue.group, queue.topic, queue.queueId, queue.done)
    this.#changed(queue)
    if (!this.isBlocked(queue, '')) this.#options.onFree(queue.group, queue.topic)
    return 'done'
  }

  changeTime(queue: OrderQueue, offset: number, popTime: number, ms: number): boolean {
    const { clock } = this.#options
    if (!queue.change(offset, popTime, { at: clock.now(), ms }, clock.monotonic())) return false
    this.#changed(queue)
    if (!this.isBlocked(queue, '')) this.#options.onFree(queue.group, queue.topic)
    return true
  }

  /** The group goes on elsewhere: what was handed out does not block it. */
  forget(queue: OrderQueue): void {
    queue.forget()
    this.#changed(queue)
  }

  tidy(): void {
    const { clock, offsets } = this.#options
    for (const queue of [...this.#queues.values()]) {
      if (queue.busy) continue
      const isOld = queue.popTime < clock.now() - FORGOTTEN_AFTER_MS && !this.isBlocked(queue, '')
      if (!isOld && offsets.query(queue.group, queue.topic, queue.queueId) !== -1) continue
      if (queue.offsets.length > 0) this.forget(queue)
      this.#queues.delete(orderKey(queue))
    }
  }

  snapshot(into: RecordWriter): void {
    for (const queue of this.#queues.values()) if (queue.offsets.length > 0) into.order(JSON.stringify(queue.record()))
  }

  stop(): void {
    this.#deadlines.close()
  }

  #changed(queue: OrderQueue): void {
    this.#options.records().order(JSON.stringify(queue.record()))
    this.#wakeLater(queue)
  }

  #wakeLater(queue: OrderQueue): void {
    const now = this.#options.clock.monotonic()
    this.#deadlines.remove(queue)
    const until = queue.blockedUntil('', now)
    if (until > 0) this.#deadlines.add(queue, until - now)
  }

  #restore(record: OrderRecord): void {
    if (record.offsets.length === 0) return
    const { clock } = this.#options
    const queue = this.open(record.group, record.topic, record.queueId)
    queue.restore(record, clock.now(), clock.monotonic())
    this.#wakeLater(queue)
  }
}
