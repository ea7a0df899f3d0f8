import { BlockCache } from './commit-log/block-cache.ts'
import { CommitLog } from './commit-log/commit-log.ts'
import { LogFiles, StoreDamagedError } from './commit-log/log-files.ts'
import { LogReader } from './commit-log/log-reader.ts'
import { Checkpoint } from './checkpoint.ts'
import { ConsumeQueues } from './consume-queue/queues.ts'
import type { DiskLock } from './disk.ts'
import { Dispatcher } from './dispatch.ts'
import { KeyIndex } from './key-index/key-index.ts'
import { findMissing } from './manifest.ts'
import { type OpenOptions, type StoreOptions, withDefaults } from './options.ts'
import { recover, type Recovered } from './recover.ts'
import { DiskStore } from './store.ts'
import type { Store } from './types.ts'

/**
 * Opens a store directory: lock, load, recover, then `abort` (spec store, 5.2). Rejects with StoreDamagedError when the data cannot
 * be trusted; the message says what to do. A directory that another process uses is refused.
 */
export async function openStore(given: OpenOptions): Promise<Store> {
  const options = withDefaults(given)
  const { disk, folder } = options
  await disk.makeFolder(folder)
  const lock = await disk.lock(folder + '/lock')
  if (lock === null) {
    throw new StoreDamagedError(`${folder} is in use by another process: stop that one first, or choose another folder`)
  }
  try {
    return await openLocked(options, lock)
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function openLocked(options: StoreOptions, lock: DiskLock): Promise<Store> {
  const { disk, folder, logger } = options
  const startedAt = options.clock.monotonic()
  const clean = (await disk.stat(folder + '/abort')) === null
  const files = await LogFiles.load(
    disk,
    options.commitLogFolder,
    options.mappedFileSizeCommitLog,
    options.flushDiskType === 'SYNC_FLUSH',
  )
  const checkpoint = await Checkpoint.open(disk, folder + '/checkpoint')
  const derived = await loadDerived(options, checkpoint, clean)
  const recovered = await recover({
    files,
    queues: derived.queues,
    index: derived.index,
    checkpoint,
    logger,
    clean,
    rebuild: derived.rebuild,
    checkCrc: options.checkCRCOnRecover,
    damagedCommitLog: options.damagedCommitLog,
    delayLevelsMs: options.delayLevelsMs,
  })
  const { queues, index } = derived
  for (const queue of queues.all()) queue.next = queue.max
  await queues.correctMin(files.minPosition)
  if (!clean || derived.rebuild) {
    logger.info('recovered the store after an unclean exit', {
      records: recovered.records,
      end: recovered.end,
      ms: Math.round(options.clock.monotonic() - startedAt),
    })
  }
  await writeAbort(options)
  return assemble(options, { files, checkpoint, queues, index, recovered, lock })
}

interface Derived {
  queues: ConsumeQueues
  index: KeyIndex | null
  /** Something derived was lost or damaged: the whole log is dispatched again. */
  rebuild: boolean
}

/** Consume queues and index. What is damaged is set aside and built again: the log is the truth. */
async function loadDerived(options: StoreOptions, checkpoint: Checkpoint, clean: boolean): Promise<Derived> {
  const { disk, folder, logger } = options
  const loadQueues = (): Promise<ConsumeQueues> =>
    ConsumeQueues.load({
      disk,
      folder: folder + '/consumequeue',
      fileBytes: options.mappedFileSizeConsumeQueue,
      clock: options.clock,
      logger,
      clean,
    })
  const loadIndex = (trustedPosition: number): Promise<KeyIndex | null> =>
    options.messageIndexEnable
      ? KeyIndex.open({
          disk,
          folder: folder + '/index',
          clock: options.clock,
          logger,
          slots: options.maxHashSlotNum,
          entries: options.maxIndexNum,
          clean,
          trustedPosition,
        })
      : Promise.resolve(null)
  let rebuild = false
  await disk.makeFolder(folder + '/consumequeue')
  let queues: ConsumeQueues
  try {
    queues = await loadQueues()
  } catch (error) {
    logger.warn('consume queues are damaged: building them again from the commit log', { problem: (error as Error).message })
    rebuild = true
    await disk.remove(folder + '/consumequeue.damaged')
    await disk.rename(folder + '/consumequeue', folder + '/consumequeue.damaged')
    queues = await loadQueues()
  }
  let index: KeyIndex | null
  try {
    index = await loadIndex(clean ? Number.MAX_SAFE_INTEGER : checkpoint.logicsPhysicalOffset)
  } catch (error) {
    logger.warn('the key index is damaged: building it again from the commit log', { problem: (error as Error).message })
    rebuild = true
    await disk.remove(folder + '/index.damaged')
    await disk.rename(folder + '/index', folder + '/index.damaged')
    index = await loadIndex(0)
  }
  const missing = await findMissing(disk, folder, queues, index)
  if (missing !== null) {
    logger.warn('consume queues or index are incomplete: building them again from the commit log', { missing })
    rebuild = true
  }
  return { queues, index, rebuild }
}

async function writeAbort(options: StoreOptions): Promise<void> {
  const { disk, folder } = options
  const file = await disk.open(folder + '/abort', { create: true })
  await file.truncate(0)
  await file.write([Buffer.from(String(process.pid))], 0)
  await file.sync()
  await file.close()
  await disk.syncFolder(folder)
}

async function assemble(
  options: StoreOptions,
  parts: {
    files: LogFiles
    checkpoint: Checkpoint
    queues: ConsumeQueues
    index: KeyIndex | null
    recovered: Recovered
    lock: DiskLock
  },
): Promise<Store> {
  const { files, checkpoint, queues, index, recovered, lock } = parts
  const store = new DiskStore(options, { checkpoint, queues, index, lock })
  const log = new CommitLog(recovered.end, recovered.lastTimestamp || checkpoint.physicMsgTimestamp, {
    files,
    clock: options.clock,
    storeHost: options.storeHost,
    syncEachWrite: options.flushDiskType === 'SYNC_FLUSH',
    maxMessageSize: options.maxMessageSize,
    tailBytesMax: options.tailBytesMax,
    unwrittenBytesMax: options.unwrittenBytesMax,
    listener: store,
  })
  const blocks = new BlockCache(files, options.blockCacheBytesMax, () => log.written)
  const dispatcher = new Dispatcher(recovered.end, log.lastTimestamp, index, queue => store.queueArrived(queue))
  if (recovered.lastRecordStart >= 0) checkpoint.confirmPhyOffset = recovered.lastRecordStart
  await store.start({ log, blocks, reader: new LogReader(log, blocks), dispatcher })
  return store
}
