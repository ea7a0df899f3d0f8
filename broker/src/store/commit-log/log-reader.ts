import { MAGIC_V1, MAGIC_V2, MIN_RECORD_BYTES, SysFlag } from '@cometmq/remoting'
import type { BlockCache } from './block-cache.ts'
import type { CommitLog } from './commit-log.ts'

/** Reads records by position, from the tail or from blocks of the files. */
export class LogReader {
  readonly #log: CommitLog
  readonly #blocks: BlockCache

  constructor(log: CommitLog, blocks: BlockCache) {
    this.#log = log
    this.#blocks = blocks
  }

  /** Copies a range that lies inside one file; false when it is not in memory: `load` it first. */
  copy(position: number, size: number, target: Buffer, at: number): boolean {
    const chunk = this.#log.tail.find(position)
    if (chunk === undefined) return this.#blocks.copy(position, size, target, at)
    chunk.buffer.copy(target, at, position - chunk.start, position - chunk.start + size)
    return position + size <= chunk.start + chunk.used
  }

  /** False when the range is not in the log any more. */
  async load(position: number, size: number): Promise<boolean> {
    if (position < this.#log.files.minPosition || position + size > this.#log.end) return false
    try {
      await this.#blocks.load(position, size)
      return true
    } catch {
      return false // the file was deleted meanwhile: the reader is told that the message is being removed
    }
  }

  /** A range in a buffer of its own, or null when it is not there. */
  async read(position: number, size: number): Promise<Buffer | null> {
    const target = Buffer.allocUnsafe(size)
    for (let tries = 0; tries < 3; tries++) {
      if (this.copy(position, size, target, 0)) return target
      if (this.#log.tail.find(position) === undefined && !(await this.load(position, size))) return null
    }
    return null
  }

  /** The record that starts at `position`, judged by its size field and magic; null when there is none. */
  async record(position: number): Promise<Buffer | null> {
    if (position < this.#log.files.minPosition || position + 8 > this.#log.written) return null
    const head = await this.read(position, 8)
    if (head === null) return null
    const size = head.readInt32BE(0)
    const magic = head.readInt32BE(4)
    if (size < MIN_RECORD_BYTES || position + size > this.#log.written || (magic !== MAGIC_V1 && magic !== MAGIC_V2)) return null
    return this.read(position, size)
  }

  /** Store time of the record at `position`: 0 when the log no longer has it, -1 when it cannot be read. */
  async storeTimestamp(position: number): Promise<number> {
    if (position < this.#log.files.minPosition) return 0
    const head = await this.read(position, 76)
    if (head === null) return position < this.#log.files.minPosition ? 0 : -1
    const at = (head.readInt32BE(36) & SysFlag.BORN_HOST_V6) === 0 ? 56 : 68
    return Number(head.readBigInt64BE(at))
  }
}
