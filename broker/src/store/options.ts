import type { Clock, Logger } from '@cometmq/remoting'
import { DEFAULT_DELAY_LEVELS, parseDelayLevels } from './delay-levels.ts'
import type { Disk } from './disk.ts'

/** What a store is opened with. Names in RocketMQ's spelling are its configuration keys (spec store, 12.4). */
export interface StoreOptions {
  disk: Disk
  clock: Clock
  logger: Logger
  /** storePathRootDir. */
  folder: string
  /** storePathCommitLog; default `<folder>/commitlog`. */
  commitLogFolder: string
  flushDiskType: 'SYNC_FLUSH' | 'ASYNC_FLUSH'
  /** Bytes of one commit log file. Must match existing data. */
  mappedFileSizeCommitLog: number
  /** Bytes of one consume queue file, a multiple of 20. Must match existing data. */
  mappedFileSizeConsumeQueue: number
  maxHashSlotNum: number
  maxIndexNum: number
  messageIndexEnable: boolean
  /** Largest body, bytes. */
  maxMessageSize: number
  checkCRCOnRecover: boolean
  /** What to do when the log is damaged before its durable end: refuse to start, or cut there (the rest is kept aside). */
  damagedCommitLog: 'refuse' | 'truncate'
  flushIntervalCommitLogMs: number
  flushCommitLogLeastPages: number
  flushCommitLogThoroughIntervalMs: number
  flushIntervalConsumeQueueMs: number
  flushConsumeQueueThoroughIntervalMs: number
  /** Consume queues and index are made durable at the latest after this much log, so that recovery stays short. */
  checkpointIntervalBytes: number
  fileReservedTimeHours: number
  deleteWhen: string
  diskMaxUsedSpaceRatio: number
  diskSpaceCleanForciblyRatio: number
  diskSpaceWarningLevelRatio: number
  cleanResourceIntervalMs: number
  cleanFileForciblyEnable: boolean
  /** Newest part of the log that readers get from memory, bytes. */
  tailBytesMax: number
  /** Appended but not yet written: above it `append` answers OS_PAGE_CACHE_BUSY. */
  unwrittenBytesMax: number
  /** Cache of blocks read from older files, bytes. */
  blockCacheBytesMax: number
  /** Memory of the machine, bytes: what lies within 40 % of it from the end of the log counts as "in memory". */
  machineMemoryBytes: number
  accessMessageInMemoryMaxRatio: number
  maxTransferBytesOnMessageInMemory: number
  maxTransferCountOnMessageInMemory: number
  maxTransferBytesOnMessageInDisk: number
  maxTransferCountOnMessageInDisk: number
  /** Consume queue bytes one read may scan. */
  maxFilterMessageSize: number
  /** Delays of the levels 1, 2, … in ms (messageDelayLevel). */
  delayLevelsMs: readonly number[]
  /** Address written into records and message ids: 4 or 16 bytes of IP, then an int32 port. */
  storeHost: Uint8Array
}

const MiB = 1024 * 1024

export const storeDefaults = {
  flushDiskType: 'SYNC_FLUSH',
  mappedFileSizeCommitLog: 1024 * MiB,
  mappedFileSizeConsumeQueue: 6_000_000,
  maxHashSlotNum: 5_000_000,
  maxIndexNum: 20_000_000,
  messageIndexEnable: true,
  maxMessageSize: 4 * MiB,
  checkCRCOnRecover: true,
  damagedCommitLog: 'refuse',
  flushIntervalCommitLogMs: 500,
  flushCommitLogLeastPages: 4,
  flushCommitLogThoroughIntervalMs: 10_000,
  flushIntervalConsumeQueueMs: 1000,
  flushConsumeQueueThoroughIntervalMs: 60_000,
  checkpointIntervalBytes: 256 * MiB,
  fileReservedTimeHours: 72,
  deleteWhen: '04',
  diskMaxUsedSpaceRatio: 75,
  diskSpaceCleanForciblyRatio: 85,
  diskSpaceWarningLevelRatio: 90,
  cleanResourceIntervalMs: 10_000,
  cleanFileForciblyEnable: true,
  tailBytesMax: 64 * MiB,
  unwrittenBytesMax: 32 * MiB,
  blockCacheBytesMax: 16 * MiB,
  machineMemoryBytes: 8 * 1024 * MiB,
  accessMessageInMemoryMaxRatio: 40,
  maxTransferBytesOnMessageInMemory: 262_144,
  maxTransferCountOnMessageInMemory: 32,
  maxTransferBytesOnMessageInDisk: 65_536,
  maxTransferCountOnMessageInDisk: 8,
  maxFilterMessageSize: 16_000,
  delayLevelsMs: parseDelayLevels(DEFAULT_DELAY_LEVELS),
} as const satisfies Partial<StoreOptions>

/** Options an opener must give; the rest has the defaults above. */
export type OpenOptions = Pick<StoreOptions, 'disk' | 'clock' | 'logger' | 'folder' | 'storeHost'> & Partial<StoreOptions>

export const withDefaults = (options: OpenOptions): StoreOptions => ({
  ...storeDefaults,
  commitLogFolder: options.folder + '/commitlog',
  ...options,
})
