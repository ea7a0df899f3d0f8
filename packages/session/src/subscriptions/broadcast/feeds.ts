import type { MessageQueue } from '@cometmq/cluster'
import type { Shared } from '../shared.ts'
import { Feed, type RingBudget } from './feed.ts'

/** The feeds in use, and where queues begin and end. */
export class Feeds {
  readonly #shared: Shared
  readonly #feeds = new Map<string, Feed>()
  readonly #budget: RingBudget = { bytes: 0 }
  /** By queue: asked for and not sent yet, and what was asked for meanwhile. */
  readonly #bounds = new Map<string, { current: Promise<Bounds>; next: Promise<Bounds> | undefined }>()

  constructor(shared: Shared) {
    this.#shared = shared
  }

  acquire(queue: MessageQueue, expression: string): Feed {
    const key = `${keyOf(queue)} ${expression}`
    let feed = this.#feeds.get(key)
    if (feed === undefined) this.#feeds.set(key, (feed = new Feed(this.#shared, this.#budget, queue, expression)))
    feed.users++
    return feed
  }

  release(feed: Feed, expression: string): void {
    if (--feed.users > 0) return
    feed.close()
    this.#feeds.delete(`${keyOf(feed.queue)} ${expression}`)
  }

  /** As of now: a request that was sent before is not good enough, but those who ask while it runs share the next. */
  bounds(queue: MessageQueue): Promise<Bounds> {
    const key = keyOf(queue)
    const asked = this.#bounds.get(key)
    if (asked === undefined) {
      const entry = { current: this.#shared.reader.bounds(queue), next: undefined }
      this.#bounds.set(key, entry)
      void this.#after(key, entry)
      return entry.current
    }
    return (asked.next ??= asked.current.then(
      () => this.#shared.reader.bounds(queue),
      () => this.#shared.reader.bounds(queue),
    ))
  }

  async #after(key: string, entry: { current: Promise<Bounds>; next: Promise<Bounds> | undefined }): Promise<void> {
    while (true) {
      await entry.current.catch(() => undefined)
      if (entry.next === undefined) break
      entry.current = entry.next
      entry.next = undefined
    }
    this.#bounds.delete(key)
  }
}

export interface Bounds {
  readonly min: number
  readonly max: number
}

const keyOf = (queue: MessageQueue): string => `${queue.topic} ${queue.brokerName} ${queue.queueId}`
