import {
  changeInvisibleTimeRequest,
  changeInvisibleTimeResponse,
  type Command,
  consumerSendMsgBackRequest,
  getProperty,
  popMessageRequest,
  popMessageResponse,
  PropertyKey,
  type Request,
  RequestCode,
  ResponseCode,
} from '@cometmq/remoting'
import { type Calls, errorOfAnswer } from '../calls.ts'
import { ClusterError, type Outcome, refused } from '../errors.ts'
import { checkGroup } from '../message.ts'
import { type Offsets } from '../offsets.ts'
import { tagSet } from '../puller.ts'
import { masterAddress } from '../queues.ts'
import { type Routes } from '../routes.ts'
import { decodeStored } from '../stored-message.ts'
import { type PoppedMessage, type Popper, type PopOptions, type PopReceipt, type Reader } from '../streaming.ts'
import { Acks, type FailedAck } from './acks.ts'
import { lagOf } from './lag.ts'
import { extraInfo, PopAnswer, PopBatch, Popped, realTopic, Receipt } from './receipts.ts'

export interface PopperParts {
  calls: Calls
  routes: Routes
  offsets: Offsets
  reader: Reader
}

/** What every broker gives at once; Apache's gives no more (spec remoting 3.5). */
const commonMaxMessages = 32
/** On top of the hold time: what a broker may take to answer. */
const answerTimeMs = 10_000
const timeoutMs = 3_000
const maxRememberedBrokers = 4_096
/** Until messages that nobody waits for any more are delivered again. */
const releaseMs = 1_000

const emptyCodes: ReadonlySet<number> = new Set([
  ResponseCode.PULL_NOT_FOUND,
  ResponseCode.POLLING_FULL,
  ResponseCode.POLLING_TIMEOUT,
])

/** See `Popper` in streaming.ts. */
export class PopClient implements Popper {
  readonly #parts: PopperParts
  readonly #acks: Acks
  /** Brokers that gave no more than 32 messages a request. */
  readonly #modest = new Set<string>()
  /** Where brokers were the last time: for settling messages of a topic that has been deleted. */
  readonly #addresses = new Map<string, string>()

  constructor(parts: PopperParts) {
    this.#parts = parts
    this.#acks = new Acks(parts.calls, receipt => this.#addressForAck(receipt))
  }

  async brokersOf(topic: string): Promise<readonly string[]> {
    const route = await this.#parts.routes.forReading(topic)
    return [...new Set(route.read.map(queue => queue.brokerName))]
  }

