import type { Clock, Logger, Peer } from '@cometmq/remoting'
import { Deadlines, type Timed } from './deadlines.ts'

/** A pop or a notification that found nothing and waits. The handler's objects extend it. */
export interface PopPoll extends Timed {
  readonly peer: Peer
  readonly group: string
  readonly topic: string
  /** -1: any. */
  readonly queueId: number
  readonly retryTopic: string
  /** A pop takes what it finds; of those one is woken at a time. */
  readonly takes: boolean
  /** Being run again at the moment; true while it is not parked, too. */
  running: boolean
  /** News arrived while it was running. */
  again: boolean
  parked: boolean
}

export interface PopPollsOptions<P extends PopPoll> {
  clock: Clock
  logger: Logger
  /**
   * Runs a poll again. True: it found nothing and stays (never when `timeUp`); false: it was answered.
   * @param queueId where the news is, -1 when that is not known.
   */
  rerun: (poll: P, timeUp: boolean, queueId: number) => boolean | Promise<boolean>
  /** Asks for one `arrived` call at the queue's next message (`Store.watch`). */
  watch: (topic: string, queueId: number) => void
  /** Queues of a topic, 0 when it does not exist. */
  queuesOf: (topic: string) => number
  /** Read each time. */
  config: { readonly popPollingSize: number; readonly maxPopPollingSize: number }
}

/** Queue id → polls in the order in which they came. */
type Keys<P> = Map<number, Set<P>>

interface Waiting<P> {
  readonly groups: Map<string, Keys<P>>
  readonly watched: Set<number>
}

/** Long polling of POP (spec store, 10.7; Java: PopLongPollingService): a message wakes one poll of each group, not all of them. */
export class PopPolls<P extends PopPoll> {
  readonly #options: PopPollsOptions<P>
  readonly #topics = new Map<string, Waiting<P>>()
  /** Retry topic → whose it is. */
  readonly #retryTopics = new Map<string, { topic: string; group: string }>()
  readonly #byPeer = new Map<number, Set<P>>()
  readonly #deadlines: Deadlines<P>
  #count = 0
  #closed = false

  constructor(options: PopPollsOptions<P>) {
    this.#options = options
    this.#deadlines = new Deadlines<P>(options.clock, poll => this.#run(poll, true, -1))
  }

  get count(): number {
    return this.#count
  }

  /** Polls of one key: queue -1 is a key of its own. */
  countOf(group: string, topic: string, queueId: number): number {
    return this.#topics.get(topic)?.groups.get(group)?.get(queueId)?.size ?? 0
  }

