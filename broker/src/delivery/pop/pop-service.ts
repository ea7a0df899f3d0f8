import type { Clock, Logger, Peer, Reply } from '@cometmq/remoting'
import type { Offsets, Topics } from '../../registry/types.ts'
import type { Disk } from '../../store/disk.ts'
import type { Store } from '../../store/types.ts'
import { Deadlines } from './deadlines.ts'
import { PopJournal } from './journal.ts'
import { RecordKind, type RecordWriter } from './journal-records.ts'
import type { Lease, LeaseTime } from './lease.ts'
import { OrderQueues } from './order-queues.ts'
import type { PopQueue } from './pop-queue.ts'
import { RestoreReader } from './restore.ts'
import { Reviver, type ReviverOptions } from './reviver.ts'
import type { PopStates } from './states.ts'

export interface PopServiceOptions extends Pick<ReviverOptions, 'gate' | 'mustBeSynced' | 'refusing' | 'host'> {
  store: Store
  disk: Disk
  clock: Clock
  logger: Logger
  topics: Topics
  offsets: Offsets
  /** storePathRootDir; the journal lies in `pop`. */
  folder: string
  /** Read each time. */
  config: {
    readonly popJournalBytesMax: number
    readonly popInflightMessagesMax: number
    readonly popInflightMessagesPerQueueMax: number
  }
}

/**
 * Leases of group consumption (spec store, 10), all in memory and in the journal. What is settled is committed as the group's offset, up to
 * the first message that is not: whoever takes over by that offset loses nothing.
 */
export class PopService {
  readonly #options: PopServiceOptions
  readonly #deadlines: Deadlines<Lease>
  readonly #reviver: Reviver
  #journal!: PopJournal
  #states!: PopStates
  #orders!: OrderQueues
  #onRoom: (group: string, topic: string) => void = () => undefined
  #onCopied: (retryTopic: string) => void = () => undefined

  /** Reads the journal; leases go on with the time they have left by the wall clock. */
  static async start(options: PopServiceOptions): Promise<PopService> {
    const service = new PopService(options)
    await service.#restore()
    return service
  }

