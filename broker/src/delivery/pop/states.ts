import { PopQueue, type InFlight } from './pop-queue.ts'

/** All queues that groups consume by POP: group → topic → queue id. */
export class PopStates {
  readonly total: InFlight = { messages: 0 }
  readonly #groups = new Map<string, Map<string, Map<number, PopQueue>>>()
  #nextNumber = 1

  find(group: string, topic: string, queueId: number): PopQueue | undefined {
    return this.#groups.get(group)?.get(topic)?.get(queueId)
  }

  /** @param number in the journal; the next free one when absent. */
  add(identity: { group: string; topic: string; queueId: number }, offset: number, number = this.#nextNumber): PopQueue {
    const { group, topic, queueId } = identity
    const queue = new PopQueue(group, topic, queueId, offset, this.total)
    queue.number = number
    this.#nextNumber = Math.max(this.#nextNumber, number + 1)
    let topics = this.#groups.get(group)
    if (topics === undefined) this.#groups.set(group, (topics = new Map<string, Map<number, PopQueue>>()))
    let queues = topics.get(topic)
    if (queues === undefined) topics.set(topic, (queues = new Map<number, PopQueue>()))
    queues.set(queueId, queue)
    return queue
  }

  /** The queue must have no leases left. */
  remove({ group, topic, queueId }: PopQueue): void {
    const topics = this.#groups.get(group)
    const queues = topics?.get(topic)
    queues?.delete(queueId)
    if (queues?.size === 0) topics?.delete(topic)
    if (topics?.size === 0) this.#groups.delete(group)
  }

  *all(): Iterable<PopQueue> {
    for (const topics of this.#groups.values()) for (const queues of topics.values()) yield* queues.values()
  }
}
