import type { Clock, Timer } from '@cometmq/remoting'

interface Pending {
  task: () => void
  due: number
  order: number
}

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #now: number
  #monotonic = 0
  #order = 0
  readonly #timers = new Set<Pending>()

  /** `start`: epoch ms. The default is 2025-01-01T00:00:00Z. */
  constructor(start = 1_735_689_600_000) {
    this.#now = start
  }

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#monotonic
  }

  /** Timers that wait to run. */
  get pending(): number {
    return this.#timers.size
  }

  setTimeout(task: () => void, delayMs: number): Timer {
    const timer = { task, due: this.#monotonic + Math.max(0, delayMs), order: this.#order++ }
    this.#timers.add(timer)
    return { cancel: () => void this.#timers.delete(timer) }
  }

  /** Moves both clocks and runs the timers due on the way, in order, those they set included. */
  advance(ms: number): void {
    const end = this.#monotonic + ms
    for (let timer = this.#nextUntil(end); timer !== null; timer = this.#nextUntil(end)) this.#run(timer)
    this.#moveTo(end)
  }

  /** As `advance`, but lets promises and finished I/O continue after each timer. */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.#monotonic + ms
    await settle()
    for (let timer = this.#nextUntil(end); timer !== null; timer = this.#nextUntil(end)) {
      this.#run(timer)
      await settle()
    }
    this.#moveTo(end)
    await settle()
  }

  /** Moves only the wall clock, in either direction, as an administrator or NTP would. */
  jump(ms: number): void {
    this.#now += ms
  }

  #run(timer: Pending): void {
    this.#timers.delete(timer)
    this.#moveTo(timer.due)
    timer.task()
  }

  #moveTo(monotonic: number): void {
    if (monotonic <= this.#monotonic) return
    this.#now += monotonic - this.#monotonic
    this.#monotonic = monotonic
  }

  #nextUntil(end: number): Pending | null {
    let first: Pending | null = null
    for (const timer of this.#timers) {
      if (timer.due > end) continue
      if (first === null || timer.due < first.due || (timer.due === first.due && timer.order < first.order)) first = timer
    }
    return first
  }
}

/** One turn of the event loop: everything that was ready has run. */
function settle(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