  async pop(options: PopOptions): Promise<PoppedMessage[]> {
    const { brokerName, topic } = options
    checkGroup(options.group)
    if (!(options.maxMessages >= 1)) throw refused('E_ARGUMENT', 'pop refused', `maxMessages is ${options.maxMessages}`)
    const address = await this.#addressOf(topic, brokerName)
    const modest = this.#modest.has(brokerName)
    const wanted = modest ? Math.min(options.maxMessages, commonMaxMessages) : options.maxMessages
    const answer = await this.#ask(options, address, wanted)
    if (answer.code !== ResponseCode.INVALID_PARAMETER || wanted <= commonMaxMessages)
      return this.#popped(options, address, answer)
    const second = await this.#ask(options, address, commonMaxMessages)
    if (second.code !== ResponseCode.INVALID_PARAMETER && this.#modest.size < maxRememberedBrokers) this.#modest.add(brokerName)
    return this.#popped(options, address, second)
  }

  ack(receipts: readonly PopReceipt[]): Promise<readonly FailedAck[]> {
    return this.#acks.ack(receipts)
  }

  async changeInvisible(receipt: PopReceipt, invisibleMs: number): Promise<PopReceipt> {
    const ext = changeInvisibleTimeRequest.encode({
      consumerGroup: receipt.group,
      topic: realTopic(receipt),
      queueId: receipt.queueId,
      extraInfo: extraInfo(receipt),
      offset: receipt.offset,
      invisibleTime: invisibleMs,
    })
    const answer = await this.#demand(receipt, 'new lease', { code: RequestCode.CHANGE_MESSAGE_INVISIBLETIME, ext })
    const header = changeInvisibleTimeResponse.decode(answer.ext)
    const { group, topic, brokerName, queueId, offset, retry } = receipt
    const batch = new PopBatch({
      group,
      topic,
      brokerName,
      popTime: header.popTime,
      invisibleMs: header.invisibleTime,
      reviveQueueId: header.reviveQid,
    })
    return new Receipt(batch, queueId, offset, offset, retry)
  }

  async deadLetter(message: PoppedMessage): Promise<void> {
    const { receipt } = message
    const ext = consumerSendMsgBackRequest.encode({
      offset: message.physicalOffset,
      group: receipt.group,
      delayLevel: -1,
      originMsgId: message.msgId,
      originTopic: receipt.topic,
      unitMode: false,
    })
    await this.#demand(receipt, 'dead letter', { code: RequestCode.CONSUMER_SEND_MSG_BACK, ext })
    const [failed] = await this.ack([receipt])
    if (failed !== undefined) throw failed.error
  }

  lag(topic: string, group: string): Promise<{ messages: number; oldest: number | undefined }> {
    checkGroup(group)
    return lagOf(this.#parts, topic, group)
  }

  async #ask(options: PopOptions, address: string, maxMessages: number): Promise<Command> {
    const { holdMs } = options
    if (options.signal?.aborted) throw aborted(options, 'not-executed')
    const request: Request = {
      code: RequestCode.POP_MESSAGE,
      ext: popMessageRequest.encode({
        consumerGroup: options.group,
        topic: options.topic,
        queueId: options.queueId ?? -1,
        maxMsgNums: maxMessages,
        invisibleTime: options.invisibleMs,
        pollTime: holdMs,
        // 0: now, by the broker's clock, which may not agree with ours
        bornTime: 0,
        initMode: options.from === 'earliest' ? 0 : 1,
        expType: options.expressionType ?? 'TAG',
        exp: options.expression ?? '*',
        order: options.ordered ?? false,
        attemptId: options.attemptId,
      }),
    }
    const asking = this.#parts.calls.ask(whatOf(options), address, request, holdMs + answerTimeMs)
    const watched = this.#parts.routes.watch(options.topic, asking)
    return options.signal === undefined ? watched : this.#abortable(watched, options, options.signal, address)
  }

  /** What still comes after the caller has gone is given back to the broker. */
  #abortable(asking: Promise<Command>, options: PopOptions, signal: AbortSignal, address: string): Promise<Command> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        reject(aborted(options, 'unknown'))
        asking.then(answer => this.#release(options, address, answer)).catch(() => {})
      }
      signal.addEventListener('abort', stop, { once: true })
      asking.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
    })
  }

  async #release(options: PopOptions, address: string, answer: Command): Promise<void> {
    for (const { receipt } of this.#popped(options, address, answer))
      await this.changeInvisible(receipt, releaseMs).catch(() => {})
  }

  #popped(options: PopOptions, address: string, answer: Command): PoppedMessage[] {
    if (emptyCodes.has(answer.code)) return []
    if (answer.code !== ResponseCode.SUCCESS) {
      if (answer.code === ResponseCode.TOPIC_NOT_EXIST) this.#parts.routes.forget(options.topic)
      throw errorOfAnswer(whatOf(options), address, answer)
    }
    if (answer.body === null) return []
    const header = popMessageResponse.decode(answer.ext)
    const { group, topic, brokerName } = options
    const { popTime, invisibleTime: invisibleMs, reviveQid: reviveQueueId } = header
    const batch = new PopBatch({ group, topic, brokerName, popTime, invisibleMs, reviveQueueId })
    const parts = new PopAnswer(batch, header.startOffsetInfo, header.orderCountInfo)
    const messages = decodeStored(
      answer.body,
      (bytes, base, name, propertiesAt) => new Popped(bytes, base, name, propertiesAt, parts),
    )
    const tags = options.expressionType === 'SQL92' ? undefined : tagSet(options.expression)
    return tags === undefined ? messages : this.#withTags(messages, tags)
  }

  /** The broker compares hashes of tags only: what it gave by mistake is done. */
  #withTags(messages: Popped[], tags: ReadonlySet<string>): PoppedMessage[] {
    const matches = (message: Popped): boolean => tags.has(getProperty(message.properties, PropertyKey.TAGS) ?? '')
    const wrong = messages.filter(message => !matches(message))
    if (wrong.length === 0) return messages
    void this.ack(wrong.map(message => message.receipt))
    return messages.filter(matches)
  }

  async #demand(receipt: PopReceipt, title: string, request: Request): Promise<Command> {
    const address = await this.#addressOf(receipt.topic, receipt.brokerName)
    const what = `${title} in topic ${receipt.topic}`
    return this.#parts.routes.watch(receipt.topic, this.#parts.calls.demand(what, address, request, timeoutMs))
  }

  async #addressOf(topic: string, brokerName: string): Promise<string> {
    const route = await this.#parts.routes.forReading(topic)
    const address = masterAddress(route.data, brokerName)
    if (address === undefined)
      throw refused('E_NO_BROKER', `no master of broker ${brokerName}`, `the route of ${topic} does not list one`)
    if (this.#addresses.get(brokerName) !== address) {
      if (this.#addresses.size >= maxRememberedBrokers) this.#addresses.clear()
      this.#addresses.set(brokerName, address)
    }
    return address
  }

  async #addressForAck({ brokerName, topic }: PopReceipt): Promise<string> {
    try {
      return await this.#addressOf(topic, brokerName)
    } catch (error) {
      const known = this.#addresses.get(brokerName)
      if (known === undefined) throw error
      return known
    }
  }
}

const whatOf = (options: PopOptions): string => `pop from ${options.topic}/${options.brokerName} for group ${options.group}`

const aborted = (options: PopOptions, outcome: Outcome): ClusterError =>
  new ClusterError('E_ABORTED', whatOf(options), { why: 'the caller cancelled it', outcome })
