interface Rows {
  view: DataView
  /** Queue offset of the first row. */
  offset: number
  count: number
}

/** Blocks of rows read from files, over all queues; the one unused for longest goes first. */
export class RowCache {
  readonly #bytesMax: number
  #bytes = 0
  /** In order of use. */
  readonly #blocks = new Map<number, Rows>()

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get(key: number): Rows | undefined {
    const rows = this.#blocks.get(key)
    if (rows === undefined) return undefined
    this.#blocks.delete(key)
    this.#blocks.set(key, rows)
    return rows
  }

  put(key: number, rows: Rows): void {
    this.#drop(key)
    this.#blocks.set(key, rows)
    this.#bytes += rows.view.byteLength
    for (const oldest of this.#blocks.keys()) {
      if (this.#bytes <= this.#bytesMax) break
      this.#drop(oldest)
    }
  }

  #drop(key: number): void {
    const rows = this.#blocks.get(key)
    if (rows === undefined) return
    this.#blocks.delete(key)
    this.#bytes -= rows.view.byteLength
  }
}
