import {
  type Command,
  getProperty,
  type MessageQueue,
  PropertyKey,
  pullMessageRequest,
  pullMessageResponse,
  PullSysFlag,
  RequestCode,
  ResponseCode,
} from '@cometmq/remoting'
import { toolsGroup } from './admin/messages.ts'
import { type Calls, errorOfAnswer } from './calls.ts'
import { refused } from './errors.ts'
import { type Offsets } from './offsets.ts'
import { tagSet } from './puller.ts'
import { addressFor, MASTER_ID } from './queues.ts'
import { type Routes } from './routes.ts'
import { decodeStored, Stored } from './stored-message.ts'
import { type Reader, type ReaderOptions, type ReadResult } from './streaming.ts'

/** On top of the hold time: what a broker may take to answer. */
const answerTimeMs = 10_000
const maxRememberedQueues = 65_536
const maxMaxMessages = 1_024

const statusOf = new Map<number, ReadResult['status']>([
  [ResponseCode.SUCCESS, 'found'],
  [ResponseCode.PULL_NOT_FOUND, 'no-new'],
  [ResponseCode.PULL_RETRY_IMMEDIATELY, 'no-match'],
  [ResponseCode.PULL_OFFSET_MOVED, 'offset-moved'],
])

/**
 * See `Reader` in streaming.ts. Brokers want a group with every read: this is that of RocketMQ's tools, which each of them has. No offset
 * is committed for it.
 */
export class QueueReader implements Reader {
  readonly #calls: Calls
  readonly #routes: Routes
  readonly #offsets: Offsets
  /** `topic broker queue` → broker id that the last answer told us to read from. */
  readonly #suggested = new Map<string, string>()

  constructor(calls: Calls, routes: Routes, offsets: Offsets) {
    this.#calls = calls
    this.#routes = routes
    this.#offsets = offsets
  }

  async queuesOf(topic: string): Promise<readonly MessageQueue[]> {
    return (await this.#routes.forReading(topic)).read
  }

  async read(options: ReaderOptions): Promise<ReadResult> {
    const { queue, holdMs, offset, signal } = options
    const what = `read of ${queue.topic}/${queue.brokerName}/${queue.queueId} at ${offset}`
    const address = await this.#address(queue)
    const request = { code: RequestCode.PULL_MESSAGE, ext: headerOf(options) }
    const answer = await this.#routes.watch(queue.topic, this.#calls.ask(what, address, request, holdMs + answerTimeMs, signal))
    const status = statusOf.get(answer.code)
    if (status !== undefined) return this.#result(queue, status, answer, tagSet(options.expression))
    if (answer.code === ResponseCode.TOPIC_NOT_EXIST) this.#routes.forget(queue.topic)
    throw errorOfAnswer(what, address, answer)
  }

  async bounds(queue: MessageQueue): Promise<{ min: number; max: number }> {
    const [min, max] = await Promise.all([this.#offsets.min(queue), this.#offsets.max(queue)])
    return { min, max }
  }

  offsetAt(queue: MessageQueue, time: number): Promise<number> {
    return this.#offsets.byTime(queue, time)
  }

  async #address(queue: MessageQueue): Promise<string> {
    const route = await this.#routes.forReading(queue.topic)
    const suggested = this.#suggested.size === 0 ? MASTER_ID : (this.#suggested.get(keyOf(queue)) ?? MASTER_ID)
    const address = addressFor(route.data, queue.brokerName, suggested)
    if (address !== undefined) return address
    throw refused('E_NO_BROKER', `no broker ${queue.brokerName}`, `the route of ${queue.topic} does not list it`)
  }

  #result(queue: MessageQueue, status: ReadResult['status'], answer: Command, tags: ReadonlySet<string> | undefined): ReadResult {
    const header = pullMessageResponse.decode(answer.ext)
    this.#remember(queue, String(header.suggestWhichBrokerId))
    const all =
      status === 'found' && answer.body !== null
        ? decodeStored(answer.body, (bytes, base, topic, propertiesAt) => new Stored(bytes, base, topic, propertiesAt))
        : []
    // The broker compares hashes of tags only (spec remoting 3.3.1).
    const messages = tags ? all.filter(({ properties }) => tags.has(getProperty(properties, PropertyKey.TAGS) ?? '')) : all
    return { status, messages, nextOffset: header.nextBeginOffset, minOffset: header.minOffset, maxOffset: header.maxOffset }
  }

  #remember(queue: MessageQueue, brokerId: string): void {
    if (brokerId === MASTER_ID) {
      if (this.#suggested.size > 0) this.#suggested.delete(keyOf(queue))
    } else if (this.#suggested.size < maxRememberedQueues) this.#suggested.set(keyOf(queue), brokerId)
  }
}

function headerOf(options: ReaderOptions): Record<string, string> {
  const { queue, offset, holdMs, maxBytes, maxMessages, expression = '*' } = options
  return pullMessageRequest.encode({
    consumerGroup: toolsGroup,
    topic: queue.topic,
    queueId: queue.queueId,
    queueOffset: offset,
    maxMsgNums: Math.max(1, Math.min(maxMessages, maxMaxMessages)),
    sysFlag: PullSysFlag.SUBSCRIPTION | (holdMs > 0 ? PullSysFlag.SUSPEND : 0),
    commitOffset: 0,
    suspendTimeoutMillis: holdMs,
    subscription: expression,
    subVersion: 0n,
    expressionType: 'TAG',
    maxMsgBytes: Math.max(1, Math.min(maxBytes, 0x7fff_ffff)),
  })
}

const keyOf = (queue: MessageQueue): string => `${queue.topic} ${queue.brokerName} ${queue.queueId}`
