import { onAbort } from '../signals.ts'

/** Values for one `for await` loop. A loop that does not keep up loses the oldest. */
export class Feed<T> implements AsyncIterableIterator<T> {
  readonly #limitItems: number
  readonly #feeds: Set<Feed<T>>
  readonly #unhook: (() => void) | undefined
  #items: T[] = []
  #waiting: ((result: IteratorResult<T>) => void)[] = []
  #ended = false

  /** `feeds`: it is in there as long as somebody listens. */
  constructor(feeds: Set<Feed<T>>, signal?: AbortSignal, limitItems = 100) {
    this.#feeds = feeds.add(this)
    this.#limitItems = limitItems
    this.#unhook = onAbort(signal, () => this.end())
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
    this.#unhook?.()
    this.#feeds.delete(this)
  }

  next(): Promise<IteratorResult<T>> {
    return new Promise(resolve => {
      if (this.#items.length > 0) resolve({ value: this.#items.shift()!, done: false })
      else if (this.#ended) resolve({ value: undefined, done: true })
      else this.#waiting.push(resolve)
    })
  }

  return(): Promise<IteratorResult<T>> {
    this.#items = []
    this.end()
    return this.next()
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
