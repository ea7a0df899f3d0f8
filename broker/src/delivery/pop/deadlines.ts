import type { Clock, Timer } from '@cometmq/remoting'

/** Something with a deadline; the two members belong to `Deadlines`. */
export interface Timed {
  /** Monotonic ms of the bucket it waits in; -1: it does not wait. */
  tick: number
  /** Its place in the bucket. */
  slot: number
}

/** Longest sleep of the timer: Node's timers take 2^31 - 1 ms. */
const LONGEST_SLEEP_MS = 60_000

/** Deadlines are rounded up to these, so that many share one bucket: late by less than 2 % and never early. */
const grainOf = (remainingMs: number): number =>
  remainingMs < 5_000 ? 10 : remainingMs < 60_000 ? 50 : remainingMs < 3_600_000 ? 500 : 5_000

/**
 * Deadlines of very many objects: adding and removing one is a push and a swap, one timer serves all. In monotonic time, so that a
 * wall clock that jumps moves none of them.
 */
export class Deadlines<T extends Timed> {
  readonly #clock: Clock
  readonly #onDue: (item: T) => void
  /** Emptied buckets stay until their time, so that a time is in the heap once. */
  readonly #buckets = new Map<number, T[]>()
  /** Times of the buckets, a binary heap. */
  readonly #times: number[] = []
  #timer: Timer | null = null
  #timerAt = Infinity
  #count = 0
  #closed = false

  constructor(clock: Clock, onDue: (item: T) => void) {
    this.#clock = clock
    this.#onDue = onDue
  }

  /** Items that wait. */
  get count(): number {
    return this.#count
  }

  /** `item` is due in `ms`. It must not wait already. */
  add(item: T, ms: number): void {
    const now = this.#clock.monotonic()
    const grain = grainOf(ms)
    const tick = Math.ceil((now + Math.max(0, ms)) / grain) * grain
    let bucket = this.#buckets.get(tick)
    if (bucket === undefined) {
      this.#buckets.set(tick, (bucket = []))
      pushHeap(this.#times, tick)
    }
    item.tick = tick
    item.slot = bucket.length
    bucket.push(item)
    this.#count++
    if (tick < this.#timerAt) this.#arm(tick - now)
  }

  /** No effect when it does not wait. */
  remove(item: T): void {
    if (item.tick === -1) return
    const bucket = this.#buckets.get(item.tick)!
    const last = bucket.pop()!
    if (last !== item) {
      bucket[item.slot] = last
      last.slot = item.slot
    }
    item.tick = -1
    this.#count--
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#timer = null
  }

  #arm(ms: number): void {
    if (this.#closed) return
    this.#timer?.cancel()
    const sleep = Math.min(Math.max(0, Math.ceil(ms)), LONGEST_SLEEP_MS)
    this.#timerAt = this.#clock.monotonic() + sleep
    this.#timer = this.#clock.setTimeout(this.#fire, sleep)
  }

  readonly #fire = (): void => {
    this.#timer = null
    this.#timerAt = Infinity
    const now = this.#clock.monotonic()
    while (this.#times.length > 0 && this.#times[0]! <= now) {
      const tick = popHeap(this.#times)
      const bucket = this.#buckets.get(tick)!
      this.#buckets.delete(tick)
      this.#count -= bucket.length
      for (const item of bucket) item.tick = -1
      for (const item of bucket) this.#onDue(item)
    }
    if (this.#times.length > 0 && this.#times[0]! < this.#timerAt) this.#arm(this.#times[0]! - now)
  }
}

function pushHeap(heap: number[], value: number): void {
  let at = heap.length
  heap.push(value)
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (heap[parent]! <= value) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = value
}

function popHeap(heap: number[]): number {
  const least = heap[0]!
  const value = heap.pop()!
  const length = heap.length
  if (length === 0) return least
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= length) break
    if (child + 1 < length && heap[child + 1]! < heap[child]!) child++
    if (heap[child]! >= value) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = value
  return least
}
