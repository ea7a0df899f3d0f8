import { positionName } from '../commit-log/log-files.ts'
import { ROW_BYTES } from './rows.ts'
import type { Shared } from './shared.ts'

/**
 * The files of one queue: `<folder>/<topic>/<queueId>/<20 digits>`, exactly full size, contiguous (spec store, 1.1). Everything is
 * counted in rows, which are queue offsets. A file is made when its first row is written; the file before it is durable by then, so
 * that a crash can only tear the newest one.
 */
export class QueueFiles {
  readonly #shared: Shared
  readonly #name: string
  /** Row where the first file starts. */
  first = 0
  /** Row where the next file will start; equals `first` while there is no file. */
  end = 0
  /** A file was removed and the folder not synced since: a crash could bring it back. */
  #removedUnsynced = false

  /** `name`: `<topic>/<queueId>`. */
  constructor(shared: Shared, name: string) {
    this.#shared = shared
    this.#name = name
  }

  get folder(): string {
    return `${this.#shared.folder}/${this.#name}`
  }

  get rowsPerFile(): number {
    return this.#shared.rowsPerFile
  }

  get isEmpty(): boolean {
    return this.first === this.end
  }

  /** First row of the file a row is in. */
  startOf(row: number): number {
    return row - (row % this.rowsPerFile)
  }

  /** First row of the next file. */
  endOf(row: number): number {
    return this.startOf(row) + this.rowsPerFile
  }

  path(start: number): string {
    return `${this.folder}/${positionName(start * ROW_BYTES)}`
  }

  /** Writes rows of one file. */
  async write(row: number, buffers: readonly Uint8Array[]): Promise<void> {
    const start = this.startOf(row)
    if (this.isEmpty) this.first = this.end = start
    while (this.end < start) await this.#make(this.end)
    if (this.end === start) await this.#make(start)
    await this.#shared.files.use(this.path(start), file => file.write(buffers, (row - start) * ROW_BYTES))
  }

  async #make(start: number): Promise<void> {
    const { disk, files, note } = this.#shared
    await note.ensure()
    if (start === this.first) await disk.makeFolder(this.folder)
    else {
      await this.sync(start - 1)
      await this.#syncFolder()
    }
    await files.use(
      this.path(start),
      async () => undefined,
      async file => {
        try {
          await file.truncate(this.#shared.fileBytes)
        } catch (error) {
          await disk.remove(this.path(start)).catch(() => undefined) // a file of another size would stop the next start
          throw error
        }
      },
    )
    this.markUnsynced()
    this.end = start + this.rowsPerFile
  }

  /** The names of files and folders are to be made durable with the next flush that syncs. */
  markUnsynced(): void {
    const { folder, unsyncedFolders } = this.#shared
    unsyncedFolders
      .add(folder)
      .add(this.folder.slice(0, this.folder.lastIndexOf('/')))
      .add(this.folder)
  }

  /** Reads rows of one file into `target`; bytes behind the end of the file are left alone. */
  read(row: number, target: Uint8Array): Promise<number> {
    const start = this.startOf(row)
    return this.#shared.files.use(this.path(start), file => file.read(target, (row - start) * ROW_BYTES))
  }

  /** Makes the file durable that holds `row`. */
  async sync(row: number): Promise<void> {
    await this.#shared.files.use(this.path(this.startOf(row)), file => file.sync())
  }

  /** Makes removals durable, if there were any. */
  async syncRemovals(): Promise<void> {
    if (this.#removedUnsynced) await this.#syncFolder()
  }

  async #syncFolder(): Promise<void> {
    await this.#shared.disk.syncFolder(this.folder)
    this.#removedUnsynced = false
  }

  /** Rows from `row` on read as never written; files behind are deleted. Nothing else may use the queue's files meanwhile. */
  async cut(row: number): Promise<void> {
    const start = this.startOf(row)
    while (this.end - this.rowsPerFile > start) await this.#removeLast()
    if (this.end <= start || this.isEmpty) return
    // The only file stays, empty, unless it starts at 0: its name keeps queue offsets from starting again.
    if (row === start && (start === 0 || start > this.first)) return this.#removeLast()
    const bytes = (row - start) * ROW_BYTES
    await this.#shared.note.ensure() // in between the file has the wrong size
    await this.#shared.files.use(this.path(start), async file => {
      await file.truncate(bytes)
      await file.truncate(this.#shared.fileBytes)
    })
  }

  async #removeLast(): Promise<void> {
    this.end -= this.rowsPerFile
    await this.#remove(this.end)
  }

  /** Never call it for the only file. */
  async removeFirst(): Promise<void> {
    const start = this.first
    this.first += this.rowsPerFile
    await this.#remove(start)
  }

  async #remove(start: number): Promise<void> {
    // One at a time: a crash must not bring back a file without those between it and the rest.
    await this.syncRemovals()
    this.#shared.files.forget(this.path(start))
    await this.#shared.disk.remove(this.path(start))
    this.#removedUnsynced = true
  }

  /** Forgets the files and deletes them. */
  async removeAll(): Promise<void> {
    this.#shared.files.forget(this.folder + '/')
    await this.#shared.disk.remove(this.folder)
    this.#removedUnsynced = false
    this.first = this.end = 0
  }
}
