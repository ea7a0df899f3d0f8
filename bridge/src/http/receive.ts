import type { PoppedMessage } from '@cometmq/cluster'
import { type SubTopic, type Value } from '@cometmq/protocol'
import {
  checkSpec,
  type CompiledWhere,
  compileWhere,
  entryOf,
  expressionOf,
  leaseTimes,
  type QueueNumbers,
} from '@cometmq/session'
import { type HttpParts } from '../options.ts'
import { type Call, type Operation } from './door.ts'
import { Fields } from './fields.ts'
import { type Handles } from './handles.ts'
import { type HttpLimits } from './limits.ts'
import { messageOf } from './messages.ts'
import { type PopRequest, type PopSource, PopSources } from './pop-sources.ts'
import { type Places } from './rates.ts'
import { topicsOf } from './topics.ts'

export interface ReceiveParts extends HttpParts {
  readonly handles: Handles
  readonly numbers: QueueNumbers
  readonly waiting: Places
  readonly http: HttpLimits
}

/** Deliveries after which a message goes to the dead letter topic (spec remoting 2: retryMaxTimes). */
const maxAttempts = 16
const usualMessages = 16

interface Wanted {
  readonly topics: readonly SubTopic[]
  readonly group: string
  readonly max: number
  readonly waitMs: number
  readonly leaseMs: number
  readonly since: 'latest' | 'earliest'
}

/** `POST /v1/receive`: messages for one member of a group, each leased, with a handle to settle it; waits when there are none. */
export function receiveOperation(parts: ReceiveParts): Operation {
  return async call => {
    const wanted = wantedOf(parts, call)
    const { group, topics, leaseMs, since, waitMs } = wanted
    const { scopes, subject } = call.principal
    const release = parts.waiting.take(subject, scopes.maxConnections ?? parts.http.maxWaitingPerSubject, 'requests that wait')
    try {
      const expressions = topics.map(expressionOf)
      const request: PopRequest = { group, invisibleMs: leaseTimes(leaseMs).invisibleMs, from: since, signal: call.signal }
      const sources = await PopSources.open(parts, topics, expressions, request)
      const receiver = new Receiver(parts, call, wanted)
      await receiver.run(sources, waitMs)
      // Nobody is there to take them: others can have them now.
      if (call.isGone()) receiver.giveBack()
      return { value: { messages: receiver.messages, leaseMs } }
    } finally {
      release()
    }
  }
}

function wantedOf({ http, sessionLimits }: ReceiveParts, { body, principal }: Call): Wanted {
  const fields = new Fields(body, 'the request', ['topics', 'tags', 'group', 'max', 'waitMs', 'leaseMs', 'since'])
  const group = fields.required('group')
  const topics = topicsOf(fields)
  const leaseMs = fields.count('leaseMs') ?? sessionLimits.leaseMs
  checkSpec({ principal }, { mode: 'group', group, topics, leaseMs, limit: [1, 1] })
  return {
    topics,
    group,
    max: fields.count('max', 1, http.maxMessages) ?? usualMessages,
    waitMs: Math.min(fields.count('waitMs') ?? 0, http.maxWaitMs),
    leaseMs,
    since: fields.choice('since', ['latest', 'earliest']) ?? 'latest',
  }
}

/** What one request has got so far. */
class Receiver {
  readonly messages: Value[] = []
  readonly #parts: ReceiveParts
  readonly #call: Call
  readonly #wanted: Wanted
  readonly #where: CompiledWhere | null
  readonly #found: PoppedMessage[] = []
  #bytes = 0

  constructor(parts: ReceiveParts, call: Call, wanted: Wanted) {
    this.#parts = parts
    this.#call = call
    this.#wanted = wanted
    this.#where = compileWhere(call.principal.where)
  }

  get #room(): number {
    const { maxAnswerBytes } = this.#parts.http
    return this.#bytes >= maxAnswerBytes ? 0 : this.#wanted.max - this.messages.length
  }

  /** Until something is there, or the time is over; then what more there is at once. */
  async run(sources: PopSources, waitMs: number): Promise<void> {
    const { clock, sessions } = this.#parts
    const { signal } = this.#call
    const until = clock.monotonic() + waitMs
    for (;;) {
      await this.#sweep(sources)
      const left = until - clock.monotonic()
      if (this.messages.length > 0 || left < 1 || signal.aborted || sessions.draining) return
      this.#take(await sources.wait(this.#room, left))
    }
  }

  /** What is there now. Rejects when nothing can be read; a part that cannot keeps nobody from the rest. */
  async #sweep(sources: PopSources): Promise<void> {
    const turn = sources.inTurn()
    let failed = 0
    for (const source of turn) {
      try {
        await this.#drain(sources, source)
      } catch (error) {
        if (++failed === turn.length && this.messages.length === 0 && !this.#call.signal.aborted) throw error
      }
    }
  }

  async #drain(sources: PopSources, source: PopSource): Promise<void> {
    for (;;) {
      const room = this.#room
      if (room <= 0 || this.#call.signal.aborted) return
      const asked = Math.min(room, sources.maxMessages)
      const messages = await sources.pop(source, asked, 0)
      this.#take(messages)
      if (messages.length < asked) return
    }
  }

  #take(messages: readonly PoppedMessage[]): void {
    const { clock, handles, numbers, cluster } = this.#parts
    const { subject } = this.#call.principal
    const { holdMs } = leaseTimes(this.#wanted.leaseMs)
    const now = clock.now()
    const useless: PoppedMessage[] = []
    for (const message of messages) {
      const { receipt } = message
      if (this.#where !== null && !this.#where.passes(message.properties)) {
        useless.push(message)
        continue
      }
      if (message.reconsumeTimes >= maxAttempts) {
        this.#tooOften(message)
        continue
      }
      const entry = entryOf(message, 0, numbers.of(receipt.brokerName, message.queueId), now)
      if (entry === undefined) {
        useless.push(message)
        continue
      }
      const { msgId, physicalOffset } = message
      const handle = handles.seal({ subject, receipt, deadline: now + holdMs, attempt: entry[5], msgId, physicalOffset })
      this.messages.push({ handle, ...messageOf(entry, receipt.topic, this.#call.binary) })
      this.#found.push(message)
      this.#bytes += message.body.length
    }
    if (useless.length > 0) void cluster.popper().ack(useless.map(message => message.receipt))
  }

  #tooOften(message: PoppedMessage): void {
    const { logger, cluster } = this.#parts
    const { topic, msgId, reconsumeTimes } = message
    logger.info('a message was delivered too often and goes to the dead letter topic', {
      ...{ topic, msgId, group: this.#wanted.group, deliveries: reconsumeTimes },
    })
    cluster
      .popper()
      .deadLetter(message)
      .catch((error: unknown) => logger.debug('dead letter failed; the message comes back', { topic, why: String(error) }))
  }

  giveBack(): void {
    for (const { receipt } of this.#found)
      this.#parts.cluster
        .popper()
        .changeInvisible(receipt, 0)
        .catch(() => undefined)
    this.messages.length = 0
  }
}
