import { CheckedRecord } from './record-check.ts'
import type { LogFiles } from './log-files.ts'

/** First bytes of the magic of every record version. */
const MAGIC_START = Buffer.from([0xda, 0xa3, 0x20])
const WINDOW_BYTES = 4 * 1024 * 1024

export interface ScanEnd {
  /** Position after the last good record. */
  position: number
  /** Why the scan ended: no more files, or what stands at `position`. */
  reason: 'end of files' | 'empty' | 'damaged'
  /** For 'damaged'. */
  problem: string
  records: number
  lastTimestamp: number
  /** Start of the last good record, -1 when there was none. */
  lastRecordStart: number
}

/**
 * Reads records one after the other from `from` (the start of a record) until something is not a record. `visit` gets each good
 * one; returning false ends the scan there. Memory: one window, larger only for a single larger record.
 */
export async function scanLog(
  files: LogFiles,
  from: number,
  options: {
    withCrc: boolean
    visit: (record: CheckedRecord, window: Buffer, at: number, position: number) => boolean | void
    /** Called between windows: a chance to write what `visit` has gathered in memory. */
    pause?: () => Promise<void>
  },
): Promise<ScanEnd> {
  const record = new CheckedRecord()
  const end: ScanEnd = { position: from, reason: 'end of files', problem: '', records: 0, lastTimestamp: 0, lastRecordStart: -1 }
  let window: Buffer = Buffer.allocUnsafeSlow(Math.min(WINDOW_BYTES, files.fileBytes))
  let position = from
  while (files.existing(position) !== undefined) {
    await options.pause?.()
    const inFile = position % files.fileBytes
    const left = files.fileBytes - inFile
    const file = files.existing(position)!
    const got = await file.read(window.subarray(0, Math.min(window.length, left)), inFile)
    const usable = Math.min(got, left)
    let at = 0
    let outcome: ReturnType<CheckedRecord['check']> = 'more'
    while ((outcome = record.check(window, at, usable, options.withCrc)) === 'record') {
      if (record.physicalOffset !== position + at) {
        outcome = 'invalid'
        record.problem = `the record at ${position + at} says that it belongs to ${record.physicalOffset}`
        break
      }
      if (options.visit(record, window, at, position + at) === false) {
        end.position = position + at
        return end
      }
      end.records++
      end.lastTimestamp = record.storeTimestamp
      end.lastRecordStart = position + at
      at += record.size
      end.position = position + at
    }
    if (outcome === 'blank') {
      position = position - inFile + files.fileBytes
      end.position = position
    } else if (outcome === 'invalid') {
      const empty = isZero(window, at, usable)
      return { ...end, reason: empty ? 'empty' : 'damaged', problem: record.problem }
    } else if (usable === left) {
      // The record would cross the end of the file: a full file ends with a blank.
      return { ...end, reason: 'damaged', problem: 'a record reaches over the end of its file' }
    } else if (at > 0) {
      position += at
    } else {
      if (record.size > files.fileBytes)
        return { ...end, reason: 'damaged', problem: `a record of ${record.size} bytes is larger than a file` }
      window = Buffer.allocUnsafeSlow(Math.min(files.fileBytes, Math.max(record.size, window.length * 2)))
    }
  }
  return end
}

function isZero(buffer: Buffer, from: number, to: number): boolean {
  for (let i = from; i < Math.min(to, from + 8); i++) if (buffer[i] !== 0) return false
  return true
}

/**
 * Looks behind a damaged place for records that are whole and in their right place. `bytesMax` bounds the search. Returns the
 * first one's position and store time, or null.
 */
export async function findRecordAfter(
  files: LogFiles,
  from: number,
  bytesMax: number,
): Promise<{ position: number; storeTimestamp: number } | null> {
  const record = new CheckedRecord()
  const window = Buffer.allocUnsafeSlow(Math.min(WINDOW_BYTES * 2, files.fileBytes))
  let searched = 0
  let position = from
  while (searched < bytesMax && files.existing(position) !== undefined) {
    const inFile = position % files.fileBytes
    const length = Math.min(window.length, files.fileBytes - inFile)
    const got = await files.existing(position)!.read(window.subarray(0, length), inFile)
    for (
      let magicAt = window.indexOf(MAGIC_START, 4);
      magicAt !== -1 && magicAt + 87 <= got;
      magicAt = window.indexOf(MAGIC_START, magicAt + 1)
    ) {
      const at = magicAt - 4
      if (record.check(window, at, got, true) === 'record' && record.physicalOffset === position + at) {
        return { position: position + at, storeTimestamp: record.storeTimestamp }
      }
    }
    // Windows overlap by half, so that a record on the seam is seen whole, unless the file ends here.
    const step = length === files.fileBytes - inFile ? length : Math.floor(length / 2)
    searched += step
    position += step
  }
  return null
}
