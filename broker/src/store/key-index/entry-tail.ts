import { entryBytes, setInt64 } from './layout.ts'

const chunkShift = 12
const chunkEntries = 1 << chunkShift

/** Entries that are not on disk yet, in the bytes of the file. Chunk n holds the entries n·4096 to n·4096+4095. */
export class EntryTail {
  /** Entries from here on are in memory. */
  #from: number
  /** Number of the next entry. */
  #next: number
  #firstChunk: number
  #chunks: DataView[] = []
  #last: DataView | null = null
  #spare: DataView | null = null

  constructor(next: number) {
    this.#from = next
    this.#next = next
    this.#firstChunk = next >> chunkShift
  }

  holds(index: number): boolean {
    return index >= this.#from && index < this.#next
  }

  append(hash: number, phy: number, seconds: number, previous: number): void {
    const inside = this.#next & (chunkEntries - 1)
    let view = this.#last
    if (view === null || inside === 0) view = this.#addChunk()
    const at = inside * entryBytes
    view.setInt32(at, hash)
    setInt64(view, at + 4, phy)
    view.setInt32(at + 12, seconds)
    view.setInt32(at + 16, previous)
    this.#next++
  }

  /** The view and the position in it of an entry that is held. */
  viewOf(index: number): DataView {
    return this.#chunks[(index >> chunkShift) - this.#firstChunk]!
  }

  positionOf(index: number): number {
    return (index & (chunkEntries - 1)) * entryBytes
  }

  /** The bytes of entries `from` to `to`, exclusive. */
  bytes(from: number, to: number): Uint8Array[] {
    const parts: Uint8Array[] = []
    while (from < to) {
      const inside = from & (chunkEntries - 1)
      const count = Math.min(chunkEntries - inside, to - from)
      const view = this.viewOf(from)
      parts.push(new Uint8Array(view.buffer, view.byteOffset + inside * entryBytes, count * entryBytes))
      from += count
    }
    return parts
  }

  /** Entries before `written` are on disk: whole chunks of them are given up. */
  release(written: number): void {
    while (this.#chunks.length > 0 && (this.#firstChunk + 1) << chunkShift <= written) {
      const chunk = this.#chunks.shift()!
      if (chunk === this.#last) this.#last = null
      this.#spare ??= chunk
      this.#firstChunk++
      this.#from = Math.max(this.#from, this.#firstChunk << chunkShift)
    }
    if (this.#chunks.length === 0) this.#firstChunk = this.#next >> chunkShift
  }

  #addChunk(): DataView {
    const chunk = this.#spare ?? new DataView(new ArrayBuffer(chunkEntries * entryBytes))
    this.#spare = null
    this.#chunks.push(chunk)
    this.#last = chunk
    return chunk
  }
}
