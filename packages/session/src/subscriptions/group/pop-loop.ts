import type { PoppedMessage } from '@cometmq/cluster'
import { isLasting, type Shared, textOf } from '../shared.ts'
import { entryOverheadBytes } from '../window.ts'

/** What a loop asks for. */
export interface PopSource {
  readonly topic: string
  readonly topicIx: number
  readonly group: string
  readonly expression: string
  readonly from: 'earliest' | 'latest'
  readonly ordered: boolean
  readonly invisibleMs: number
}

/** The subscription that a loop works for. */
export interface PopOwner {
  /** How many messages of about `averageBytes` the loop may ask for now; 0: none. What it asks for is taken back by `returned`. */
  grant(averageBytes: number, first: boolean): number
  returned(count: number, averageBytes: number): void
  popped(loop: PopLoop, messages: readonly PoppedMessage[]): void
  /** undefined: it works again. */
  trouble(loop: PopLoop, why: string | undefined): void
  failed(error: unknown): void
}

/** An answer says nothing about the next one's sizes before the first. */
const firstAverageBytes = 32 * 1024
/** Not worth a request of its own besides another one. */
const leastExtra = 32

let attempts = 0

/** Pops from one broker for one topic of one subscription: one request that the broker holds, more while there is much to fetch. */
export class PopLoop {
  readonly source: PopSource
  readonly brokerName: string
  readonly #shared: Shared
  readonly #owner: PopOwner
  #averageBytes = firstAverageBytes
  #running = 0
  /** Requests that may run at a time. */
  #parallel = 1
  #failures = 0
  #pausedUntil = 0
  #closed = false
  /** Ordered: the same until an answer came, so that a broker gives a batch again whose answer was lost. */
  #attemptId: string | undefined

  constructor(shared: Shared, owner: PopOwner, source: PopSource, brokerName: string) {
    this.#shared = shared
    this.#owner = owner
    this.source = source
    this.brokerName = brokerName
  }

  /** No further requests. What is under way still comes. */
  close(): void {
    this.#closed = true
  }

  /** Asks for what may be asked for now. */
  kick(): void {
    while (!this.#closed && this.#running < this.#parallel && this.#pausedUntil <= this.#shared.clock.monotonic()) {
      const first = this.#running === 0
      const count = this.#owner.grant(this.#averageBytes, first)
      if (count < 1) return
      if (!first && count < leastExtra) {
        this.#owner.returned(count, this.#averageBytes)
        return
      }
      void this.#pop(count, first)
    }
  }

  async #pop(count: number, first: boolean): Promise<void> {
    const { clock, popper, limits, clientId } = this.#shared
    const { topic, group, expression, from, ordered, invisibleMs } = this.source
    const average = this.#averageBytes
    this.#running++
    if (ordered) this.#attemptId ??= `${clientId}-${++attempts}`
    const began = clock.monotonic()
    let messages: PoppedMessage[]
    try {
      messages = await popper.pop({
        topic,
        group,
        brokerName: this.brokerName,
        expression,
        maxMessages: count,
        invisibleMs,
        holdMs: first ? limits.holdMs : 0,
        from,
        ...(ordered ? { ordered, attemptId: this.#attemptId! } : {}),
      })
    } catch (error) {
      this.#running--
      this.#owner.returned(count, average)
      this.#failed(error)
      return
    }
    this.#running--
    this.#attemptId = undefined
    this.#owner.returned(count, average)
    this.#adapt(messages, count)
    if (this.#failures > 0) {
      this.#failures = 0
      this.#owner.trouble(this, undefined)
    }
    if (messages.length > 0) this.#owner.popped(this, messages)
    else if (first && clock.monotonic() - began < limits.minBackoffMs) return this.#pause(limits.minBackoffMs)
    this.kick()
  }

  /** A full answer means that more is there; a broker that allows less per request (32 at Apache) is full at that. */
  #adapt(messages: readonly PoppedMessage[], asked: number): void {
    const { length } = messages
    const full = length >= Math.min(asked, leastExtra)
    if (full && !this.source.ordered) this.#parallel = Math.min(this.#shared.limits.maxPops, this.#parallel + 1)
    else if (this.#parallel > 1) this.#parallel--
    if (length === 0) return
    let bytes = 0
    for (const message of messages) bytes += message.body.length
    const mean = bytes / length + entryOverheadBytes
    // Grows at once, shrinks slowly: a large message after small ones is what costs memory.
    this.#averageBytes = mean > this.#averageBytes ? mean : this.#averageBytes * 0.5 + mean * 0.5
  }

  #failed(error: unknown): void {
    if (this.#closed) return
    if (isLasting(error)) {
      this.#owner.failed(error)
      return
    }
    const { limits, logger } = this.#shared
    this.#parallel = 1
    const pause = Math.min(limits.maxBackoffMs, limits.minBackoffMs * 2 ** Math.min(this.#failures++, 20))
    const why = textOf(error)
    logger.debug('popping failed; it is tried again', { topic: this.source.topic, broker: this.brokerName, pause, why })
    this.#owner.trouble(this, why)
    this.#pause(pause)
  }

  /** Also after an empty answer that came too soon: a broker that does not hold requests now. */
  #pause(ms: number): void {
    const { clock } = this.#shared
    const until = clock.monotonic() + ms
    this.#pausedUntil = until
    clock.setTimeout(() => {
      // Timers may fire a little early by that clock.
      if (this.#pausedUntil === until) this.#pausedUntil = 0
      this.kick()
    }, ms)
  }
}
