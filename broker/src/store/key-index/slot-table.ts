import type { DiskFile } from '../disk.ts'
import { slotBytes } from './layout.ts'

const pageBytes = 4096
const pageSlots = pageBytes / slotBytes
/** Slots in one write or read; 256 KiB. */
const blockSlots = 65_536

/** The newest entry of each slot, 0 for none. Memory that was never touched is never really taken. */
export class SlotTable {
  readonly #newest: Int32Array
  readonly #dirty: Uint8Array
  /** Slots that are not 0. */
  used = 0
  /** Header and slots are not aligned to each other: page n here begins n·4096 bytes after the header. */
  #dirtyPages = 0

  constructor(slots: number) {
    this.#newest = new Int32Array(slots)
    this.#dirty = new Uint8Array(Math.ceil(slots / pageSlots))
  }

  get isDirty(): boolean {
    return this.#dirtyPages > 0
  }

  newest(slot: number): number {
    return this.#newest[slot]!
  }

  /** Makes `entry` the newest of a slot and returns the one before; 0 for none or one that cannot be. */
  exchange(slot: number, entry: number): number {
    const newest = this.#newest
    let previous = newest[slot]!
    if (previous === 0) this.used++
    if (previous >= entry || previous < 0) previous = 0
    newest[slot] = entry
    const page = slot >>> 10
    if (this.#dirty[page] === 0) {
      this.#dirty[page] = 1
      this.#dirtyPages++
    }
    return previous
  }

  /** Writes changed pages, neighbours together. */
  async write(file: DiskFile, start: number): Promise<void> {
    const pages = this.#dirty.length
    for (let page = 0; page < pages && this.#dirtyPages > 0;) {
      if (this.#dirty[page] === 0) {
        page++
        continue
      }
      let end = page
      while (end < pages && this.#dirty[end] === 1 && end - page < blockSlots / pageSlots) end++
      await this.#writePages(file, start, page, end)
      page = end
    }
  }

  /** Fills an empty table from a file. */
  async read(file: DiskFile, start: number): Promise<void> {
    const block = Buffer.allocUnsafeSlow(Math.min(blockSlots, this.#newest.length) * slotBytes)
    for (let first = 0; first < this.#newest.length; first += blockSlots) {
      const count = Math.min(blockSlots, this.#newest.length - first)
      const bytes = block.subarray(0, count * slotBytes)
      if ((await file.read(bytes, start + first * slotBytes)) !== bytes.length)
        throw new Error(`${file.path} ends within its hash slots`)
      bytes.swap32()
      const values = new Int32Array(bytes.buffer, bytes.byteOffset, count)
      for (let index = 0; index < count; index++) {
        const value = values[index]!
        if (value === 0) continue
        this.#newest[first + index] = value
        this.used++
      }
    }
  }

  async #writePages(file: DiskFile, start: number, from: number, to: number): Promise<void> {
    const first = from * pageSlots
    const values = this.#newest.slice(first, Math.min(to * pageSlots, this.#newest.length))
    this.#dirty.fill(0, from, to)
    this.#dirtyPages -= to - from
    try {
      await file.write([Buffer.from(values.buffer).swap32()], start + first * slotBytes)
    } catch (error) {
      for (let page = from; page < to; page++) {
        if (this.#dirty[page] === 0) this.#dirtyPages++
        this.#dirty[page] = 1
      }
      throw error
    }
  }
}
