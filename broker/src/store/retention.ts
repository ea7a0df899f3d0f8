import type { StoreOptions } from './options.ts'

export type RetentionConfig = Pick<
  StoreOptions,
  | 'deleteWhen'
  | 'fileReservedTimeHours'
  | 'diskMaxUsedSpaceRatio'
  | 'diskSpaceCleanForciblyRatio'
  | 'diskSpaceWarningLevelRatio'
  | 'cleanFileForciblyEnable'
>

/** A file of the commit log. */
export interface RetentionFile {
  /** Log position of its first byte. */
  start: number
  /** Epoch ms. */
  modifiedAt: number
}

export interface RetentionState {
  /** The disk was too full and has not become empty enough since. */
  isDiskFull: boolean
  /** Rounds that clean whatever the hour, because somebody asked for it (code 329). */
  manualRounds: number
}

export interface RetentionInput {
  /** Oldest first. */
  files: readonly RetentionFile[]
  /** Epoch ms. */
  now: number
  /** Used fraction (0..1) of the partitions that hold commit log and consume queues. */
  usedRatios: readonly number[]
}

export interface RetentionDecision {
  /** Starts of the files to delete now, oldest first. */
  deletePositions: number[]
  /** Why messages are refused; null when they are accepted. */
  notWritable: string | null
  state: RetentionState
}

/** Files deleted in one round (Java: deleteFileBatchMax). */
const FILES_PER_ROUND_MAX = 10
/** Rounds that one request to clean is good for (Java: MAX_MANUAL_DELETE_FILE_TIMES). */
export const MANUAL_ROUNDS = 20
const HOUR_MS = 3_600_000

export const initialState: RetentionState = { isDiskFull: false, manualRounds: 0 }

/** One round of cleaning (spec store, 5.8; Java: DefaultMessageStore.CleanCommitLogService). Decides; the store acts. */
export function decide(config: RetentionConfig, input: RetentionInput, state: RetentionState): RetentionDecision {
  const disk = judgeDisk(config, Math.max(0, ...input.usedRatios), state.isDiskFull)
  const isManual = state.manualRounds > 0
  const isDue = isManual || disk.isCrowded || isTime(config.deleteWhen, input.now)
  return {
    deletePositions: isDue ? expired(config, input, disk.cleanNow && config.cleanFileForciblyEnable) : [],
    notWritable: disk.notWritable,
    state: { isDiskFull: disk.notWritable !== null, manualRounds: isManual ? state.manualRounds - 1 : 0 },
  }
}

/** The oldest files, up to the first that must stay. The last file always stays. */
function expired(config: RetentionConfig, { files, now }: RetentionInput, whateverAge: boolean): number[] {
  const positions: number[] = []
  for (const { start, modifiedAt } of files.slice(0, -1)) {
    if (positions.length === FILES_PER_ROUND_MAX) break
    if (!whateverAge && now - modifiedAt < config.fileReservedTimeHours * HOUR_MS) break
    positions.push(start)
  }
  return positions
}

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value))

/** The three marks as fractions, within the bounds Java keeps them in. */
export function diskMarks(config: RetentionConfig): { clean: number; cleanNow: number; refuse: number } {
  return {
    clean: clamp(config.diskMaxUsedSpaceRatio, 10, 95) / 100,
    cleanNow: clamp(config.diskSpaceCleanForciblyRatio, 30, 85) / 100,
    refuse: clamp(config.diskSpaceWarningLevelRatio, 35, 90) / 100,
  }
}

/** Refuses messages above the upper mark, until the disk is down to the middle one. */
export function judgeDisk(
  config: RetentionConfig,
  used: number,
  wasFull: boolean,
): { notWritable: string | null; cleanNow: boolean; isCrowded: boolean } {
  const marks = diskMarks(config)
  const cleanNow = used > marks.refuse || used > marks.cleanNow
  const isFull = used > marks.refuse || (wasFull && cleanNow)
  const notWritable = isFull
    ? `the disk is too full: ${percent(used)} used, messages are refused above ${percent(marks.refuse)} and accepted again at ${percent(marks.cleanNow)}. ` +
      'Free space on it, or lower fileReservedTime'
    : null
  return { notWritable, cleanNow, isCrowded: cleanNow || used > marks.clean }
}

const percent = (ratio: number): string => `${Math.round(ratio * 1000) / 10} %`

/** Hours, 0 to 23, of `deleteWhen`: `04`, or several as `04;16`. Throws a RangeError for anything else. */
export function parseHours(deleteWhen: string): number[] {
  return deleteWhen.split(';').flatMap(part => {
    const text = part.trim()
    if (text === '') return []
    if (!/^\d{1,2}$/.test(text) || Number(text) > 23) {
      throw new RangeError(`deleteWhen=${deleteWhen}: ${text} is not an hour. Write hours from 00 to 23, several as 04;16`)
    }
    return [Number(text)]
  })
}

/** By local time, as Java. */
const isTime = (deleteWhen: string, now: number): boolean => parseHours(deleteWhen).includes(new Date(now).getHours())

/** The decisions with their memory from round to round. */
export class Retention {
  readonly #config: RetentionConfig
  #state = initialState

  /** Throws a RangeError when `deleteWhen` is not readable. */
  constructor(config: RetentionConfig) {
    parseHours(config.deleteWhen)
    this.#config = config
  }

  /** Why messages are refused with this fraction of the disk used; null when they are accepted. */
  watermark(used: number): string | null {
    const { notWritable } = judgeDisk(this.#config, used, this.#state.isDiskFull)
    this.#state = { ...this.#state, isDiskFull: notWritable !== null }
    return notWritable
  }

  /** Starts of the files to delete in this round, oldest first. */
  expired(files: readonly RetentionFile[], used: number, now: number): number[] {
    const decision = decide(this.#config, { files, now, usedRatios: [used] }, this.#state)
    this.#state = { ...decision.state, isDiskFull: this.#state.isDiskFull }
    return decision.deletePositions
  }

  /** The next rounds clean whatever the hour (code 329). Files younger than the reserved time stay all the same. */
  requestManualClean(): void {
    this.#state = { ...this.#state, manualRounds: MANUAL_ROUNDS }
  }
}
