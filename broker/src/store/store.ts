import { javaHashCode, SysFlag, transactionType } from '@cometmq/remoting'
import type { Checkpoint } from './checkpoint.ts'
import type { BlockCache } from './commit-log/block-cache.ts'
import type { CommitLog, LogListener } from './commit-log/commit-log.ts'
import type { LogReader } from './commit-log/log-reader.ts'
import type { ConsumeQueue } from './consume-queue/queue.ts'
import type { ConsumeQueues } from './consume-queue/queues.ts'
import type { DiskLock } from './disk.ts'
import type { DispatchEntry, Dispatcher } from './dispatch.ts'
import type { KeyIndex } from './key-index/key-index.ts'
import { Maintenance } from './maintenance.ts'
import type { StoreOptions } from './options.ts'
import { MessageReader } from './read-messages.ts'
import type { RetentionConfig } from './retention.ts'
import type { GetQuery, GetResult, NewBatch, NewMessage, PutResult, QueryHit, Store, StoreStats } from './types.ts'

/** Parts that exist before recovery. */
export interface StoreParts {
  checkpoint: Checkpoint
  queues: ConsumeQueues
  index: KeyIndex | null
  lock: DiskLock
}

/** Parts made when the end of the log is known. */
export interface LogParts {
  log: CommitLog
  blocks: BlockCache
  reader: LogReader
  dispatcher: Dispatcher
}

interface TopicInfo {
  bytes: Buffer
  keyPrefixHash: number
}

const TOPIC_BYTES_MAX = 127
const LONG_TOPIC_BYTES_MAX = 255
const TOPIC_INFO_MAX = 100_000

/** The store on disk: puts the parts together, and is their listener. Made by `openStore`. */
export class DiskStore implements Store, LogListener {
  readonly #options: StoreOptions
  readonly #parts: StoreParts
  #log!: CommitLog
  #logParts!: LogParts
  #messages!: MessageReader
  #maintenance!: Maintenance
  readonly #topics = new Map<string, TopicInfo>()
  readonly #sizes: number[] = []
  readonly #entry: DispatchEntry
  readonly #progressListeners: ((written: number, synced: number) => void)[] = []
  readonly #rollbackListeners: ((position: number, reason: string) => void)[] = []
  readonly #arrivalListeners: ((topic: string, queueId: number, maxOffset: number) => void)[] = []
  #arrived: ConsumeQueue[] = []
  /** Log position up to which records may be dispatched. */
  #dispatchable = 0
  #dispatchScheduled = false
  #closing: Promise<void> | null = null

