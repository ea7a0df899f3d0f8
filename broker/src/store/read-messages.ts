import { MAGIC_V1, MAGIC_V2 } from '@cometmq/remoting'
import type { CommitLog } from './commit-log/commit-log.ts'
import type { LogReader } from './commit-log/log-reader.ts'
import type { ConsumeQueue } from './consume-queue/queue.ts'
import { FILLER_SIZE, ROW_BYTES, type RowBlock } from './consume-queue/rows.ts'
import type { ConsumeQueues } from './consume-queue/queues.ts'
import type { StoreOptions } from './options.ts'
import { Slab } from './slab.ts'
import type { GetQuery, GetResult, GetStatus } from './types.ts'

const EMPTY = Buffer.alloc(0)

/** The records chosen for one answer: columns, no object per record. */
interface Selection {
  readonly positions: number[]
  readonly sizes: number[]
  bytes: number
  /** Queue offset after the last row looked at. */
  next: number
  /** Rows looked at. */
  scanned: number
  /** A row pointed before the start of the log. */
  removed: boolean
  full: boolean
}

const nothing = (status: GetStatus, nextOffset: number, minOffset: number, maxOffset: number): GetResult => ({
  status,
  nextOffset,
  minOffset,
  maxOffset,
  body: EMPTY,
  count: 0,
})

/** Reading by queue offset (spec store, 3.4; Java: DefaultMessageStore.getMessage). In memory it answers at once, without a promise. */
export class MessageReader {
  readonly #queues: ConsumeQueues
  readonly #log: CommitLog
  readonly #reader: LogReader
  readonly #options: StoreOptions
  readonly #slab = new Slab()

  constructor(queues: ConsumeQueues, log: CommitLog, reader: LogReader, options: StoreOptions) {
    this.#queues = queues
    this.#log = log
    this.#reader = reader
    this.#options = options
  }

  get(query: GetQuery): GetResult | Promise<GetResult> {
    const queue = this.#queues.get(query.topic, query.queueId)
    if (queue === undefined) return nothing('NO_MATCHED_LOGIC_QUEUE', 0, 0, 0)
    const { min, max } = queue
    const { offset } = query
    if (max === 0) return nothing('NO_MESSAGE_IN_QUEUE', 0, min, max)
    if (offset < min) return nothing('OFFSET_TOO_SMALL', min, min, max)
    if (offset === max) return nothing('OFFSET_OVERFLOW_ONE', offset, min, max)
    if (offset > max) return nothing('OFFSET_OVERFLOW_BADLY', max, min, max)
    const selection: Selection = { positions: [], sizes: [], bytes: 0, next: offset, scanned: 0, removed: false, full: false }
    return this.#select(query, queue, selection)
  }

