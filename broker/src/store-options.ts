import { totalmem } from 'node:os'
import type { Clock, Logger } from '@cometmq/remoting'
import type { BrokerConfig } from './config.ts'
import type { Disk } from './store/disk.ts'
import type { OpenOptions } from './store/options.ts'
import type { RetentionConfig } from './store/retention.ts'
import { parseDelayLevels } from './store/delay-levels.ts'

/** What of the broker's configuration the store needs; units are the configuration's. */
export function storeOptions(given: {
  config: BrokerConfig
  disk: Disk
  clock: Clock
  logger: Logger
  storeHost: Uint8Array
}): OpenOptions {
  const { config, disk, clock, logger, storeHost } = given
  return {
    disk,
    clock,
    logger,
    storeHost,
    folder: config.storePathRootDir,
    commitLogFolder: config.storePathCommitLog,
    flushDiskType: config.flushDiskType,
    mappedFileSizeCommitLog: config.mappedFileSizeCommitLog,
    mappedFileSizeConsumeQueue: config.mappedFileSizeConsumeQueue,
    maxHashSlotNum: config.maxHashSlotNum,
    maxIndexNum: config.maxIndexNum,
    messageIndexEnable: config.messageIndexEnable,
    maxMessageSize: config.maxMessageSize,
    checkCRCOnRecover: config.checkCRCOnRecover,
    damagedCommitLog: config.damagedCommitLog,
    delayLevelsMs: parseDelayLevels(config.messageDelayLevel),
    flushIntervalCommitLogMs: config.flushIntervalCommitLog,
    flushCommitLogLeastPages: config.flushCommitLogLeastPages,
    flushCommitLogThoroughIntervalMs: config.flushCommitLogThoroughInterval,
    flushIntervalConsumeQueueMs: config.flushIntervalConsumeQueue,
    flushConsumeQueueThoroughIntervalMs: config.flushConsumeQueueThoroughInterval,
    checkpointIntervalBytes: config.checkpointIntervalBytes,
    ...retentionOptions(config),
    cleanResourceIntervalMs: config.cleanResourceInterval,
    tailBytesMax: config.tailBytesMax,
    unwrittenBytesMax: config.unwrittenBytesMax,
    blockCacheBytesMax: config.blockCacheBytesMax,
    machineMemoryBytes: totalmem(),
    accessMessageInMemoryMaxRatio: config.accessMessageInMemoryMaxRatio,
    maxTransferBytesOnMessageInMemory: config.maxTransferBytesOnMessageInMemory,
    maxTransferCountOnMessageInMemory: config.maxTransferCountOnMessageInMemory,
    maxTransferBytesOnMessageInDisk: config.maxTransferBytesOnMessageInDisk,
    maxTransferCountOnMessageInDisk: config.maxTransferCountOnMessageInDisk,
    maxFilterMessageSize: config.maxFilterMessageSize,
  }
}

/** The keys that may change while the broker runs. */
export const retentionOptions = (config: BrokerConfig): RetentionConfig => ({
  fileReservedTimeHours: config.fileReservedTime,
  deleteWhen: config.deleteWhen,
  diskMaxUsedSpaceRatio: config.diskMaxUsedSpaceRatio,
  diskSpaceCleanForciblyRatio: config.diskSpaceCleanForciblyRatio,
  diskSpaceWarningLevelRatio: config.diskSpaceWarningLevelRatio,
  cleanFileForciblyEnable: config.cleanFileForciblyEnable,
})
