import { getProperty, javaHashCode, type Logger, SysFlag, transactionType } from '@cometmq/remoting'
import type { Checkpoint } from './checkpoint.ts'
import { type LogFiles, positionName, StoreDamagedError } from './commit-log/log-files.ts'
import type { CheckedRecord } from './commit-log/record-check.ts'
import { findRecordAfter, type ScanEnd, scanLog } from './commit-log/scan.ts'
import type { ConsumeQueues } from './consume-queue/queues.ts'
import { delayDueTime, SCHEDULE_TOPIC } from './delay-levels.ts'
import type { KeyIndex } from './key-index/key-index.ts'

export interface RecoverParts {
  files: LogFiles
  queues: ConsumeQueues
  index: KeyIndex | null
  checkpoint: Checkpoint
  logger: Logger
  /** The last exit was clean: no `abort` file was found. */
  clean: boolean
  /** Where the scan starts: the start of a record. */
  from: number
  /** Queues have, or had until their topic was deleted, everything before this position; 0 when nothing is known. */
  queuesKnownTo: number
  checkCrc: boolean
  damagedCommitLog: 'refuse' | 'truncate'
  delayLevelsMs: readonly number[]
}

export interface Recovered {
  /** Where the log goes on. */
  end: number
  /** Store time of the last record found by the scan, 0 when it found none. */
  lastTimestamp: number
  /** Start of the last record found by the scan, -1 when it found none. */
  lastRecordStart: number
  records: number
}

/** Rows and index entries that wait in memory while the log is read. */
const QUEUE_BYTES_MAX = 32 * 1024 * 1024
const INDEX_BYTES_MAX = 16 * 1024 * 1024
/** How far behind a damaged place whole records are looked for. */
const SEARCH_BYTES_MAX = 64 * 1024 * 1024

/**
 * Brings log, consume queues and index to one state (spec store, 5.3): scans the log from where the rest is known to be on disk,
 * dispatches what is missing, cuts what is torn. The log is the only truth.
 */
export async function recover(parts: RecoverParts): Promise<Recovered> {
  const { files, queues } = parts
  if (files.count === 0) {
    await queues.removeAll()
    return { end: 0, lastTimestamp: 0, lastRecordStart: -1, records: 0 }
  }
  const dispatch = redispatcher(parts)
  const end = await scanLog(files, parts.from, { withCrc: parts.checkCrc, visit: dispatch, pause: () => writeGathered(parts) })
  await judge(parts, end)
  if (queues.maxPhysical > end.position) await queues.truncate(end.position)
  if ((parts.index?.endPhy ?? 0) >= end.position) await parts.index?.truncate(end.position)
  if (!parts.clean || end.reason === 'damaged') await files.cut(end.position)
  return { end: end.position, lastTimestamp: end.lastTimestamp, lastRecordStart: end.lastRecordStart, records: end.records }
}

/** A whole log can be dispatched again with little memory. */
async function writeGathered({ queues, index }: RecoverParts): Promise<void> {
  if (queues.dirtyBytes > QUEUE_BYTES_MAX) await queues.flush({ thorough: true, sync: false, dispatched: queues.maxPhysical })
  if (index !== null && index.unwrittenBytes > INDEX_BYTES_MAX) await index.flush()
}

type StartParts = Pick<RecoverParts, 'files' | 'queues' | 'checkpoint' | 'clean'>

/** The start of the record up to which queues and index are known to be on disk. */
export async function recoveryStart(parts: StartParts): Promise<number> {
  const { files, queues, checkpoint } = parts
  if (files.count === 0) return 0
  if (parts.clean) {
    const dispatched = queues.maxPhysical
    if (dispatched > files.endPosition) throw lostEnd(parts, dispatched)
    return Math.max(files.minPosition, dispatched)
  }
  const known = checkpoint.logicsPhysicalOffset
  if (known > files.endPosition) throw lostEnd(parts, known)
  if (known > files.minPosition && (await isRecordStart(files, known))) return known
  return startByTime(files, checkpoint.minTimestamp)
}

