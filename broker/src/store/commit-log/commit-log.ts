import { BLANK_MAGIC, type Clock, crc32 } from '@cometmq/remoting'
import { type DiskFile, isDiskFull } from '../disk.ts'
import type { NewBatch, NewMessage, PutResult, PutStatus } from '../types.ts'
import { BLANK_BYTES, encodeRecord, propertyBytes, type RecordContent, recordBytes, recordBytesMax } from './encode-record.ts'
import type { LogFiles } from './log-files.ts'
import { type Chunk, Tail } from './tail.ts'

/** What the log asks of the queue a message goes to. */
export interface LogQueue {
  /** Next queue offset to give out. The log advances it. */
  next: number
}

/** Told what happens to the log, always in log order. */
export interface LogListener {
  /** Everything before `written` is in the file; before `synced`, durable. Once per round. */
  progress(written: number, synced: number): void
  /** Nothing from `position` on was stored. */
  rollback(position: number, reason: string): void
}

export interface CommitLogOptions {
  files: LogFiles
  clock: Clock
  storeHost: Uint8Array
  syncEachWrite: boolean
  maxMessageSize: number
  tailBytesMax: number
  unwrittenBytesMax: number
  listener: LogListener
}

/** Above the body limit a record may have this much for topic and properties (spec store, 2.5). */
const RECORD_EXTRA_BYTES = 65_536
const NONE: readonly number[] = []
const NO_BYTES: Uint8Array = new Uint8Array(0)
/** A write to the page cache that takes longer blocks everybody: the next ones go to the thread pool for a while. */
const SLOW_WRITE_MS = 3
const AVOID_BLOCKING_MS = 1000
const BLOCKING_WRITE_BYTES_MAX = 16 * 1024

const refused = (status: PutStatus, reason: string): PutResult => ({
  status,
  reason,
  physicalOffset: -1,
  queueOffset: -1,
  endOffset: -1,
  storeTimestamp: 0,
  physicalOffsets: NONE,
})

/**
 * The append side of the commit log (spec store, section 2). `append` encodes into the tail; one write at a time takes everything
 * that has gathered, and the next round fills while it is on its way.
 */
export class CommitLog {
  readonly tail: Tail
  readonly files: LogFiles
  /** Position before which everything is in the file. */
  written: number
  /** Position before which everything is durable. */
  synced: number
  /** Store time of the newest appended, written and synced record; 0 before the first. */
  lastTimestamp = 0
  syncedTimestamp = 0
  /** Store time of the first record appended since start; 0 before it. */
  firstTimestamp = 0
  /** Records appended since start. */
  appendedCount = 0
  /** Why appends are refused; null when they are not. Set here on write errors, by the store for other reasons. */
  closedBecause: string | null = null
  /** The last write failed, and bytes of it may stand behind the end. */
  torn = false
  /** … for lack of space. */
  diskFull = false
  readonly #options: CommitLogOptions
  readonly #place = { queueOffset: 0, physicalOffset: 0, storeTimestamp: 0 }
  readonly #content: RecordContent
  #scheduled = false
  #writing = false
  #idle: (() => void)[] = []
  #writtenTimestamp = 0
  #avoidBlockingUntil = 0

  constructor(end: number, lastTimestamp: number, options: CommitLogOptions) {
    this.#options = options
    this.files = options.files
    this.tail = new Tail(end, options.tailBytesMax)
    this.written = end
    this.synced = end
    this.lastTimestamp = lastTimestamp
    this.#writtenTimestamp = lastTimestamp
    this.syncedTimestamp = lastTimestamp
    const { storeHost } = options
    this.#content = { flag: 0, body: NO_BYTES, bodyCrc: 0, topic: NO_BYTES, properties: '', added: NO_BYTES, storeHost }
  }

  get end(): number {
    return this.tail.end
  }

