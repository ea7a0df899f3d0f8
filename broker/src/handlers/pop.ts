import {
  ResponseCode,
  isOneway,
  notificationRequest,
  notificationResponse,
  peekMessageRequest,
  pollingInfoRequest,
  pollingInfoResponse,
  popMessageResponse,
  type Command,
  type Handler,
  type Peer,
  type Reply,
} from '@cometmq/remoting'
import { PopPolls, type PopPoll } from '../delivery/pop/polls.ts'
import type { GetResult } from '../store/types.ts'
import { randomBelow, type Broker } from './context.ts'
import { filterOf, holdOf, popAsked, popRefused, readableQueue, type PopAsked } from './pop-request.ts'
import { PopTaker, type PopRun } from './pop-run.ts'

/** A pop or a notification, while it is worked on or parked. */
interface Waiting extends PopPoll {
  readonly asked: PopAsked
  readonly opaque: number
  readonly oneway: boolean
}

export interface PopHandlers {
  readonly pop: Handler
  readonly peek: Handler
  readonly notification: Handler
  readonly pollingInfo: Handler
  readonly polls: Pick<PopPolls<PopPoll>, 'arrived' | 'wake' | 'expect' | 'close' | 'count'>
}

/** Pops, and what waits for messages to pop (spec store, 10; remoting, 3.5). */
export function popHandlers(broker: Broker): PopHandlers {
  const popper = new Popper(broker)
  return {
    pop: (request, peer) => popper.pop(request, peer),
    peek: request => peek(broker, request),
    notification: (request, peer) => popper.notification(request, peer),
    pollingInfo: request => {
      const { consumerGroup, topic, queueId } = pollingInfoRequest.decode(request.ext)
      const readable = readableQueue(broker, consumerGroup, topic, queueId)
      if ('code' in readable) return readable
      const pollingNum = popper.polls.countOf(consumerGroup, topic, queueId < 0 ? -1 : queueId)
      return { code: ResponseCode.SUCCESS, ext: pollingInfoResponse.encode({ pollingNum }) }
    },
    polls: popper.polls,
  }
}

class Popper {
  readonly #broker: Broker
  readonly #taker: PopTaker
  readonly polls: PopPolls<Waiting>

  constructor(broker: Broker) {
    this.#broker = broker
    this.#taker = new PopTaker(broker)
    this.polls = new PopPolls<Waiting>({
      clock: broker.clock,
      logger: broker.logger,
      config: broker.config,
      rerun: (poll, timeUp, queueId) => this.#rerun(poll, timeUp, queueId),
      watch: (topic, queueId) => broker.store.watch(topic, queueId),
      queuesOf: topic => broker.topics.get(topic)?.readQueueNums ?? 0,
    })
  }

