import type { CursorItem, SubInfo } from '@cometmq/protocol'
import { type Sealer } from './sealer.ts'

/** Positions grouped by topic and broker: `[queueId, nextOffset, …]`. */
type Grouped = readonly (readonly [topic: string, broker: string, positions: readonly number[]])[]
type Sealed = readonly [stream: string, positions: Grouped]

interface Place {
  readonly broker: string
  readonly queueId: number
  next: number
}

/** How far a stream has got, by topic: what its event ids say. */
export class StreamCursor {
  readonly #sealer: Sealer
  readonly #stream: string
  readonly #topics: readonly string[]
  readonly #places: readonly Map<number, Place>[]

  constructor(sealer: Sealer, stream: string, topics: readonly string[]) {
    this.#sealer = sealer
    this.#stream = stream
    this.#topics = topics
    this.#places = topics.map(() => new Map<number, Place>())
  }

  known(topicIx: number, queues: NonNullable<SubInfo['queues']>): void {
    for (const [queue, , broker, queueId, next] of queues) this.#places[topicIx]!.set(queue, { broker, queueId, next })
  }

  moved(topicIx: number, queue: number, next: number): void {
    const place = this.#places[topicIx]?.get(queue)
    if (place !== undefined && next > place.next) place.next = next
  }

  /** An event id. */
  seal(): string {
    const grouped = new Map<string, [topic: string, broker: string, positions: number[]]>()
    this.#places.forEach((places, topicIx) => {
      const topic = this.#topics[topicIx]!
      for (const { broker, queueId, next } of places.values()) {
        const key = `${topicIx} ${broker}`
        let group = grouped.get(key)
        if (group === undefined) grouped.set(key, (group = [topic, broker, []]))
        group[2].push(queueId, next)
      }
    })
    const sealed: Sealed = [this.#stream, [...grouped.values()]]
    return this.#sealer.seal(sealed)
  }
}

/** What an event id says; undefined when it is none of ours. */
export function openCursor(sealer: Sealer, text: string): { stream: string; items: readonly CursorItem[] } | undefined {
  const sealed = sealer.open(text) as Sealed | undefined
  if (sealed === undefined) return undefined
  const [stream, groups] = sealed
  const items: CursorItem[] = []
  for (const [topic, broker, positions] of groups)
    for (let at = 0; at < positions.length; at += 2) items.push([topic, broker, positions[at]!, positions[at + 1]!])
  return { stream, items }
}
