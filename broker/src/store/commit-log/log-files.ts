import { type Disk, type DiskFile } from '../disk.ts'

/** 20 digits: the position of a file's first byte (spec store, 1.1). */
export const positionName = (position: number): string => String(position).padStart(20, '0')

/** A store that cannot be opened as it is. The message says what is wrong, where, and what to do. */
export class StoreDamagedError extends Error {
  override readonly name = 'StoreDamagedError'
}

/** Another process has the store open. */
export class StoreInUseError extends Error {
  override readonly name = 'StoreInUseError'
}

interface LogFile {
  start: number
  file: DiskFile
  modifiedAt: number
}

/** The fixed-size files of the commit log. Opens, creates ahead of need, deletes; knows nothing of records. */
export class LogFiles {
  readonly #disk: Disk
  readonly #folder: string
  readonly fileBytes: number
  readonly #syncEachWrite: boolean
  readonly #files: LogFile[] = []
  readonly #creating = new Map<number, Promise<LogFile>>()

  private constructor(disk: Disk, folder: string, fileBytes: number, syncEachWrite: boolean) {
    this.#disk = disk
    this.#folder = folder
    this.fileBytes = fileBytes
    this.#syncEachWrite = syncEachWrite
  }

  /** Checks names, sizes and gaps of what is there (the exact size rule of spec store 1.1) before anything is believed. */
  static async load(disk: Disk, folder: string, fileBytes: number, syncEachWrite: boolean): Promise<LogFiles> {
    const files = new LogFiles(disk, folder, fileBytes, syncEachWrite)
    await disk.makeFolder(folder)
    const entries = (await disk.list(folder)).filter(entry => entry.isFile)
    const last = entries[entries.length - 1]
    if (last !== undefined && last.size === 0) {
      await disk.remove(`${folder}/${last.name}`)
      entries.pop()
    }
    let expected = -1
    for (const entry of entries) {
      const path = `${folder}/${entry.name}`
      if (!/^\d{20}$/.test(entry.name)) {
        throw new StoreDamagedError(`${path} does not belong into the commit log folder: move it elsewhere and start again`)
      }
      if (entry.size !== fileBytes) {
        throw new StoreDamagedError(
          `${path} has ${entry.size} bytes, expected ${fileBytes} (mappedFileSizeCommitLog): ` +
            'start with the size this data was written with, or bring the file back from a copy',
        )
      }
      const start = Number(entry.name)
      if (expected !== -1 && start !== expected) {
        throw new StoreDamagedError(
          `the commit log has a gap: ${folder}/${positionName(expected)} is missing. Bring it back from a copy; ` +
            `to go on without it and everything older, move the files before ${entry.name} out of the folder`,
        )
      }
      expected = start + fileBytes
      files.#files.push({ start, file: await disk.open(path, { create: false, syncEachWrite }), modifiedAt: entry.modifiedAt })
    }
    return files
  }

  get count(): number {
    return this.#files.length
  }

  get minPosition(): number {
    return this.#files.length === 0 ? 0 : this.#files[0]!.start
  }

  /** Position after the newest file. */
  get endPosition(): number {
    return this.#files.length === 0 ? 0 : this.#files[this.#files.length - 1]!.start + this.fileBytes
  }

  starts(): number[] {
    return this.#files.map(file => file.start)
  }

  has(position: number): boolean {
    return this.#find(position) !== undefined
  }

  /** The file of a position that exists. */
  existing(position: number): DiskFile | undefined {
    return this.#find(position)?.file
  }

  /** The file of a position; created when it is the next one. Starts making its successor in the background. */
  async forWriting(position: number): Promise<DiskFile> {
    const start = position - (position % this.fileBytes)
    const found = this.#find(position) ?? (await this.#create(start))
    if (position - start > this.fileBytes / 2) this.#create(start + this.fileBytes).catch(() => undefined) // tried again when needed
    return found.file
  }

  #find(position: number): LogFile | undefined {
    const first = this.#files[0]
    if (first === undefined || position < first.start) return undefined
    return this.#files[Math.floor((position - first.start) / this.fileBytes)]
  }

  #create(start: number): Promise<LogFile> {
    const existing = this.#find(start)
    if (existing !== undefined) return Promise.resolve(existing)
    const running = this.#creating.get(start)
    if (running !== undefined) return running
    const made = this.#make(start).finally(() => this.#creating.delete(start))
    this.#creating.set(start, made)
    return made
  }

  async #make(start: number): Promise<LogFile> {
    const file = await this.#disk.open(`${this.#folder}/${positionName(start)}`, {
      create: true,
      syncEachWrite: this.#syncEachWrite,
    })
    try {
      await file.truncate(this.fileBytes)
      await file.sync()
      await this.#disk.syncFolder(this.#folder)
    } catch (error) {
      await file.close().catch(() => undefined)
      throw error
    }
    const made: LogFile = { start, file, modifiedAt: 0 }
    this.#files.push(made)
    return made
  }

  /** Zeroes everything from `position` to the end of its file and deletes the files behind it. */
  async cut(position: number): Promise<void> {
    await Promise.allSettled([...this.#creating.values()])
    while (this.#files.length > 0 && this.#files[this.#files.length - 1]!.start > position) await this.#dropLast()
    const last = this.#files[this.#files.length - 1]
    if (last === undefined || position >= last.start + this.fileBytes) return
    await last.file.truncate(position - last.start)
    await last.file.truncate(this.fileBytes)
    await last.file.sync()
  }

  async #dropLast(): Promise<void> {
    const last = this.#files.pop()!
    await last.file.close()
    await this.#disk.remove(last.file.path)
  }

  /** Files with the time of their last change, for retention. */
  async list(): Promise<{ start: number; bytes: number; modifiedAt: number }[]> {
    const listed = []
    for (const { start, file } of this.#files) {
      const entry = await this.#disk.stat(file.path)
      listed.push({ start, bytes: this.fileBytes, modifiedAt: entry?.modifiedAt ?? 0 })
    }
    return listed
  }

  /** Deletes the oldest file if it starts at `start` and is not the only one. */
  async removeFirst(start: number): Promise<boolean> {
    const first = this.#files[0]
    if (first === undefined || first.start !== start || this.#files.length < 2) return false
    this.#files.shift()
    await first.file.close()
    await this.#disk.remove(first.file.path)
    return true
  }

  /** Removes files made ahead that lie wholly behind `position`. */
  async removeSpare(position: number): Promise<void> {
    await Promise.allSettled([...this.#creating.values()])
    while (this.#files.length > 1 && this.#files[this.#files.length - 1]!.start >= position) await this.#dropLast()
  }

  async syncAll(from: number): Promise<void> {
    for (const { start, file } of this.#files) if (start + this.fileBytes > from) await file.sync()
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#creating.values()])
    for (const { file } of this.#files) await file.close()
    this.#files.length = 0
  }
}
