import type { Disk, DiskFile } from './disk.ts'

const FILE_BYTES = 4096
const USED_BYTES = 48

/**
 * How far which part of the store is on disk: 4,096 bytes, six int64 (spec store, 5.1 and section 14; Java: StoreCheckpoint).
 * Times are store times, epoch ms. The sixth field is RocketMQ 5.5's logicsPhysicalOffset; 5.3 leaves it alone, so it can only be
 * too low, which costs time and loses nothing.
 */
export class Checkpoint {
  /** Log is on disk up to this store time. */
  physicMsgTimestamp = 0
  /** Consume queues are on disk up to this store time. */
  logicsMsgTimestamp = 0
  indexMsgTimestamp = 0
  masterFlushedOffset = 0
  confirmPhyOffset = 0
  /** Log position up to which consume queues (and our key index) are on disk. */
  logicsPhysicalOffset = 0

  readonly #file: DiskFile
  #saving: Promise<void> = Promise.resolve()

  private constructor(file: DiskFile) {
    this.#file = file
  }

  static async open(disk: Disk, path: string): Promise<Checkpoint> {
    const file = await disk.open(path, { create: true })
    const checkpoint = new Checkpoint(file)
    const size = await file.size()
    if (size >= USED_BYTES) {
      const bytes = Buffer.alloc(USED_BYTES)
      await file.read(bytes, 0)
      const at = (index: number): number => {
        const value = Number(bytes.readBigInt64BE(index * 8))
        return Number.isSafeInteger(value) && value >= 0 ? value : 0
      }
      checkpoint.physicMsgTimestamp = at(0)
      checkpoint.logicsMsgTimestamp = at(1)
      checkpoint.indexMsgTimestamp = at(2)
      checkpoint.masterFlushedOffset = at(3)
      checkpoint.confirmPhyOffset = at(4)
      checkpoint.logicsPhysicalOffset = at(5)
    }
    if (size !== FILE_BYTES) await file.truncate(FILE_BYTES)
    return checkpoint
  }

  /** Where Java starts looking after a crash: three seconds before both times. */
  get minTimestamp(): number {
    return Math.max(0, Math.min(this.physicMsgTimestamp, this.logicsMsgTimestamp) - 3000)
  }

  save(): Promise<void> {
    this.#saving = this.#saving.catch(() => undefined).then(() => this.#write())
    return this.#saving
  }

  async #write(): Promise<void> {
    const bytes = Buffer.alloc(USED_BYTES)
    const values = [
      this.physicMsgTimestamp,
      this.logicsMsgTimestamp,
      this.indexMsgTimestamp,
      this.masterFlushedOffset,
      this.confirmPhyOffset,
      this.logicsPhysicalOffset,
    ]
    values.forEach((value, index) => bytes.writeBigInt64BE(BigInt(value), index * 8))
    await this.#file.write([bytes], 0)
    await this.#file.sync()
  }

  async close(): Promise<void> {
    await this.#saving.catch(() => undefined)
    await this.#file.close()
  }
}
