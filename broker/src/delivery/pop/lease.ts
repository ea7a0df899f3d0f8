import type { PopQueue } from './pop-queue.ts'
import type { Timed } from './deadlines.ts'

/** Most offsets one lease covers. */
export const SPAN_MAX = 65_535

/** From when and for how long a lease holds. */
export interface LeaseTime {
  /** Epoch ms. */
  readonly popTime: number
  readonly invisibleMs: number
  /** It was put aside on purpose: its return does not count as another try. */
  readonly suspended: boolean
}

/**
 * One run of queue offsets handed out together, or one message whose time was changed. A bit per offset tells whether it is settled
 * (acknowledged, filtered out, or copied to the retry topic); with up to 32 offsets the object is all there is.
 */
export class Lease implements Timed {
  readonly queue: PopQueue
  readonly start: number
  /** Offsets covered. */
  readonly span: number
  /** Epoch ms; with the offset it identifies the lease in receipts. */
  readonly popTime: number
  readonly invisibleMs: number
  readonly suspended: boolean
  /** Offsets that are not settled. */
  left: number
  /** Settled bits of the first 32 offsets; bits behind the span are set. */
  #low: number
  /** Those of the others. */
  #high: Uint32Array | null
  /** Its time is over: what is not settled is being copied to the retry topic. */
  ended = false
  tick = -1
  slot = 0

  /** All offsets unsettled. */
  constructor(queue: PopQueue, start: number, span: number, time: LeaseTime) {
    this.queue = queue
    this.start = start
    this.span = span
    this.popTime = time.popTime
    this.invisibleMs = time.invisibleMs
    this.suspended = time.suspended
    this.left = span
    this.#low = span >= 32 ? 0 : -1 << span
    this.#high = span > 32 ? newWords(span) : null
  }

  isSettled(offset: number): boolean {
    const i = offset - this.start
    const word = i < 32 ? this.#low : this.#high![(i - 32) >> 5]!
    return ((word >>> (i & 31)) & 1) === 1
  }

  /** The offset must be covered and not settled. */
  settle(offset: number): void {
    const i = offset - this.start
    if (i < 32) this.#low |= 1 << i
    else this.#high![(i - 32) >> 5]! |= 1 << (i & 31)
    this.left--
  }

  /** The settled bits as 32-bit words; bits behind the span are set. */
  words(): number[] {
    return this.#high === null ? [this.#low] : [this.#low, ...this.#high]
  }

  /** Takes settled bits from the journal: as many words as the span needs. */
  setWords(words: ArrayLike<number>): void {
    for (let offset = this.start; offset < this.start + this.span; offset++) {
      const i = offset - this.start
      if (((words[i >> 5]! >>> (i & 31)) & 1) === 1 && !this.isSettled(offset)) this.settle(offset)
    }
  }

  /** First offset at or after `from` that is not settled, -1 when there is none. */
  firstOpen(from: number): number {
    let i = from - this.start
    const words = (this.span + 31) >> 5
    for (let word = i >> 5; word < words; word++, i = word << 5) {
      const settled = word === 0 ? this.#low : this.#high![word - 1]!
      const open = ~settled & (-1 << (i & 31))
      if (open !== 0) return this.start + (word << 5) + (31 - Math.clz32(open & -open))
    }
    return -1
  }
}

function newWords(span: number): Uint32Array {
  const words = new Uint32Array((span - 1) >> 5)
  if ((span & 31) !== 0) words[words.length - 1] = -1 << (span & 31)
  return words
}
