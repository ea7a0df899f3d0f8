import type { RetentionConfig } from './retention.ts'

/** The public face of the store. Formats: spec store, sections 2 to 5. Positions are bytes in the commit log ("phy"). */

/** Java: org.apache.rocketmq.store.PutMessageStatus. */
export type PutStatus = 'PUT_OK' | 'MESSAGE_ILLEGAL' | 'PROPERTIES_SIZE_EXCEEDED' | 'SERVICE_NOT_AVAILABLE' | 'OS_PAGE_CACHE_BUSY'

/** A message to be stored. The store copies what it needs before `append` returns. */
export interface NewMessage {
  topic: string
  queueId: number
  flag: number
  sysFlag: number
  /** Epoch ms, the producer's clock. */
  bornTimestamp: number
  /** 4 or 16 address bytes and an int32 port (`Peer.remoteHost`). The store sets the IPv6 bit of sysFlag. */
  bornHost: Uint8Array
  reconsumeTimes: number
  /** 0 unless this is a committed transactional message. */
  preparedTransactionOffset: number
  body: Uint8Array
  /** The property string, in RocketMQ's `name 0x01 value 0x02` form; '' for none. */
  properties: string
  /** More properties in the same form, already encoded, stored behind `properties`: what a broker adds to every message. */
  addedProperties?: Uint8Array
  /** TAGS, UNIQ_KEY and KEYS as they stand in `properties`; '' when absent. */
  tags: string
  uniqKey: string
  keys: string
  /** Overrides the tag hash in the consume queue (a delivery time for delay topics). */
  tagsCode?: number
}

/** Elements of one batch: one topic, one queue, consecutive queue offsets; all or nothing. */
export interface NewBatch extends Omit<NewMessage, 'body' | 'properties' | 'tags' | 'uniqKey' | 'keys' | 'flag' | 'tagsCode'> {
  elements: readonly { flag: number; body: Uint8Array; properties: string; tags: string; uniqKey: string; keys: string }[]
}

export interface PutResult {
  status: PutStatus
  /** Why, in words, when status is not PUT_OK. */
  reason: string
  /** Of the first record. */
  physicalOffset: number
  queueOffset: number
  /** End of the last record: acknowledged when `written` (or `synced`) has reached it. */
  endOffset: number
  storeTimestamp: number
  /** Only for a batch: physical offset of each record. */
  physicalOffsets: readonly number[]
}

/** Java: org.apache.rocketmq.store.GetMessageStatus. */
export type GetStatus =
  | 'FOUND'
  | 'NO_MATCHED_MESSAGE'
  | 'MESSAGE_WAS_REMOVING'
  | 'OFFSET_FOUND_NULL'
  | 'OFFSET_OVERFLOW_BADLY'
  | 'OFFSET_OVERFLOW_ONE'
  | 'OFFSET_TOO_SMALL'
  | 'NO_MATCHED_LOGIC_QUEUE'
  | 'NO_MESSAGE_IN_QUEUE'

export interface GetQuery {
  topic: string
  queueId: number
  offset: number
  maxCount: number
  /** Never applied to the first message. */
  maxBytes: number
  /** Keeps a message by the low 32 bits of its consume queue tags code. Absent: all. */
  accepts?: ((tagsCode: number) => boolean) | undefined
}

export interface GetResult {
  status: GetStatus
  nextOffset: number
  minOffset: number
  maxOffset: number
  /** Raw records back to back; empty unless FOUND. */
  body: Buffer
  count: number
}

export interface QueryHit {
  physicalOffset: number
  record: Buffer
}

export interface StoreStats {
  minPhysicalOffset: number
  /** Position after the last appended record. */
  appended: number
  written: number
  synced: number
  /** Position up to which consume queues and index are built. */
  dispatched: number
  /** Used fraction (0..1) of the partition that holds the commit log. */
  diskUsedRatio: number
  diskTotalBytes: number
  diskFreeBytes: number
  earliestMessageTime: number
  /** Why writes are refused at the moment; null when they are accepted. */
  notWritable: string | null
  messagesTotal: number
  queueCount: number
}

export interface Store {
  /** Puts one message into the tail of the log. Synchronous; durable only when `progress` says so. */
  append(message: NewMessage): PutResult
  appendBatch(batch: NewBatch): PutResult
  /**
   * Called after each write round, in log order. `written`: a process crash loses nothing before it. `synced`: a power cut neither.
   * With SYNC_FLUSH both advance together.
   */
  onProgress(listener: (written: number, synced: number) => void): void
  /** A write failed: nothing from `position` on was stored, and `append` refuses until space or disk is back. */
  onRollback(listener: (position: number, reason: string) => void): void
  /** Asks for one `onArrival` call at the next message of a queue. Queues that nobody watches cost nothing. */
  watch(topic: string, queueId: number): void
  /** Called once for a watched queue, after a dispatch round: messages up to `maxOffset` (exclusive) can now be read. Watch again to hear more. */
  onArrival(listener: (topic: string, queueId: number, maxOffset: number) => void): void

  /** Synchronous when the answer is in memory. Follows spec store, section 3.4. */
  get(query: GetQuery): GetResult | Promise<GetResult>
  /** The record that starts at `physicalOffset`, or null. */
  read(physicalOffset: number): Promise<Buffer | null>
  /** Key index lookup (`UNIQ_KEY` and `KEYS` alike); may over-match by hash. Sorted by position. Times are store times, epoch ms. */
  query(topic: string, key: string, maxCount: number, begin: number, end: number): Promise<QueryHit[]>

  minOffset(topic: string, queueId: number): number
  /** Next offset a consumer will be able to read up to (dispatched). 0 for an unknown queue. */
  maxOffset(topic: string, queueId: number): number
  /** Next offset that will be assigned. */
  nextOffset(topic: string, queueId: number): number
  offsetByTime(topic: string, queueId: number, timestamp: number, boundary: 'LOWER' | 'UPPER'): Promise<number>
  /** Store time of the message at a queue offset; -1 when there is none. */
  storeTimeAt(topic: string, queueId: number, offset: number): Promise<number>
  /** Whether the message at a queue offset is near enough to the end of the log to count as "in memory" (spec store, 12.3). */
  isNearTail(topic: string, queueId: number, offset: number): boolean
  /** Consume queue rows, raw, for request 321. */
  rows(
    topic: string,
    queueId: number,
    offset: number,
    count: number,
  ): Promise<{ physicalOffset: number; size: number; tagsCode: bigint }[]>
  /** All queues that exist on disk or in memory. */
  queues(): Iterable<{ topic: string; queueId: number }>

  deleteTopic(topic: string): Promise<void>
  /** Removes queues of topics that `keep` refuses. Returns the topics removed. */
  removeUnusedTopics(keep: (topic: string) => boolean): Promise<string[]>
  /** Changes retention while the store is open. Throws a RangeError when `deleteWhen` is not readable. */
  setRetention(config: Partial<RetentionConfig>): void
  /** Runs retention now. `force`: at any hour, for the next 20 rounds (code 329); the reserved time still holds. Returns files removed. */
  clean(force: boolean): Promise<number>
  stats(): StoreStats
  /** Writes and syncs everything. Resolves when all that was appended is durable and dispatched. */
  flush(): Promise<void>
  /** Clean shutdown: flush, checkpoint, remove `abort`, release the lock. */
  close(): Promise<void>
}