  constructor(options: StoreOptions, parts: StoreParts) {
    this.#options = options
    this.#parts = parts
    this.#entry = {
      queue: undefined as unknown as ConsumeQueue,
      queueOffset: 0,
      physicalOffset: 0,
      size: 0,
      tagsHigh: 0,
      tagsLow: 0,
      storeTimestamp: 0,
      keyPrefixHash: 0,
      uniqKey: '',
      keys: '',
    }
  }

  async start(parts: LogParts, unclean: boolean): Promise<void> {
    this.#logParts = parts
    this.#log = parts.log
    this.#dispatchable = parts.dispatcher.position
    this.#messages = new MessageReader(this.#parts.queues, parts.log, parts.reader, this.#options)
    this.#maintenance = new Maintenance(this.#options, { ...this.#parts, ...parts })
    await this.#maintenance.start()
    // Files of the life before may not be durable: make them so before anything is promised on top of them.
    if (unclean) await this.#maintenance.checkpoint(true)
  }

  // ---- append ----

  append(message: NewMessage): PutResult {
    const topic = this.#topic(message.topic)
    const illegal = this.#illegalTopic(message, topic)
    if (illegal !== null) return illegal
    const queue = this.#parts.queues.getOrCreate(message.topic, message.queueId)
    const result = this.#log.append(message, topic.bytes, queue)
    if (result.status === 'PUT_OK' && this.#begin(queue, message, topic, result)) {
      this.#dispatchLater(message, result.queueOffset, result.physicalOffset, result.endOffset - result.physicalOffset)
    }
    return result
  }

  appendBatch(batch: NewBatch): PutResult {
    const topic = this.#topic(batch.topic)
    const illegal = this.#illegalTopic(batch, topic)
    if (illegal !== null) return illegal
    const queue = this.#parts.queues.getOrCreate(batch.topic, batch.queueId)
    const sizes = this.#sizes
    sizes.length = 0
    const result = this.#log.appendBatch(batch, topic.bytes, queue, sizes)
    if (result.status === 'PUT_OK' && this.#begin(queue, batch, topic, result)) {
      for (let i = 0; i < sizes.length; i++) {
        this.#dispatchLater(batch.elements[i]!, result.queueOffset + i, result.physicalOffsets[i]!, sizes[i]!)
      }
    }
    return result
  }

  /** What all records of one append share; false when they are not dispatched: prepared and rolled back transactions. */
  #begin(queue: ConsumeQueue, head: { sysFlag: number }, topic: TopicInfo, result: PutResult): boolean {
    const transaction = transactionType(head.sysFlag)
    if (transaction === SysFlag.TRANSACTION_PREPARED || transaction === SysFlag.TRANSACTION_ROLLBACK) return false
    this.#entry.queue = queue
    this.#entry.storeTimestamp = result.storeTimestamp
    this.#entry.keyPrefixHash = topic.keyPrefixHash
    return true
  }

  /** Puts one appended record into the waiting line of dispatch. */
  #dispatchLater(
    element: { tags: string; uniqKey: string; keys: string; tagsCode?: number },
    queueOffset: number,
    physicalOffset: number,
    size: number,
  ): void {
    const entry = this.#entry
    entry.queueOffset = queueOffset
    entry.physicalOffset = physicalOffset
    entry.size = size
    if (element.tagsCode !== undefined) {
      entry.tagsHigh = Math.floor(element.tagsCode / 4_294_967_296)
      entry.tagsLow = (element.tagsCode - entry.tagsHigh * 4_294_967_296) | 0
    } else {
      entry.tagsLow = element.tags === '' ? 0 : javaHashCode(element.tags)
      entry.tagsHigh = entry.tagsLow >> 31
    }
    entry.uniqKey = element.uniqKey
    entry.keys = element.keys
    this.#logParts.dispatcher.add(entry)
  }

  #topic(name: string): TopicInfo {
    let info = this.#topics.get(name)
    if (info === undefined) {
      if (this.#topics.size >= TOPIC_INFO_MAX) this.#topics.clear()
      info = { bytes: Buffer.from(name), keyPrefixHash: javaHashCode(name + '#') }
      this.#topics.set(name, info)
    }
    return info
  }

  #illegalTopic(message: { topic: string; queueId: number }, topic: TopicInfo): PutResult | null {
    const limit = message.topic.startsWith('%RETRY%') ? LONG_TOPIC_BYTES_MAX : TOPIC_BYTES_MAX
    if (topic.bytes.length > 0 && topic.bytes.length <= limit && message.queueId >= 0) return null
    const reason =
      message.queueId < 0
        ? `queue ${message.queueId} does not exist`
        : `the topic takes ${topic.bytes.length} bytes, the limit is ${limit}`
    const none: readonly number[] = []
    return {
      status: 'MESSAGE_ILLEGAL',
      reason,
      physicalOffset: -1,
      queueOffset: -1,
      endOffset: -1,
      storeTimestamp: 0,
      physicalOffsets: none,
    }
  }

  // ---- what the log tells ----

  progress(written: number, synced: number): void {
    this.#dispatchable = this.#options.flushDiskType === 'SYNC_FLUSH' ? synced : written
    for (const listener of this.#progressListeners) listener(written, synced)
    if (this.#dispatchScheduled) return
    this.#dispatchScheduled = true
    // Two turns later: answers go out and the next round is on its way to the disk before queues and index are built. Whoever reads
    // before that has it done at once.
    setImmediate(this.#soon)
  }

  readonly #soon = (): void => void setImmediate(this.#dispatch)

  readonly #dispatch = (): void => {
    this.#dispatchScheduled = false
    this.#logParts.dispatcher.advance(this.#dispatchable)
    if (this.#arrived.length === 0) return
    const arrived = this.#arrived
    this.#arrived = []
    for (const queue of arrived) for (const listener of this.#arrivalListeners) listener(queue.topic, queue.queueId, queue.max)
  }

  /** Queues, with everything in them that is written. */
  #caughtUp(): ConsumeQueues {
    if (this.#logParts.dispatcher.position < this.#dispatchable) this.#dispatch()
    return this.#parts.queues
  }

  rollback(position: number, reason: string): void {
    this.#logParts.dispatcher.rollback(position)
    this.#options.logger.error('messages could not be stored', { position, reason })
    for (const listener of this.#rollbackListeners) listener(position, reason)
    this.#maintenance.writeFailed()
  }

  queueArrived(queue: ConsumeQueue): void {
    queue.waiting = 0
    this.#arrived.push(queue)
  }

  onProgress(listener: (written: number, synced: number) => void): void {
    this.#progressListeners.push(listener)
  }

  onRollback(listener: (position: number, reason: string) => void): void {
    this.#rollbackListeners.push(listener)
  }

  onArrival(listener: (topic: string, queueId: number, maxOffset: number) => void): void {
    this.#arrivalListeners.push(listener)
  }

  watch(topic: string, queueId: number): void {
    this.#caughtUp().getOrCreate(topic, queueId).waiting = 1
  }

  // ---- read ----

  get(query: GetQuery): GetResult | Promise<GetResult> {
    this.#caughtUp()
    return this.#messages.get(query)
  }

  read(physicalOffset: number): Promise<Buffer | null> {
    return this.#logParts.reader.record(physicalOffset)
  }

  async query(topic: string, key: string, maxCount: number, begin: number, end: number): Promise<QueryHit[]> {
    this.#caughtUp()
    const positions = (await this.#parts.index?.query(topic, key, maxCount, begin, end)) ?? []
    const hits: QueryHit[] = []
    for (const physicalOffset of positions.sort((a, b) => a - b)) {
      const record = await this.read(physicalOffset)
      if (record !== null) hits.push({ physicalOffset, record })
    }
    return hits
  }

  minOffset(topic: string, queueId: number): number {
    return this.#caughtUp().get(topic, queueId)?.min ?? 0
  }

  maxOffset(topic: string, queueId: number): number {
    return this.#caughtUp().get(topic, queueId)?.max ?? 0
  }

  nextOffset(topic: string, queueId: number): number {
    return this.#caughtUp().get(topic, queueId)?.next ?? 0
  }

  async offsetByTime(topic: string, queueId: number, timestamp: number, boundary: 'LOWER' | 'UPPER'): Promise<number> {
    const queue = this.#caughtUp().get(topic, queueId)
    if (queue === undefined) return 0
    return queue.offsetByTime(timestamp, boundary, position => this.#logParts.reader.storeTimestamp(position))
  }

  async storeTimeAt(topic: string, queueId: number, offset: number): Promise<number> {
    const queue = this.#caughtUp().get(topic, queueId)
    if (queue === undefined || offset < queue.min || offset >= queue.max) return -1
    const rows = await queue.readRows(offset, 1)
    if (rows.count === 0) return -1
    const time = await this.#logParts.reader.storeTimestamp(rows.position(0))
    return time > 0 ? time : -1
  }

  isNearTail(topic: string, queueId: number, offset: number): boolean {
    const queue = this.#caughtUp().get(topic, queueId)
    if (queue === undefined || offset < queue.min || offset >= queue.max) return false
    const rows = queue.readRows(offset, 1)
    // A row that has to be fetched from disk first is judged by the size of the log: as a whole near the tail or not.
    if (rows instanceof Promise) return this.#messages.isNearTail(this.#log.files.minPosition)
    return rows.count > 0 && this.#messages.isNearTail(rows.position(0))
  }

  async rows(
    topic: string,
    queueId: number,
    offset: number,
    count: number,
  ): Promise<{ physicalOffset: number; size: number; tagsCode: bigint }[]> {
    const queue = this.#caughtUp().get(topic, queueId)
    const found: { physicalOffset: number; size: number; tagsCode: bigint }[] = []
    let next = Math.max(offset, queue?.min ?? 0)
    while (queue !== undefined && found.length < count && next < queue.max) {
      const block = await queue.readRows(next, count - found.length)
      if (block.count === 0) break
      for (let i = 0; i < block.count; i++) {
        const tagsCode = (BigInt(block.tagsHigh(i)) << 32n) | BigInt(block.tagsLow(i) >>> 0)
        found.push({ physicalOffset: block.position(i), size: block.size(i), tagsCode })
      }
      next += block.count
    }
    return found
  }

  *queues(): Iterable<{ topic: string; queueId: number }> {
    for (const queue of this.#caughtUp().all()) yield { topic: queue.topic, queueId: queue.queueId }
  }

  // ---- care ----

  async deleteTopic(topic: string): Promise<void> {
    await this.flush()
    await this.#caughtUp().remove(topic)
    // Recovery starts behind the deleted messages, so that a crash does not bring them back.
    await this.#maintenance.checkpoint(true)
  }

  async removeUnusedTopics(keep: (topic: string) => boolean): Promise<string[]> {
    const unused = new Set<string>()
    for (const { topic } of this.#caughtUp().all()) if (!keep(topic)) unused.add(topic)
    for (const topic of unused) await this.deleteTopic(topic)
    return [...unused]
  }

  setRetention(config: Partial<RetentionConfig>): void {
    this.#maintenance.setRetention(config)
  }

  clean(force: boolean): Promise<number> {
    return this.#maintenance.clean(force)
  }

  stats(): StoreStats {
    const log = this.#log
    let messagesTotal = 0
    let queueCount = 0
    for (const queue of this.#caughtUp().all()) {
      messagesTotal += queue.max - queue.min
      queueCount++
    }
    return {
      minPhysicalOffset: log.files.minPosition,
      appended: log.end,
      written: log.written,
      synced: log.synced,
      dispatched: this.#logParts.dispatcher.position,
      ...this.#maintenance.diskStats(),
      notWritable: log.closedBecause,
      messagesTotal,
      queueCount,
    }
  }

  async flush(): Promise<void> {
    await this.#log.drained()
    await this.#log.sync()
    this.#dispatch()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { disk, folder } = this.#options
    const { checkpoint, queues, index, lock } = this.#parts
    await this.#maintenance.stop()
    await this.flush()
    this.#log.closedBecause ??= 'the broker is shutting down'
    await this.#log.files.removeSpare(Math.max(this.#log.end, 1))
    await this.#maintenance.checkpoint(true)
    const clean = !this.#log.torn && this.#logParts.dispatcher.position >= this.#log.end
    await queues.close()
    await index?.close()
    await checkpoint.close()
    await this.#log.files.close()
    // Without `abort` the next start believes that queues and index are complete: only remove it when they are.
    if (clean) {
      await disk.remove(folder + '/abort')
      await disk.remove(folder + '/abort.bak')
      await disk.syncFolder(folder)
    }
    await lock.release()
  }
}
