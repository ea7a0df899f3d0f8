import { type MessageQueue, queryMessageRequest, RequestCode, ResponseCode, viewMessageRequest } from '@cometmq/remoting'
import { type CallOptions, type Calls, errorOfAnswer } from '../calls.ts'
import { ClusterError, refused } from '../errors.ts'
import { Puller } from '../puller.ts'
import { anyAddress } from '../queues.ts'
import { decodePulled, parseOffsetMsgId, type ReceivedMessage } from '../received.ts'
import { type Routes } from '../routes.ts'
import { adminTimeoutMs } from './brokers.ts'

/** The group RocketMQ's own tools read with. */
export const toolsGroup = 'TOOLS_CONSUMER'

export interface KeyQuery extends CallOptions {
  /** Store time, epoch ms. Default 0. */
  from?: number
  /** Store time, epoch ms. Default: no end. */
  to?: number
  /** Over all brokers. Default 32. */
  maxMessages?: number
}

export class MessageAdmin {
  readonly #calls: Calls
  readonly #routes: Routes

  constructor(calls: Calls, routes: Routes) {
    this.#calls = calls
    this.#routes = routes
  }

  /** By the broker's id, from the broker whose address the id holds. Rejects with E_NOT_FOUND. */
  async byOffsetMsgId(id: string, options: CallOptions = {}): Promise<ReceivedMessage> {
    const { address, offset } = parseOffsetMsgId(id)
    const what = `message ${id}`
    const request = { code: RequestCode.VIEW_MESSAGE_BY_ID, ext: viewMessageRequest.encode({ offset }) }
    const answer = await this.#calls.ask(what, address, request, options.timeoutMs ?? adminTimeoutMs, options.signal)
    // A broker has code 1 for "nothing there", too (spec remoting 3.8, code 33).
    if (answer.code === ResponseCode.SYSTEM_ERROR) throw notFound(what, `${address} answered: ${answer.remark ?? 'not found'}`)
    if (answer.code !== ResponseCode.SUCCESS) throw errorOfAnswer(what, address, answer)
    const message = answer.body ? decodePulled(answer.body, '')[0] : undefined
    if (!message) throw notFound(what, `${address} answered without a message`)
    return message
  }

  /** By the client's id (UNIQ_KEY); [] when no broker has it. A retried or doubled message may be there more than once. */
  async byUniqueKey(topic: string, id: string, options: CallOptions = {}): Promise<ReceivedMessage[]> {
    const found = await this.#query(topic, id, true, options)
    return found.filter(message => message.msgId === id)
  }

  /** By one of the KEYS; newest first; [] when there is none. */
  async byKey(topic: string, key: string, options: KeyQuery = {}): Promise<ReceivedMessage[]> {
    const found = await this.#query(topic, key, false, options)
    return found.filter(message => message.keys.includes(key))
  }

  /** Undefined when the queue has no message at this offset. */
  async atOffset(queue: MessageQueue, offset: number, options: CallOptions = {}): Promise<ReceivedMessage | undefined> {
    const puller = new Puller(toolsGroup, this.#calls, this.#routes)
    const result = await puller.pull(queue, offset, { ...options, maxMessages: 1 })
    return result.messages.find(message => message.queueOffset === offset)
  }

  async #query(topic: string, key: string, unique: boolean, options: KeyQuery): Promise<ReceivedMessage[]> {
    const { from = 0, to = Number.MAX_SAFE_INTEGER, maxMessages = 32 } = options
    if (!(maxMessages >= 1 && maxMessages <= 10_000))
      throw refused('E_ARGUMENT', 'query refused', `maxMessages is ${maxMessages}; it must be 1 to 10000`)
    const route = await this.#routes.forReading(topic, options)
    const ext = {
      ...queryMessageRequest.encode({ topic, key, maxNum: maxMessages, beginTimestamp: from, endTimestamp: to }),
      ...(unique ? { _UNIQUE_KEY_QUERY: 'true' } : {}),
    }
    const found: ReceivedMessage[] = []
    for (const broker of route.data.brokerDatas) {
      const address = anyAddress(broker)
      if (address === undefined) continue
      const what = `query for ${key} in topic ${topic}`
      const request = { code: RequestCode.QUERY_MESSAGE, ext }
      const answer = await this.#calls.ask(what, address, request, options.timeoutMs ?? adminTimeoutMs, options.signal)
      if (answer.code === ResponseCode.SUCCESS && answer.body) found.push(...decodePulled(answer.body, broker.brokerName))
      else if (answer.code !== ResponseCode.SUCCESS && answer.code !== ResponseCode.QUERY_NOT_FOUND)
        throw errorOfAnswer(what, address, answer)
    }
    return found.sort((a, b) => b.storeTimestamp - a.storeTimestamp).slice(0, maxMessages)
  }
}

const notFound = (what: string, why: string): ClusterError =>
  new ClusterError('E_NOT_FOUND', `no ${what}`, { why, outcome: 'not-executed' })