  /** False when a limit is reached or the broker stops. */
  park(poll: P, ms: number): boolean {
    const { popPollingSize, maxPopPollingSize } = this.#options.config
    if (this.#closed || poll.peer.closed || this.#count >= maxPopPollingSize) return false
    const waiting = this.#waitingOf(poll.topic)
    let keys = waiting.groups.get(poll.group)
    if (keys === undefined) waiting.groups.set(poll.group, (keys = new Map<number, Set<P>>()))
    let polls = keys.get(poll.queueId)
    if (polls === undefined) keys.set(poll.queueId, (polls = new Set<P>()))
    if (polls.size >= popPollingSize) return false
    polls.add(poll)
    poll.running = poll.again = false
    poll.parked = true
    this.#count++
    this.#ofPeer(poll.peer).add(poll)
    this.#watch(poll, waiting)
    this.#deadlines.add(poll, ms)
    return true
  }

  /** A queue has news. */
  arrived(topic: string, queueId: number): void {
    const waiting = this.#topics.get(topic)
    if (waiting !== undefined) {
      // Before the polls run, so that what arrives meanwhile is heard of.
      if (waiting.watched.has(queueId)) this.#options.watch(topic, queueId)
      for (const keys of [...waiting.groups.values()]) {
        this.#wakeNext(keys.get(-1), queueId)
        this.#wakeNext(keys.get(queueId), queueId)
      }
    }
    const owner = this.#retryTopics.get(topic)
    if (owner === undefined) return
    this.#options.watch(topic, queueId)
    this.wake(owner.group, owner.topic)
  }

  /** There may be something for a group: wakes one poll of each of its keys. */
  wake(group: string, topic: string): void {
    for (const polls of [...(this.#topics.get(topic)?.groups.get(group)?.values() ?? [])]) this.#wakeNext(polls, -1)
  }

  /** Messages are copied into this topic: their arrival is to be heard of. */
  expect(retryTopic: string): void {
    if (this.#retryTopics.has(retryTopic)) this.#options.watch(retryTopic, 0)
  }

  /** Answers everything that waits, and takes nothing any more. */
  close(): void {
    this.#closed = true
    this.#deadlines.close()
    for (const polls of [...this.#byPeer.values()]) for (const poll of [...polls]) this.#run(poll, true, -1)
  }

  #wakeNext(polls: Set<P> | undefined, queueId: number): void {
    if (polls === undefined) return
    for (const poll of polls) {
      this.#run(poll, false, queueId)
      if (poll.takes) return
    }
  }

  #run(poll: P, timeUp: boolean, queueId: number): void {
    if (!poll.parked) return
    if (poll.running) {
      poll.again = true
      return
    }
    poll.running = true
    poll.again = false
    let outcome: boolean | Promise<boolean>
    try {
      outcome = this.#options.rerun(poll, timeUp, queueId)
    } catch (error) {
      return this.#failed(poll, error)
    }
    if (typeof outcome === 'boolean') this.#ran(poll, outcome)
    else
      outcome.then(
        stays => this.#ran(poll, stays),
        (error: unknown) => this.#failed(poll, error),
      )
  }

  #ran(poll: P, stays: boolean): void {
    poll.running = false
    if (!stays) this.#remove(poll)
    else if (this.#closed || poll.tick === -1) this.#run(poll, true, -1)
    else if (poll.again) this.#run(poll, false, -1)
  }

  /** A rerun answers its own errors; what gets here is a fault of ours. The client asks again after its own time-out. */
  #failed(poll: P, error: unknown): void {
    const { group, topic, queueId } = poll
    this.#options.logger.error('parked pop could not be run', { group, topic, queueId, error: String(error) })
    this.#remove(poll)
  }

  #remove(poll: P): void {
    if (!poll.parked) return
    poll.parked = false
    this.#count--
    this.#deadlines.remove(poll)
    this.#byPeer.get(poll.peer.id)?.delete(poll)
    const waiting = this.#topics.get(poll.topic)
    const keys = waiting?.groups.get(poll.group)
    const polls = keys?.get(poll.queueId)
    polls?.delete(poll)
    if (polls?.size === 0) keys?.delete(poll.queueId)
    if (keys?.size !== 0) return
    waiting?.groups.delete(poll.group)
    this.#retryTopics.delete(poll.retryTopic)
    if (waiting?.groups.size === 0) this.#topics.delete(poll.topic)
  }

  #waitingOf(topic: string): Waiting<P> {
    const known = this.#topics.get(topic)
    if (known !== undefined) return known
    const waiting: Waiting<P> = { groups: new Map(), watched: new Set() }
    this.#topics.set(topic, waiting)
    return waiting
  }

  #watch(poll: P, { watched }: Waiting<P>): void {
    const { watch, queuesOf } = this.#options
    const first = poll.queueId === -1 ? 0 : poll.queueId
    const end = poll.queueId === -1 ? queuesOf(poll.topic) : poll.queueId + 1
    if (poll.queueId !== -1 || watched.size < end) {
      for (let queueId = first; queueId < end; queueId++) {
        if (watched.has(queueId)) continue
        watched.add(queueId)
        watch(poll.topic, queueId)
      }
    }
    if (this.#retryTopics.has(poll.retryTopic)) return
    this.#retryTopics.set(poll.retryTopic, { topic: poll.topic, group: poll.group })
    if (queuesOf(poll.retryTopic) > 0) watch(poll.retryTopic, 0)
  }

  #ofPeer(peer: Peer): Set<P> {
    const known = this.#byPeer.get(peer.id)
    if (known !== undefined) return known
    const polls = new Set<P>()
    this.#byPeer.set(peer.id, polls)
    peer.onClose(() => {
      this.#byPeer.delete(peer.id)
      for (const poll of [...polls]) this.#remove(poll)
    })
    return polls
  }
}