  #select(query: GetQuery, queue: ConsumeQueue, selection: Selection): GetResult | Promise<GetResult> {
    const rowsMax = Math.max(Math.floor(this.#options.maxFilterMessageSize / ROW_BYTES), query.maxCount)
    while (!selection.full && selection.scanned < rowsMax && selection.next < queue.max) {
      const block = queue.readRows(
        selection.next,
        Math.min(rowsMax - selection.scanned, query.accepts === undefined ? query.maxCount : rowsMax),
      )
      if (block instanceof Promise) {
        return block.then(
          rows => (this.#take(query, selection, rows) ? this.#select(query, queue, selection) : this.#compose(queue, selection)),
          () => this.#compose(queue, selection),
        )
      }
      if (!this.#take(query, selection, block)) break
    }
    return this.#compose(queue, selection)
  }

  /** Goes through a block of rows; false when it is empty. */
  #take(query: GetQuery, selection: Selection, rows: RowBlock): boolean {
    const minPosition = this.#log.files.minPosition
    for (let i = 0; i < rows.count; i++) {
      const position = rows.position(i)
      const size = rows.size(i)
      const gone = position < minPosition || size === FILLER_SIZE
      if (gone) selection.removed = true
      else if (query.accepts === undefined || query.accepts(rows.tagsLow(i))) {
        if (selection.positions.length > 0 && this.#isFull(query, selection, position, size)) {
          selection.full = true
          return true
        }
        selection.positions.push(position)
        selection.sizes.push(size)
        selection.bytes += size
      }
      selection.next++
      selection.scanned++
    }
    return rows.count > 0
  }

  #isFull(query: GetQuery, selection: Selection, position: number, size: number): boolean {
    const count = selection.positions.length
    if (count >= query.maxCount || selection.bytes + size > query.maxBytes) return true
    const options = this.#options
    return this.isNearTail(position)
      ? selection.bytes + size > options.maxTransferBytesOnMessageInMemory || count >= options.maxTransferCountOnMessageInMemory
      : selection.bytes + size > options.maxTransferBytesOnMessageInDisk || count >= options.maxTransferCountOnMessageInDisk
  }

  isNearTail(position: number): boolean {
    return this.#log.end - position <= this.#options.machineMemoryBytes * (this.#options.accessMessageInMemoryMaxRatio / 100)
  }

  #compose(queue: ConsumeQueue, selection: Selection): GetResult | Promise<GetResult> {
    const { min, max } = queue
    const count = selection.positions.length
    if (count === 0) {
      if (selection.scanned === 0) return nothing('OFFSET_FOUND_NULL', queue.offsetAfterGap(selection.next), min, max)
      return nothing(selection.removed ? 'MESSAGE_WAS_REMOVING' : 'NO_MATCHED_MESSAGE', selection.next, min, max)
    }
    const body = this.#slab.take(selection.bytes)
    // Copies what is in memory without a promise; goes on asynchronously with the first record that is not.
    let at = 0
    for (let i = 0; i < count; i++) {
      const size = selection.sizes[i]!
      if (!this.#reader.copy(selection.positions[i]!, size, body, at))
        return this.#loadAndCopy(queue, selection, body, { index: i, at })
      at += this.#checked(selection.positions[i]!, size, body, at)
    }
    return this.#found(queue, selection, body, at)
  }

  #found(queue: ConsumeQueue, selection: Selection, body: Buffer, bytes: number): GetResult {
    const { min, max } = queue
    if (bytes === 0) return nothing('MESSAGE_WAS_REMOVING', selection.next, min, max)
    const whole = bytes === body.length
    return {
      status: 'FOUND',
      nextOffset: selection.next,
      minOffset: min,
      maxOffset: max,
      body: whole ? body : body.subarray(0, bytes),
      count: whole ? selection.positions.length : countRecords(body, bytes),
    }
  }

  /** Bytes to keep of a copied record: none when the log is damaged there, which would stop every consumer of the queue. */
  #checked(position: number, size: number, body: Buffer, at: number): number {
    if (isRecord(body, at, size)) return size
    this.#options.logger.error('skipped a damaged message', { position, size })
    return 0
  }

  async #loadAndCopy(
    queue: ConsumeQueue,
    selection: Selection,
    body: Buffer,
    from: { index: number; at: number },
  ): Promise<GetResult> {
    let { at } = from
    for (let i = from.index; i < selection.positions.length; i++) {
      const size = selection.sizes[i]!
      const position = selection.positions[i]!
      if (!this.#reader.copy(position, size, body, at) && !(await this.#fetch(position, size, body, at))) continue // deleted meanwhile
      at += this.#checked(position, size, body, at)
    }
    return this.#found(queue, selection, body, at)
  }

  async #fetch(position: number, size: number, body: Buffer, at: number): Promise<boolean> {
    for (let tries = 0; tries < 3; tries++) {
      if (!(await this.#reader.load(position, size))) return false
      if (this.#reader.copy(position, size, body, at)) return true
    }
    return false
  }
}

function isRecord(body: Buffer, at: number, size: number): boolean {
  if (body.readInt32BE(at) !== size) return false
  const magic = body.readInt32BE(at + 4)
  return magic === MAGIC_V1 || magic === MAGIC_V2
}

function countRecords(body: Buffer, bytes: number): number {
  let count = 0
  for (let at = 0; at < bytes; at += body.readInt32BE(at)) count++
  return count
}
