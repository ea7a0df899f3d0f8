import type { Clock, Timer } from '@cometmq/cluster'
import type { EntryBatch } from './entry-batch.ts'

/** So long a batch stays for those it was read for, however many others are read meanwhile. */
const freshMs = 1_000
/** Times the limit that may be exceeded for it. */
const mostTimes = 16
const maxBatches = 1024

interface Kept {
  readonly batch: EntryBatch
  /** Monotonic ms. */
  readonly since: number
}

/** Batches for subscribers that catch up, which may be at many places at once: the oldest read go first. */
export class OlderBatches {
  readonly #clock: Clock
  readonly #maxBytes: number
  readonly #kept: Kept[] = []
  #bytes = 0
  #timer: Timer | undefined

  constructor(clock: Clock, maxBytes: number) {
    this.#clock = clock
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  find(offset: number): EntryBatch | undefined {
    for (let index = this.#kept.length - 1; index >= 0; index--) {
      const { batch } = this.#kept[index]!
      if (offset >= batch.from && offset < batch.next) return batch
    }
    return undefined
  }

  add(batch: EntryBatch): void {
    this.#kept.push({ batch, since: this.#clock.monotonic() })
    this.#bytes += batch.bytes
    this.#trim()
  }

  close(): void {
    this.#timer?.cancel()
    this.#kept.length = 0
    this.#bytes = 0
  }

  #trim(): void {
    const fresh = this.#clock.monotonic() - freshMs
    let count = 0
    for (; count < this.#kept.length - 1; count++) {
      const isOver = this.#bytes > this.#maxBytes || this.#kept.length - count > maxBatches
      const isFarOver = this.#bytes > this.#maxBytes * mostTimes || this.#kept.length - count > maxBatches * mostTimes
      const { batch, since } = this.#kept[count]!
      if (!isOver || (since > fresh && !isFarOver)) break
      this.#bytes -= batch.bytes
    }
    this.#kept.splice(0, count)
    if (this.#bytes <= this.#maxBytes) return
    this.#timer ??= this.#clock.setTimeout(() => {
      this.#timer = undefined
      this.#trim()
    }, freshMs)
  }
}
