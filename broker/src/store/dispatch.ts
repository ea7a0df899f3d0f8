import type { ConsumeQueue } from './consume-queue/queue.ts'
import type { KeyIndex } from './key-index/key-index.ts'

/** What dispatch needs to know of one record; filled anew for each, never kept. */
export interface DispatchEntry {
  queue: ConsumeQueue
  queueOffset: number
  physicalOffset: number
  size: number
  /** int64 tags code as two int32. */
  tagsHigh: number
  tagsLow: number
  storeTimestamp: number
  /** Java hash of `topic#`. */
  keyPrefixHash: number
  uniqKey: string
  keys: string
}

const NUMBERS = 8
const COMPACT_AT = 4096

/**
 * Builds consume queues and key index in log order, from what was appended: nothing is read back or decoded again. Records wait
 * here, as columns, until the log is far enough; a record becomes visible to consumers when it is dispatched.
 */
export class Dispatcher {
  /** Records before this log position are dispatched. */
  position: number
  /** Store time of the newest dispatched record. */
  timestamp: number
  readonly #index: KeyIndex | null
  readonly #arrived: (queue: ConsumeQueue) => void
  #queues: ConsumeQueue[] = []
  #keys: string[] = []
  #uniqKeys: string[] = []
  #numbers = new Float64Array(1024 * NUMBERS)
  #head = 0
  #count = 0

  constructor(position: number, timestamp: number, index: KeyIndex | null, arrived: (queue: ConsumeQueue) => void) {
    this.position = position
    this.timestamp = timestamp
    this.#index = index
    this.#arrived = arrived
  }

  /** Takes a record that was appended and is not visible yet. */
  add(entry: DispatchEntry): void {
    const at = this.#count * NUMBERS
    if (at === this.#numbers.length) this.#grow()
    const numbers = this.#numbers
    numbers[at] = entry.queueOffset
    numbers[at + 1] = entry.physicalOffset
    numbers[at + 2] = entry.size
    numbers[at + 3] = entry.tagsHigh
    numbers[at + 4] = entry.tagsLow
    numbers[at + 5] = entry.storeTimestamp
    numbers[at + 6] = entry.keyPrefixHash
    this.#queues[this.#count] = entry.queue
    this.#uniqKeys[this.#count] = entry.uniqKey
    this.#keys[this.#count] = entry.keys
    this.#count++
  }

  #grow(): void {
    const bigger = new Float64Array(this.#numbers.length * 2)
    bigger.set(this.#numbers)
    this.#numbers = bigger
  }

  /** Dispatches all records that start before `bound`. */
  advance(bound: number): void {
    const numbers = this.#numbers
    const index = this.#index
    let i = this.#head
    for (; i < this.#count; i++) {
      const at = i * NUMBERS
      const physicalOffset = numbers[at + 1]!
      if (physicalOffset >= bound) break
      const queue = this.#queues[i]!
      queue.append(numbers[at]!, physicalOffset, numbers[at + 2]!, numbers[at + 3]!, numbers[at + 4]!)
      if (index !== null) {
        const uniqKey = this.#uniqKeys[i]!
        const keys = this.#keys[i]!
        if (uniqKey !== '') index.put(numbers[at + 6]!, uniqKey, physicalOffset, numbers[at + 5]!)
        if (keys !== '') index.putKeys(numbers[at + 6]!, keys, physicalOffset, numbers[at + 5]!)
      }
      if (queue.waiting > 0) this.#arrived(queue)
    }
    if (i > this.#head) {
      const last = (i - 1) * NUMBERS
      this.timestamp = numbers[last + 5]!
      this.#head = i
      if (i === this.#count) this.#reset()
      else if (i >= COMPACT_AT && i * 2 >= this.#count) this.#compact()
    }
    this.position = bound
  }

  /** Forgets records from `position` on and gives their queue offsets back. */
  rollback(position: number): void {
    while (this.#count > this.#head && this.#numbers[(this.#count - 1) * NUMBERS + 1]! >= position) {
      this.#count--
      this.#queues[this.#count]!.next--
    }
    if (this.#count === this.#head) this.#reset()
  }

  /** Under steady load the columns are never empty: move what is left to the front. */
  #compact(): void {
    this.#numbers.copyWithin(0, this.#head * NUMBERS, this.#count * NUMBERS)
    this.#queues.splice(0, this.#head)
    this.#keys.splice(0, this.#head)
    this.#uniqKeys.splice(0, this.#head)
    this.#count -= this.#head
    this.#head = 0
  }

  #reset(): void {
    this.#head = 0
    this.#count = 0
    if (this.#queues.length > 65_536) {
      // After a burst: let the columns shrink again, they hold references.
      this.#queues = []
      this.#keys = []
      this.#uniqKeys = []
      this.#numbers = new Float64Array(1024 * NUMBERS)
    }
  }
}
