import { type ClusterError, type Clock, ClusterError as Failure, type ClusterErrorCode } from '@cometmq/cluster'
import type {
  MessageQueue,
  PoppedMessage,
  Popper,
  PopOptions,
  PopReceipt,
  Reader,
  ReadResult,
  StoredMessage,
} from '@cometmq/cluster'
import type { StreamingCluster } from '../../src/subscriptions/shared.ts'

/** One message of a group at the fake broker. */
interface GroupState {
  /** Next offset per queue. */
  readonly next: Map<string, number>
  /** By receipt id. */
  readonly leases: Map<string, { message: StoredMessage; visibleAt: number; attempt: number; receipt: PopReceipt }>
  readonly done: Set<string>
  readonly dead: Set<string>
}

export interface Put {
  readonly topic: string
  readonly queueId?: number
  readonly brokerName?: string
  readonly body?: Uint8Array | string
  readonly properties?: Readonly<Record<string, string>>
}

const error = (code: ClusterErrorCode): ClusterError =>
  new Failure(code, 'fake', { why: 'because the test says so', outcome: 'unknown' })

/** A broker reduced to queues, leases and a clock: as RocketMQ behaves, without its timings. */
export class FakeCluster implements StreamingCluster {
  readonly clientId = 'fake'
  readonly clock: Clock
  readonly #queues = new Map<string, { queue: MessageQueue; messages: StoredMessage[]; min: number }>()
  readonly #groups = new Map<string, GroupState>()
  readonly #waiters = new Set<() => void>()
  readonly requests = { pop: 0, ack: 0, change: 0, dead: 0, read: 0, bounds: 0 }
  /** Largest `maxMessages` asked for. */
  largestPop = 0
  /** Pops under way. */
  popping = 0
  /** Errors to be thrown by coming requests, in order. */
  readonly failures: { pop: ClusterErrorCode[]; ack: ClusterErrorCode[]; change: ClusterErrorCode[]; read: ClusterErrorCode[] } =
    {
      pop: [],
      ack: [],
      change: [],
      read: [],
    }
  #ids = 0

  constructor(clock: Clock) {
    this.clock = clock
  }

