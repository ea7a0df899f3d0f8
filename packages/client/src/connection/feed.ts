/** Values for one `for await` loop. A loop that does not keep up loses the oldest. */
export class Feed<T> implements AsyncIterableIterator<T> {
  readonly #limitItems: number
  readonly #stopped: () => void
  readonly #signal: AbortSignal | undefined
  readonly #abort = (): void => this.end()
  #items: T[] = []
  #waiting: ((result: IteratorResult<T>) => void)[] = []
  #ended = false

  /** `stopped`: nobody listens any more. */
  constructor(stopped: () => void, signal?: AbortSignal, limitItems = 100) {
    this.#stopped = stopped
    this.#limitItems = limitItems
    this.#signal = signal
    if (signal?.aborted) this.end()
    else signal?.addEventListener('abort', this.#abort)
  }

  push(value: T): void {
    if (this.#ended) return
    const waiting = this.#waiting.shift()
    if (waiting) return waiting({ value, done: false })
    this.#items.push(value)
    if (this.#items.length > this.#limitItems) this.#items.shift()
  }

  /** What is there can still be read. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    for (const waiting of this.#waiting) waiting({ value: undefined, done: true })
    this.#waiting = []
    this.#signal?.removeEventListener('abort', this.#abort)
    this.#stopped()
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#items.length > 0) return Promise.resolve({ value: this.#items.shift()!, done: false })
    if (this.#ended) return Promise.resolve({ value: undefined, done: true })
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  return(): Promise<IteratorResult<T>> {
    this.#items = []
    this.end()
    return Promise.resolve({ value: undefined, done: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
