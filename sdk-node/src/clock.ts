import type { Clock } from '@cometmq/cluster'

const clockWith = (keepsAlive: boolean): Clock => ({
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout(task, delayMs) {
    const timer = setTimeout(task, delayMs)
    if (!keepsAlive) timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
})

/** For a connection: a process whose connection waits for its next attempt has not finished. */
export const keepingClock = clockWith(true)
/** For what works behind it. */
export const quietClock = clockWith(false)
