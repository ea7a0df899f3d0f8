import type { Disk, DiskFile } from '../disk.ts'
import { EntryTail } from './entry-tail.ts'
import { encodeHeader, entriesStart, entryBytes, fileBytes, headerBytes, secondsSince } from './layout.ts'
import type { Geometry, Header } from './layout.ts'
import type { SlotTable } from './slot-table.ts'

/** Most entries in one write; 1.25 MiB. */
const writeEntriesMax = 65_536

// Times and positions live in one Float64Array: a put allocates no heap number.
const beginTimestamp = 0
const endTimestamp = 1
const beginPhy = 2
const endPhy = 3

/** One index file. While it is not full and written its slots are in memory, and so are the entries that are not on disk. */
export class IndexFile {
  readonly name: string
  readonly path: string
  /** Null when everything is on disk and nothing will be added. */
  slots: SlotTable | null
  tail: EntryTail
  /** Number of the next entry. */
  count: number
  readonly #geometry: Geometry
  readonly #state: Float64Array
  readonly #disk: Disk
  #handle: DiskFile | null = null
  #writtenCount: number
  #slotsWritten: boolean
  #headerWritten: boolean
  #synced: boolean

  /** `slots`: the table of a file that can still grow. `onDisk`: entries and header stand there already. */
  constructor(disk: Disk, path: string, geometry: Geometry, start: { header: Header; slots: SlotTable | null; onDisk: boolean }) {
    const { header, slots, onDisk } = start
    this.path = path
    this.name = path.slice(path.lastIndexOf('/') + 1)
    this.#disk = disk
    this.#geometry = geometry
    this.#state = Float64Array.of(header.beginTimestamp, header.endTimestamp, header.beginPhy, header.endPhy)
    this.count = header.count
    this.slots = slots
    this.tail = new EntryTail(header.count)
    this.#writtenCount = onDisk ? header.count : 1
    this.#slotsWritten = slots === null || !slots.isDirty
    // A table that is not on disk was made from the entries after a crash: the header may be a stale one.
    this.#headerWritten = onDisk && this.#slotsWritten
    this.#synced = this.#headerWritten
  }

  get beginTimestamp(): number {
    return this.#state[beginTimestamp]!
  }

  get endTimestamp(): number {
    return this.#state[endTimestamp]!
  }

  get beginPhy(): number {
    return this.#state[beginPhy]!
  }

  get endPhy(): number {
    return this.#state[endPhy]!
  }

  get isFull(): boolean {
    return this.count >= this.#geometry.entries
  }

  get unwrittenEntries(): number {
    return this.count - this.#writtenCount
  }

  /** Everything is on disk and synced, slots too: any reader finds all keys. */
  get isComplete(): boolean {
    return this.slots === null || (this.#slotsWritten && this.#synced && this.unwrittenEntries === 0)
  }

  /** Adds an entry to a file that is not full. */
  put(keyHash: number, phy: number, timestamp: number): void {
    const state = this.#state
    const index = this.count
    if (index <= 1) {
      // Java counts the seconds of a file's first entry from the end of the previous file, which dates it too late; here they are 0.
      state[beginTimestamp] = timestamp
      state[beginPhy] = phy
    }
    const previous = this.slots!.exchange(keyHash % this.#geometry.slots, index)
    this.tail.append(keyHash, phy, secondsSince(state[beginTimestamp]!, timestamp), previous)
    this.count = index + 1
    if (index <= 1 || timestamp > state[endTimestamp]!) state[endTimestamp] = timestamp
    state[endPhy] = phy
  }

  header(): Header {
    const [begin, end, first, last] = this.#state as unknown as [number, number, number, number]
    return {
      beginTimestamp: begin,
      endTimestamp: end,
      beginPhy: first,
      endPhy: last,
      usedSlots: this.slots?.used ?? 0,
      count: this.count,
    }
  }

  /**
   * Writes entries and header as they are now; the slot table only when asked or when the file is full, for it can be made from the entries
   * again and a busy one changes everywhere. A full file is synced and its memory given up.
   */
  async write(options: { sync: boolean; slots: boolean }): Promise<void> {
    const { slots } = this
    if (slots === null) return
    const full = this.isFull
    const withSlots = full || options.slots
    const header = this.header()
    if (header.count > this.#writtenCount || !this.#headerWritten || (withSlots && !this.#slotsWritten)) {
      this.#synced = false
      const file = await this.#open()
      await this.#writeEntries(file, header.count)
      if (withSlots) await slots.write(file, headerBytes)
      await file.write([encodeHeader(header)], 0)
      this.#writtenCount = header.count
      this.#headerWritten = true
      this.#slotsWritten = withSlots
      this.tail.release(header.count)
    }
    if ((options.sync || full) && !this.#synced) {
      await (await this.#open()).sync()
      // More may have been written meanwhile only by this method, and its calls do not overlap.
      this.#synced = true
    }
    if (full) await this.#retire()
  }

  async close(): Promise<void> {
    const handle = this.#handle
    this.#handle = null
    await handle?.close()
  }

  async #retire(): Promise<void> {
    this.slots = null
    await this.close()
  }

  async #writeEntries(file: DiskFile, to: number): Promise<void> {
    const start = entriesStart(this.#geometry)
    for (let from = this.#writtenCount; from < to;) {
      const end = Math.min(to, from + writeEntriesMax)
      await file.write(this.tail.bytes(from, end), start + from * entryBytes)
      from = end
    }
  }

  /** The handle; the file is made, sparse and at its full size, when it is missing. */
  async #open(): Promise<DiskFile> {
    if (this.#handle !== null) return this.#handle
    const file = await this.#disk.open(this.path, { create: true })
    this.#handle = file
    const size = fileBytes(this.#geometry)
    if ((await file.size()) !== size) {
      await file.truncate(size)
      await this.#disk.syncFolder(this.path.slice(0, this.path.lastIndexOf('/')))
    }
    return file
  }
}
