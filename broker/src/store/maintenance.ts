import type { Timer } from '@cometmq/remoting'
import { isDiskFull } from './disk.ts'
import { describeDerived, writeManifest } from './manifest.ts'
import type { StoreOptions } from './options.ts'
import { parseHours, Retention, type RetentionConfig } from './retention.ts'
import type { LogParts, StoreParts } from './store.ts'

/** A checkpoint syncs a file per queue: the more there are, the more log lies between two of them. */
const QUEUE_CHECKPOINT_BYTES = 64 * 1024
const REOPEN_INTERVAL_MS = 1000
const PAGE_BYTES = 4096
const CHECKPOINT_INTERVAL_MS = 1000
const FIRST_CLEAN_MS = 60_000
const INDEX_UNWRITTEN_BYTES_MAX = 4 * 1024 * 1024
/** Free bytes that must be back before a store that ran out of space takes messages again. */
const REOPEN_FREE_BYTES = 16 * 1024 * 1024

/** What happens by the clock: flushing, checkpoints, retention, coming back after a full disk. One task at a time each. */
export class Maintenance {
  readonly #options: StoreOptions
  readonly #parts: StoreParts & LogParts
  readonly #timers = new Map<string, Timer>()
  readonly #running = new Map<string, Promise<void>>()
  readonly #retention: Retention
  /** Read by `#retention` in each round. */
  readonly #retentionConfig: RetentionConfig
  #stopped = false
  #lastSyncAt = 0
  #lastThoroughAt = 0
  #lastThoroughPosition: number
  #savedTimestamp = 0
  #diskFull: string | null = null
  #total = 0
  #free = 0
  #earliest = -1
  #checkpointing: Promise<void> | null = null

  constructor(options: StoreOptions, parts: StoreParts & LogParts) {
    this.#options = options
    this.#parts = parts
    this.#retentionConfig = { ...options }
    this.#retention = new Retention(this.#retentionConfig)
    this.#lastThoroughPosition = parts.log.end
    this.#lastThoroughAt = options.clock.monotonic()
    this.#lastSyncAt = this.#lastThoroughAt
  }

  async start(): Promise<void> {
    await this.#measureDisk()
    await this.#guardDisk()
    if (this.#options.flushDiskType === 'ASYNC_FLUSH')
      this.#every('flush', this.#options.flushIntervalCommitLogMs, () => this.#flush())
    this.#every('queues', this.#options.flushIntervalConsumeQueueMs, () => this.#flushQueues())
    this.#every('checkpoint', CHECKPOINT_INTERVAL_MS, () => this.#saveTimes())
    this.#every('clean', this.#options.cleanResourceIntervalMs, () => this.#clean(), FIRST_CLEAN_MS)
    this.#every('disk', this.#options.cleanResourceIntervalMs, () => this.#guardDisk())
  }

  #every(name: string, intervalMs: number, task: () => Promise<unknown>, firstMs = intervalMs): void {
    if (this.#stopped) return
    const run = async (): Promise<void> => {
      try {
        await task()
      } catch (error) {
        this.#options.logger.error(`${name} failed`, { problem: (error as Error).message })
      }
      this.#running.delete(name)
      this.#every(name, intervalMs, task)
    }
    this.#timers.set(
      name,
      this.#options.clock.setTimeout(() => this.#running.set(name, run()), firstMs),
    )
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const timer of this.#timers.values()) timer.cancel()
    await Promise.allSettled([...this.#running.values()])
  }

  /** Asynchronous flush: enough dirty pages, or long enough ago (spec store, 5.5). */
  async #flush(): Promise<void> {
    const { log } = this.#parts
    const now = this.#options.clock.monotonic()
    const thorough = now - this.#lastSyncAt >= this.#options.flushCommitLogThoroughIntervalMs
    if (log.written - log.synced < (thorough ? 1 : this.#options.flushCommitLogLeastPages * PAGE_BYTES)) return
    this.#lastSyncAt = now
    try {
      await log.sync()
    } catch (error) {
      // The kernel may have dropped what it could not write: nothing more may be promised on top of it.
      log.closedBecause ??= `syncing the commit log failed (${(error as Error).message}): check the disk and restart`
      throw error
    }
  }

  async #flushQueues(): Promise<void> {
    const now = this.#options.clock.monotonic()
    const { dispatcher, queues, index } = this.#parts
    const due = now - this.#lastThoroughAt >= this.#options.flushConsumeQueueThoroughIntervalMs
    if (
      due ||
      dispatcher.position - this.#lastThoroughPosition >=
        this.#options.checkpointIntervalBytes + queues.count * QUEUE_CHECKPOINT_BYTES
    )
      await this.checkpoint()
    else {
      await queues.flush({ thorough: false, sync: false, dispatched: dispatcher.position })
      if (index !== null && index.unwrittenBytes > INDEX_UNWRITTEN_BYTES_MAX) await index.flush()
    }
  }

  /** Makes queues and index durable up to what is dispatched now, and notes it: recovery starts there. */
  async checkpoint(always = false): Promise<void> {
    // One that is under way may have begun before what the caller wants to be covered.
    if (always) await this.#checkpointing?.catch(() => undefined)
    this.#checkpointing ??= this.#checkpoint(always).finally(() => (this.#checkpointing = null))
    return this.#checkpointing
  }

  async #checkpoint(always: boolean): Promise<void> {
    const { dispatcher, queues, index, checkpoint, log } = this.#parts
    if (
      !always &&
      dispatcher.position === this.#lastThoroughPosition &&
      checkpoint.logicsPhysicalOffset === dispatcher.position
    ) {
      this.#lastThoroughAt = this.#options.clock.monotonic()
      return
    }
    const position = dispatcher.position
    const timestamp = dispatcher.timestamp
    const manifest = describeDerived(queues, index)
    // What the queues point to must be on disk before they are.
    await log.sync()
    await queues.flush({ thorough: true, sync: true, dispatched: position })
    const indexed = index?.completeTimestamp ?? 0
    await index?.flush({ sync: true })
    await writeManifest(this.#options.disk, this.#options.folder, manifest)
    checkpoint.logicsMsgTimestamp = timestamp
    checkpoint.indexMsgTimestamp = indexed
    checkpoint.logicsPhysicalOffset = position
    this.#lastThoroughPosition = position
    this.#lastThoroughAt = this.#options.clock.monotonic()
    await this.#saveTimes(true)
  }

  async #saveTimes(always = false): Promise<void> {
    const { checkpoint, log } = this.#parts
    if (!always && log.syncedTimestamp === this.#savedTimestamp) return
    this.#savedTimestamp = log.syncedTimestamp
    if (log.syncedTimestamp > 0) checkpoint.physicMsgTimestamp = log.syncedTimestamp
    await checkpoint.save()
  }

  // ---- disk space and retention ----

  async #measureDisk(): Promise<number> {
    const usage = await this.#options.disk.usage(this.#options.commitLogFolder)
    this.#total = usage.totalBytes
    this.#free = usage.freeBytes
    const { log, reader } = this.#parts
    this.#earliest = log.end > log.files.minPosition ? await reader.storeTimestamp(log.files.minPosition) : -1
    return usage.totalBytes === 0 ? 0 : 1 - usage.freeBytes / usage.totalBytes
  }

  async #guardDisk(): Promise<void> {
    const used = await this.#measureDisk()
    const { log } = this.#parts
    const verdict = this.#retention.watermark(used)
    if (verdict !== null && log.closedBecause === null) {
      this.#diskFull = verdict
      log.closedBecause = verdict
      this.#options.logger.error('refusing messages', { reason: verdict })
    } else if (verdict === null && this.#diskFull !== null && log.closedBecause === this.#diskFull) {
      this.#diskFull = null
      log.closedBecause = null
      this.#options.logger.info('accepting messages again')
    }
  }

