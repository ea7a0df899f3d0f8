import type { Clock, Logger } from '@cometmq/remoting'
import type { Disk } from '../disk.ts'
import { followChain } from './chain.ts'
import { IndexFile } from './index-file.ts'
import { continueHash, entryBytes, fileName, type Geometry, type Header, keyHashOf } from './layout.ts'
import { loadFiles } from './load.ts'
import { SlotTable } from './slot-table.ts'

export { KeyIndexError } from './load.ts'

export interface KeyIndexOptions {
  disk: Disk
  folder: string
  /** Names new files. */
  clock: Clock
  logger: Logger
  /** maxHashSlotNum. */
  slots: number
  /** maxIndexNum: a file holds one entry fewer. */
  entries: number
  /** The last exit was clean. */
  clean: boolean
  /** After an unclean exit: log position up to which the index is known to be on disk; what follows is dropped and has to be dispatched again. */
  trustedPosition: number
}

/** Hits one query gives at most (Java: maxMsgsNumBatch). */
export const queryHitsMax = 64

/**
 * Finds messages by key, over RocketMQ's index files (spec store, section 4; Java: IndexService). The newest file's slots and what is not written yet
 * are in memory; older files are only read from disk. `put` only adds to memory: the owner calls `flush`, and looks at `unwrittenBytes` to do it in time.
 */
export class KeyIndex {
  /** Log position from which trusted messages may lack entries: found after an unclean exit, dispatch again from there. Null: none lack any. */
  readonly missingFrom: number | null
  readonly #disk: Disk
  readonly #folder: string
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #geometry: Geometry
  /** Oldest first. */
  #files: IndexFile[]
  #newest: IndexFile | null
  #endPhy: number
  /** Flush, expire, truncate and close, one after the other. */
  #work: Promise<unknown> = Promise.resolve()

  private constructor(options: KeyIndexOptions, geometry: Geometry, files: IndexFile[], missingFrom: number | null) {
    this.#disk = options.disk
    this.#folder = options.folder
    this.#clock = options.clock
    this.#logger = options.logger
    this.#geometry = geometry
    this.#files = files
    this.#newest = files.at(-1) ?? null
    this.#endPhy = this.#newest?.endPhy ?? 0
    this.missingFrom = missingFrom
  }

  /** Rejects with KeyIndexError when the files do not fit the configuration, or are broken after a clean exit. */
  static async open(options: KeyIndexOptions): Promise<KeyIndex> {
    const { disk, folder, logger, clean, trustedPosition, slots, entries } = options
    if (!(slots > 0 && entries > 1 && Number.isInteger(slots) && Number.isInteger(entries) && entries < 2 ** 31)) {
      throw new RangeError(`maxHashSlotNum=${slots} must be at least 1 and maxIndexNum=${entries} at least 2`)
    }
    await disk.makeFolder(folder)
    const geometry = { slots, entries }
    const { files, missingFrom } = await loadFiles({ disk, folder, geometry, logger, clean, trustedPosition })
    return new KeyIndex(options, geometry, files, missingFrom)
  }

  /** Position of the newest message that has an entry; messages before it are not taken again. 0 when empty. */
  get endPhy(): number {
    return this.#endPhy
  }

  /** Store time of that message, epoch ms; 0 when empty. */
  get lastTimestamp(): number {
    return this.#newest?.endTimestamp ?? 0
  }

  /**
   * Store time up to which the files on disk are complete, with slots: the value for the checkpoint's indexMsgTimestamp. A Java broker keeps a file
   * that ends before it and uses its slots as they are. Slots are written when a file is full and by `close`, so this lags behind. 0: none are.
   */
  get completeTimestamp(): number {
    return this.#files.findLast(file => file.isComplete)?.endTimestamp ?? 0
  }

  get fileCount(): number {
    return this.#files.length
  }

