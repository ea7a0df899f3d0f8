import { type SendItem, type SendSink } from '../streaming.ts'

/** Counts what was submitted between two calls of `flush`. */
export class Generation {
  pending = 0
  readonly waiting: (() => void)[] = []
}

/** One `submit`: whom to tell. */
export class Ticket {
  readonly sink: SendSink
  readonly generation: Generation
  /** Monotonic ms. */
  readonly submittedAt: number
  constructor(sink: SendSink, generation: Generation, submittedAt: number) {
    this.sink = sink
    this.generation = generation
    this.submittedAt = submittedAt
  }
}

/** Bytes of an item in a batch besides body and properties (spec remoting 5.3). */
export const itemOverheadBytes = 22

/** What an item takes of the limits. Properties are mostly ASCII. */
export const itemBytes = (item: SendItem): number => itemOverheadBytes + item.body.length + item.properties.length

/** Items that travel together: a row across the parallel arrays is one item. */
export class Rows {
  items: SendItem[] = []
  tickets: Ticket[] = []
  /** Place of the item in the array that was submitted. */
  indexes: number[] = []

  get length(): number {
    return this.items.length
  }

  push(item: SendItem, ticket: Ticket, index: number): void {
    this.items.push(item)
    this.tickets.push(ticket)
    this.indexes.push(index)
  }
}

/** Items that wait to be sent, first in, first out. */
export class WaitingRows extends Rows {
  /** Size of the all-or-nothing request that begins at this row; 0: none does. */
  runs: number[] = []
  #head = 0

  get waiting(): number {
    return this.items.length - this.#head
  }

  add(item: SendItem, ticket: Ticket, index: number, run: number): void {
    this.push(item, ticket, index)
    this.runs.push(run)
  }

  /** The item that goes next; only when there is one. */
  get first(): SendItem {
    return this.items[this.#head]!
  }
  /** Size of the all-or-nothing request that goes next; 0: none does. */
  get firstRun(): number {
    return this.runs[this.#head]!
  }

  /** How many of the first rows fit one batch. */
  fitting(maxItems: number, maxBytes: number): number {
    const { items, runs } = this
    const from = this.#head
    const end = Math.min(items.length, from + maxItems)
    let bytes = 0
    for (let at = from; at < end; at++) {
      const item = items[at]!
      bytes += itemBytes(item)
      if (at > from && (bytes > maxBytes || item.alone || runs[at] !== 0)) return at - from
    }
    return end - from
  }

  take(count: number): Rows {
    const rows = new Rows()
    const from = this.#head
    const end = from + count
    if (from === 0 && end === this.items.length) {
      rows.items = this.items
      rows.tickets = this.tickets
      rows.indexes = this.indexes
      this.#clear()
      return rows
    }
    rows.items = this.items.slice(from, end)
    rows.tickets = this.tickets.slice(from, end)
    rows.indexes = this.indexes.slice(from, end)
    this.#head = end
    if (end === this.items.length) this.#clear()
    else if (end > 4_096 && end * 2 > this.items.length) this.#compact()
    return rows
  }

  #clear(): void {
    this.items = []
    this.tickets = []
    this.indexes = []
    this.runs = []
    this.#head = 0
  }

  #compact(): void {
    this.items = this.items.slice(this.#head)
    this.tickets = this.tickets.slice(this.#head)
    this.indexes = this.indexes.slice(this.#head)
    this.runs = this.runs.slice(this.#head)
    this.#head = 0
  }
}