  createTopic(topic: string, queues = 1, brokerName = 'b'): void {
    for (let queueId = 0; queueId < queues; queueId++) {
      const key = `${topic} ${brokerName} ${queueId}`
      if (!this.#queues.has(key)) this.#queues.set(key, { queue: { topic, brokerName, queueId }, messages: [], min: 0 })
    }
  }

  put({ topic, queueId = 0, brokerName = 'b', body = 'x', properties = {} }: Put): StoredMessage {
    const held = this.#queues.get(`${topic} ${brokerName} ${queueId}`)!
    const msgId = `ID${++this.#ids}`
    let text = ''
    for (const [name, value] of Object.entries({ UNIQ_KEY: msgId, WAIT: 'true', ...properties }))
      text += `${name}\x01${value}\x02`
    const message: StoredMessage = {
      topic,
      queueId,
      queueOffset: held.min + held.messages.length,
      msgId,
      bornTimestamp: this.clock.now(),
      storeTimestamp: this.clock.now(),
      reconsumeTimes: 0,
      flag: 0,
      properties: text,
      body: typeof body === 'string' ? new TextEncoder().encode(body) : body,
      compression: 'none',
      physicalOffset: this.#ids,
    }
    held.messages.push(message)
    this.wake()
    return message
  }

  /** Retention: everything before `offset` is gone. */
  expire(topic: string, queueId: number, offset: number): void {
    const held = this.#queues.get(`${topic} b ${queueId}`)!
    held.messages.splice(0, offset - held.min)
    held.min = offset
  }

  group(name: string): GroupState {
    let state = this.#groups.get(name)
    if (!state) {
      this.#groups.set(name, (state = { next: new Map(), leases: new Map(), done: new Set(), dead: new Set() }))
    }
    return state
  }

  wake(): void {
    for (const waiter of [...this.#waiters]) waiter()
  }

  popper(): Popper {
    return {
      brokersOf: topic => this.#brokers(topic),
      pop: options => this.#pop(options),
      ack: receipts => this.#ack(receipts),
      changeInvisible: (receipt, ms) => this.#change(receipt, ms),
      deadLetter: message => this.#dead(message),
      lag: () => Promise.resolve({ messages: 7, oldest: this.clock.now() - 500 }),
    }
  }

  reader(): Reader {
    return {
      queuesOf: topic => Promise.resolve(this.#queuesOf(topic)),
      read: options => this.#read(options),
      bounds: queue => {
        this.requests.bounds++
        const held = this.#held(queue)
        return Promise.resolve({ min: held.min, max: held.min + held.messages.length })
      },
      offsetAt: (queue, time) => {
        const held = this.#held(queue)
        const index = held.messages.findIndex(message => message.storeTimestamp >= time)
        return Promise.resolve(held.min + (index === -1 ? held.messages.length : index))
      },
    }
  }

  #queuesOf(topic: string): MessageQueue[] {
    const queues = [...this.#queues.values()].filter(({ queue }) => queue.topic === topic).map(({ queue }) => queue)
    if (queues.length === 0) throw error('E_NO_ROUTE')
    return queues
  }

  #held(queue: MessageQueue): { messages: StoredMessage[]; min: number } {
    return this.#queues.get(`${queue.topic} ${queue.brokerName} ${queue.queueId}`)!
  }

  async #brokers(topic: string): Promise<readonly string[]> {
    await Promise.resolve()
    return [...new Set(this.#queuesOf(topic).map(queue => queue.brokerName))]
  }

  /** `take` until it gives something or the time is over. */
  async #held_(take: () => boolean, holdMs: number): Promise<void> {
    const end = this.clock.monotonic() + holdMs
    while (!take() && this.clock.monotonic() < end) {
      await new Promise<void>(resolve => {
        const wake = (): void => {
          timer.cancel()
          this.#waiters.delete(wake)
          resolve()
        }
        const timer = this.clock.setTimeout(wake, end - this.clock.monotonic())
        this.#waiters.add(wake)
      })
    }
  }

  async #pop(options: PopOptions): Promise<PoppedMessage[]> {
    this.requests.pop++
    this.largestPop = Math.max(this.largestPop, options.maxMessages)
    this.popping++
    try {
      await Promise.resolve()
      const failure = this.failures.pop.shift()
      if (failure) throw error(failure)
      let found: PoppedMessage[] = []
      await this.#held_(() => (found = this.#take(options)).length > 0, options.holdMs)
      return found
    } finally {
      this.popping--
    }
  }

  #take(options: PopOptions): PoppedMessage[] {
    const { group, topic, brokerName, maxMessages, invisibleMs, expression = '*', ordered = false, from } = options
    const state = this.group(group)
    const now = this.clock.monotonic()
    const found: PoppedMessage[] = []
    const lease = (message: StoredMessage, attempt: number): void => {
      const receipt: PopReceipt = {
        group,
        topic,
        brokerName,
        queueId: message.queueId,
        offset: message.queueOffset,
        startOffset: ++this.#ids,
        popTime: this.clock.now(),
        invisibleMs,
        reviveQueueId: 0,
        retry: attempt > 0 ? 1 : 0,
      }
      const popped = { ...message, reconsumeTimes: attempt, receipt }
      state.leases.set(message.msgId, { message, visibleAt: now + invisibleMs, attempt, receipt })
      found.push(popped)
    }
    for (const held of state.leases.values()) {
      const same = held.message.topic === topic && held.receipt.brokerName === brokerName
      if (found.length < maxMessages && same && held.visibleAt <= now) lease(held.message, held.attempt + 1)
    }
    const tags = expression === '*' ? undefined : new Set(expression.split(' || '))
    for (const { queue, messages, min } of this.#queues.values()) {
      if (queue.topic !== topic || queue.brokerName !== brokerName) continue
      const key = `${topic} ${brokerName} ${queue.queueId}`
      if (
        ordered &&
        [...state.leases.values()].some(({ message }) => message.topic === topic && message.queueId === queue.queueId)
      )
        continue
      let next = state.next.get(key)
      if (next === undefined) next = from === 'earliest' ? min : 0
      next = Math.max(next, min)
      for (; next < min + messages.length && found.length < maxMessages; next++) {
        const message = messages[next - min]!
        const tag = /(?:^|\x02)TAGS\x01([^\x02]*)/.exec(message.properties)?.[1]
        if (tags === undefined || (tag !== undefined && tags.has(tag))) lease(message, 0)
      }
      state.next.set(key, next)
    }
    return found
  }

  async #ack(receipts: readonly PopReceipt[]): Promise<{ receipt: PopReceipt; error: ClusterError }[]> {
    this.requests.ack++
    await Promise.resolve()
    const failure = this.failures.ack.shift()
    if (failure) return receipts.map(receipt => ({ receipt, error: error(failure) }))
    const failed: { receipt: PopReceipt; error: ClusterError }[] = []
    for (const receipt of receipts) {
      const id = this.#current(receipt)
      if (id === undefined) failed.push({ receipt, error: error('E_NOT_FOUND') })
      else {
        const state = this.group(receipt.group)
        state.leases.delete(id)
        state.done.add(id)
      }
    }
    this.wake()
    return failed
  }