  /** Entries that only memory holds. */
  get unwrittenBytes(): number {
    let entries = 0
    for (const file of this.#files) entries += file.unwrittenEntries
    return entries * entryBytes
  }

  /**
   * Adds one key of the message at `phy`. `prefixHash`: Java hash of `topic#`. Messages come in log order; one before `endPhy` is skipped, as it was
   * added before.
   */
  put(prefixHash: number, key: string, phy: number, storeTimestamp: number): void {
    if (phy >= this.#endPhy) this.#add(continueHash(prefixHash, key, 0, key.length), phy, storeTimestamp)
  }

  /** Adds each of the keys, which are separated by spaces. */
  putKeys(prefixHash: number, keys: string, phy: number, storeTimestamp: number): void {
    if (phy < this.#endPhy) return
    for (let from = 0; from < keys.length;) {
      let to = keys.indexOf(' ', from)
      if (to < 0) to = keys.length
      if (to > from) this.#add(continueHash(prefixHash, keys, from, to), phy, storeTimestamp)
      from = to + 1
    }
  }

  /**
   * Writes what memory holds; with `sync` it is durable afterwards. What was put before the call is covered. When it rejects nothing is lost
   * from memory, and the next call tries again.
   */
  flush(options: { sync?: boolean } = {}): Promise<void> {
    return this.#enqueue(() => this.#writeAll({ sync: options.sync ?? false, slots: false }))
  }

  /**
   * Positions of messages whose key may be `key` (equal hashes), ascending. Store times within `begin` and `end`, epoch ms, inclusive and to the
   * second. The newest ones first when there are more than `maxCount`, which is at most 64.
   */
  async query(topic: string, key: string, maxCount: number, begin: number, end: number): Promise<number[]> {
    const text = topic + '#' + key
    const keyHash = keyHashOf(continueHash(0, text, 0, text.length))
    const query = { keyHash, begin, end, maxCount: Math.min(maxCount, queryHitsMax) }
    const found = new Set<number>()
    for (const file of this.#files.slice().reverse()) {
      if (found.size >= query.maxCount) break
      if (file.beginTimestamp <= end && file.endTimestamp >= begin) await this.#search(file, query, found)
      if (file.beginTimestamp < begin) break
    }
    return [...found].sort((a, b) => a - b)
  }

  /** Removes files that only know messages before `minPhy`, never the newest. Returns how many. */
  expire(minPhy: number): Promise<number> {
    return this.#enqueue(async () => {
      let removed = 0
      for (let oldest = this.#files[0]; this.#files.length > 1 && oldest!.endPhy < minPhy; oldest = this.#files[0]) {
        await oldest!.close()
        await this.#disk.remove(oldest!.path)
        this.#files.shift()
        removed++
      }
      return removed
    })
  }

  /** Forgets messages at and after `position`, for a log that was cut there. Nothing may be put meanwhile. */
  truncate(position: number): Promise<void> {
    return this.#enqueue(async () => {
      if (this.#endPhy < position) return
      await this.#writeAll({ sync: false, slots: false })
      for (const file of this.#files) await file.close()
      const { files } = await loadFiles({
        disk: this.#disk,
        folder: this.#folder,
        geometry: this.#geometry,
        logger: this.#logger,
        clean: false,
        trustedPosition: position,
      })
      this.#files = files
      this.#newest = files.at(-1) ?? null
      this.#endPhy = this.#newest?.endPhy ?? 0
    })
  }

  /** Makes everything durable, slot tables too, so that the files are complete for any reader. When it rejects, the exit is not a clean one. */
  close(): Promise<void> {
    return this.#enqueue(async () => {
      await this.#writeAll({ sync: true, slots: true })
      for (const file of this.#files) await file.close()
    })
  }

  #add(hash: number, phy: number, storeTimestamp: number): void {
    let file = this.#newest
    if (file === null || file.isFull) file = this.#roll()
    file.put(keyHashOf(hash), phy, storeTimestamp)
    this.#endPhy = phy
  }

  /** The next file, in memory: it is made on disk by the next flush. It starts with the end of the one before, as Java's does. */
  #roll(): IndexFile {
    const last = this.#newest
    const name = fileName(this.#clock.now(), last?.name ?? '0')
    const timestamp = last?.endTimestamp ?? 0
    const phy = last?.endPhy ?? 0
    const header: Header = {
      beginTimestamp: timestamp,
      endTimestamp: timestamp,
      beginPhy: phy,
      endPhy: phy,
      usedSlots: 0,
      count: 1,
    }
    const slots = new SlotTable(this.#geometry.slots)
    const file = new IndexFile(this.#disk, `${this.#folder}/${name}`, this.#geometry, { header, slots, onDisk: false })
    this.#files.push(file)
    this.#newest = file
    return file
  }

  async #writeAll(options: { sync: boolean; slots: boolean }): Promise<void> {
    for (const file of this.#files.slice()) await file.write(options)
  }

  async #search(file: IndexFile, query: Parameters<typeof followChain>[3], found: Set<number>): Promise<void> {
    try {
      await followChain(this.#disk, file, this.#geometry, query, found)
    } catch (error) {
      if (this.#files.includes(file)) throw error // otherwise expired meanwhile
    }
  }

  #enqueue<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#work.then(task)
    this.#work = result.catch(() => undefined)
    return result
  }
}
