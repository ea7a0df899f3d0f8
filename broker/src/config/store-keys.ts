import { bool, int, key, matching, oneOf, type KeyTable } from './keys.ts'

/** Keys of RocketMQ's MessageStoreConfig that have an effect here (spec store, 12.4 and 5.8), and our own. */
const INT_MAX = 2_147_483_647
const GiB = 1024 ** 3
const MiB = 1024 ** 2
const percent = int(1, 100)
const milliseconds = int(1, INT_MAX)
const onePath = matching(/^[^,]+$/, 'one folder (lists of folders are not supported)')
const levels = matching(/^\s*\d+[smhd](\s+\d+[smhd])*\s*$/, 'delays such as `1s 5s 10s 1m 2h`, separated by spaces')
const hours = matching(/^\s*([01]?\d|2[0-3])(;([01]?\d|2[0-3]))*\s*$/, 'hours from 00 to 23, separated by ;')
const runtime = true
const own = 'own key'

export const storeKeys = {
  storePathRootDir: key(onePath, environment => `${environment.home}/store`, 'folder of the store'),
  storePathCommitLog: key(onePath, (_, values) => `${String(values['storePathRootDir'])}/commitlog`, 'folder of the commit log'),
  syncFlushTimeout: key(int(1, INT_MAX), 5000, 'a send not confirmed for this long is answered FLUSH_DISK_TIMEOUT', {
    unit: 'ms',
  }),
  flushDiskType: key(
    oneOf('SYNC_FLUSH', 'ASYNC_FLUSH'),
    'SYNC_FLUSH',
    'whether a send is answered after its message is on disk',
    {
      differs:
        'default SYNC_FLUSH where RocketMQ has ASYNC_FLUSH: one sync serves all sends that wait for it, which makes it cheap',
    },
  ),
  mappedFileSizeCommitLog: key(int(4096, INT_MAX), GiB, 'size of one commit log file; must match existing files', {
    unit: 'bytes',
  }),
  mappedFileSizeConsumeQueue: key(int(20, INT_MAX), 6_000_000, 'size of one consume queue file; must match existing files', {
    unit: 'bytes',
  }),
  maxHashSlotNum: key(int(1, INT_MAX), 5_000_000, 'hash slots of one index file; must match existing files'),
  maxIndexNum: key(int(2, INT_MAX), 20_000_000, 'entries of one index file; must match existing files'),
  messageIndexEnable: key(bool, true, 'messages can be found by key'),
  maxMessageSize: key(int(1, 15 * MiB), 4 * MiB, 'largest message body', { unit: 'bytes' }),
  checkCRCOnRecover: key(bool, true, 'checksums of bodies are checked when the store is recovered'),
  damagedCommitLog: key(
    oneOf('refuse', 'truncate'),
    'refuse',
    'what to do about damage before the durable end of the log: not start, or cut there and keep the rest aside',
    {
      differs: own,
    },
  ),
  messageDelayLevel: key(levels, '1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h', 'the delay levels'),
  flushDelayOffsetInterval: key(milliseconds, 10_000, 'progress of the delay levels is saved this often', { unit: 'ms' }),

  flushIntervalCommitLog: key(milliseconds, 500, 'with ASYNC_FLUSH the log is synced this often', { unit: 'ms' }),
  flushCommitLogLeastPages: key(int(0, INT_MAX), 4, 'if at least this much was written', { unit: 'pages of 4 KiB' }),
  flushCommitLogThoroughInterval: key(milliseconds, 10_000, 'and this often whatever was written', { unit: 'ms' }),
  flushIntervalConsumeQueue: key(milliseconds, 1000, 'consume queues are synced this often', { unit: 'ms' }),
  flushConsumeQueueThoroughInterval: key(milliseconds, 60_000, 'and this often whatever was written', { unit: 'ms' }),
  checkpointIntervalBytes: key(
    int(MiB, 2 ** 40),
    256 * MiB,
    'consume queues and index are synced after this much log, so that recovery stays short',
    { unit: 'bytes', differs: own },
  ),

  fileReservedTime: key(int(1, 1_000_000), 72, 'commit log files older than this may be deleted', { unit: 'h', runtime }),
  deleteWhen: key(hours, '04', 'hours of the day at which they are', { runtime }),
  diskMaxUsedSpaceRatio: key(int(10, 95), 75, 'fuller than this, old files are deleted at any hour', { unit: '%', runtime }),
  diskSpaceCleanForciblyRatio: key(int(30, 85), 85, 'fuller than this, files that are not old yet are deleted too', {
    unit: '%',
    runtime,
  }),
  diskSpaceWarningLevelRatio: key(int(35, 90), 90, 'fuller than this, sends are refused', { unit: '%', runtime }),
  cleanResourceInterval: key(milliseconds, 10_000, 'the disk is looked at this often', { unit: 'ms' }),
  cleanFileForciblyEnable: key(bool, true, 'files that are not old yet may be deleted on a full disk', { runtime }),

  tailBytesMax: key(int(MiB, 4 * GiB), 64 * MiB, 'newest part of the log that is read from memory', {
    unit: 'bytes',
    differs: own,
  }),
  unwrittenBytesMax: key(int(MiB, 4 * GiB), 32 * MiB, 'messages waiting to be written; beyond it sends are refused as busy', {
    unit: 'bytes',
    differs: own,
  }),
  blockCacheBytesMax: key(int(0, 64 * GiB), 16 * MiB, 'cache of older parts of the log', { unit: 'bytes', differs: own }),
  accessMessageInMemoryMaxRatio: key(percent, 40, 'messages this near to the end of the log count as in memory', {
    unit: '% of the machine',
  }),
  maxTransferBytesOnMessageInMemory: key(int(1, INT_MAX), 262_144, 'one pull, messages in memory', { unit: 'bytes' }),
  maxTransferCountOnMessageInMemory: key(int(1, 10_000), 32, 'one pull, messages in memory'),
  maxTransferBytesOnMessageInDisk: key(int(1, INT_MAX), 65_536, 'one pull, messages on disk', { unit: 'bytes' }),
  maxTransferCountOnMessageInDisk: key(int(1, 10_000), 8, 'one pull, messages on disk'),
  maxFilterMessageSize: key(int(20, INT_MAX), 16_000, 'consume queue bytes one pull looks at', { unit: 'bytes' }),
  defaultQueryMaxNum: key(int(1, 10_000), 32, 'messages a query by unique id looks at', { runtime }),
} as const satisfies KeyTable
