import type { LogFiles } from './log-files.ts'

const BLOCK_BYTES = 256 * 1024
const FREE_BLOCKS_MAX = 8

interface Block {
  start: number
  bytes: Buffer
  /** Bytes that were written when the block was read; what follows reads as zeros. */
  valid: number
}

/** Blocks of the log that are no longer in the tail, oldest first out. Reads are large and sequential. */
export class BlockCache {
  readonly #files: LogFiles
  readonly #blocksMax: number
  readonly #written: () => number
  /** In order of reading. */
  readonly #blocks = new Map<number, Block>()
  readonly #free: Buffer[] = []
  readonly #loading = new Map<number, Promise<void>>()

  constructor(files: LogFiles, bytesMax: number, written: () => number) {
    this.#files = files
    this.#written = written
    this.#blocksMax = Math.max(2, Math.floor(bytesMax / BLOCK_BYTES))
  }

  #blockAt(position: number): number {
    const { fileBytes } = this.#files
    const inFile = position % fileBytes
    return position - inFile + (inFile - (inFile % BLOCK_BYTES))
  }

  /** Copies `[position, position + size)` to `target`; false when a block is not here: `load` it and try again. */
  copy(position: number, size: number, target: Buffer, at: number): boolean {
    let from = position
    const end = position + size
    while (from < end) {
      const start = this.#blockAt(from)
      const block = this.#blocks.get(start)
      if (block === undefined) return false
      const upTo = Math.min(end, start + block.valid)
      if (upTo <= from) return false
      block.bytes.copy(target, at + (from - position), from - start, upTo - start)
      from = upTo
    }
    return true
  }

  /** Reads the blocks of a range. Rejects when the file is gone. */
  async load(position: number, size: number): Promise<void> {
    for (let start = this.#blockAt(position); start < position + size; start += BLOCK_BYTES) {
      let loading = this.#loading.get(start)
      if (loading === undefined) {
        loading = this.#read(start).finally(() => this.#loading.delete(start))
        this.#loading.set(start, loading)
      }
      await loading
    }
  }

  async #read(start: number): Promise<void> {
    const file = this.#files.existing(start)
    if (file === undefined) throw new Error(`the commit log has no file for position ${start}`)
    const inFile = start % this.#files.fileBytes
    const bytes = this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES)
    const written = this.#written()
    const valid = Math.min(
      await file.read(bytes.subarray(0, Math.min(BLOCK_BYTES, this.#files.fileBytes - inFile)), inFile),
      written - start,
    )
    this.#evict(start)
    this.#blocks.set(start, { start, bytes, valid })
    while (this.#blocks.size > this.#blocksMax) this.#evict(this.#blocks.keys().next().value!)
  }

  /** Readers copy at once, so the memory of a block that goes can be filled again. */
  #evict(start: number): void {
    const block = this.#blocks.get(start)
    if (block === undefined) return
    this.#blocks.delete(start)
    if (this.#free.length < FREE_BLOCKS_MAX) this.#free.push(block.bytes)
  }

  /** Forgets blocks with bytes at or after `position`. */
  drop(position: number): void {
    for (const [start, block] of this.#blocks) if (start + block.bytes.length > position) this.#evict(start)
  }
}
