import type { LogFiles } from './log-files.ts'

const BLOCK_BYTES = 256 * 1024

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
    const bytes = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, this.#files.fileBytes - inFile))
    const written = this.#written()
    const valid = Math.min(await file.read(bytes, inFile), written - start)
    this.#blocks.delete(start)
    this.#blocks.set(start, { start, bytes, valid })
    while (this.#blocks.size > this.#blocksMax) this.#blocks.delete(this.#blocks.keys().next().value!)
  }

  /** Forgets blocks with bytes at or after `position`. */
  drop(position: number): void {
    for (const [start, block] of this.#blocks) if (start + block.bytes.length > position) this.#blocks.delete(start)
  }
}
