import type { Disk, DiskFile } from '../disk.ts'

interface Entry {
  opening: Promise<DiskFile>
  users: number
  /** Closed when the last user is done. */
  leaving: boolean
  closed: Promise<void> | null
}

/** Open files, at most `openFilesMax` that nobody uses at the moment; the one unused for longest is closed first. */
export class OpenFiles {
  readonly #disk: Disk
  readonly #openFilesMax: number
  /** In order of use. */
  readonly #entries = new Map<string, Entry>()
  readonly #closing = new Set<Promise<void>>()

  constructor(disk: Disk, openFilesMax: number) {
    this.#disk = disk
    this.#openFilesMax = openFilesMax
  }

  /** Runs `task` on an open file. `prepare` is for a file that may have to be made: it is created, prepared once, then used. */
  async use<T>(path: string, task: (file: DiskFile) => Promise<T>, prepare?: (file: DiskFile) => Promise<void>): Promise<T> {
    const entry = this.#take(path, prepare)
    entry.users++
    try {
      return await task(await entry.opening)
    } finally {
      entry.users--
      if (entry.leaving && entry.users === 0) this.#close(entry)
      this.#evict()
    }
  }

  #take(path: string, prepare?: (file: DiskFile) => Promise<void>): Entry {
    let entry = this.#entries.get(path)
    if (entry !== undefined) {
      this.#entries.delete(path)
      this.#entries.set(path, entry)
      return entry
    }
    const made: Entry = { opening: this.#open(path, prepare), users: 0, leaving: false, closed: null }
    entry = made
    this.#entries.set(path, entry)
    entry.opening.catch(() => {
      if (this.#entries.get(path) === made) this.#entries.delete(path)
    })
    return entry
  }

  async #open(path: string, prepare?: (file: DiskFile) => Promise<void>): Promise<DiskFile> {
    const file = await this.#disk.open(path, { create: prepare !== undefined })
    if (prepare === undefined) return file
    try {
      await prepare(file)
      return file
    } catch (error) {
      await file.close().catch(() => undefined)
      throw error
    }
  }

  #evict(): void {
    if (this.#entries.size <= this.#openFilesMax) return
    for (const [path, entry] of this.#entries) {
      if (entry.users > 0) continue
      this.#entries.delete(path)
      this.#close(entry)
      if (this.#entries.size <= this.#openFilesMax) return
    }
  }

  /** What was written stays written: an error of close says nothing about it. */
  #close(entry: Entry): void {
    if (entry.closed !== null) return
    const closed = entry.opening.then(file => file.close()).catch(() => undefined)
    entry.closed = closed
    this.#closing.add(closed)
    void closed.then(() => this.#closing.delete(closed))
  }

  /** Forgets a file, and all files in a folder when `path` ends with a slash: they are closed as soon as nobody uses them. */
  forget(path: string): void {
    if (path.endsWith('/')) {
      for (const [each, entry] of this.#entries) if (each.startsWith(path)) this.#leave(each, entry)
      return
    }
    const entry = this.#entries.get(path)
    if (entry !== undefined) this.#leave(path, entry)
  }

  #leave(path: string, entry: Entry): void {
    this.#entries.delete(path)
    entry.leaving = true
    if (entry.users === 0) this.#close(entry)
  }

  async close(): Promise<void> {
    for (const [path, entry] of this.#entries) this.#leave(path, entry)
    await Promise.all(this.#closing)
  }
}
