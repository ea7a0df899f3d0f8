import type { QueueFiles } from './queue-files.ts'
import { noRows, ROW_BYTES, RowBlock } from './rows.ts'
import type { Shared } from './shared.ts'

/** Rows read from a file at once: 32,000 bytes. */
const BLOCK_ROWS = 1600
/** Cache keys: block number below, queue above. */
const BLOCKS_PER_QUEUE_MAX = 2 ** 30

/** Reads rows of one queue from its files, in blocks that stay in the cache all queues share. Blocks do not cross files. */
export class RowReader {
  readonly #shared: Shared
  readonly #files: QueueFiles
  /** Part of the cache keys: another one, and what is cached is forgotten. */
  #serial: number

  constructor(shared: Shared, files: QueueFiles) {
    this.#shared = shared
    this.#files = files
    this.#serial = shared.nextSerial()
  }

  /** Rows in files have changed. */
  invalidate(): void {
    this.#serial = this.#shared.nextSerial()
  }

  #blockStart(row: number): number {
    const inFile = row - this.#files.startOf(row)
    return row - (inFile % BLOCK_ROWS)
  }

  #key(blockStart: number): number {
    const { rowsPerFile } = this.#files
    const file = this.#files.startOf(blockStart)
    const number = (file / rowsPerFile) * Math.ceil(rowsPerFile / BLOCK_ROWS) + (blockStart - file) / BLOCK_ROWS
    return this.#serial * BLOCKS_PER_QUEUE_MAX + number
  }

  cached(offset: number, count: number): RowBlock | null {
    const block = this.#shared.cache.get(this.#key(this.#blockStart(offset)))
    if (block === undefined) return null
    const at = offset - block.offset
    return at < block.count ? new RowBlock(block.view, at * ROW_BYTES, offset, Math.min(count, block.count - at)) : null
  }

  /** `written`: queue offset up to which there are rows in files. None when they change meanwhile. */
  async read(offset: number, count: number, written: number): Promise<RowBlock> {
    const start = this.#blockStart(offset)
    const serial = this.#serial
    const view = await this.#readFile(start, Math.min(BLOCK_ROWS, this.#files.endOf(start) - start, written - start))
    if (serial !== this.#serial) return noRows
    const block = { view, offset: start, count: view.byteLength / ROW_BYTES }
    this.#shared.cache.put(this.#key(start), block)
    const at = offset - start
    return new RowBlock(view, at * ROW_BYTES, offset, Math.min(count, block.count - at))
  }

  /** One row; not kept in the cache. */
  async row(row: number): Promise<RowBlock> {
    return new RowBlock(await this.#readFile(row, 1), 0, row, 1)
  }

  async #readFile(row: number, rows: number): Promise<DataView> {
    const bytes = new Uint8Array(rows * ROW_BYTES)
    const length = await this.#files.read(row, bytes)
    if (length < bytes.byteLength) {
      const path = this.#files.path(this.#files.startOf(row))
      throw new Error(`${path} is shorter than it was: bring it back from a copy, or restart to build it again`)
    }
    return new DataView(bytes.buffer)
  }
}
