import type { Clock, Logger, Peer, Timer } from '@cometmq/remoting'

/** A pull that found nothing and waits for its queue. The pull handler's objects extend it. */
export interface ParkedPull {
  readonly peer: Peer
  readonly topic: string
  readonly queueId: number
  /** Monotonic milliseconds at which it is answered whatever there is. */
  readonly deadline: number
}

export interface LongPollOptions<P extends ParkedPull> {
  clock: Clock
  logger: Logger
  /**
   * Runs a parked pull again. True: it found nothing and stays parked (never when `timeUp`); false: it was answered.
   * The pull keeps how far it scanned, so what did not match is not read again.
   */
  rerun: (pull: P, timeUp: boolean) => boolean | Promise<boolean>
  /** Asks for one `arrived` call at the queue's next message (`Store.watch`). */
  watch: (topic: string, queueId: number) => void
  /** Parked pulls in all; further ones are answered at once. Default 100 000. */
  maxParkedPulls?: number
  /** Parked pulls of one queue. Default 10 000. */
  maxParkedPullsPerQueue?: number
}

interface Waiter<P> {
  readonly pull: P
  /** Being rerun at the moment. */
  running: boolean
  /** News arrived while it was running. */
  again: boolean
  gone: boolean
}

/** Time-outs are answered at most this much late, so that many deadlines share one sweep. */
const SWEEP_GRAIN_MS = 50

/**
 * Pulls parked per queue (spec store, 11.1; Java: PullRequestHoldService). A queue nobody waits for costs an arrival one
 * map lookup; the store does not even report arrivals nobody watches. Time-outs share one timer.
 */
export class LongPoll<P extends ParkedPull> {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #rerun: (pull: P, timeUp: boolean) => boolean | Promise<boolean>
  readonly #watch: (topic: string, queueId: number) => void
  readonly #maxTotal: number
  readonly #maxPerQueue: number
  readonly #queues = new Map<string, Map<number, Set<Waiter<P>>>>()
  readonly #byPeer = new Map<number, Set<Waiter<P>>>()
  #parked = 0
  #timer: Timer | null = null
  #timerAt = Infinity
  #closed = false

  constructor(options: LongPollOptions<P>) {
    this.#clock = options.clock
    this.#logger = options.logger
    this.#rerun = options.rerun
    this.#watch = options.watch
    this.#maxTotal = options.maxParkedPulls ?? 100_000
    this.#maxPerQueue = options.maxParkedPullsPerQueue ?? 10_000
  }

  get parked(): number {
    return this.#parked
  }

  /** False when a limit is reached or the broker stops: answer at once. */
  park(pull: P): boolean {
    if (this.#closed || this.#parked >= this.#maxTotal || pull.peer.closed) return false
    let queues = this.#queues.get(pull.topic)
    if (queues === undefined) this.#queues.set(pull.topic, (queues = new Map<number, Set<Waiter<P>>>()))
    let waiters = queues.get(pull.queueId)
    if (waiters === undefined) queues.set(pull.queueId, (waiters = new Set<Waiter<P>>()))
    if (waiters.size >= this.#maxPerQueue) return false
    const waiter: Waiter<P> = { pull, running: false, again: false, gone: false }
    waiters.add(waiter)
    this.#ofPeer(pull.peer).add(waiter)
    this.#parked++
    this.#watch(pull.topic, pull.queueId)
    this.#arm(pull.deadline)
    return true
  }

  /** A queue has news: every pull parked on it is run again. */
  arrived(topic: string, queueId: number): void {
    const waiters = this.#queues.get(topic)?.get(queueId)
    if (waiters === undefined) return
    // Before the reruns, so that what arrives during them is heard of.
    this.#watch(topic, queueId)
    for (const waiter of [...waiters]) this.#run(waiter, false)
  }

  /** Answers everything that is parked and parks nothing any more. */
  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#timer = null
    for (const waiter of this.#all()) this.#run(waiter, true)
  }

  #run(waiter: Waiter<P>, timeUp: boolean): void {
    if (waiter.gone) return
    if (waiter.running) {
      waiter.again = true
      return
    }
    waiter.running = true
    waiter.again = false
    let outcome: boolean | Promise<boolean>
    try {
      outcome = this.#rerun(waiter.pull, timeUp)
    } catch (error) {
      this.#failed(waiter, error)
      return
    }
    if (typeof outcome === 'boolean') this.#ran(waiter, outcome)
    else
      outcome.then(
        stays => this.#ran(waiter, stays),
        (error: unknown) => this.#failed(waiter, error),
      )
  }

  #ran(waiter: Waiter<P>, stays: boolean): void {
    waiter.running = false
    if (!stays) this.#remove(waiter)
    else if (this.#closed || waiter.pull.deadline <= this.#clock.monotonic()) this.#run(waiter, true)
    else if (waiter.again) this.#run(waiter, false)
  }

  /** A rerun answers its own errors; what gets here is a fault of ours. The client asks again after its own time-out. */
  #failed(waiter: Waiter<P>, error: unknown): void {
    this.#logger.error('parked pull could not be run', {
      topic: waiter.pull.topic,
      queueId: waiter.pull.queueId,
      error: String(error),
    })
    this.#remove(waiter)
  }

  #remove(waiter: Waiter<P>): void {
    if (waiter.gone) return
    waiter.gone = true
    this.#parked--
    const { topic, queueId, peer } = waiter.pull
    const queues = this.#queues.get(topic)
    const waiters = queues?.get(queueId)
    waiters?.delete(waiter)
    if (waiters?.size === 0) queues?.delete(queueId)
    if (queues?.size === 0) this.#queues.delete(topic)
    this.#byPeer.get(peer.id)?.delete(waiter)
  }

  #ofPeer(peer: Peer): Set<Waiter<P>> {
    const known = this.#byPeer.get(peer.id)
    if (known !== undefined) return known
    const waiters = new Set<Waiter<P>>()
    this.#byPeer.set(peer.id, waiters)
    peer.onClose(() => {
      this.#byPeer.delete(peer.id)
      for (const waiter of [...waiters]) this.#remove(waiter)
    })
    return waiters
  }

  #arm(deadline: number): void {
    if (this.#closed || deadline >= this.#timerAt) return
    this.#timer?.cancel()
    const delay = Math.max(SWEEP_GRAIN_MS, deadline - this.#clock.monotonic())
    this.#timerAt = this.#clock.monotonic() + delay
    this.#timer = this.#clock.setTimeout(this.#sweep, delay)
  }

  readonly #sweep = (): void => {
    this.#timer = null
    this.#timerAt = Infinity
    const now = this.#clock.monotonic()
    for (const waiter of this.#all()) if (waiter.pull.deadline <= now) this.#run(waiter, true)
    let next = Infinity
    for (const waiter of this.#all()) next = Math.min(next, waiter.pull.deadline)
    if (next !== Infinity) this.#arm(next)
  }

  #all(): Waiter<P>[] {
    const found: Waiter<P>[] = []
    for (const queues of this.#queues.values()) for (const waiters of queues.values()) found.push(...waiters)
    return found
  }
}
