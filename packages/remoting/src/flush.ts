/** Something with gathered output. */
export interface Flushable {
  flush(): void
}

let waiting: Flushable[] = []
let scheduled = false

/** Runs `target.flush()` once at the end of this turn of the event loop, when the callbacks of all sockets and files have run. */
export function flushLater(target: Flushable): void {
  waiting.push(target)
  if (scheduled) return
  scheduled = true
  setImmediate(flushAll)
}

function flushAll(): void {
  const targets = waiting
  waiting = []
  scheduled = false
  for (const target of targets) target.flush()
}