  async #change(receipt: PopReceipt, ms: number): Promise<PopReceipt> {
    this.requests.change++
    await Promise.resolve()
    const failure = this.failures.change.shift()
    if (failure) throw error(failure)
    const id = this.#current(receipt)
    if (id === undefined) throw error('E_NOT_FOUND')
    const held = this.group(receipt.group).leases.get(id)!
    held.receipt = { ...receipt, startOffset: ++this.#ids, invisibleMs: ms }
    held.visibleAt = this.clock.monotonic() + ms
    if (ms === 0) this.wake()
    else this.clock.setTimeout(() => this.wake(), ms)
    return held.receipt
  }

  async #dead(message: PoppedMessage): Promise<void> {
    this.requests.dead++
    this.group(message.receipt.group).dead.add(message.msgId)
    await this.#ack([message.receipt])
  }

  /** The message whose lease the receipt is, unless it has ended. */
  #current(receipt: PopReceipt): string | undefined {
    for (const [id, held] of this.group(receipt.group).leases) {
      if (held.receipt.startOffset === receipt.startOffset && held.visibleAt > this.clock.monotonic()) return id
    }
    return undefined
  }

  async #read(options: Parameters<Reader['read']>[0]): Promise<ReadResult> {
    this.requests.read++
    await Promise.resolve()
    const failure = this.failures.read.shift()
    if (failure) throw error(failure)
    const held = this.#held(options.queue)
    const max = (): number => held.min + held.messages.length
    const bounds = (): { minOffset: number; maxOffset: number } => ({ minOffset: held.min, maxOffset: max() })
    await this.#held_(
      () => options.offset < max() || options.offset < held.min || options.signal?.aborted === true,
      options.holdMs,
    )
    const { offset } = options
    if (offset < held.min || offset > max()) {
      return { status: 'offset-moved', messages: [], nextOffset: offset < held.min ? held.min : max(), ...bounds() }
    }
    const all: StoredMessage[] = []
    let bytes = 0
    let next = offset
    for (; next < max() && all.length < options.maxMessages && bytes < options.maxBytes; next++) {
      const message = held.messages[next - held.min]!
      bytes += message.body.length
      all.push(message)
    }
    const tags =
      options.expression === undefined || options.expression === '*' ? undefined : new Set(options.expression.split(' || '))
    const messages = tags ? all.filter(({ properties }) => tags.has(/\x02TAGS\x01([^\x02]*)/.exec(properties)?.[1] ?? '')) : all
    const status = messages.length > 0 ? 'found' : all.length > 0 ? 'no-match' : 'no-new'
    return { status, messages, nextOffset: next, ...bounds() }
  }
}
