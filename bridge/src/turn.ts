/** Something with gathered output. */
export interface Flushable {
  flush(): void
}

let waiting: Flushable[] = []

/** Runs `target.flush()` once at the end of this turn of the event loop, when the callbacks of all sockets have run. */
export function flushLater(target: Flushable): void {
  if (waiting.push(target) === 1) setImmediate(flushAll)
}

function flushAll(): void {
  const targets = waiting
  waiting = []
  for (const target of targets) target.flush()
}
