import { QueueFiles } from './queue-files.ts'
import { doubtfulFrom, findRows } from './recover-queue.ts'
import { FILLER_SIZE, fillerRows, noRows, ROW_BYTES, RowBlock } from './rows.ts'
import { RowReader } from './row-reader.ts'
import { firstWhere } from './search.ts'
import type { Shared } from './shared.ts'

export { type RowBlock } from './rows.ts'

/** Rows of a queue's first page: most queues are nearly idle. A full page is followed by one four times as large. */
const FIRST_PAGE_ROWS = 20
const PAGE_ROWS = 400
/** Non-thorough flushing leaves a queue alone that has less (spec store, 5.5: two pages of 4 KiB). */
const WORTH_WRITING_ROWS = Math.ceil(8192 / ROW_BYTES)

interface Page {
  view: DataView
  /** Queue offset of its first row. */
  start: number
}

const TWO_32 = 4_294_967_296
const noPages: Page[] = []
const noView = new DataView(new ArrayBuffer(0))
const rowsOf = (page: Page): number => page.view.byteLength / ROW_BYTES

/**
 * One queue of a topic: rows that point into the commit log (spec store, section 3; Java: ConsumeQueue). New rows stay in memory,
 * in pages, until `write`. `append` and reads of newer rows are synchronous; the rest must not run at the same time for one queue,
 * ConsumeQueues sees to that.
 */
export class ConsumeQueue {
  readonly topic: string
  readonly queueId: number
  /** First readable queue offset. */
  min = 0
  /** Queue offset of the next row to be dispatched. */
  max = 0
  /** Queue offset the store assigns next; the store counts it up. Never below `max`. */
  next = 0
  /** Position after the last record a row was made for; what ends before it is in the queue already. */
  maxPhysical = 0
  /** For whoever waits for news of this queue; not used here. */
  waiting = 0

  readonly #shared: Shared
  readonly #files: QueueFiles
  readonly #reader: RowReader
  /** The page that takes new rows: from `#pageStart` on, full at `#pageEnd` (queue offsets). */
  #view: DataView = noView
  #pageStart = 0
  #pageEnd = 0
  /** Full pages before it, without gaps. */
  #pages = noPages
  /** Queue offset up to which rows are in files. */
  #written = 0
  /** Rows from `#written` up to here are fillers to be written. */
  #fillerEnd = 0
  /** The files hold nothing of use and another place begins. */
  #filesObsolete = false
  /** First row of the first file that is not durable; Infinity when all are. */
  #unsyncedFrom = Infinity
  /** Where the row at `min` points; NaN: unknown. */
  #minPosition = NaN
  #isDirty = false
  #isRemoved = false
  #hasWarned = false
  /** Counts the times rows became invalid. */
  #epoch = 0

  constructor(shared: Shared, topic: string, queueId: number) {
    this.#shared = shared
    this.topic = topic
    this.queueId = queueId
    this.#files = new QueueFiles(shared, `${topic}/${queueId}`)
    this.#reader = new RowReader(shared, this.#files)
  }

  // ---- building ----

