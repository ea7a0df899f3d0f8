import type { Clock, Cluster, PoppedMessage, Popper } from '@cometmq/cluster'
import { codeOf, type SubTopic } from '@cometmq/protocol'
import { RefusedError } from '@cometmq/session'

/** A topic at a broker. */
export interface PopSource {
  readonly topic: string
  readonly brokerName: string
  readonly expression: string
}

export interface PopRequest {
  readonly group: string
  readonly invisibleMs: number
  readonly from: 'latest' | 'earliest'
  readonly signal: AbortSignal
}

/** At most so many messages of one request to a broker: all that Apache's give. */
const maxMessages = 32
/** An empty answer that came too soon: the broker does not hold requests now. */
const leastHoldMs = 200

/** Everything that one request receives from. */
export class PopSources {
  readonly maxMessages = maxMessages
  readonly #clock: Clock
  readonly #popper: Popper
  readonly #request: PopRequest
  readonly #sources: readonly PopSource[]
  #turn = 0

  private constructor(clock: Clock, popper: Popper, request: PopRequest, sources: readonly PopSource[]) {
    this.#clock = clock
    this.#popper = popper
    this.#request = request
    this.#sources = sources
    // Requests come one after the other: each begins elsewhere, so that no topic waits for ever.
    this.#turn = Math.floor(clock.monotonic()) % sources.length
  }

  /** Rejects with what the cluster says about the topics. */
  static async open(
    { cluster, clock }: { cluster: Cluster; clock: Clock },
    topics: readonly SubTopic[],
    expressions: readonly string[],
    request: PopRequest,
  ): Promise<PopSources> {
    const popper = cluster.popper()
    const lists = await Promise.all(
      topics.map(async ([topic], index) => {
        const brokers = await popper.brokersOf(topic)
        return brokers.map(brokerName => ({ topic, brokerName, expression: expressions[index]! }))
      }),
    )
    const sources = lists.flat()
    if (sources.length === 0) throw new RefusedError(codeOf('TOPIC_NOT_FOUND'), 'no broker lets these topics be read')
    return new PopSources(clock, popper, request, sources)
  }

  /** All, each time beginning with the next one. */
  inTurn(): readonly PopSource[] {
    const first = this.#turn++ % this.#sources.length
    return [...this.#sources.slice(first), ...this.#sources.slice(0, first)]
  }

  pop(source: PopSource, count: number, holdMs: number, signal = this.#request.signal): Promise<PoppedMessage[]> {
    const { group, invisibleMs, from } = this.#request
    return this.#popper.pop({ ...source, group, invisibleMs, from, holdMs, maxMessages: count, signal })
  }

  /**
   * The first messages that come to any of them within `ms`; empty when none did, or the request was aborted. What comes to the others
   * afterwards is given back.
   */
  async wait(room: number, ms: number): Promise<readonly PoppedMessage[]> {
    const began = this.#clock.monotonic()
    const count = Math.min(room, maxMessages)
    const others = new AbortController()
    const { signal } = this.#request
    const stop = (): void => others.abort()
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
    try {
      const messages = await firstOf(this.#sources.map(source => this.pop(source, count, Math.ceil(ms), others.signal)))
      if (messages.length === 0) await this.#pause(began, ms)
      return messages
    } catch (error) {
      if (signal.aborted) return []
      throw error
    } finally {
      signal.removeEventListener('abort', stop)
      others.abort()
    }
  }

  #pause(began: number, ms: number): Promise<void> {
    const short = Math.min(leastHoldMs, ms) - (this.#clock.monotonic() - began)
    return short <= 0 ? Promise.resolve() : new Promise(resolve => this.#clock.setTimeout(resolve, short))
  }
}

/** The first answer that is not empty; an empty one when all were, or those that did not fail. Rejects when all failed. */
function firstOf(answers: readonly Promise<PoppedMessage[]>[]): Promise<readonly PoppedMessage[]> {
  return new Promise((resolve, reject) => {
    let left = answers.length
    let isAnyEmpty = false
    const ended = (error: Error | undefined): void => {
      if (--left > 0) return
      if (isAnyEmpty) resolve([])
      else reject(error ?? new Error('no answer'))
    }
    for (const answer of answers)
      answer.then(messages => {
        if (messages.length > 0) return resolve(messages)
        isAnyEmpty = true
        ended(undefined)
      }, ended)
  })
}
