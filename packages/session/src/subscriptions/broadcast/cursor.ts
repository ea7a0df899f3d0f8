import { type Conflater } from './conflater.ts'
import type { Feed, Waiter } from './feed.ts'

/** What a cursor tells its subscription. */
export interface CursorOwner {
  readonly isAttached: boolean
  arrived(cursor: Cursor): void
  trouble(cursor: Cursor, why: string | undefined): void
  failed(error: unknown): void
}

/** Where one subscription is in one queue. */
export class Cursor implements Waiter {
  readonly feed: Feed
  readonly topicIx: number
  readonly expression: string
  /** Policy latest-per-key. */
  readonly conflater: Conflater | undefined
  readonly #owner: CursorOwner
  /** Next offset to be looked at. */
  offset: number
  waitsFor: object | undefined = undefined
  /** In the list of those with something to deliver. */
  listed = false
  /** It has been at the end of the queue: from then on the policy for slow subscribers holds. */
  joined = false
  /** Raised by a seek. */
  epoch = 0

  constructor(
    owner: CursorOwner,
    feed: Feed,
    place: { topicIx: number; expression: string; offset: number },
    conflater?: Conflater,
  ) {
    this.#owner = owner
    this.feed = feed
    this.topicIx = place.topicIx
    this.expression = place.expression
    this.offset = place.offset
    this.conflater = conflater
  }

  get isAlive(): boolean {
    return this.#owner.isAttached
  }

  arrived(): void {
    this.#owner.arrived(this)
  }

  trouble(why: string | undefined): void {
    this.#owner.trouble(this, why)
  }

  failed(error: unknown): void {
    this.#owner.failed(error)
  }

  /** Not beyond this offset. */
  back(offset: number): void {
    if (offset < this.offset) this.offset = offset
  }

  seek(offset: number): void {
    this.offset = offset
    this.epoch++
    this.joined = false
    this.conflater?.clear()
  }
}