const lostEnd = (parts: StartParts, position: number): StoreDamagedError =>
  new StoreDamagedError(
    `the end of the commit log is missing: consume queues reach to position ${position}, the last file ends at ${parts.files.endPosition}. ` +
      `Bring ${positionName(position - (position % parts.files.fileBytes))} back from a copy; ` +
      'to go on without it, remove the folders consumequeue and index (they are built again) and the file checkpoint',
  )

async function isRecordStart(files: LogFiles, position: number): Promise<boolean> {
  let found = false
  const end = await scanLog(files, position, {
    withCrc: true,
    visit: () => {
      found = true
      return false
    },
  })
  return found || end.reason !== 'damaged'
}

/** The newest file that starts with a record not younger than `timestamp`; the oldest file when there is none. */
async function startByTime(files: LogFiles, timestamp: number): Promise<number> {
  for (const start of files.starts().reverse()) {
    let found = -1
    await scanLog(files, start, {
      withCrc: false,
      visit: record => {
        found = record.storeTimestamp
        return false
      },
    })
    if (found > 0 && found <= timestamp) return start
  }
  return files.minPosition
}

/** Puts one record where it is missing; both consume queue and index skip what they have. */
function redispatcher(parts: RecoverParts): (record: CheckedRecord, window: Buffer, at: number, position: number) => void {
  const { queues, index } = parts
  let topic = ''
  let prefixHash = 0
  return (record, window, _at, position) => {
    const transaction = transactionType(record.sysFlag)
    const properties = record.properties(window)
    const isQueued = transaction !== SysFlag.TRANSACTION_PREPARED && transaction !== SysFlag.TRANSACTION_ROLLBACK
    if (isQueued && position >= parts.queuesKnownTo) {
      const queue = queues.getOrCreate(record.topic, record.queueId)
      const tags = getProperty(properties, 'TAGS') ?? ''
      let low = tags === '' ? 0 : javaHashCode(tags)
      let high = low >> 31
      if (record.topic === SCHEDULE_TOPIC) {
        const level = Number(getProperty(properties, 'DELAY') ?? 0)
        if (level > 0) {
          const due = delayDueTime(parts.delayLevelsMs, level, record.storeTimestamp)
          high = Math.floor(due / 4_294_967_296)
          low = (due - high * 4_294_967_296) | 0
        }
      }
      queue.append(record.queueOffset, position, record.size, high, low)
    }
    if (index === null || transaction === SysFlag.TRANSACTION_ROLLBACK) return
    if (record.topic !== topic) {
      topic = record.topic
      prefixHash = javaHashCode(topic + '#')
    }
    const uniqKey = getProperty(properties, 'UNIQ_KEY') ?? ''
    const keys = getProperty(properties, 'KEYS') ?? ''
    if (uniqKey !== '') index.put(prefixHash, uniqKey, position, record.storeTimestamp)
    if (keys !== '') index.putKeys(prefixHash, keys, position, record.storeTimestamp)
  }
}

/**
 * Torn or damaged? What a crash leaves behind the end was never acknowledged and is cut. Records that were durable before the crash
 * and stand behind a damaged place are not given up without being asked.
 */
async function judge(parts: RecoverParts, end: ScanEnd): Promise<void> {
  if (end.reason === 'end of files') return
  if (end.reason === 'empty' && parts.clean) return
  const { files, checkpoint, logger } = parts
  const later = await findRecordAfter(files, end.position + 1, SEARCH_BYTES_MAX)
  const place = `position ${end.position} (file ${positionName(end.position - (end.position % files.fileBytes))}, byte ${end.position % files.fileBytes})`
  if (later === null || (!parts.clean && later.storeTimestamp > checkpoint.physicMsgTimestamp)) {
    if (end.reason === 'damaged')
      logger.warn('cut a torn record at the end of the commit log', { position: end.position, problem: end.problem })
    return
  }
  const why = end.reason === 'empty' ? 'there are only zeros' : end.problem
  if (parts.damagedCommitLog === 'refuse') {
    throw new StoreDamagedError(
      `the commit log is damaged at ${place}: ${why}. Whole records follow from position ${later.position} on. ` +
        'Bring the file back from a copy or a replica; to cut the log at the damaged place and lose what follows, start with damagedCommitLog=truncate',
    )
  }
  logger.error('cut the commit log at a damaged place, as damagedCommitLog=truncate asks', {
    position: end.position,
    problem: why,
  })
}