  get #recordBytesMax(): number {
    return this.#options.maxMessageSize + RECORD_EXTRA_BYTES
  }

  #check(bodyBytes: number): PutResult | null {
    if (this.closedBecause !== null) return refused('SERVICE_NOT_AVAILABLE', this.closedBecause)
    const { maxMessageSize, unwrittenBytesMax } = this.#options
    if (bodyBytes > maxMessageSize) {
      return refused('MESSAGE_ILLEGAL', `the body has ${bodyBytes} bytes, the limit (maxMessageSize) is ${maxMessageSize}`)
    }
    if (this.tail.end - this.written > unwrittenBytesMax) {
      return refused(
        'OS_PAGE_CACHE_BUSY',
        `the disk is behind: ${this.tail.end - this.written} bytes wait to be written, limit ${unwrittenBytesMax}`,
      )
    }
    return null
  }

  /** Makes the current file's rest a blank record when `bytes` do not fit before it; false when they fit in no file. */
  #fit(bytes: number): boolean {
    const { fileBytes } = this.files
    const free = fileBytes - (this.tail.end % fileBytes)
    if (bytes + BLANK_BYTES <= free) return true
    if (bytes + BLANK_BYTES > fileBytes) return false
    const chunk = this.tail.room(BLANK_BYTES)
    chunk.view.setInt32(chunk.used, free)
    chunk.view.setInt32(chunk.used + 4, BLANK_MAGIC)
    const next = this.tail.end + free
    this.tail.advance(chunk, BLANK_BYTES)
    this.tail.jump(next)
    return true
  }

  append(message: NewMessage, topic: Uint8Array, queue: LogQueue): PutResult {
    const illegal = this.#check(message.body.length)
    if (illegal !== null) return illegal
    const { body, properties } = message
    const added = message.addedProperties ?? NO_BYTES
    const bound = recordBytesMax(body.length, topic.length, properties.length) + added.length
    if (bound + BLANK_BYTES > this.#freeBytes() || bound > this.#recordBytesMax) {
      const bytes = recordBytes(
        body.length,
        topic.length,
        propertyBytes(properties, added),
        message.bornHost.length + this.#options.storeHost.length,
      )
      if (bytes > this.#recordBytesMax || !this.#fit(bytes)) return this.#tooLarge(bytes)
    }
    const chunk = this.tail.room(bound)
    const place = this.#place
    place.queueOffset = queue.next
    place.physicalOffset = this.tail.end
    place.storeTimestamp = this.#options.clock.now()
    const size = this.#encode(chunk, chunk.used, message, message, topic)
    if (size < 0) return refused('PROPERTIES_SIZE_EXCEEDED', 'the properties take more than 32767 bytes')
    this.tail.advance(chunk, size)
    queue.next += 1
    this.#appended(place.storeTimestamp, 1)
    return {
      status: 'PUT_OK',
      reason: '',
      physicalOffset: place.physicalOffset,
      queueOffset: place.queueOffset,
      endOffset: this.tail.end,
      storeTimestamp: place.storeTimestamp,
      physicalOffsets: NONE,
    }
  }

  /** All elements back to back in one file, or none (spec store, 2.4 and 2.6). `sizes` gets the size of each record. */
  appendBatch(batch: NewBatch, topic: Uint8Array, queue: LogQueue, sizes: number[]): PutResult {
    const { elements } = batch
    const added = batch.addedProperties ?? NO_BYTES
    let bodyBytes = 0
    let bound = added.length * elements.length
    for (const element of elements) {
      bodyBytes += element.body.length
      bound += recordBytesMax(element.body.length, topic.length, element.properties.length)
    }
    const illegal = elements.length === 0 ? refused('MESSAGE_ILLEGAL', 'the batch is empty') : this.#check(bodyBytes)
    if (illegal !== null) return illegal
    if (bound + BLANK_BYTES > this.#freeBytes()) {
      const hostBytes = batch.bornHost.length + this.#options.storeHost.length
      let exact = 0
      for (const { body, properties } of elements)
        exact += recordBytes(body.length, topic.length, propertyBytes(properties, added), hostBytes)
      if (!this.#fit(exact)) return this.#tooLarge(exact)
    }
    const chunk = this.tail.room(bound)
    const place = this.#place
    const physicalOffset = this.tail.end
    const queueOffset = queue.next
    const physicalOffsets: number[] = []
    place.storeTimestamp = this.#options.clock.now()
    let total = 0
    for (const element of elements) {
      place.queueOffset = queueOffset + physicalOffsets.length
      place.physicalOffset = physicalOffset + total
      const size = this.#encode(chunk, chunk.used + total, batch, element, topic)
      if (size < 0) return refused('PROPERTIES_SIZE_EXCEEDED', 'the properties of an element take more than 32767 bytes')
      physicalOffsets.push(place.physicalOffset)
      sizes.push(size)
      total += size
    }
    this.tail.advance(chunk, total)
    queue.next += elements.length
    this.#appended(place.storeTimestamp, elements.length)
    const endOffset = this.tail.end
    return {
      status: 'PUT_OK',
      reason: '',
      physicalOffset,
      queueOffset,
      endOffset,
      storeTimestamp: place.storeTimestamp,
      physicalOffsets,
    }
  }

  #encode(
    chunk: Chunk,
    at: number,
    head: NewMessage | NewBatch,
    element: { flag: number; body: Uint8Array; properties: string },
    topic: Uint8Array,
  ): number {
    const content = this.#content
    const { body } = element
    content.flag = element.flag
    content.body = body
    content.properties = element.properties
    content.added = head.addedProperties ?? NO_BYTES
    content.bodyCrc = body.length === 0 ? 0 : crc32(body, 0, body.length)
    content.topic = topic
    return encodeRecord(chunk, at, head, content, this.#place)
  }

  #freeBytes(): number {
    return this.files.fileBytes - (this.tail.end % this.files.fileBytes)
  }

  #tooLarge(bytes: number): PutResult {
    return refused(
      'MESSAGE_ILLEGAL',
      `the record would take ${bytes} bytes, the limits are ${this.#recordBytesMax} (maxMessageSize and 64 KiB) and a commit log file of ${this.files.fileBytes}`,
    )
  }

  #appended(storeTimestamp: number, count: number): void {
    if (this.appendedCount === 0) this.firstTimestamp = storeTimestamp
    this.lastTimestamp = storeTimestamp
    this.appendedCount += count
    if (!this.#scheduled && !this.#writing) {
      this.#scheduled = true
      setImmediate(this.#round)
    }
  }

  /** One turn's appends leave together. Small writes into the page cache are done here and now; the rest through the thread pool. */
  readonly #round = (): void => {
    this.#scheduled = false
    if (this.#writing || this.closedBecause !== null) return
    const chunks = this.tail.unwritten()
    const file = this.#blockingTarget(chunks)
    if (file === undefined) {
      void this.#writeAll()
      return
    }
    const upTo = this.tail.end
    const startedAt = this.#options.clock.monotonic()
    const first = chunks[0]!
    try {
      file.writeNow!(pending(chunks), (first.start + first.written) % this.files.fileBytes)
    } catch (error) {
      this.#fail(error)
      return
    }
    const finishedAt = this.#options.clock.monotonic()
    if (finishedAt - startedAt > SLOW_WRITE_MS) this.#avoidBlockingUntil = finishedAt + AVOID_BLOCKING_MS
    this.#done(chunks, upTo, this.lastTimestamp)
  }

  #blockingTarget(chunks: Chunk[]): DiskFile | undefined {
    const first = chunks[0]
    if (first === undefined || this.#options.syncEachWrite || this.#options.clock.monotonic() < this.#avoidBlockingUntil)
      return undefined
    const from = first.start + first.written
    const file = this.files.existing(from)
    if (file?.writeNow === undefined || this.tail.end - from > BLOCKING_WRITE_BYTES_MAX) return undefined
    return Math.floor(from / this.files.fileBytes) === Math.floor((this.tail.end - 1) / this.files.fileBytes) ? file : undefined
  }

  async #writeAll(): Promise<void> {
    this.#writing = true
    try {
      while (this.closedBecause === null) {
        const chunks = this.tail.unwritten()
        if (chunks.length === 0) break
        const upTo = this.tail.end
        const timestamp = this.lastTimestamp
        const marks = chunks.map(chunk => chunk.used)
        await this.#write(chunks)
        chunks.forEach((chunk, index) => (chunk.written = marks[index]!))
        this.#done([], upTo, timestamp)
      }
    } catch (error) {
      this.#fail(error)
    } finally {
      this.#writing = false
      for (const wake of this.#idle.splice(0)) wake()
    }
  }

  /** One write per file touched: consecutive chunks of a file go out together. */
  async #write(chunks: readonly Chunk[]): Promise<void> {
    const { fileBytes } = this.files
    let i = 0
    while (i < chunks.length) {
      const from = chunks[i]!.start + chunks[i]!.written
      const fileStart = from - (from % fileBytes)
      const buffers: Uint8Array[] = []
      for (; i < chunks.length && chunks[i]!.start < fileStart + fileBytes; i++) {
        buffers.push(chunks[i]!.buffer.subarray(chunks[i]!.written, chunks[i]!.used))
      }
      const file = await this.files.forWriting(from)
      await file.write(buffers, from - fileStart)
    }
  }

  #done(chunks: readonly Chunk[], upTo: number, timestamp: number): void {
    for (const chunk of chunks) chunk.written = chunk.used
    this.written = upTo
    this.#writtenTimestamp = timestamp
    if (this.#options.syncEachWrite) {
      this.synced = upTo
      this.syncedTimestamp = timestamp
    }
    this.#options.listener.progress(this.written, this.synced)
  }

  #fail(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error)
    this.torn = true
    this.diskFull = isDiskFull(error)
    this.closedBecause = this.diskFull ? `the disk is full (${reason})` : `writing the commit log failed (${reason})`
    this.tail.rollback(this.written)
    this.lastTimestamp = this.#writtenTimestamp
    this.#options.listener.rollback(this.written, this.closedBecause)
  }

  /** After a failed write: makes sure that nothing half-written stays behind the end, then accepts appends again. */
  async reopen(): Promise<void> {
    await this.files.cut(this.written)
    this.torn = false
    this.diskFull = false
    this.closedBecause = null
  }

  /** Makes what is written durable (asynchronous flush mode). */
  async sync(): Promise<void> {
    const upTo = this.written
    const timestamp = this.#writtenTimestamp
    if (upTo <= this.synced) return
    const from = this.synced
    await this.files.syncAll(from)
    if (upTo > this.synced) {
      this.synced = upTo
      this.syncedTimestamp = timestamp
      this.#options.listener.progress(this.written, this.synced)
    }
  }

  /** Resolves when no write is on its way and nothing waits to be written (or writing failed). */
  async drained(): Promise<void> {
    while (this.closedBecause === null && this.written < this.tail.end) {
      if (this.#writing) await new Promise<void>(resolve => this.#idle.push(resolve))
      else await this.#writeAll()
    }
  }
}

function pending(chunks: readonly Chunk[]): Uint8Array[] {
  const buffers: Uint8Array[] = []
  for (const chunk of chunks) buffers.push(chunk.buffer.subarray(chunk.written, chunk.used))
  return buffers
}