  pop(request: Command, peer: Peer): Reply | undefined {
    const asked = popAsked(this.#broker, request)
    if ('code' in asked) return asked
    const { failure } = this.#broker.pops
    if (failure !== null) return popRefused(ResponseCode.SYSTEM_ERROR, failure)
    const waiting = newWaiting(asked, request, peer, true)
    const run = this.#taker.take(asked, -1)
    if (!(run instanceof Promise)) this.#first(waiting, run)
    else
      run.then(
        done => this.#first(waiting, done),
        (error: unknown) => peer.respond(request.opaque, popRefused(ResponseCode.SYSTEM_ERROR, String(error))),
      )
    return undefined
  }

  /** 200054: whether there is anything to pop, now or within the poll time. */
  notification(request: Command, peer: Peer): Reply | undefined {
    const { clock } = this.#broker
    const header = notificationRequest.decode(request.ext)
    const now = clock.now()
    const bornTime = header.bornTime > 0 ? header.bornTime : now
    const readable = readableQueue(this.#broker, header.consumerGroup, header.topic, header.queueId)
    if ('code' in readable) return { code: readable.code, remark: readable.remark ?? null, ext: hasMessages(false, false) }
    const accepts = filterOf(header.expType, header.exp)
    if (accepts !== undefined && typeof accepts !== 'function') return { code: accepts.code, remark: accepts.remark ?? null }
    const asked: PopAsked = {
      group: header.consumerGroup,
      topic: header.topic,
      queueId: header.queueId < 0 ? -1 : header.queueId,
      queues: readable.topic.readQueueNums,
      retryTopic: readable.retryTopic,
      maxCount: 1,
      invisibleMs: 0,
      holdMs: holdOf(bornTime, header.pollTime, now),
      fromEnd: false,
      order: header.order,
      attemptId: header.attemptId ?? '',
      accepts,
    }
    if (this.#hasMessages(asked)) return notified(true, false)
    if (asked.holdMs <= 0) return notified(false, false)
    const waiting = newWaiting(asked, request, peer, false)
    if (waiting.oneway || !this.polls.park(waiting, asked.holdMs)) return notified(false, true)
    return undefined
  }

  /** The first result: answered, or parked when there is nothing. */
  #first(waiting: Waiting, run: PopRun): void {
    const { asked } = waiting
    if (run.count > 0) return this.#answer(waiting, run)
    if (waiting.oneway) return
    if (asked.holdMs <= 0) return this.#answer(waiting, run)
    if (!this.polls.park(waiting, asked.holdMs)) {
      const { ext } = run.reply()
      return waiting.peer.respond(waiting.opaque, {
        code: ResponseCode.POLLING_FULL,
        remark: 'too many pops of this group, topic and queue wait for messages',
        ext: ext ?? null,
      })
    }
    // What was dispatched between the read and now has been announced already: look once more.
    if (this.#hasMessages(asked)) this.#broker.wakePops(asked.group, asked.topic)
  }

  /** True: stays parked. */
  #rerun(waiting: Waiting, timeUp: boolean, queueId: number): boolean | Promise<boolean> {
    if (waiting.peer.closed) return false
    const { asked } = waiting
    if (!waiting.takes) {
      const there = this.#hasMessages(asked)
      if (!there && !timeUp) return true
      waiting.peer.respond(waiting.opaque, notified(there, false))
      return false
    }
    if (this.#broker.pops.failure !== null) {
      if (!timeUp) return true
      waiting.peer.respond(waiting.opaque, popRefused(ResponseCode.SYSTEM_ERROR, this.#broker.pops.failure))
      return false
    }
    const run = this.#taker.take(asked, queueId)
    if (!(run instanceof Promise)) return this.#again(waiting, run, timeUp)
    return run.then(
      done => this.#again(waiting, done, timeUp),
      (error: unknown) => {
        waiting.peer.respond(waiting.opaque, popRefused(ResponseCode.SYSTEM_ERROR, String(error)))
        return false
      },
    )
  }

  #again(waiting: Waiting, run: PopRun, timeUp: boolean): boolean {
    if (run.count === 0 && !timeUp) return true
    this.#answer(waiting, run)
    return false
  }

  #answer(waiting: Waiting, run: PopRun): void {
    const { pops, stats } = this.#broker
    const { asked, oneway, peer, opaque } = waiting
    if (run.count === 0) stats.getMiss.add(1)
    if (!oneway) pops.answer(peer, opaque, run.reply())
    // There is more, for whoever waits.
    if (run.count > 0 && run.rest > 0) setImmediate(() => this.#broker.wakePops(asked.group, asked.topic))
  }

  /** Whether a pop could find something, as far as offsets tell. */
  #hasMessages(asked: PopAsked): boolean {
    const first = Math.max(asked.queueId, 0)
    const end = asked.queueId === -1 ? asked.queues : first + 1
    for (let queueId = first; queueId < end; queueId++) {
      if (asked.order ? this.#hasNext(asked, queueId) : this.#hasAny(asked.group, asked.topic, queueId)) return true
    }
    if (asked.order || asked.retryTopic === asked.topic || this.#broker.topics.get(asked.retryTopic) === undefined) return false
    return this.#hasAny(asked.group, asked.retryTopic, 0)
  }

  #hasNext({ group, topic, attemptId }: PopAsked, queueId: number): boolean {
    const { pops, store, offsets } = this.#broker
    const queue = pops.orders.find(group, topic, queueId)
    if (queue !== undefined && (queue.busy || pops.orders.isBlocked(queue, attemptId))) return false
    return store.maxOffset(topic, queueId) > Math.max(offsets.query(group, topic, queueId), 0)
  }

  #hasAny(group: string, topic: string, queueId: number): boolean {
    const { pops, store, offsets } = this.#broker
    const queue = pops.find(group, topic, queueId)
    if (queue !== undefined && (queue.busy || queue.starved)) return false
    const next = queue?.next ?? offsets.query(group, topic, queueId)
    return store.maxOffset(topic, queueId) > Math.max(next, 0)
  }
}

const newWaiting = (asked: PopAsked, request: Command, peer: Peer, takes: boolean): Waiting => ({
  peer,
  group: asked.group,
  topic: asked.topic,
  queueId: asked.queueId,
  retryTopic: asked.retryTopic,
  takes,
  running: true,
  again: false,
  parked: false,
  tick: -1,
  slot: 0,
  asked,
  opaque: request.opaque,
  oneway: isOneway(request),
})

const hasMessages = (hasMsg: boolean, pollingFull: boolean): Record<string, string> =>
  notificationResponse.encode({ hasMsg, pollingFull })
const notified = (hasMsg: boolean, pollingFull: boolean): Reply => ({
  code: ResponseCode.SUCCESS,
  ext: hasMessages(hasMsg, pollingFull),
})

/** 200052 PEEK_MESSAGE: what a pop would find, without taking it. */
function peek(broker: Broker, request: Command): Reply | Promise<Reply> {
  const { store, pops, offsets, config } = broker
  const { consumerGroup, topic, queueId, maxMsgNums } = peekMessageRequest.decode(request.ext)
  if (maxMsgNums < 1 || maxMsgNums > config.popMaxMsgNums)
    return popRefused(ResponseCode.INVALID_PARAMETER, `maxMsgNums is ${maxMsgNums}, from 1 to ${config.popMaxMsgNums} is allowed`)
  const readable = readableQueue(broker, consumerGroup, topic, queueId)
  if ('code' in readable) return readable
  const chosen = queueId >= 0 ? queueId : randomBelow(broker, readable.topic.readQueueNums)
  const next = pops.find(consumerGroup, topic, chosen)?.next ?? offsets.query(consumerGroup, topic, chosen)
  const offset = Math.max(next, store.minOffset(topic, chosen))
  const result = store.get({
    topic,
    queueId: chosen,
    offset,
    maxCount: maxMsgNums,
    maxBytes: config.maxTransferBytesOnMessageInMemory,
  })
  return result instanceof Promise ? result.then(read => peeked(read, offset)) : peeked(result, offset)
}

function peeked(result: GetResult, offset: number): Reply {
  const found = result.status === 'FOUND'
  // Those peeked at are left, too.
  const restNum = Math.max(0, result.maxOffset - offset)
  const ext = popMessageResponse.encode({ popTime: 0, invisibleTime: 0, reviveQid: 0, restNum })
  return {
    code: found ? ResponseCode.SUCCESS : ResponseCode.PULL_NOT_FOUND,
    remark: result.status,
    ext,
    body: found ? result.body : null,
  }
}
