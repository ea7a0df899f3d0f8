/** Something with gathered output. */
export interface Flushable {
  flush(): void
}

let waiting: Flushable[] = []
let scheduled = false

/**
 * Runs `target.flush()` once at the end of this turn of the event loop, when the callbacks of all sockets and files have run. What a flush
 * gives to another target leaves in the same turn.
 */
export function flushLater(target: Flushable): void {
  waiting.push(target)
  if (scheduled) return
  scheduled = true
  setImmediate(flushAll)
}

/** Requests are gathered from messages, and bytes from requests: two rounds. */
const ROUNDS = 2

function flushAll(): void {
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const targets = waiting
      waiting = []
      for (const target of targets) target.flush()
    }
  } finally {
    scheduled = waiting.length > 0
    if (scheduled) setImmediate(flushAll)
  }
}
