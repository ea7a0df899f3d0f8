import {
  appendProperties,
  decodeRecord,
  getProperty,
  isRetryTopic,
  popRetryTopic,
  readInt32,
  recordQueueOffset,
  type Clock,
  type Logger,
  type Timer,
} from '@cometmq/remoting'
import type { Offsets, Topics } from '../../registry/types.ts'
import type { GetResult, NewMessage, PutResult, Store } from '../../store/types.ts'
import { property } from '../known-properties.ts'
import { copyOf } from '../record-copy.ts'
import type { Lease } from './lease.ts'
import type { PopQueue } from './pop-queue.ts'

const READ_COUNT = 32
const READ_BYTES = 1024 * 1024
const RETRY_MS = 200
const READ_AND_WRITE = 6

export interface ReviverOptions {
  store: Store
  clock: Clock
  logger: Logger
  topics: Topics
  offsets: Offsets
  /** Unwritten bytes are counted, and limited. */
  gate: { appended(endOffset: number): void; overloaded(): string | null }
  /** Copies count as stored when they are synced, not only written. */
  mustBeSynced: boolean
  /** Why nothing may be stored (the broker stops); null when it may. */
  refusing: () => string | null
  /** Born host of the copies. */
  host: Uint8Array
  /** The copy of a message is stored, or the message is gone. */
  settled: (queue: PopQueue, offset: number) => void
  /** Copies are on their way into this topic. */
  copied: (retryTopic: string) => void
}

/** A lease whose messages go back. */
interface Revival {
  readonly lease: Lease
  /** Offsets before it are copied, or need no copy. */
  from: number
  waiting: boolean
}

/**
 * Brings back messages whose lease has ended (spec store, 10.4; Java: PopReviveService): each is copied to the retry topic of its group, and
 * settled when the copy is stored. A crash between the two delivers it twice, never not at all.
 */
export class Reviver {
  readonly #options: ReviverOptions
  #waiting: Revival[] = []
  #running = false
  #closed = false
  #timer: Timer | null = null
  /** Copies that are not stored yet, oldest first. */
  #ends: number[] = []
  #copies: { revival: Revival; offset: number }[] = []

  constructor(options: ReviverOptions) {
    this.#options = options
    options.store.onProgress((written, synced) => this.#progress(options.mustBeSynced ? synced : written))
    options.store.onRollback(position => this.#rolledBack(position))
  }

  add(lease: Lease): void {
    this.#wait({ lease, from: lease.start, waiting: false })
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  #wait(revival: Revival): void {
    if (revival.waiting) return
    revival.waiting = true
    this.#waiting.push(revival)
    this.#start()
  }

  #start(): void {
    if (this.#running || this.#closed || this.#timer !== null) return
    this.#running = true
    void this.#run().finally(() => {
      this.#running = false
      if (this.#waiting.length > 0 && this.#timer === null) this.#later()
    })
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#closed) {
      const batch = this.#waiting
      this.#waiting = []
      for (let i = 0; i < batch.length; i++) {
        const done = !this.#closed && (await this.#tryRevive(batch[i]!))
        if (done) continue
        this.#waiting = batch.slice(i).concat(this.#waiting)
        return
      }
    }
  }

