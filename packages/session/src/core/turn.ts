/** What gathers output and lets it go at the end of an event-loop turn. */
export interface Flushable {
  flush(): void
}

/** One immediate for all sessions: everything that arrived in one turn is answered in one frame each. */
export class Turn {
  #waiting: Flushable[] = []
  #running: Flushable[] = []
  #scheduled = false
  readonly #failed: (error: unknown) => void

  constructor(failed: (error: unknown) => void) {
    this.#failed = failed
  }

  /** The caller remembers that it is waiting: nobody is added twice. */
  add(item: Flushable): void {
    this.#waiting.push(item)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#run)
  }

  readonly #run = (): void => {
    this.#scheduled = false
    const items = this.#waiting
    this.#waiting = this.#running
    for (const item of items) {
      try {
        item.flush()
      } catch (error) {
        this.#failed(error)
      }
    }
    items.length = 0
    this.#running = items
  }
}
