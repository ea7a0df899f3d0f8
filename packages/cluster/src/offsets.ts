import {
  getEarliestMsgStoretimeResponse,
  getMaxOffsetRequest,
  type MessageQueue,
  offsetResponse,
  queryConsumerOffsetRequest,
  type Request,
  RequestCode,
  ResponseCode,
  searchOffsetRequest,
  topicQueueRequest,
  updateConsumerOffsetRequest,
} from '@cometmq/remoting'
import { type CallOptions, type Calls, errorOfAnswer } from './calls.ts'
import { refused } from './errors.ts'
import { masterAddress } from './queues.ts'
import { type Routes } from './routes.ts'

const defaultTimeoutMs = 3_000

/** Bounds of queues and the offsets groups have committed; asked from the queue's master. Default deadline: 3 s. */
export class Offsets {
  readonly #calls: Calls
  readonly #routes: Routes

  constructor(calls: Calls, routes: Routes) {
    this.#calls = calls
    this.#routes = routes
  }

  /** Undefined when the group has never committed; 0 then for a queue that is still young (spec remoting 3.3.2, code 14). */
  async committed(group: string, queue: MessageQueue, options: CallOptions = {}): Promise<number | undefined> {
    const ext = queryConsumerOffsetRequest.encode({ consumerGroup: group, topic: queue.topic, queueId: queue.queueId })
    const what = `offset of group ${group} in ${nameOf(queue)}`
    const address = await this.#address(queue, options)
    const request = { code: RequestCode.QUERY_CONSUMER_OFFSET, ext }
    const asking = this.#calls.ask(what, address, request, options.timeoutMs ?? defaultTimeoutMs, options.signal)
    const answer = await this.#routes.watch(queue.topic, asking)
    if (answer.code === ResponseCode.QUERY_NOT_FOUND) return undefined
    if (answer.code !== ResponseCode.SUCCESS) throw errorOfAnswer(what, address, answer)
    return offsetResponse.decode(answer.ext).offset
  }

  /** `offset` is that of the next message to be read. */
  async commit(group: string, queue: MessageQueue, offset: number, options: CallOptions = {}): Promise<void> {
    const { topic, queueId } = queue
    const ext = updateConsumerOffsetRequest.encode({ consumerGroup: group, topic, queueId, commitOffset: offset })
    await this.#demand(queue, { code: RequestCode.UPDATE_CONSUMER_OFFSET, ext }, `commit of group ${group}`, options)
  }

  /** Offset of the oldest message that is still there. */
  async min(queue: MessageQueue, options: CallOptions = {}): Promise<number> {
    const ext = topicQueueRequest.encode({ topic: queue.topic, queueId: queue.queueId })
    return this.#offset(queue, { code: RequestCode.GET_MIN_OFFSET, ext }, 'start', options)
  }

  /** Offset the next message will get. */
  async max(queue: MessageQueue, options: CallOptions = {}): Promise<number> {
    const ext = getMaxOffsetRequest.encode({ topic: queue.topic, queueId: queue.queueId })
    return this.#offset(queue, { code: RequestCode.GET_MAX_OFFSET, ext }, 'end', options)
  }

  /** Offset of the first message stored at `time` (epoch ms) or later; the end when there is none. */
  async byTime(queue: MessageQueue, time: number, options: CallOptions = {}): Promise<number> {
    const ext = searchOffsetRequest.encode({ topic: queue.topic, queueId: queue.queueId, timestamp: time })
    return this.#offset(queue, { code: RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, ext }, 'offset by time', options)
  }

  /** Store time of the oldest message, epoch ms; undefined for an empty queue. */
  async earliestTime(queue: MessageQueue, options: CallOptions = {}): Promise<number | undefined> {
    const ext = topicQueueRequest.encode({ topic: queue.topic, queueId: queue.queueId })
    const request = { code: RequestCode.GET_EARLIEST_MSG_STORETIME, ext }
    const answer = await this.#demand(queue, request, 'earliest store time', options)
    const { timestamp } = getEarliestMsgStoretimeResponse.decode(answer.ext)
    return timestamp < 0 ? undefined : timestamp
  }

  async #offset(queue: MessageQueue, request: Request, title: string, options: CallOptions): Promise<number> {
    return offsetResponse.decode((await this.#demand(queue, request, title, options)).ext).offset
  }

  async #demand(queue: MessageQueue, request: Request, title: string, options: CallOptions) {
    const address = await this.#address(queue, options)
    const what = `${title} of ${nameOf(queue)}`
    const asking = this.#calls.demand(what, address, request, options.timeoutMs ?? defaultTimeoutMs, options.signal)
    return this.#routes.watch(queue.topic, asking)
  }

  async #address(queue: MessageQueue, options: CallOptions): Promise<string> {
    const route = await this.#routes.forReading(queue.topic, options)
    const address = masterAddress(route.data, queue.brokerName)
    if (address === undefined)
      throw refused('E_NO_BROKER', `no master of broker ${queue.brokerName}`, `the route of ${queue.topic} does not list one`)
    return address
  }
}

const nameOf = (queue: MessageQueue): string => `${queue.topic}/${queue.brokerName}/${queue.queueId}`
