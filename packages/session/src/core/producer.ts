import type { Receipt } from '@cometmq/protocol'
import { KeptReceipts } from './kept-receipts.ts'
import type { ProducerKind } from './message.ts'
import type { SendRun } from './send-run.ts'

/** One opened producer: its window and the receipts that a hot resume may ask for again. */
export class SessionProducer {
  readonly pid: number
  readonly topic: string
  readonly kind: ProducerKind
  /** Since POPEN: taken from the client, and of these stored or failed. */
  acceptedCount = 0
  acceptedBytes = 0
  answeredCount = 0
  answeredBytes = 0
  /** What the client was told. */
  limitCount: number
  limitBytes: number
  /** Waits for the end of the turn, to raise the limit. */
  touched = false
  readonly running = new Set<SendRun>()
  readonly #windowCount: number
  readonly #windowBytes: number
  readonly #receipts: KeptReceipts

  constructor(pid: number, topic: string, kind: ProducerKind, window: { count: number; bytes: number }) {
    this.pid = pid
    this.topic = topic
    this.kind = kind
    this.#windowCount = window.count
    this.#windowBytes = window.bytes
    this.limitCount = window.count
    this.limitBytes = window.bytes
    // A client can miss a window's worth of receipts. As many again may follow one of them before it is asked for.
    this.#receipts = new KeptReceipts(2 * window.count)
  }

  /** False: the client went over its allowance. */
  accept(count: number, bytes: number): boolean {
    this.acceptedCount += count
    this.acceptedBytes += bytes
    return this.acceptedCount <= this.limitCount && this.acceptedBytes <= this.limitBytes
  }

  answered(bytes: number): void {
    this.answeredCount++
    this.answeredBytes += bytes
  }

  keep(receipt: Receipt): void {
    this.#receipts.add(receipt)
  }

  /** Linear: only asked for repetitions. What was asked for counts as new: this answer may be lost, too. */
  known(rid: number): Receipt | 'running' | undefined {
    const receipt = this.#receipts.get(rid)
    if (receipt) {
      this.keep(receipt)
      return receipt
    }
    for (const run of this.running) if (run.holds(rid)) return 'running'
    return undefined
  }

  /** 0 nothing to tell, 1 soon, 2 now: a quarter of the window has become free. */
  get raise(): 0 | 1 | 2 {
    const count = this.answeredCount + this.#windowCount - this.limitCount
    const bytes = this.answeredBytes + this.#windowBytes - this.limitBytes
    if (count <= 0 && bytes <= 0) return 0
    return count * 4 >= this.#windowCount || bytes * 4 >= this.#windowBytes ? 2 : 1
  }

  /** The allowance as it is now; from now on the client may use it. */
  raised(): readonly [maxCount: number, maxBytes: number] {
    this.limitCount = this.answeredCount + this.#windowCount
    this.limitBytes = this.answeredBytes + this.#windowBytes
    return [this.limitCount, this.limitBytes]
  }
}
