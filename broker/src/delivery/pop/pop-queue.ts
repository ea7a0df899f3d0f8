import { Lease, type LeaseTime } from './lease.ts'

/** In-flight messages, of all queues together. */
export interface InFlight {
  messages: number
}

/**
 * What a group has of one queue: everything before `floor` is settled, everything from `next` on was never handed out, and between
 * them lie the leases. Only state, no clock and no I/O: the live broker and the replay of the journal call the same methods.
 *
 * The run a message was handed out in keeps its bit until the message is settled; a message whose time was changed has a lease of its
 * own besides, in `moved`.
 */
export class PopQueue {
  readonly group: string
  readonly topic: string
  readonly queueId: number
  /** Its number in the journal; -1 until it has one. */
  number = -1
  /** The next offset to hand out. */
  next: number
  /** What consumerOffset.json has from us: another value there was put by someone else. */
  committed: number
  /** A read of it is under way. */
  busy = false
  /** A pop found a limit of in-flight messages reached. */
  starved = false
  /** Messages handed out and not settled. */
  inFlight = 0
  readonly #total: InFlight
  /** In order of offsets; settled ones may still lie among them. */
  #runs: Lease[] = []
  /** Index of the first one that is not settled. */
  #head = 0
  /** Settled ones behind the head. */
  #settledRuns = 0
  readonly #moved = new Map<number, Lease>()

  constructor(group: string, topic: string, queueId: number, offset: number, total: InFlight) {
    this.group = group
    this.topic = topic
    this.queueId = queueId
    this.next = this.committed = offset
    this.#total = total
  }

  get floor(): number {
    const head = this.#runs[this.#head]
    return head === undefined ? this.next : head.firstOpen(head.start)
  }

  /** Leases the `span` offsets from `next`. `offsets`: the ones that are handed out; absent: all. */
  handOut(span: number, time: LeaseTime, offsets?: readonly number[]): Lease {
    const start = this.next
    const lease = new Lease(this, start, span, time)
    if (offsets !== undefined && offsets.length < span) {
      let at = 0
      for (let offset = start; offset < start + span; offset++) {
        if (offset === offsets[at]) at++
        else lease.settle(offset)
      }
    }
    this.restore(lease)
    return lease
  }

  /** Adds a run behind all others. */
  restore(lease: Lease): void {
    this.next = lease.start + lease.span
    if (lease.left === 0) return
    this.#runs.push(lease)
    this.#count(lease.left)
  }

  /** Nothing before `offset` will be handed out any more. */
  skipTo(offset: number): void {
    if (offset > this.next) this.next = offset
  }

  /** The lease that holds the message now; undefined when it is settled or was never handed out. */
  holderOf(offset: number): Lease | undefined {
    const run = this.#runOf(offset)
    if (run === undefined || run.isSettled(offset)) return undefined
    return this.#moved.size === 0 ? run : (this.#moved.get(offset) ?? run)
  }

  /**
   * Settles a message; false when there is nothing to settle, or its lease has another pop time than the one given.
   * `released` is told of each lease that holds nothing any more.
   */
  settle(offset: number, released: (lease: Lease) => void, popTime?: number): boolean {
    const run = this.#runOf(offset)
    if (run === undefined || run.isSettled(offset)) return false
    const moved = this.#moved.size === 0 ? undefined : this.#moved.get(offset)
    if (popTime !== undefined && (moved ?? run).popTime !== popTime) return false
    run.settle(offset)
    this.#count(-1)
    if (moved !== undefined) {
      this.#moved.delete(offset)
      moved.settle(offset)
      released(moved)
    }
    if (run.left === 0) {
      this.#runSettled(run)
      released(run)
    }
    return true
  }

  /** Gives a message a lease of its own; undefined when there is nothing to lease. */
  move(offset: number, time: LeaseTime, released: (lease: Lease) => void): Lease | undefined {
    const index = this.#indexOf(offset)
    const run = index === -1 ? undefined : this.#runs[index]
    if (run === undefined || run.isSettled(offset)) return undefined
    const lease = new Lease(this, offset, 1, time)
    if (run.span === 1) {
      // Nothing else is in its run: it needs no second lease.
      released(run)
      this.#runs[index] = lease
      return lease
    }
    const before = this.#moved.get(offset)
    if (before !== undefined) released(before)
    this.#moved.set(offset, lease)
    return lease
  }

  /** Whether a message has a lease of its own. */
  isMoved(offset: number): boolean {
    return this.#moved.size > 0 && this.#moved.has(offset)
  }

  /** Forgets all leases and goes on at `offset`. */
  reposition(offset: number, released: (lease: Lease) => void): void {
    for (const lease of this.leases()) released(lease)
    this.#count(-this.inFlight)
    this.#runs = []
    this.#head = this.#settledRuns = 0
    this.#moved.clear()
    this.next = offset
  }

  /** All that is not settled: runs in order of offsets, then the moved messages. */
  *leases(): Iterable<Lease> {
    yield* this.runs()
    yield* this.#moved.values()
  }

  *runs(): Iterable<Lease> {
    for (let i = this.#head; i < this.#runs.length; i++) if (this.#runs[i]!.left > 0) yield this.#runs[i]!
  }

  /** Runs in memory, settled ones included. */
  get runsKept(): number {
    return this.#runs.length
  }

  moved(): Iterable<Lease> {
    return this.#moved.values()
  }

  #runOf(offset: number): Lease | undefined {
    const index = this.#indexOf(offset)
    return index === -1 ? undefined : this.#runs[index]
  }

  /** Of the run that covers an offset; -1 when none does. */
  #indexOf(offset: number): number {
    const runs = this.#runs
    let low = this.#head
    const head = runs[low]
    if (head === undefined || offset < head.start || offset >= this.next) return -1
    if (offset < head.start + head.span) return low
    let high = runs.length
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if (runs[middle]!.start <= offset) low = middle
      else high = middle
    }
    const run = runs[low]!
    return offset < run.start + run.span ? low : -1
  }

  #runSettled(run: Lease): void {
    const runs = this.#runs
    if (runs[this.#head] !== run) {
      this.#settledRuns++
      if (this.#settledRuns > 32 && this.#settledRuns * 2 > runs.length - this.#head) this.#compact()
      return
    }
    this.#head++
    while (this.#head < runs.length && runs[this.#head]!.left === 0) {
      this.#head++
      this.#settledRuns--
    }
    if (this.#head === runs.length) {
      runs.length = 0
      this.#head = 0
    } else if (this.#head > 32 && this.#head * 2 > runs.length) {
      runs.splice(0, this.#head)
      this.#head = 0
    }
  }

  #compact(): void {
    this.#runs = this.#runs.filter(run => run.left > 0)
    this.#head = this.#settledRuns = 0
  }

  #count(change: number): void {
    this.inFlight += change
    this.#total.messages += change
  }
}