  #later(): void {
    if (this.#closed) return
    this.#timer = this.#options.clock.setTimeout(() => {
      this.#timer = null
      this.#start()
    }, RETRY_MS)
  }

  async #tryRevive(revival: Revival): Promise<boolean> {
    try {
      return await this.#revive(revival)
    } catch (error) {
      const { group, topic, queueId } = revival.lease.queue
      const about = { group, topic, queueId, offset: revival.from, error: String(error) }
      this.#options.logger.error('messages whose lease has ended could not be brought back; trying again', about)
      return false
    }
  }

  /** False: try again later. */
  async #revive(revival: Revival): Promise<boolean> {
    const { lease } = revival
    const { queue } = lease
    for (;;) {
      const offset = nextHeld(lease, revival.from)
      if (offset === -1) {
        revival.waiting = false
        return true
      }
      if (!this.#mayStore()) return false
      const query = { topic: queue.topic, queueId: queue.queueId, offset, maxCount: READ_COUNT, maxBytes: READ_BYTES }
      revival.from = offset
      const read = this.#options.store.get(query)
      const result = read instanceof Promise ? await read : read
      // A rollback during the read took earlier copies back.
      if (revival.from !== offset) continue
      if (!this.#take(revival, result)) return false
    }
  }

  #mayStore(): boolean {
    return !this.#closed && this.#options.refusing() === null && this.#options.gate.overloaded() === null
  }

  #take(revival: Revival, result: GetResult): boolean {
    const { lease } = revival
    const end = lease.start + lease.span
    if (result.status === 'FOUND') return this.#copyAll(revival, result)
    const goneTo = result.status.startsWith('OFFSET_OVERFLOW') || result.maxOffset === 0 ? end : Math.min(result.nextOffset, end)
    if (goneTo <= revival.from) return false
    this.#gone(revival, goneTo)
    return true
  }

  #copyAll(revival: Revival, { body, nextOffset }: GetResult): boolean {
    const { lease } = revival
    const end = lease.start + lease.span
    for (let at = 0; at < body.length; at += readInt32(body, at)) {
      const offset = recordQueueOffset(body, at)
      if (offset >= end) break
      this.#gone(revival, offset)
      if (lease.queue.holderOf(offset) === lease && !this.#copy(revival, offset, body, at)) return false
      revival.from = offset + 1
    }
    this.#gone(revival, Math.min(nextOffset, end))
    return true
  }

  /** What lies before `offset` and is still held has no message any more. */
  #gone(revival: Revival, offset: number): void {
    const { lease } = revival
    for (let each = nextHeld(lease, revival.from); each !== -1 && each < offset; each = nextHeld(lease, each + 1))
      this.#options.settled(lease.queue, each)
    revival.from = Math.max(revival.from, offset)
  }

  #copy(revival: Revival, offset: number, body: Buffer, at: number): boolean {
    const { store, gate, logger, settled, copied } = this.#options
    const { lease } = revival
    if (!this.#mayStore()) return false
    const message = this.#retryMessage(lease, body, at)
    let result: PutResult = store.append(message)
    if (result.status === 'PROPERTIES_SIZE_EXCEEDED') {
      // What we add does not fit any more: as it was it does.
      const { properties } = decodeRecord(body, at)
      result = store.append({ ...message, properties })
    }
    if (result.status === 'PUT_OK') {
      gate.appended(result.endOffset)
      this.#ends.push(result.endOffset)
      this.#copies.push({ revival, offset })
      copied(message.topic)
      return true
    }
    if (result.status !== 'MESSAGE_ILLEGAL' && result.status !== 'PROPERTIES_SIZE_EXCEEDED') return false
    const { group, topic, queueId } = lease.queue
    logger.error('a message cannot be stored in its retry topic and is dropped', {
      group,
      topic,
      queueId,
      offset,
      reason: result.reason,
    })
    settled(lease.queue, offset)
    return true
  }

  #retryMessage(lease: Lease, body: Buffer, at: number): NewMessage {
    const { topics, offsets, host } = this.#options
    const { group, topic } = lease.queue
    const stored = decodeRecord(body, at)
    let added = ''
    if (getProperty(stored.properties, '1ST_POP_TIME') === undefined) added += property('1ST_POP_TIME', String(lease.popTime))
    if (getProperty(stored.properties, 'ORIGIN_GROUP') === undefined) added += property('ORIGIN_GROUP', group)
    const message = copyOf(stored, appendProperties(stored.properties, added))
    message.topic = isRetryTopic(topic) ? topic : popRetryTopic(group, topic)
    message.queueId = 0
    message.bornHost = host
    if (!lease.suspended) message.reconsumeTimes++
    if (topics.get(message.topic) === undefined) topics.ensure(message.topic, 1, READ_AND_WRITE)
    if (offsets.query(group, message.topic, 0) < 0) offsets.commit(group, message.topic, 0, 0)
    return message
  }

  #progress(reached: number): void {
    let done = 0
    while (done < this.#ends.length && this.#ends[done]! <= reached) done++
    if (done === 0) return
    this.#ends.splice(0, done)
    for (const { revival, offset } of this.#copies.splice(0, done)) {
      const { lease } = revival
      if (lease.queue.holderOf(offset) === lease) this.#options.settled(lease.queue, offset)
    }
  }

  #rolledBack(position: number): void {
    while (this.#ends.length > 0 && this.#ends[this.#ends.length - 1]! > position) {
      this.#ends.pop()
      const { revival, offset } = this.#copies.pop()!
      revival.from = Math.min(revival.from, offset)
      this.#wait(revival)
    }
  }
}

/** First offset at or after `from` that this very lease holds; -1 when there is none. */
function nextHeld(lease: Lease, from: number): number {
  let offset = from >= lease.start + lease.span ? -1 : lease.firstOpen(from)
  while (offset !== -1 && lease.queue.holderOf(offset) !== lease)
    offset = offset + 1 >= lease.start + lease.span ? -1 : lease.firstOpen(offset + 1)
  return offset
}
