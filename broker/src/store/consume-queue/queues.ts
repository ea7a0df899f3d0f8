import type { Clock } from '@cometmq/remoting'
import { findQueues } from './load.ts'
import { inParallel } from './parallel.ts'
import { ConsumeQueue } from './queue.ts'
import { Shared, type SharedOptions } from './shared.ts'

export interface ConsumeQueuesOptions extends SharedOptions {
  clock: Clock
  /** The last exit was clean: what is on disk is complete, nothing is torn. */
  clean: boolean
  /** Memory for the newest rows of all queues: with more, queues that were flushed give theirs back. Default 96 MiB. */
  pageBytesMax?: number
}

export interface FlushOptions {
  /** All rows, not only of queues that have gathered 8 KiB. */
  thorough: boolean
  /** Also makes durable what was written. */
  sync: boolean
  /** Log position up to which rows were appended, now. */
  dispatched: number
}

const MiB = 1024 * 1024
const LOAD_CONCURRENCY = 32
/** Half of the four threads Node has for files: the commit log must not wait behind ten thousand queues. */
const FLUSH_CONCURRENCY = 2

/** All consume queues of a store (spec store, section 3; Java: ConsumeQueueStore). Work on files happens one task after the other. */
export class ConsumeQueues {
  readonly #pageBytesMax: number
  readonly #shared: Shared
  /** By topic and queue; the numbers may have holes, even large ones. */
  readonly #topics = new Map<string, (ConsumeQueue | undefined)[]>()
  readonly #all = new Set<ConsumeQueue>()
  #last: Promise<unknown> = Promise.resolve()
  #writtenTo = 0
  #syncedTo = 0
  #isRelieving = false

  private constructor(options: ConsumeQueuesOptions) {
    this.#shared = new Shared(options)
    this.#shared.relieve = () => this.#relieve()
    this.#pageBytesMax = options.pageBytesMax ?? 96 * MiB
  }

  /** Finds all queues and where they end. Rejects with StoreDamagedError when a file does not fit; nothing is left open then. */
  static async load(options: ConsumeQueuesOptions): Promise<ConsumeQueues> {
    const startedAt = options.clock.monotonic()
    const queues = new ConsumeQueues(options)
    try {
      const load = async ({
        topic,
        queueId,
        first,
        end,
      }: {
        topic: string
        queueId: number
        first: number
        end: number
      }): Promise<void> => queues.getOrCreate(topic, queueId).load(first, end, options.clean)
      await findQueues(queues.#shared, options.clean, load, LOAD_CONCURRENCY)
    } catch (error) {
      await queues.close()
      throw error
    }
    options.logger.info('loaded consume queues', { queues: queues.count, ms: Math.round(options.clock.monotonic() - startedAt) })
    return queues
  }

  // ---- which there are ----

  get count(): number {
    return this.#all.size
  }

  /** Position after the newest record that any queue has a row for; 0 without any. */
  get maxPhysical(): number {
    let largest = 0
    for (const queue of this.#all) largest = Math.max(largest, queue.maxPhysical)
    return largest
  }

  get(topic: string, queueId: number): ConsumeQueue | undefined {
    return this.#topics.get(topic)?.[queueId]
  }

  /** Throws a RangeError for a name or number that cannot be a folder. */
  getOrCreate(topic: string, queueId: number): ConsumeQueue {
    return this.#topics.get(topic)?.[queueId] ?? this.#create(topic, queueId)
  }

  #create(topic: string, queueId: number): ConsumeQueue {
    // Names were checked where they came in; once more here, because this one becomes a path.
    if (topic === '' || topic === '.' || topic === '..' || /[/\\\0]/.test(topic)) {
      throw new RangeError(`${JSON.stringify(topic)} cannot be the name of a topic: it would leave the store's folder`)
    }
    if (!Number.isInteger(queueId) || queueId < 0 || queueId > 0x7fffffff)
      throw new RangeError(`${queueId} cannot be a queue of ${topic}`)
    const queue = new ConsumeQueue(this.#shared, topic, queueId)
    const queues = this.#topics.get(topic) ?? []
    queues[queueId] = queue
    this.#topics.set(topic, queues)
    this.#all.add(queue)
    return queue
  }

  all(): IterableIterator<ConsumeQueue> {
    return this.#all.values()
  }

  topics(): IterableIterator<string> {
    return this.#topics.keys()
  }

  // ---- memory ----

  /** Rows that no file has yet, in bytes. From `dirtyBytesMax` on they are being written; far above it the disk does not keep up. */
  get dirtyBytes(): number {
    return this.#shared.dirtyBytes
  }

  get dirtyBytesMax(): number {
    return this.#shared.dirtyBytesMax
  }

  /** Memory taken by rows, written or not, without the cache of older ones. */
  get pageBytes(): number {
    return this.#shared.pageBytes
  }

  // ---- files ----

  /** One task at a time: flushing, cutting and deleting do not meet. */
  #exclusively<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task, task)
    this.#last = result.catch(() => undefined)
    return result
  }

  /**
   * Writes rows into files. Returns the log position up to which the rows of all queues are in files, or with `sync` durable: that of the
   * newest thorough flush. Rejects with the first error after trying every queue; what failed is tried again the next time.
   */
  flush(options: FlushOptions): Promise<number> {
    return this.#exclusively(() => this.#flush(options))
  }

  async #flush({ thorough, sync, dispatched }: FlushOptions): Promise<number> {
    const shared = this.#shared
    for (const queue of shared.holding.splice(0)) queue.releasePages(false)
    const everything = thorough || shared.dirtyBytes >= shared.dirtyBytesMax
    await inParallel(this.#takeDirty(everything), FLUSH_CONCURRENCY, async queue => {
      await queue.write()
      if (sync) await queue.sync()
      if (shared.pageBytes > this.#pageBytesMax) queue.releasePages(true)
    })
    if (everything) this.#writtenTo = Math.max(this.#writtenTo, dispatched)
    if (!sync) return this.#writtenTo
    const unsynced = shared.unsynced
    shared.unsynced = []
    await inParallel(unsynced, FLUSH_CONCURRENCY, queue => queue.sync())
    await this.#syncFolders()
    this.#syncedTo = this.#writtenTo
    return this.#syncedTo
  }

