import { type Clock } from './clock.ts'

const TICK_MS = 20
const SLOTS = 512

/** Something that runs out of time. Kept in a list of its slot, so that leaving costs nothing. */
export abstract class Deadline {
  /** Monotonic milliseconds. */
  deadlineMs = 0
  previous: Deadline | null = null
  next: Deadline | null = null
  slot = -1
  abstract expire(): void
}

/**
 * A timer wheel: any number of deadlines for one timer, which runs only while there are some. They expire up to two ticks (40 ms) late, never early.
 */
export class Deadlines {
  readonly #clock: Clock
  readonly #slots: (Deadline | null)[] = new Array<Deadline | null>(SLOTS).fill(null)
  #tick = 0
  #count = 0
  #running = false
  readonly #onTimer = (): void => this.#advance()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get count(): number {
    return this.#count
  }

  add(deadline: Deadline, timeoutMs: number): void {
    const now = this.#clock.monotonic()
    if (this.#count === 0) this.#tick = Math.floor(now / TICK_MS)
    deadline.deadlineMs = now + timeoutMs
    const slot = Math.max(Math.ceil(deadline.deadlineMs / TICK_MS), this.#tick + 1) % SLOTS
    const head = this.#slots[slot] ?? null
    deadline.slot = slot
    deadline.previous = null
    deadline.next = head
    if (head !== null) head.previous = deadline
    this.#slots[slot] = deadline
    this.#count++
    this.#startTimer()
  }

  /** Does nothing when the deadline has expired or was removed before. */
  remove(deadline: Deadline): void {
    if (deadline.slot < 0) return
    if (deadline.previous === null) this.#slots[deadline.slot] = deadline.next
    else deadline.previous.next = deadline.next
    if (deadline.next !== null) deadline.next.previous = deadline.previous
    deadline.slot = -1
    deadline.previous = null
    deadline.next = null
    this.#count--
  }

  #startTimer(): void {
    if (this.#running || this.#count === 0) return
    this.#running = true
    this.#clock.setTimeout(this.#onTimer, TICK_MS)
  }

  #advance(): void {
    this.#running = false
    const now = this.#clock.monotonic()
    const target = Math.floor(now / TICK_MS)
    const expired: Deadline[] = []
    const steps = Math.min(target - this.#tick, SLOTS)
    for (let step = 1; step <= steps; step++) this.#collect((this.#tick + step) % SLOTS, now, expired)
    this.#tick = Math.max(this.#tick, target)
    for (const deadline of expired) this.remove(deadline)
    this.#startTimer()
    for (const deadline of expired) deadline.expire()
  }

  #collect(slot: number, now: number, expired: Deadline[]): void {
    for (let deadline = this.#slots[slot] ?? null; deadline !== null; deadline = deadline.next) {
      if (deadline.deadlineMs <= now) expired.push(deadline)
    }
  }
}