  /**
   * Adds the row of a record (spec store, 3.2). Idempotent: a record that ends before `maxPhysical` is there already. A row that does
   * not fit where the queue ends is skipped when it would go back, and put at the end all the same when it leaves a gap, as Java does.
   */
  append(queueOffset: number, position: number, size: number, tagsHigh: number, tagsLow: number): void {
    const end = position + size
    if (end <= this.maxPhysical) return
    if (queueOffset !== this.max && !this.#admits(queueOffset, position)) return
    const row = this.max
    if (row === this.#pageEnd) this.#turnPage()
    const view = this.#view
    const at = (row - this.#pageStart) * ROW_BYTES
    const high = Math.floor(position / TWO_32)
    view.setInt32(at, high)
    view.setInt32(at + 4, position - high * TWO_32)
    view.setInt32(at + 8, size)
    view.setInt32(at + 12, tagsHigh)
    view.setInt32(at + 16, tagsLow)
    this.maxPhysical = end
    this.max = row + 1
    if (this.next <= row) this.next = row + 1
    const shared = this.#shared
    shared.dirtyBytes += ROW_BYTES
    if (!this.#isDirty) {
      this.#isDirty = true
      shared.dirty.push(this)
    }
  }

  /** What to do about a queue offset that is not the next one. */
  #admits(queueOffset: number, position: number): boolean {
    if (queueOffset === 0) return true // not checked by Java either
    if (queueOffset > this.max && this.min === this.max) {
      this.#beginAt(queueOffset)
      return true
    }
    if (!this.#hasWarned) {
      this.#hasWarned = true
      const found = { topic: this.topic, queueId: this.queueId, queueOffset, expected: this.max, position }
      this.#shared.logger.warn('a message has another queue offset than its place in the queue; further ones are not told', found)
    }
    return queueOffset > this.max
  }

  /** A queue without readable rows goes on further ahead: fillers stand in for what is missing in that file. */
  #beginAt(queueOffset: number): void {
    const start = this.#files.startOf(queueOffset)
    this.#invalidate()
    this.#dropPages(queueOffset)
    this.#shared.dirtyBytes -= this.#unwrittenRows * ROW_BYTES
    if (this.#files.isEmpty || this.#files.startOf(this.#written) !== start) {
      this.#filesObsolete = !this.#files.isEmpty
      this.#written = start
    }
    this.#fillerEnd = queueOffset
    this.min = this.max = queueOffset
    this.#minPosition = NaN
  }

  /** The page is full, or there is none: a larger one, or the next one. */
  #turnPage(): void {
    if (this.#shared.dirtyBytes >= this.#shared.dirtyBytesMax) this.#shared.relieve()
    const rows = this.#pageEnd - this.#pageStart
    const room = this.#files.endOf(this.#pageStart) - this.#pageStart
    if (rows > 0 && rows < PAGE_ROWS && rows < room) return this.#enlargePage(Math.min(rows * 4, PAGE_ROWS, room))
    if (rows > 0) {
      if (this.#pages === noPages) this.#pages = []
      this.#pages.push({ view: this.#view, start: this.#pageStart })
    }
    this.#pageStart = this.max
    const size = Math.min(rows > 0 ? PAGE_ROWS : FIRST_PAGE_ROWS, this.#files.endOf(this.max) - this.max)
    this.#view = new DataView(new ArrayBuffer(size * ROW_BYTES))
    this.#pageEnd = this.max + size
    this.#shared.pageBytes += size * ROW_BYTES
  }

  #enlargePage(rows: number): void {
    const larger = new Uint8Array(rows * ROW_BYTES)
    larger.set(new Uint8Array(this.#view.buffer))
    this.#shared.pageBytes += larger.byteLength - this.#view.byteLength
    this.#view = new DataView(larger.buffer)
    this.#pageEnd = this.#pageStart + rows
  }

  /** Rows that somebody reads or writes at the moment are no longer what they were. */
  #invalidate(): void {
    this.#epoch++
    this.#reader.invalidate()
  }

  // ---- reading ----

  /**
   * Rows from `offset` on: at least one when there is one, at most `count`, fewer at the end of a page, block or file. Synchronous when
   * they are in memory. Rejects when the file cannot be read.
   */
  readRows(offset: number, count: number): RowBlock | Promise<RowBlock> {
    if (count <= 0 || offset < this.min || offset >= this.max) return noRows
    return this.#inMemory(offset, count) ?? this.#reader.cached(offset, count) ?? this.#reader.read(offset, count, this.#written)
  }

  #inMemory(offset: number, count: number): RowBlock | null {
    if (offset >= this.#pageStart) {
      return new RowBlock(this.#view, (offset - this.#pageStart) * ROW_BYTES, offset, Math.min(count, this.max - offset))
    }
    for (let index = this.#pages.length - 1; index >= 0; index--) {
      const page = this.#pages[index]!
      if (offset < page.start) continue
      const at = offset - page.start
      return new RowBlock(page.view, at * ROW_BYTES, offset, Math.min(count, rowsOf(page) - at))
    }
    return null
  }

  /** One row, also before `min`. */
  async #row(row: number): Promise<RowBlock> {
    return this.#inMemory(row, 1) ?? this.#reader.row(row)
  }

  /** Where a row points; -1 for a filler. */
  async #positionOf(row: number): Promise<number> {
    const rows = await this.#row(row)
    return rows.size(0) === FILLER_SIZE && rows.position(0) === 0 ? -1 : rows.position(0)
  }

  /** For an offset whose file is missing: where the next file begins. */
  offsetAfterGap(offset: number): number {
    return Math.min(this.max, this.#files.endOf(offset))
  }

  /**
   * Queue offset of the first message not older than `timestamp` (LOWER; `max` when all are older) or of the last one not younger
   * (UPPER; `min` when all are younger): spec store, 12.1; Java: ConsumeQueue.getOffsetInQueueByTime. `storeTimeOf` gives the store
   * time, epoch ms, of the record a row points to: 0 when it is gone from the log (it counts as earlier), negative when it cannot be
   * read, which makes the result `min`.
   */
  async offsetByTime(
    timestamp: number,
    boundary: 'LOWER' | 'UPPER',
    storeTimeOf: (position: number, size: number) => Promise<number>,
  ): Promise<number> {
    const { min, max } = this
    let isReadable = true
    const first = await firstWhere(min, max, async row => {
      if (!isReadable) return true
      const rows = await this.#row(row)
      const time = await storeTimeOf(rows.position(0), rows.size(0))
      isReadable = time >= 0
      return boundary === 'LOWER' ? time >= timestamp : time > timestamp
    })
    if (!isReadable) return min
    return boundary === 'LOWER' ? first : Math.max(min, first - 1)
  }

  // ---- files ----

  /** Takes over what is on disk: files from queue offset `first` to `end`. */
  async load(first: number, end: number, clean: boolean): Promise<void> {
    this.#files.first = first
    this.#files.end = end
    const found = await findRows(this.#files, clean)
    this.max = this.next = this.#written = this.#pageStart = this.#pageEnd = this.#fillerEnd = found.end
    this.maxPhysical = found.recordEnd
    // Fillers alone are no messages: the queue may begin anywhere behind them.
    this.min = found.recordEnd === 0 ? found.end : first
    this.#minPosition = found.firstPosition
    if (clean || this.#files.isEmpty) return
    // What the last process wrote it may not have synced.
    this.#files.markUnsynced()
    this.#markUnsynced(doubtfulFrom(this.#files))
    // What lies behind a hole may be older than what comes: it must not be taken for new rows later.
    await this.#files.cut(found.end)
  }

  #markUnsynced(fileStart: number): void {
    if (this.#unsyncedFrom === Infinity) this.#shared.unsynced.push(this)
    this.#unsyncedFrom = Math.min(this.#unsyncedFrom, fileStart)
  }

  /** Without fillers: they take no memory. */
  get #unwrittenRows(): number {
    return this.max - Math.max(this.#written, this.#fillerEnd)
  }

  /** Whether there is enough that is in no file yet to write it before a thorough flush. */
  get isWorthWriting(): boolean {
    return this.#unwrittenRows >= WORTH_WRITING_ROWS
  }

  /** Writes the rows that are here now into files. Rejects when a write fails; the rest is still listed as dirty then. */
  async write(): Promise<void> {
    if (this.#isRemoved) return this.discard() // somebody still had it
    try {
      if (this.#filesObsolete) {
        await this.#files.removeAll()
        this.#filesObsolete = false
      }
      await this.#writeRows(this.max)
      if (this.#pages.length > 0) this.#shared.holding.push(this)
    } finally {
      this.#isDirty = this.#written < this.max
      if (this.#isDirty) this.#shared.dirty.push(this)
    }
  }

  async #writeRows(end: number): Promise<void> {
    const epoch = this.#epoch
    while (this.#written < end) {
      const from = this.#written
      const isFiller = from < this.#fillerEnd
      const to = isFiller ? this.#fillerEnd : Math.min(end, this.#files.endOf(from))
      await this.#files.write(from, isFiller ? fillerRows(to - from) : this.#buffers(from, to))
      this.#markUnsynced(this.#files.startOf(from))
      if (epoch !== this.#epoch) return // another place began meanwhile
      this.#written = to
      if (!isFiller) this.#shared.dirtyBytes -= (to - from) * ROW_BYTES
    }
  }

  /** Rows from memory, as they lie in pages. */
  #buffers(from: number, to: number): Uint8Array[] {
    const buffers: Uint8Array[] = []
    const add = (view: DataView, start: number, rows: number): void => {
      const low = Math.max(from, start)
      const high = Math.min(to, start + rows)
      if (low < high) buffers.push(new Uint8Array(view.buffer, (low - start) * ROW_BYTES, (high - low) * ROW_BYTES))
    }
    for (const page of this.#pages) add(page.view, page.start, rowsOf(page))
    add(this.#view, this.#pageStart, this.#pageEnd - this.#pageStart)
    return buffers
  }

  /** Makes what was written durable. Rejects when that fails: it may be called again. */
  async sync(): Promise<void> {
    const from = this.#unsyncedFrom
    if (from === Infinity || this.#isRemoved) return
    this.#unsyncedFrom = Infinity
    try {
      await this.#files.syncRemovals()
      for (let start = Math.max(from, this.#files.first); start < this.#files.end; start += this.#files.rowsPerFile) {
        await this.#files.sync(start)
      }
    } catch (error) {
      this.#markUnsynced(from)
      throw error
    }
  }

  /** Gives back full pages that files have; with `all` also the page at the end, if nothing of it is missing there. */
  releasePages(all: boolean): void {
    let count = 0
    while (count < this.#pages.length && this.#pages[count]!.start + rowsOf(this.#pages[count]!) <= this.#written) count++
    for (const page of this.#pages.slice(0, count)) this.#shared.pageBytes -= page.view.byteLength
    this.#pages = count === this.#pages.length ? noPages : this.#pages.slice(count)
    if (all && this.#written === this.max) this.#dropPages(this.max)
  }

  #dropPages(row: number): void {
    for (const page of this.#pages) this.#shared.pageBytes -= page.view.byteLength
    this.#shared.pageBytes -= this.#view.byteLength
    this.#pages = noPages
    this.#view = noView
    this.#pageStart = this.#pageEnd = row
  }

  // ---- cutting at both ends ----

  /** Removes the rows of records that start at `position` or later (spec store, 3.3). Nothing may be appended meanwhile. */
  async truncate(position: number): Promise<void> {
    if (this.maxPhysical <= position) return
    const cut = await firstWhere(this.min, this.max, async row => (await this.#positionOf(row)) >= position)
    let end = 0
    if (cut > this.min) {
      const last = await this.#row(cut - 1)
      end = last.position(0) + last.size(0)
    }
    this.#invalidate()
    const unwritten = this.#unwrittenRows
    this.max = this.next = cut
    this.#fillerEnd = Math.min(this.#fillerEnd, cut)
    this.#shared.dirtyBytes -= (unwritten - Math.max(0, this.#unwrittenRows)) * ROW_BYTES
    this.maxPhysical = end
    this.#trimPages(cut)
    if (cut >= this.#written) return
    this.#written = cut
    await this.#files.cut(cut)
    this.#markUnsynced(this.#files.startOf(cut))
  }

  #trimPages(row: number): void {
    while (row < this.#pageStart && this.#pages.length > 0) {
      const page = this.#pages.pop()!
      this.#shared.pageBytes -= this.#view.byteLength
      this.#view = page.view
      this.#pageStart = page.start
      this.#pageEnd = page.start + rowsOf(page)
    }
    if (row < this.#pageStart) this.#dropPages(row)
  }

  /** Moves `min` to the first row of a record that is still in the log, which begins at `minPosition` (spec store, 3.3). */
  async correctMin(minPosition: number): Promise<void> {
    if (this.#minPosition >= minPosition || this.min === this.max) return
    this.#minPosition = await this.#positionOf(this.min)
    if (this.#minPosition >= minPosition) return
    const min = await firstWhere(this.min + 1, this.max, async row => (await this.#positionOf(row)) >= minPosition)
    this.#minPosition = min < this.max ? await this.#positionOf(min) : NaN
    this.min = min
  }

  /** Deletes files whose rows all point before `minPosition`, never the last one, and corrects `min`. */
  async deleteBefore(minPosition: number): Promise<void> {
    const files = this.#files
    while (files.first + files.rowsPerFile < files.end) {
      const next = files.first + files.rowsPerFile
      if ((await this.#positionOf(next - 1)) >= minPosition) break
      if (this.min < next) {
        this.min = next
        this.#minPosition = NaN
      }
      await files.removeFirst()
    }
    await this.correctMin(minPosition)
  }

  /** The topic is gone: memory is given back, nothing is written any more. The files are the caller's to delete. */
  discard(): void {
    this.#isRemoved = true
    this.#invalidate()
    this.#shared.dirtyBytes -= this.#unwrittenRows * ROW_BYTES
    this.#written = this.max
    this.#dropPages(this.max)
  }
}
