import {
  ORDERLY_REVIVE_QUEUE,
  ResponseCode,
  decodeRecord,
  encodePopCheckPoint,
  encodeRecord,
  popMessageResponse,
  readInt32,
  recordQueueOffset,
  setProperty,
  type Reply,
} from '@cometmq/remoting'
import type { PopQueue } from '../delivery/pop/pop-queue.ts'
import type { GetResult } from '../store/types.ts'
import { randomBelow, type Broker } from './context.ts'
import { takeInOrder } from './pop-order.ts'
import type { PopAsked } from './pop-request.ts'

/** Bytes of messages in one answer; the first message is never too large. */
const BYTES_MAX = 4 * 1024 * 1024
/** Reads of one queue in a row that find nothing wanted, before other work gets its turn. */
const SCANS_PER_TURN = 64

/** One pop over its queues: what it has found so far. */
export class PopRun {
  readonly asked: PopAsked
  readonly reviveQueueId: number
  popTime: number
  count = 0
  bytes = 0
  /** Messages that are left behind what it took. */
  rest = 0
  startOffsetInfo = ''
  msgOffsetInfo = ''
  orderCountInfo = ''
  readonly #bodies: Buffer[] = []

  constructor(asked: PopAsked, popTime: number, reviveQueueId: number) {
    this.asked = asked
    this.popTime = popTime
    this.reviveQueueId = reviveQueueId
  }

  /** How many more messages it may take. */
  get room(): number {
    return this.bytes >= BYTES_MAX ? 0 : this.asked.maxCount - this.count
  }

  /** How many more bytes. */
  get bytesRoom(): number {
    return Math.max(1, BYTES_MAX - this.bytes)
  }

  /** Adds the messages taken from one queue. */
  add(
    retryFlag: 0 | 1,
    queueId: number,
    taken: { from: number; offsets: readonly number[]; bodies: readonly Buffer[]; bytes: number },
  ): void {
    const { from: startOffset, offsets } = taken
    this.#bodies.push(...taken.bodies)
    this.bytes += taken.bytes
    const separator = this.startOffsetInfo === '' ? '' : ';'
    this.startOffsetInfo += `${separator}${retryFlag} ${queueId} ${startOffset}`
    this.msgOffsetInfo += `${separator}${retryFlag} ${queueId} ${offsets.join(',')}`
    this.count += offsets.length
  }

  reply(): Reply {
    const found = this.count > 0
    const ext = popMessageResponse.encode({
      popTime: this.popTime,
      invisibleTime: this.asked.invisibleMs,
      reviveQid: this.reviveQueueId,
      restNum: this.rest,
      startOffsetInfo: this.startOffsetInfo,
      msgOffsetInfo: this.msgOffsetInfo,
      orderCountInfo: this.orderCountInfo === '' ? undefined : this.orderCountInfo,
    })
    if (!found) return { code: ResponseCode.POLLING_TIMEOUT, remark: 'no message', ext }
    const body = this.#bodies.length === 1 ? this.#bodies[0]! : Buffer.concat(this.#bodies, this.bytes)
    return { code: ResponseCode.SUCCESS, remark: 'FOUND', ext, body }
  }
}

/** Takes messages from queues (spec store, 10.2; Java: PopMessageProcessor). */
export class PopTaker {
  readonly #broker: Broker
  #revives = 0

  constructor(broker: Broker) {
    this.#broker = broker
  }

  /** At once when everything is in memory. @param hint queue to begin with, -1 for a random one. */
  take(asked: PopAsked, hint: number): PopRun | Promise<PopRun> {
    const { config, clock } = this.#broker
    const revive = this.#revives
    if (!asked.order) this.#revives = (revive + 1) % config.reviveQueueNum
    const run = new PopRun(asked, clock.now(), asked.order ? ORDERLY_REVIVE_QUEUE : revive)
    return this.#over(run, this.#plan(asked, hint), 0)
  }