  private constructor(options: PopServiceOptions) {
    this.#options = options
    this.#deadlines = new Deadlines<Lease>(options.clock, this.#ended)
    this.#reviver = new Reviver({
      ...options,
      settled: (queue, offset) => this.#settle(queue, offset),
      copied: retryTopic => this.#onCopied(retryTopic),
    })
  }

  /** Messages handed out and not settled. */
  get inFlight(): number {
    return this.#states.total.messages
  }

  /** Why nothing may change at the moment, null when it may. Ask before a pop or an acknowledgement. */
  get failure(): string | null {
    return this.#journal.failure
  }

  /** Queues consumed in order. */
  get orders(): OrderQueues {
    return this.#orders
  }

  /** Told of a queue that can be popped again after a pop found it full, or blocked by a batch before it. */
  onRoom(listener: (group: string, topic: string) => void): void {
    this.#onRoom = listener
  }

  /** Told of a topic into which messages are copied back. */
  onCopied(listener: (retryTopic: string) => void): void {
    this.#onCopied = listener
  }

  /** Answers when everything that has happened so far is written. */
  answer(peer: Peer, opaque: number, reply: Reply): void {
    this.#journal.answer(peer, opaque, reply)
  }

  find(group: string, topic: string, queueId: number): PopQueue | undefined {
    return this.#states.find(group, topic, queueId)
  }

  /**
   * The queue as a pop sees it: made where there is none, and brought in line with an offset that someone else has committed or reset.
   * @param initial offset of a group that has none.
   */
  open(group: string, topic: string, queueId: number, initial: () => number): PopQueue {
    const { offsets } = this.#options
    const queue = this.#states.find(group, topic, queueId)
    if (queue !== undefined) {
      this.#follow(queue, initial)
      return queue
    }
    offsets.takeReset(group, topic, queueId)
    let offset = offsets.query(group, topic, queueId)
    if (offset < 0) {
      offset = initial()
      offsets.commit(group, topic, queueId, offset)
    }
    const opened = this.#states.add({ group, topic, queueId }, offset)
    this.#journal.records.queue(opened.number, opened, offset)
    return opened
  }

  /** How many more messages may be in flight on a queue. A queue without room is remembered: `onRoom` tells when it has some. */
  room(queue: PopQueue): number {
    const { popInflightMessagesMax, popInflightMessagesPerQueueMax } = this.#options.config
    const room = Math.min(popInflightMessagesPerQueueMax - queue.inFlight, popInflightMessagesMax - this.inFlight)
    queue.starved = room <= 0
    return room
  }

  /** Leases the messages `offsets`, which lie in the `span` offsets from `queue.next`; the others of these are done with. */
  handOut(queue: PopQueue, span: number, time: LeaseTime, offsets: readonly number[]): Lease {
    const lease = queue.handOut(span, time, offsets)
    this.#journal.records.run(queue.number, lease)
    this.#deadlines.add(lease, time.invisibleMs)
    this.#commit(queue)
    return lease
  }

  /** Nothing before `offset` is wanted. */
  skip(queue: PopQueue, offset: number): void {
    if (offset <= queue.next) return
    queue.skipTo(offset)
    this.#journal.records.offset(RecordKind.SKIPPED, queue.number, offset)
    this.#commit(queue)
  }

  /** Forgets the leases and goes on at `offset`. */
  reposition(queue: PopQueue, offset: number): void {
    queue.reposition(offset, this.#released)
    this.#journal.records.offset(RecordKind.AT, queue.number, offset)
    this.#commit(queue)
    this.#roomAgain(queue)
  }

  /** Settles a message; false when no lease of that time holds it. */
  acknowledge(queue: PopQueue, offset: number, popTime: number): boolean {
    if (!queue.settle(offset, this.#released, popTime)) return false
    this.#journal.records.settled(queue.number, offset, 1)
    this.#commit(queue)
    this.#roomAgain(queue)
    return true
  }

  /** Settles the messages whose bit is set, bit 0 of byte 0 being `start`. Returns how many it settled. */
  acknowledgeBits(queue: PopQueue, start: number, bits: Uint8Array, popTime: number): number {
    let settled = 0
    let runStart = -1
    const count = Math.min(bits.length * 8, queue.next - start)
    for (let i = 0; i <= count; i++) {
      const wanted = i < count && ((bits[i >> 3]! >>> (i & 7)) & 1) === 1
      if (wanted && queue.settle(start + i, this.#released, popTime)) {
        settled++
        if (runStart === -1) runStart = start + i
      } else if (runStart !== -1) {
        this.#journal.records.settled(queue.number, runStart, start + i - runStart)
        runStart = -1
      }
    }
    if (settled === 0) return 0
    this.#commit(queue)
    this.#roomAgain(queue)
    return settled
  }

  /** Gives a message another time from now on; false when no live lease of that time holds it. */
  changeTime(queue: PopQueue, offset: number, popTime: number, time: LeaseTime): boolean {
    const holder = queue.holderOf(offset)
    if (holder === undefined || holder.ended || holder.popTime !== popTime) return false
    const lease = queue.move(offset, time, this.#released)!
    this.#journal.records.moved(queue.number, lease)
    if (time.invisibleMs <= 0) this.#ended(lease)
    else this.#deadlines.add(lease, time.invisibleMs)
    return true
  }

  /** Syncs the journal, so that a power cut brings back no more than what was settled since; forgets queues whose offsets were deleted. */
  async tidy(): Promise<void> {
    const { offsets } = this.#options
    for (const queue of [...this.#states.all()]) {
      if (queue.busy || offsets.query(queue.group, queue.topic, queue.queueId) !== -1) continue
      queue.reposition(queue.next, this.#released)
      this.#journal.records.gone(queue.number)
      this.#states.remove(queue)
    }
    this.#orders.tidy()
    await this.#journal.written()
    await this.#journal.sync()
  }

  /** No lease ends any more. */
  stop(): void {
    this.#deadlines.close()
    this.#orders.stop()
    this.#reviver.close()
  }

  /** Writes and closes the journal. Stop first. */
  close(): Promise<void> {
    return this.#journal.close()
  }

  readonly #released = (lease: Lease): void => this.#deadlines.remove(lease)

  readonly #ended = (lease: Lease): void => {
    lease.ended = true
    this.#reviver.add(lease)
  }

  #settle(queue: PopQueue, offset: number): void {
    if (!queue.settle(offset, this.#released)) return
    this.#journal.records.settled(queue.number, offset, 1)
    this.#commit(queue)
    this.#roomAgain(queue)
  }

  #roomAgain(queue: PopQueue): void {
    if (!queue.starved) return
    queue.starved = false
    this.#onRoom(queue.group, queue.topic)
  }

  #commit(queue: PopQueue): void {
    const { floor } = queue
    if (floor === queue.committed) return
    // A pending reset refuses it and is taken at the next pop.
    if (this.#options.offsets.commit(queue.group, queue.topic, queue.queueId, floor)) queue.committed = floor
  }

  /** Someone else moved the group's offset: a reset, a consumer that pulls, or the group was deleted. */
  #follow(queue: PopQueue, initial: () => number): void {
    const { offsets } = this.#options
    const { group, topic, queueId } = queue
    const reset = offsets.takeReset(group, topic, queueId)
    if (reset !== -1) return this.#moveTo(queue, reset)
    const committed = offsets.query(group, topic, queueId)
    if (committed === queue.committed) return
    if (committed < 0) return this.#moveTo(queue, initial())
    if (committed < queue.floor || committed >= queue.next) return this.#moveTo(queue, committed)
    this.#settleBefore(queue, committed)
  }

  #moveTo(queue: PopQueue, offset: number): void {
    queue.committed = -1
    this.reposition(queue, offset)
  }

  #settleBefore(queue: PopQueue, offset: number): void {
    const first = queue.floor
    for (let each = first; each < offset; each++) queue.settle(each, this.#released)
    this.#journal.records.settled(queue.number, first, offset - first)
    queue.committed = offset
    this.#commit(queue)
  }

  async #restore(): Promise<void> {
    const { disk, folder, clock, logger, config } = this.#options
    const { journal, reader } = await PopJournal.open(
      {
        disk,
        folder: `${folder}/pop`,
        clock,
        logger,
        fileBytesMax: config.popJournalBytesMax,
        snapshot: into => this.#snapshot(into),
      },
      () => new RestoreReader(),
    )
    this.#journal = journal
    this.#states = reader.states
    this.#orders = new OrderQueues(
      {
        clock,
        offsets: this.#options.offsets,
        records: () => journal.records,
        onFree: (group, topic) => this.#onRoom(group, topic),
      },
      reader.orders.values(),
    )
    const now = clock.now()
    for (const queue of [...this.#states.all()]) {
      if (!this.#reconcile(queue, reader.cleanStop)) continue
      for (const lease of queue.leases()) {
        // A wall clock that was put back or forward makes no lease longer than it was.
        const left = Math.min(Math.max(0, lease.popTime + lease.invisibleMs - now), lease.invisibleMs)
        this.#deadlines.add(lease, left)
      }
    }
  }

  /** Compares what the journal says with the store and the committed offset; false when the queue is forgotten. */
  #reconcile(queue: PopQueue, cleanStop: boolean): boolean {
    const { store, topics, offsets } = this.#options
    const { group, topic, queueId } = queue
    const committed = offsets.query(group, topic, queueId)
    if (topics.get(topic) === undefined || (committed < 0 && cleanStop)) {
      queue.reposition(queue.next, this.#released)
      this.#journal.records.gone(queue.number)
      this.#states.remove(queue)
      return false
    }
    queue.committed = committed
    const max = store.maxOffset(topic, queueId)
    // The log lost its end: other messages will get these offsets.
    if (queue.next > max) this.#moveTo(queue, Math.min(queue.floor, max))
    if (committed > queue.floor) {
      if (committed >= queue.next) this.#moveTo(queue, Math.min(committed, max))
      else this.#settleBefore(queue, committed)
    } else if (committed < queue.floor) {
      // After a kill the offsets on disk are up to five seconds old; after a stop in order someone has put them back.
      if (cleanStop) this.#moveTo(queue, committed)
      else this.#commit(queue)
    }
    return true
  }

  #snapshot(into: RecordWriter): void {
    for (const queue of this.#states.all()) {
      let isFirst = true
      for (const run of queue.runs()) {
        if (isFirst) into.queue(queue.number, queue, run.start)
        isFirst = false
        into.run(queue.number, run)
      }
      if (isFirst) into.queue(queue.number, queue, queue.next)
      for (const lease of queue.moved()) into.moved(queue.number, lease)
      into.offset(RecordKind.SKIPPED, queue.number, queue.next)
    }
    this.#orders.snapshot(into)
  }
}
