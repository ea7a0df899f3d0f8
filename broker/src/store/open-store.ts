import { BlockCache } from './commit-log/block-cache.ts'
import { CommitLog } from './commit-log/commit-log.ts'
import { LogFiles, StoreInUseError } from './commit-log/log-files.ts'
import { LogReader } from './commit-log/log-reader.ts'
import { Checkpoint } from './checkpoint.ts'
import { ConsumeQueues } from './consume-queue/queues.ts'
import type { Disk, DiskLock } from './disk.ts'
import { Dispatcher } from './dispatch.ts'
import { KeyIndex } from './key-index/key-index.ts'
import { findMissing } from './manifest.ts'
import { type OpenOptions, type StoreOptions, withDefaults } from './options.ts'
import { recover, type Recovered, recoveryStart } from './recover.ts'
import { DiskStore, type StoreParts } from './store.ts'
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
    throw new StoreInUseError(`${folder} is in use by another process: stop that one first, or choose another folder`)
  }
  try {
    return await openLocked(options, lock)
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function openLocked(options: StoreOptions, lock: DiskLock): Promise<Store> {
  const { disk, folder, logger, clock } = options
  const startedAt = clock.monotonic()
  const clean = (await disk.stat(folder + '/abort')) === null
  const files = await LogFiles.load(
    disk,
    options.commitLogFolder,
    options.mappedFileSizeCommitLog,
    options.flushDiskType === 'SYNC_FLUSH',
  )
  const checkpoint = await Checkpoint.open(disk, folder + '/checkpoint')
  const { queues, isNew } = await loadQueues(options, clean)
  const known = isNew ? files.minPosition : await recoveryStart({ files, queues, checkpoint, clean })
  const index = await loadIndex(options, clean, known)
  const missing = isNew ? 'all consume queues' : await findMissing(disk, folder, queues, index)
  if (missing !== null)
    logger.warn('consume queues or index are incomplete: building them again from the commit log', { missing })
  const from = missing === null ? Math.max(files.minPosition, Math.min(known, index?.missingFrom ?? known)) : files.minPosition
  const recovered = await recover({
    files,
    queues,
    index,
    checkpoint,
    logger,
    clean,
    from,
    queuesKnownTo: clean && missing === null ? checkpoint.logicsPhysicalOffset : 0,
    checkCrc: options.checkCRCOnRecover,
    damagedCommitLog: options.damagedCommitLog,
    delayLevelsMs: options.delayLevelsMs,
  })
  for (const queue of queues.all()) queue.next = queue.max
  await queues.correctMin(files.minPosition)
  const unclean = !clean || missing !== null
  if (unclean) {
    const { records, end } = recovered
    logger.info('recovered the store', { clean, from, records, end, ms: Math.round(clock.monotonic() - startedAt) })
  }
  await writeAbort(options)
  return assemble(options, { files, checkpoint, queues, index, recovered, lock, unclean })
}

/** Consume queues that are damaged are set aside and built again: the log is the truth. `isNew`: they hold nothing of it yet. */
async function loadQueues(options: StoreOptions, clean: boolean): Promise<{ queues: ConsumeQueues; isNew: boolean }> {
  const { disk, clock, logger, mappedFileSizeConsumeQueue: fileBytes } = options
  const folder = options.folder + '/consumequeue'
  await disk.makeFolder(folder)
  const load = (): Promise<ConsumeQueues> => ConsumeQueues.load({ disk, folder, fileBytes, clock, logger, clean })
  try {
    return { queues: await load(), isNew: false }
  } catch (error) {
    logger.warn('consume queues are damaged: setting them aside', {
      problem: (error as Error).message,
      movedTo: folder + '.damaged',
    })
    await setAside(disk, folder)
    return { queues: await load(), isNew: true }
  }
}

/** The same for the key index. `trustedPosition`: after an unclean exit everything behind it is dispatched again anyway. */
async function loadIndex(options: StoreOptions, clean: boolean, trustedPosition: number): Promise<KeyIndex | null> {
  if (!options.messageIndexEnable) return null
  const { disk, clock, logger, maxHashSlotNum: slots, maxIndexNum: entries } = options
  const folder = options.folder + '/index'
  try {
    return await KeyIndex.open({ disk, folder, clock, logger, slots, entries, clean, trustedPosition })
  } catch (error) {
    logger.warn('the key index is damaged: setting it aside', { problem: (error as Error).message, movedTo: folder + '.damaged' })
    await setAside(disk, folder)
    return KeyIndex.open({ disk, folder, clock, logger, slots, entries, clean, trustedPosition: 0 })
  }
}

/** Keeps one earlier generation for whoever wants to look at it. */
async function setAside(disk: Disk, folder: string): Promise<void> {
  await disk.remove(folder + '.damaged')
  await disk.rename(folder, folder + '.damaged')
  await disk.makeFolder(folder)
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
  parts: StoreParts & { files: LogFiles; recovered: Recovered; unclean: boolean },
): Promise<Store> {
  const { files, checkpoint, index, recovered } = parts
  const store = new DiskStore(options, parts)
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
  await store.start({ log, blocks, reader: new LogReader(log, blocks), dispatcher }, parts.unclean)
  return store
}
