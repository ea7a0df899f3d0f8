/** Where every part of the project gets its time from, so that tests can fake it. */
export interface Clock {
  /** Wall clock, epoch milliseconds. May jump in either direction. */
  now(): number
  /** Milliseconds since an arbitrary start; never goes back. Use it for durations and deadlines. */
  monotonic(): number
  /** Runs `task` once after `delayMs`. The timer never keeps the process alive by itself. */
  setTimeout(task: () => void, delayMs: number): Timer
}

export interface Timer {
  cancel(): void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout(task, delayMs) {
    const handle = setTimeout(task, delayMs)
    handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
}