  diskStats(): { diskUsedRatio: number; diskTotalBytes: number; diskFreeBytes: number; earliestMessageTime: number } {
    return {
      diskUsedRatio: this.#total === 0 ? 0 : 1 - this.#free / this.#total,
      diskTotalBytes: this.#total,
      diskFreeBytes: this.#free,
      earliestMessageTime: this.#earliest === -1 ? this.#parts.log.firstTimestamp || -1 : this.#earliest,
    }
  }

  /** From the next round on. Throws a RangeError when `deleteWhen` is not readable. */
  setRetention(config: Partial<RetentionConfig>): void {
    if (config.deleteWhen !== undefined) parseHours(config.deleteWhen)
    Object.assign(this.#retentionConfig, config)
  }

  clean(force: boolean): Promise<number> {
    if (force) this.#retention.requestManualClean()
    return this.#clean()
  }

  async #clean(): Promise<number> {
    const { log, queues, index } = this.#parts
    const used = await this.#measureDisk()
    const starts = this.#retention.expired(await log.files.list(), used, this.#options.clock.now())
    let removed = 0
    for (const start of starts) {
      if (!(await log.files.removeFirst(start))) break
      removed++
    }
    if (removed > 0) {
      const minPosition = log.files.minPosition
      this.#options.logger.info('removed expired commit log files', { files: removed, minPosition })
      await queues.deleteBefore(minPosition)
      await index?.expire(minPosition)
    }
    return removed
  }

  /** After a write error: tries again once a second. Only a lack of space goes away by itself. */
  writeFailed(): void {
    const { log } = this.#parts
    const reason = log.closedBecause
    if (this.#stopped || reason === null) return
    if (!log.diskFull) {
      log.files.cut(log.written).then(
        () => (log.torn = false),
        () => undefined, // the disk is broken: recovery cuts at the next start
      )
      return
    }
    this.#timers.set(
      'reopen',
      this.#options.clock.setTimeout(() => this.#running.set('reopen', this.#reopen(reason)), REOPEN_INTERVAL_MS),
    )
  }

  async #reopen(reason: string): Promise<void> {
    const { log } = this.#parts
    if (log.closedBecause !== reason) return
    try {
      await this.#measureDisk()
      if (this.#free >= REOPEN_FREE_BYTES) {
        await log.reopen()
        this.#options.logger.info('accepting messages again: there is room on the disk')
        return
      }
    } catch (error) {
      if (!isDiskFull(error)) this.#options.logger.error('could not reopen the commit log', { problem: (error as Error).message })
    }
    this.writeFailed()
  }
}