  /** Too much is in memory: writes it without waiting for the next flush. */
  #relieve(): void {
    if (this.#isRelieving) return
    this.#isRelieving = true
    void this.flush({ thorough: true, sync: false, dispatched: 0 })
      .catch((error: unknown) =>
        this.#shared.logger.error('writing consume queues failed', { problem: (error as Error).message }),
      )
      .finally(() => (this.#isRelieving = false))
  }

  #takeDirty(everything: boolean): ConsumeQueue[] {
    const shared = this.#shared
    const dirty = shared.dirty
    shared.dirty = []
    if (everything) return dirty
    const worthIt: ConsumeQueue[] = []
    for (const queue of dirty) (queue.isWorthWriting ? worthIt : shared.dirty).push(queue)
    return worthIt
  }

  async #syncFolders(): Promise<void> {
    const folders = [...this.#shared.unsyncedFolders]
    this.#shared.unsyncedFolders.clear()
    await inParallel(folders, FLUSH_CONCURRENCY, async folder => {
      try {
        await this.#shared.disk.syncFolder(folder)
      } catch (error) {
        this.#shared.unsyncedFolders.add(folder)
        throw error
      }
    })
  }

  /**
   * Removes rows of records from `position` on, in all queues; they do not come back. Nothing may be appended meanwhile, and the log
   * must not go on before: rows of what it lost would point into what is written in that place.
   */
  truncate(position: number): Promise<void> {
    return this.#exclusively(async () => {
      await inParallel([...this.#all], LOAD_CONCURRENCY, async queue => {
        if (queue.maxPhysical <= position) return
        await queue.truncate(position)
        await queue.sync()
      })
      this.#writtenTo = Math.min(this.#writtenTo, position)
      this.#syncedTo = Math.min(this.#syncedTo, position)
    })
  }

  /** Moves each `min` to the first row whose record is at `minPosition`, the start of the log, or later. */
  correctMin(minPosition: number): Promise<void> {
    return this.#exclusively(() => inParallel([...this.#all], LOAD_CONCURRENCY, queue => queue.correctMin(minPosition)))
  }

  /** Deletes files whose rows all point before `minPosition`, never the last one of a queue, and corrects each `min`. */
  deleteBefore(minPosition: number): Promise<void> {
    return this.#exclusively(() => inParallel([...this.#all], FLUSH_CONCURRENCY, queue => queue.deleteBefore(minPosition)))
  }

  /** Forgets a topic at once and deletes its folder; the promise ends when it is gone. */
  remove(topic: string): Promise<void> {
    const queues = Object.values(this.#topics.get(topic) ?? []).filter(queue => queue !== undefined)
    if (queues.length === 0) return Promise.resolve()
    this.#topics.delete(topic)
    for (const queue of queues) this.#all.delete(queue)
    return this.#exclusively(() => this.#removeFolder(topic, queues))
  }

  async #removeFolder(topic: string, queues: readonly ConsumeQueue[]): Promise<void> {
    const { disk, folder, files, unsyncedFolders } = this.#shared
    for (const queue of queues) queue.discard()
    const path = `${folder}/${topic}`
    files.forget(path + '/')
    for (const each of unsyncedFolders) if (each === path || each.startsWith(path + '/')) unsyncedFolders.delete(each)
    await disk.remove(path)
    // Now, not with the next flush: what a crash brings back would be taken for the queues of a new topic of that name.
    if ((await disk.stat(folder)) !== null) await disk.syncFolder(folder)
  }

  /** For a store without a log: all queues go. */
  async removeAll(): Promise<void> {
    await Promise.all([...this.#topics.keys()].map(topic => this.remove(topic)))
  }

  /** Closes the files. What was not flushed is lost. */
  close(): Promise<void> {
    return this.#exclusively(() => this.#shared.files.close())
  }
}
