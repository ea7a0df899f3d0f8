const pageBytes = 4096

/** The bytes of a file; pages never written are zeros that take no memory. */
export class SparseBytes {
  #pages = new Map<number, Uint8Array>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get allocatedBytes(): number {
    return this.#pages.size * pageBytes
  }

  /** Bytes a write would newly take. */
  growthOf(position: number, length: number): number {
    let missing = 0
    for (let page = Math.floor(position / pageBytes); page * pageBytes < position + length; page++) {
      if (!this.#pages.has(page)) missing += pageBytes
    }
    return missing
  }

  /** How many of `length` bytes fit when at most `roomBytes` may be newly taken. */
  fitting(position: number, length: number, roomBytes: number): number {
    const end = position + length
    for (let page = Math.floor(position / pageBytes); page * pageBytes < end; page++) {
      if (this.#pages.has(page)) continue
      roomBytes -= pageBytes
      if (roomBytes < 0) return Math.max(0, page * pageBytes - position)
    }
    return length
  }

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.byteLength
    if (end > this.#size) this.#size = end
    let from = 0
    while (position < end) {
      const inside = position % pageBytes
      const count = Math.min(pageBytes - inside, end - position)
      this.#page((position - inside) / pageBytes).set(
        count === bytes.byteLength ? bytes : bytes.subarray(from, from + count),
        inside,
      )
      from += count
      position += count
    }
  }

  /** Bytes read; the rest of `target` is left alone. */
  read(target: Uint8Array, position: number): number {
    const length = Math.max(0, Math.min(target.byteLength, this.#size - position))
    let done = 0
    while (done < length) {
      const inside = (position + done) % pageBytes
      const count = Math.min(pageBytes - inside, length - done)
      const page = this.#pages.get((position + done - inside) / pageBytes)
      if (page === undefined) target.fill(0, done, done + count)
      else target.set(page.subarray(inside, inside + count), done)
      done += count
    }
    return length
  }

  resize(size: number): void {
    if (size < this.#size) {
      for (const page of this.#pages.keys()) if (page * pageBytes >= size) this.#pages.delete(page)
      if (size % pageBytes > 0) this.#pages.get(Math.floor(size / pageBytes))?.fill(0, size % pageBytes)
    }
    this.#size = size
  }

  clone(): SparseBytes {
    const copy = new SparseBytes()
    copy.#size = this.#size
    for (const [page, bytes] of this.#pages) copy.#pages.set(page, bytes.slice())
    return copy
  }

  #page(number: number): Uint8Array {
    let page = this.#pages.get(number)
    if (page === undefined) {
      page = new Uint8Array(pageBytes)
      this.#pages.set(number, page)
    }
    return page
  }
}
