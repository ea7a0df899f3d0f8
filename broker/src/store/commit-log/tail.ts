/** One piece of the newest part of the log. Records never cross its end. */
export interface Chunk {
  /** Log position of the first byte. */
  start: number
  buffer: Buffer
  view: DataView
  /** Bytes filled. */
  used: number
  /** Bytes of `used` that are in the file. */
  written: number
}

const CHUNK_BYTES = 1024 * 1024
const FREE_CHUNKS_MAX = 8

/**
 * The newest part of the log in memory: appends go to its end, write rounds take from its middle, readers that keep up read only
 * from here. Chunks are consecutive except at a file end, where the next one starts with the next file.
 */
export class Tail {
  readonly #chunks: Chunk[] = []
  readonly #free: Buffer[] = []
  readonly #bytesMax: number
  #bytes = 0
  /** The next record starts a chunk of its own: it belongs to another file than the one before. */
  #sealed = false
  /** Position after the last record (or after the jump to a new file). */
  end: number

  constructor(end: number, bytesMax: number) {
    this.end = end
    this.#bytesMax = bytesMax
  }

  /** First position that can be read from memory. */
  get start(): number {
    return this.#chunks.length === 0 ? this.end : this.#chunks[0]!.start
  }

  /** The chunk that takes `size` more bytes at `end`. Advance with `advance`. */
  room(size: number): Chunk {
    const last = this.#chunks.length === 0 ? undefined : this.#chunks[this.#chunks.length - 1]!
    if (last !== undefined && !this.#sealed && last.buffer.length - last.used >= size) return last
    return this.#add(size)
  }

  advance(chunk: Chunk, size: number): void {
    chunk.used += size
    this.end += size
  }

  /** Goes on at `position`: the start of the next file. */
  jump(position: number): void {
    this.end = position
    this.#sealed = true
  }

  #add(size: number): Chunk {
    this.#trim()
    const recycled = size <= CHUNK_BYTES ? this.#free.pop() : undefined
    const buffer = recycled ?? Buffer.allocUnsafeSlow(Math.max(size, CHUNK_BYTES))
    const chunk: Chunk = {
      start: this.end,
      buffer,
      view: new DataView(buffer.buffer, buffer.byteOffset, buffer.length),
      used: 0,
      written: 0,
    }
    this.#chunks.push(chunk)
    this.#sealed = false
    this.#bytes += buffer.length
    return chunk
  }

  /** Lets go of the oldest chunks above the limit, never of unwritten ones. Readers copy, so buffers can be used again. */
  #trim(): void {
    while (this.#bytes >= this.#bytesMax && this.#chunks.length > 1) {
      const first = this.#chunks[0]!
      if (first.written < first.used) return
      this.#chunks.shift()
      this.#bytes -= first.buffer.length
      if (first.buffer.length === CHUNK_BYTES && this.#free.length < FREE_CHUNKS_MAX) this.#free.push(first.buffer)
    }
  }

  /** Chunks with bytes that are not in a file yet, oldest first. */
  unwritten(): Chunk[] {
    const found: Chunk[] = []
    for (let i = this.#chunks.length - 1; i >= 0; i--) {
      const chunk = this.#chunks[i]!
      if (chunk.written < chunk.used) found.push(chunk)
      else if (chunk.used > 0) break
    }
    return found.reverse()
  }

  /** The chunk that holds `position`, or undefined when it is older or newer than the tail. */
  find(position: number): Chunk | undefined {
    const chunks = this.#chunks
    let low = 0
    let high = chunks.length - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      const chunk = chunks[middle]!
      if (position < chunk.start) high = middle - 1
      else if (position >= chunk.start + chunk.used) low = middle + 1
      else return chunk
    }
    return undefined
  }

  /** Forgets everything from `position` on: it could not be written. */
  rollback(position: number): void {
    while (this.#chunks.length > 0) {
      const last = this.#chunks[this.#chunks.length - 1]!
      if (last.start < position) {
        last.used = Math.min(last.used, position - last.start)
        last.written = Math.min(last.written, last.used)
        break
      }
      this.#chunks.pop()
      this.#bytes -= last.buffer.length
    }
    this.end = position
    this.#sealed = true
  }
}
