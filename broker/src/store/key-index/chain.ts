import type { Disk, DiskFile } from '../disk.ts'
import type { IndexFile } from './index-file.ts'
import { entriesStart, entryBytes, type Geometry, getInt64, headerBytes, slotBytes, viewOf } from './layout.ts'

const blocksMax = 8
/** Entries in one read: 4 kB for the usual short chain, 64 kB once a chain of a common key has taken many. */
const shortChainEntries = 200
const longChainEntries = 3200
const shortChainReads = 32
/** Entries one query looks at in one file; behind them the chain is cut short. */
const chainEntriesMax = 2_000_000

/** What a query looks for. Times are store times, epoch ms. */
export interface ChainQuery {
  keyHash: number
  begin: number
  end: number
  maxCount: number
}

/** Follows the chain of a key's slot and adds the positions of matching entries to `found` (spec store, section 4). */
export async function followChain(
  disk: Disk,
  file: IndexFile,
  geometry: Geometry,
  query: ChainQuery,
  found: Set<number>,
): Promise<void> {
  if (file.count <= 1) return
  const reader = new EntryReader(disk, file, geometry)
  try {
    const { beginTimestamp, count } = file
    let index = await reader.newest(query.keyHash % geometry.slots)
    for (let steps = 0; index > 0 && index < count && steps < chainEntriesMax && found.size < query.maxCount; steps++) {
      if (!reader.tryMemory(index)) await reader.readDisk(index)
      if (reader.seconds < 0) return
      const time = beginTimestamp + reader.seconds * 1000
      if (reader.keyHash === query.keyHash && time >= query.begin && time <= query.end) found.add(reader.phy)
      if (time < query.begin || reader.previous === index) return
      index = reader.previous
    }
  } finally {
    await reader.close()
  }
}

/** Reads entries from the tail in memory or, block by block, from disk. The last one read stands in the fields. */
class EntryReader {
  keyHash = 0
  phy = 0
  seconds = 0
  previous = 0
  readonly #disk: Disk
  readonly #file: IndexFile
  readonly #geometry: Geometry
  readonly #blocks = new Map<number, DataView>()
  #blockEntries = shortChainEntries
  #reads = 0
  #handle: DiskFile | null = null

  constructor(disk: Disk, file: IndexFile, geometry: Geometry) {
    this.#disk = disk
    this.#file = file
    this.#geometry = geometry
  }

  async newest(slot: number): Promise<number> {
    const { slots } = this.#file
    if (slots !== null) return slots.newest(slot)
    const bytes = new Uint8Array(slotBytes)
    await (await this.#open()).read(bytes, headerBytes + slot * slotBytes)
    return viewOf(bytes).getInt32(0)
  }

  tryMemory(index: number): boolean {
    const { tail } = this.#file
    if (!tail.holds(index)) return false
    this.#take(tail.viewOf(index), tail.positionOf(index))
    return true
  }

  async readDisk(index: number): Promise<void> {
    if (this.#reads === shortChainReads && this.#blockEntries === shortChainEntries) {
      this.#blockEntries = longChainEntries
      this.#blocks.clear()
    }
    const number = Math.floor(index / this.#blockEntries)
    let block = this.#blocks.get(number)
    if (block === undefined) {
      block = await this.#readBlock(number)
      // Oldest first out: a chain only goes back.
      if (this.#blocks.size === blocksMax) this.#blocks.delete(this.#blocks.keys().next().value!)
      this.#blocks.set(number, block)
    }
    this.#take(block, (index % this.#blockEntries) * entryBytes)
  }

  async close(): Promise<void> {
    await this.#handle?.close()
  }

  async #readBlock(number: number): Promise<DataView> {
    this.#reads++
    const bytes = new Uint8Array(this.#blockEntries * entryBytes)
    const position = entriesStart(this.#geometry) + number * bytes.length
    await (await this.#open()).read(bytes, position)
    return viewOf(bytes)
  }

  #take(view: DataView, at: number): void {
    this.keyHash = view.getInt32(at)
    this.phy = getInt64(view, at + 4)
    this.seconds = view.getInt32(at + 12)
    this.previous = view.getInt32(at + 16)
  }

  /** A handle of its own, so that the index may give up or remove the file meanwhile. */
  async #open(): Promise<DiskFile> {
    this.#handle ??= await this.#disk.open(this.#file.path, { create: false })
    return this.#handle
  }
}