  /** Queue ids in the order in which they are looked into; -1 stands for the retry topic. */
  #plan(asked: PopAsked, hint: number): number[] {
    const { config } = this.#broker
    const plan: number[] = []
    const retry = !asked.order && asked.retryTopic !== asked.topic && this.#broker.topics.get(asked.retryTopic) !== undefined
    const retryFirst = retry && randomBelow(this.#broker, 100) < config.popFromRetryProbability
    if (retryFirst) plan.push(-1)
    if (asked.queueId !== -1) plan.push(asked.queueId)
    else {
      const start = hint >= 0 && hint < asked.queues ? hint : randomBelow(this.#broker, asked.queues)
      for (let i = 0; i < asked.queues; i++) plan.push((start + i) % asked.queues)
    }
    if (retry && !retryFirst) plan.push(-1)
    return plan
  }

  #over(run: PopRun, plan: readonly number[], from: number): PopRun | Promise<PopRun> {
    const { asked } = run
    for (let i = from; i < plan.length; i++) {
      const queueId = plan[i]!
      const taken = queueId === -1 ? this.#takeFrom(run, asked.retryTopic, 0) : this.#takeFrom(run, asked.topic, queueId)
      if (taken !== undefined) return taken.then(() => this.#over(run, plan, i + 1))
    }
    return run
  }

  #takeFrom(run: PopRun, topic: string, queueId: number): Promise<void> | undefined {
    const { pops, store } = this.#broker
    const { asked } = run
    if (asked.order) return takeInOrder(this.#broker, run, queueId, () => this.#initial(asked, topic, queueId))
    const queue = pops.open(asked.group, topic, queueId, () => this.#initial(asked, topic, queueId))
    const left = Math.max(0, store.maxOffset(topic, queueId) - queue.next)
    if (left === 0 && queue.next <= store.maxOffset(topic, queueId)) return undefined
    const room = queue.busy || run.room <= 0 ? 0 : Math.min(run.room, pops.room(queue))
    if (room <= 0) {
      run.rest += left
      return undefined
    }
    const taking: Taking = {
      queue,
      from: queue.next,
      next: queue.next,
      room,
      bytesRoom: run.bytesRoom,
      offsets: [],
      bodies: [],
      bytes: 0,
      scans: 0,
      max: 0,
    }
    const done = this.#read(run, taking)
    if (done === undefined) {
      this.#finish(run, taking)
      return undefined
    }
    queue.busy = true
    return done.then(
      () => {
        queue.busy = false
        this.#finish(run, taking)
        this.#broker.wakePops(asked.group, asked.topic)
      },
      (error: unknown) => {
        queue.busy = false
        this.#broker.logger.error('messages could not be read for a pop', { topic, queueId, error: String(error) })
      },
    )
  }

  /** Reads until there is no room or nothing more. */
  #read(run: PopRun, taking: Taking): Promise<void> | undefined {
    const { store } = this.#broker
    const { queue } = taking
    for (;;) {
      const result = store.get({
        topic: queue.topic,
        queueId: queue.queueId,
        offset: taking.next,
        maxCount: taking.room - taking.offsets.length,
        maxBytes: Math.max(1, taking.bytesRoom - taking.bytes),
        accepts: run.asked.accepts,
      })
      if (result instanceof Promise)
        return result.then(read => (this.#took(run, taking, read) ? this.#readOn(run, taking) : undefined))
      if (!this.#took(run, taking, result)) return undefined
      if (++taking.scans % SCANS_PER_TURN === 0) return this.#readOn(run, taking)
    }
  }

  async #readOn(run: PopRun, taking: Taking): Promise<void> {
    await new Promise(resolve => setImmediate(resolve))
    await this.#read(run, taking)
  }

  /** True: there may be more. */
  #took(run: PopRun, taking: Taking, result: GetResult): boolean {
    taking.max = result.maxOffset
    const before = taking.next
    switch (result.status) {
      case 'FOUND':
        this.#addMessages(run, taking, result.body)
        taking.next = result.nextOffset
        return taking.offsets.length < taking.room && taking.bytes < taking.bytesRoom && taking.next < taking.max
      case 'OFFSET_OVERFLOW_BADLY':
        // The queue was emptied or cut: what is stored from now on is new.
        taking.moved = true
        taking.next = result.nextOffset
        return false
      default:
        taking.next = Math.max(before, result.nextOffset)
        return taking.next > before && taking.next < taking.max
    }
  }

  #addMessages(run: PopRun, taking: Taking, body: Buffer): void {
    const { queue } = taking
    for (let at = 0; at < body.length; at += readInt32(body, at)) taking.offsets.push(recordQueueOffset(body, at))
    if (queue.topic === run.asked.topic) {
      taking.bodies.push(body)
      taking.bytes += body.length
      return
    }
    for (let at = 0; at < body.length; at += readInt32(body, at)) {
      const record = this.#asOriginal(run, taking, body, at)
      taking.bodies.push(record)
      taking.bytes += record.length
    }
  }

  /** A message of the retry topic under the name of the topic, with what acknowledges it. */
  #asOriginal(run: PopRun, taking: Taking, body: Buffer, at: number): Buffer {
    const record = decodeRecord(body, at)
    const receipt = encodePopCheckPoint({
      startOffset: taking.from,
      popTime: run.popTime,
      invisibleTime: run.asked.invisibleMs,
      reviveQueueId: run.reviveQueueId,
      retry: 1,
      brokerName: this.#broker.config.brokerName,
      queueId: taking.queue.queueId,
      offset: record.queueOffset,
    })
    return encodeRecord({ ...record, topic: run.asked.topic, properties: setProperty(record.properties, 'POP_CK', receipt) })
  }

  #finish(run: PopRun, taking: Taking): void {
    const { pops, stats, config } = this.#broker
    const { queue, offsets } = taking
    run.rest += Math.max(0, taking.max - taking.next)
    // Someone moved the queue while it was read: what was read is not handed out.
    if (queue.next !== taking.from) return
    if (taking.moved === true) return pops.reposition(queue, taking.next)
    if (offsets.length === 0) return pops.skip(queue, taking.next)
    const time = { popTime: run.popTime, invisibleMs: run.asked.invisibleMs, suspended: false }
    pops.handOut(queue, taking.next - taking.from, time, offsets)
    run.add(queue.topic === run.asked.topic ? 0 : 1, queue.queueId, taking)
    stats.get(run.asked.topic, run.asked.group, config.brokerClusterName, offsets.length, taking.bytes)
  }

  #initial(asked: PopAsked, topic: string, queueId: number): number {
    const { store } = this.#broker
    const min = store.minOffset(topic, queueId)
    if (!asked.fromEnd || topic === asked.retryTopic) return min
    // A young queue is read from its start, as everywhere else.
    if (min <= 0 && store.isNearTail(topic, queueId, 0)) return 0
    return Math.max(0, store.maxOffset(topic, queueId) - 1)
  }
}

/** What is being taken from one queue. */
interface Taking {
  readonly queue: PopQueue
  readonly from: number
  next: number
  /** Messages and bytes it may take. */
  readonly room: number
  readonly bytesRoom: number
  readonly offsets: number[]
  readonly bodies: Buffer[]
  bytes: number
  scans: number
  max: number
  moved?: boolean
}
