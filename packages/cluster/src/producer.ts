import { type Clock, type MessageQueue } from '@cometmq/remoting'
import { type Avoidance } from './avoidance.ts'
import { type CallOptions, type Calls, errorOfAnswer } from './calls.ts'
import { chooseQueue } from './choose-queue.ts'
import { type ClusterError, refused } from './errors.ts'
import { checkGroup, type OutgoingMessage } from './message.ts'
import { queueForKey } from './order-key.ts'
import { type Prepared, prepareBatch, prepareOne } from './prepare.ts'
import { masterAddress } from './queues.ts'
import { type Routes, type TopicRoute } from './routes.ts'
import { isBrokersFault, isRouteStale, mayRetry, noMaster, worse } from './send-errors.ts'
import { sendRequest, type SendResult, sendResult } from './send-request.ts'

export interface SendOptions extends CallOptions {
  /** Send to this queue and no other. */
  queue?: { brokerName: string; queueId: number }
  /** Further attempts on other brokers after a failure. Default 2; a chosen queue or an order key allows none. */
  retries?: number
}

export interface ProducerParts {
  group: string
  calls: Calls
  routes: Routes
  avoidance: Avoidance
  clock: Clock
  /** Makes the unique ids of messages. */
  nextId: () => string
  /** Called when the producer closes. */
  onClose: () => void
}

const defaultTimeoutMs = 3_000
const defaultRetries = 2
const maxPendingSends = 20_000
const maxPendingBytes = 128 * 1024 * 1024

/** Sends messages in the name of one producer group. */
export class Producer {
  readonly group: string
  readonly #parts: ProducerParts
  #turn = Math.floor(Math.random() * 1_000)
  #pendingSends = 0
  #pendingBytes = 0
  #closed = false

  constructor(parts: ProducerParts) {
    checkGroup(parts.group)
    this.group = parts.group
    this.#parts = parts
  }

  /** Resolves when the broker has stored the message. Default deadline over all attempts: 3 s. */
  async send(message: OutgoingMessage, options: SendOptions = {}): Promise<SendResult> {
    return this.#counted(prepareOne(message, this.#parts.nextId, this.#parts.clock.now()), options)
  }

  /** All messages in one request, into one queue: all are stored or none. Up to 4 MiB together. */
  async sendBatch(messages: readonly OutgoingMessage[], options: SendOptions = {}): Promise<SendResult> {
    return this.#counted(prepareBatch(messages, this.#parts.nextId, this.#parts.clock.now()), options)
  }

  /** Resolves when the message was handed to the connection: whether it arrives stays unknown. */
  async sendOneway(message: OutgoingMessage, options: SendOptions = {}): Promise<void> {
    this.#checkOpen()
    const prepared = prepareOne(message, this.#parts.nextId, this.#parts.clock.now())
    const route = await this.#parts.routes.forPublishing(prepared.topic, options)
    const queue = this.#fixedQueue(route, prepared, options) ?? this.#nextQueue(route, new Set())
    const address = masterAddress(route.data, queue.brokerName)
    if (address === undefined) throw noMaster(queue)
    await this.#parts.calls.oneway(what(prepared), address, sendRequest(this.group, prepared, queue))
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#parts.onClose()
  }

  #checkOpen(): void {
    if (this.#closed) throw refused('E_CLOSED', 'the message was not sent', 'the producer is closed')
  }

  async #counted(prepared: Prepared, options: SendOptions): Promise<SendResult> {
    this.#checkOpen()
    if (this.#pendingSends >= maxPendingSends || this.#pendingBytes + prepared.body.length > maxPendingBytes)
      throw refused(
        'E_OVERLOADED',
        what(prepared),
        `${this.#pendingSends} sends (${this.#pendingBytes} bytes) are not answered yet`,
      )
    this.#pendingSends++
    this.#pendingBytes += prepared.body.length
    try {
      return await this.#attempts(prepared, options)
    } finally {
      this.#pendingSends--
      this.#pendingBytes -= prepared.body.length
    }
  }

  async #attempts(prepared: Prepared, options: SendOptions): Promise<SendResult> {
    const { clock, routes } = this.#parts
    const deadline = clock.monotonic() + (options.timeoutMs ?? defaultTimeoutMs)
    let route = await routes.forPublishing(prepared.topic, options)
    const fixed = this.#fixedQueue(route, prepared, options)
    const attempts = fixed ? 1 : 1 + (options.retries ?? defaultRetries)
    const tried = new Set<string>()
    let failure: ClusterError | undefined
    for (let attempt = 0; attempt < attempts; attempt++) {
      const leftMs = deadline - clock.monotonic()
      if (failure && leftMs <= 0) break
      const queue = fixed ?? this.#nextQueue(route, tried)
      tried.add(queue.brokerName)
      try {
        return await this.#attempt(prepared, route, queue, { ...options, timeoutMs: leftMs })
      } catch (error) {
        failure = worse(failure, error as ClusterError)
        if (!mayRetry(error as ClusterError)) break
        route = await this.#freshRoute(route, error as ClusterError)
      }
    }
    throw failure!
  }

  async #attempt(prepared: Prepared, route: TopicRoute, queue: MessageQueue, options: SendOptions): Promise<SendResult> {
    const { avoidance, calls, clock } = this.#parts
    const address = masterAddress(route.data, queue.brokerName)
    if (address === undefined) throw noMaster(queue)
    const started = clock.monotonic()
    try {
      const request = sendRequest(this.group, prepared, queue)
      const answer = await calls.ask(what(prepared), address, request, options.timeoutMs!, options.signal)
      const result = sendResult(answer, prepared, queue)
      if (!result) throw errorOfAnswer(what(prepared), address, answer)
      avoidance.answered(queue.brokerName, clock.monotonic() - started)
      return result
    } catch (error) {
      if (isBrokersFault(error as ClusterError)) avoidance.failed(queue.brokerName)
      throw error
    }
  }

  /** After an answer or a failure that a newer route may avoid; the old one serves when there is no newer. */
  async #freshRoute(route: TopicRoute, error: ClusterError): Promise<TopicRoute> {
    if (!isRouteStale(error)) return route
    try {
      const fresh = await this.#parts.routes.refresh(route.topic)
      return fresh.publish.length > 0 ? fresh : route
    } catch {
      return route // the error of the send says more than that of the route
    }
  }

  #fixedQueue(route: TopicRoute, prepared: Prepared, options: SendOptions): MessageQueue | undefined {
    if (options.queue) return { topic: prepared.topic, ...options.queue }
    if (prepared.orderKey === undefined) return undefined
    return route.publish[queueForKey(prepared.orderKey, route.publish.length)]
  }

  #nextQueue(route: TopicRoute, tried: ReadonlySet<string>): MessageQueue {
    this.#turn = (this.#turn + 1) % 0x4000_0000
    return chooseQueue(route.publish, this.#turn, tried, this.#parts.avoidance)
  }
}

const what = (prepared: Prepared): string => `send to topic ${prepared.topic}`
