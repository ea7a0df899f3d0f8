import type { CursorItem, SubInfo } from '@cometmq/protocol'

interface Position {
  readonly topic: string
  readonly broker: string
  readonly queueId: number
  /** Next offset; -1 while it is not known. */
  next: number
}

/** How far a broadcast consumer has come: what the application has taken. */
export class Cursor {
  readonly #positions = new Map<string, Position>()
  /** By topic and the number that a queue has in this session. */
  readonly #byNumber = new Map<number, Position>()

  constructor(items: readonly CursorItem[] = []) {
    for (const [topic, broker, queueId, next] of items) this.#at(topic, broker, queueId).next = next
  }

  /** Where reading starts; what was taken stays taken. */
  assigned(queues: NonNullable<SubInfo['queues']>, topics: readonly string[]): void {
    for (const [queue, topic, broker, queueId, nextOffset] of queues) {
      const position = this.#at(topic, broker, queueId)
      const key = keyOf(topics.indexOf(topic), queue)
      // Told again, it is where the bridge reads: what waits here is not taken yet.
      if (this.#byNumber.has(key) && position.next >= 0) continue
      if (position.next < nextOffset) position.next = nextOffset
      this.#byNumber.set(key, position)
    }
  }

  /** Another session may number queues differently. */
  renumber(): void {
    this.#byNumber.clear()
  }

  /** Takes it; false when it was taken before. */
  take(topicIx: number, queue: number, offset: number): boolean {
    const position = this.#byNumber.get(keyOf(topicIx, queue))
    if (!position) return true
    if (offset < position.next) return false
    position.next = offset + 1
    return true
  }

  /** After a seek: of one queue, or of all, which are told again. */
  moved(queue?: number, offset = -1): void {
    for (const [key, position] of this.#byNumber) if (queue === undefined || key % numbers === queue) position.next = offset
  }

  get items(): CursorItem[] {
    return [...this.#positions.values()]
      .filter(({ next }) => next >= 0)
      .map(({ topic, broker, queueId, next }) => [topic, broker, queueId, next] as const)
  }

  #at(topic: string, broker: string, queueId: number): Position {
    const key = `${topic}/${broker}/${queueId}`
    let position = this.#positions.get(key)
    if (!position) this.#positions.set(key, (position = { topic, broker, queueId, next: -1 }))
    return position
  }
}

const numbers = 2 ** 32
const keyOf = (topicIx: number, queue: number): number => topicIx * numbers + queue
