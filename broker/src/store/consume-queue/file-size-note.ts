import { type Disk, readWholeFile } from '../disk.ts'

/**
 * A crash between creating a file and giving it its size leaves a file that is too short, just as one written with another
 * `mappedFileSizeConsumeQueue` would be. This note, made durable before the first file, tells the two apart: with it, a short last file
 * is what a crash left. Without it (a store written by another broker) no short file is accepted.
 */
export class FileSizeNote {
  readonly #disk: Disk
  readonly #path: string
  readonly #fileBytes: number
  #written: Promise<void> | null = null

  constructor(disk: Disk, path: string, fileBytes: number) {
    this.#disk = disk
    this.#path = path
    this.#fileBytes = fileBytes
  }

  async isThere(): Promise<boolean> {
    return (await readWholeFile(this.#disk, this.#path))?.toString() === this.#text
  }

  get #text(): string {
    return `${this.#fileBytes}\n`
  }

  /** Resolves when the note is durable; does it once. */
  ensure(): Promise<void> {
    this.#written ??= this.#write().catch((error: unknown) => {
      this.#written = null
      throw error
    })
    return this.#written
  }

  async #write(): Promise<void> {
    if (await this.isThere()) return
    const folder = this.#path.slice(0, Math.max(0, this.#path.lastIndexOf('/')))
    await this.#disk.makeFolder(folder)
    const file = await this.#disk.open(this.#path, { create: true })
    try {
      await file.truncate(0)
      await file.write([Buffer.from(this.#text)], 0)
      await file.sync()
    } finally {
      await file.close()
    }
    await this.#disk.syncFolder(folder)
  }
}
