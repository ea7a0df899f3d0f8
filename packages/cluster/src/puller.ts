import {
  type Command,
  type MessageQueue,
  pullMessageRequest,
  pullMessageResponse,
  PullSysFlag,
  RequestCode,
  ResponseCode,
} from '@cometmq/remoting'
import { type CallOptions, type Calls, errorOfAnswer } from './calls.ts'
import { refused } from './errors.ts'
import { checkGroup } from './message.ts'
import { addressFor, MASTER_ID } from './queues.ts'
import { decodePulled, type ReceivedMessage } from './received.ts'
import { type Routes } from './routes.ts'

export interface PullOptions extends CallOptions {
  /** Default 32; the broker may give fewer. */
  maxMessages?: number
  /** How long the broker holds the request when there is nothing new, ms. Default 0: it answers at once. */
  holdMs?: number
  /** `*`, or tags as `A || B`. Default `*`. */
  tags?: string
  /** Commits this offset of the queue for the group on the way. */
  commitOffset?: number
}

export interface PullResult {
  /**
   * 'found': `messages` may still be empty when none had one of the tags; 'no-new': the end is reached;
   * 'no-match': nothing for these tags in the part that was read; 'offset-moved': the offset asked for does not exist (any more).
   */
  status: 'found' | 'no-new' | 'no-match' | 'offset-moved'
  messages: ReceivedMessage[]
  /** Where to go on. */
  nextOffset: number
  minOffset: number
  maxOffset: number
}

const defaultMaxMessages = 32
const maxMaxMessages = 1_024
/** On top of the hold time: what a broker may take to answer. */
const answerTimeMs = 10_000
const maxRememberedQueues = 65_536

const statusOf = new Map<number, PullResult['status']>([
  [ResponseCode.SUCCESS, 'found'],
  [ResponseCode.PULL_NOT_FOUND, 'no-new'],
  [ResponseCode.PULL_RETRY_IMMEDIATELY, 'no-match'],
  [ResponseCode.PULL_OFFSET_MOVED, 'offset-moved'],
])

/** Reads queues in the name of a group, without joining it: no heartbeat, no share of the queues. */
export class Puller {
  readonly group: string
  readonly #calls: Calls
  readonly #routes: Routes
  /** `topic broker queue` → broker id that the last answer told us to read from. */
  readonly #suggested = new Map<string, string>()

  constructor(group: string, calls: Calls, routes: Routes) {
    checkGroup(group)
    this.group = group
    this.#calls = calls
    this.#routes = routes
  }

  /** Default deadline: the hold time and 10 s. */
  async pull(queue: MessageQueue, offset: number, options: PullOptions = {}): Promise<PullResult> {
    const what = `pull from ${queue.topic}/${queue.brokerName}/${queue.queueId} at ${offset}`
    const address = await this.#address(queue, options)
    const timeoutMs = options.timeoutMs ?? (options.holdMs ?? 0) + answerTimeMs
    const request = { code: RequestCode.PULL_MESSAGE, ext: this.#header(queue, offset, options) }
    const answer = await this.#routes.watch(queue.topic, this.#calls.ask(what, address, request, timeoutMs, options.signal))
    const status = statusOf.get(answer.code)
    if (status === undefined) {
      if (answer.code === ResponseCode.TOPIC_NOT_EXIST) this.#routes.forget(queue.topic)
      throw errorOfAnswer(what, address, answer)
    }
    return this.#result(queue, status, answer, tagSet(options.tags))
  }

  async #address(queue: MessageQueue, options: PullOptions): Promise<string> {
    const route = await this.#routes.forReading(queue.topic, options)
    const address = addressFor(route.data, queue.brokerName, this.#suggested.get(keyOf(queue)) ?? MASTER_ID)
    if (address === undefined)
      throw refused('E_NO_BROKER', `no broker ${queue.brokerName}`, `the route of ${queue.topic} does not list it`)
    return address
  }

  #header(queue: MessageQueue, offset: number, options: PullOptions): Record<string, string> {
    const { holdMs = 0, maxMessages = defaultMaxMessages, tags = '*', commitOffset } = options
    if (!(maxMessages >= 1 && maxMessages <= maxMaxMessages))
      throw refused('E_ARGUMENT', 'pull refused', `maxMessages is ${maxMessages}; it must be 1 to ${maxMaxMessages}`)
    const sysFlag =
      PullSysFlag.SUBSCRIPTION |
      (holdMs > 0 ? PullSysFlag.SUSPEND : 0) |
      (commitOffset === undefined ? 0 : PullSysFlag.COMMIT_OFFSET)
    return pullMessageRequest.encode({
      consumerGroup: this.group,
      topic: queue.topic,
      queueId: queue.queueId,
      queueOffset: offset,
      maxMsgNums: maxMessages,
      sysFlag,
      commitOffset: commitOffset ?? 0,
      suspendTimeoutMillis: holdMs,
      subscription: tags,
      subVersion: 0n,
      expressionType: 'TAG',
    })
  }

  #result(queue: MessageQueue, status: PullResult['status'], answer: Command, tags: ReadonlySet<string> | undefined): PullResult {
    const header = pullMessageResponse.decode(answer.ext)
    this.#remember(queue, String(header.suggestWhichBrokerId))
    const all = status === 'found' && answer.body ? decodePulled(answer.body, queue.brokerName) : []
    // The broker compares hashes of tags only (spec remoting 3.3.1).
    const messages = tags ? all.filter(message => message.tag !== undefined && tags.has(message.tag)) : all
    return { status, messages, nextOffset: header.nextBeginOffset, minOffset: header.minOffset, maxOffset: header.maxOffset }
  }

  #remember(queue: MessageQueue, brokerId: string): void {
    const key = keyOf(queue)
    if (brokerId === MASTER_ID) this.#suggested.delete(key)
    else if (this.#suggested.size < maxRememberedQueues) this.#suggested.set(key, brokerId)
  }
}

const keyOf = (queue: MessageQueue): string => `${queue.topic} ${queue.brokerName} ${queue.queueId}`

/** Undefined: all messages. */
export function tagSet(expression = '*'): ReadonlySet<string> | undefined {
  const tags = expression.split('||').flatMap(tag => tag.trim() || [])
  return tags.length === 0 || (tags.length === 1 && tags[0] === '*') ? undefined : new Set(tags)
}
