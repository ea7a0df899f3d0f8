/** A queue without shifting: the head moves, and what is behind it is cut off now and then. */
export class Fifo<T> {
  #items: (T | undefined)[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  push(item: T): void {
    this.#items.push(item)
  }

  peek(): T | undefined {
    return this.#items[this.#head]
  }

  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined
    const item = this.#items[this.#head]
    this.#items[this.#head++] = undefined
    if (this.#head === this.#items.length) {
      this.#items.length = 0
      this.#head = 0
    } else if (this.#head >= 1024 && this.#head * 2 >= this.#items.length) {
      this.#items.splice(0, this.#head)
      this.#head = 0
    }
    return item
  }

  some(test: (item: T) => boolean): boolean {
    for (let index = this.#head; index < this.#items.length; index++) if (test(this.#items[index] as T)) return true
    return false
  }

  /** Takes all items out. */
  drain(): T[] {
    const items = this.#items.slice(this.#head) as T[]
    this.#items.length = 0
    this.#head = 0
    return items
  }
}
