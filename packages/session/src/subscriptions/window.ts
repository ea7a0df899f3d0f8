/** What an entry counts in a window besides its body, bytes. */
export const entryOverheadBytes = 64

/**
 * A client's cumulative allowance and what was used of it. An entry may go while both counts are below their maximum: one entry may exceed
 * the byte limit, so that one larger than the whole window does not wedge it.
 */
export class Window {
  maxSeq: number
  maxBytes: number
  lastSeq = 0
  bytes = 0

  constructor(maxSeq: number, maxBytes: number) {
    this.maxSeq = maxSeq
    this.maxBytes = maxBytes
  }

  get isOpen(): boolean {
    return this.lastSeq < this.maxSeq && this.bytes < this.maxBytes
  }

  /** Limits only grow. False when nothing changed. */
  raise(maxSeq: number, maxBytes: number): boolean {
    if (maxSeq <= this.maxSeq && maxBytes <= this.maxBytes) return false
    this.maxSeq = Math.max(this.maxSeq, maxSeq)
    this.maxBytes = Math.max(this.maxBytes, maxBytes)
    return true
  }

  /** The seq of the entry. */
  take(size: number): number {
    this.bytes += size
    return ++this.lastSeq
  }

  /** The seq of the first of so many entries. */
  takeMany(count: number, bytes: number): number {
    const first = this.lastSeq + 1
    this.lastSeq += count
    this.bytes += bytes
    return first
  }
}
