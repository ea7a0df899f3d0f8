import {
  type Clock,
  type Command,
  type Flushable,
  flushLater,
  type MessageQueue,
  type Request,
  ResponseCode,
  type Timer,
} from '@cometmq/remoting'
import { type Avoidance } from '../avoidance.ts'
import { type Calls, errorOfAnswer } from '../calls.ts'
import { chooseQueue } from '../choose-queue.ts'
import { ClusterError, refused } from '../errors.ts'
import { masterAddress } from '../queues.ts'
import { type Routes, type TopicRoute } from '../routes.ts'
import { isBrokersFault, isRouteStale, mayRetry, noMaster, worse } from '../send-errors.ts'
import { Batch } from './batch.ts'
import { itemBytes, Rows, type WaitingRows } from './lane.ts'
import { deadlineMs, maxBatchBytes, maxBatchItems, maxRetries, requestTimeoutMs, retryPausesMs } from './limits.ts'
import { Slots } from './slots.ts'
import { type Lane, type TopicLanes } from './topic-lanes.ts'

export interface DispatcherParts {
  group: string
  calls: Calls
  routes: Routes
  avoidance: Avoidance
  clock: Clock
}

/** Lanes without a free broker that are looked at before the others have to wait for the next turn. */
const maxBlockedLanes = 64
const noBrokers: ReadonlySet<string> = new Set()

/** Sends what waits in lanes, as soon as brokers have slots, and settles it. */
export class Dispatcher implements Flushable {
  pendingItems = 0
  pendingBytes = 0
  readonly #parts: DispatcherParts
  readonly #slots = new Slots()
  #lanes: Lane[] = []
  #scheduled = false
  #closed = false
  #turn = Math.floor(Math.random() * 1_000)
  readonly #pauses = new Map<Batch, Timer>()

  constructor(parts: DispatcherParts) {
    this.#parts = parts
  }

  /** Sends at the end of this turn of the event loop. */
  soon(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    flushLater(this)
  }

  flush(): void {
    this.#scheduled = false
    this.#pump()
  }

  /** Has something to send, perhaps. */
  list(lane: Lane): void {
    if (lane.listed || !lane.sendable) return
    lane.listed = true
    this.#lanes.push(lane)
  }

  /** The route came: what waited for it goes into its lanes, in order. */
  routed(lanes: TopicLanes, route: TopicRoute): void {
    const waiting = lanes.unrouted
    while (waiting.waiting > 0) {
      const run = waiting.firstRun
      const { items, tickets, indexes } = waiting.take(Math.max(1, run))
      for (let i = 0; i < items.length; i++) {
        const lane = lanes.laneOf(items[i]!, route)
        lane.add(items[i]!, tickets[i]!, indexes[i]!, i === 0 ? run : 0)
        this.list(lane)
      }
    }
    this.#pump()
  }

  failUnrouted(lanes: TopicLanes, error: ClusterError): void {
    this.#failRows(lanes, lanes.unrouted, error)
  }

  /** What is in no request yet. */
  failWaiting(lanes: TopicLanes, error: ClusterError): void {
    this.failUnrouted(lanes, error)
    for (const lane of lanes.all()) {
      for (const batch of lane.parts.splice(0)) this.#fail(batch, error)
      this.#failRows(lanes, lane, error)
    }
    for (const [batch, timer] of this.#pauses) {
      if (batch.lane.topic !== lanes) continue
      timer.cancel()
      this.#pauses.delete(batch)
      this.#fail(batch, error)
    }
  }

  close(): void {
    this.#closed = true
    this.#lanes = []
  }

  #failRows(lanes: TopicLanes, rows: WaitingRows, error: ClusterError): void {
    if (rows.waiting === 0) return
    const lane = rows === lanes.unrouted ? [...lanes.all()][0]! : (rows as Lane)
    this.#fail(new Batch(lane, rows.take(rows.waiting), true, 0), error)
  }

  /** One request from each lane in turn, until no lane has anything it could send now. */
  #pump(): void {
    let blocked = 0
    while (this.#lanes.length > blocked && blocked < maxBlockedLanes) {
      const lane = this.#lanes.shift()!
      lane.listed = false
      if (!lane.sendable) continue
      blocked = this.#sendFrom(lane) ? 0 : blocked + 1
      this.list(lane)
    }
  }

  /** False when all brokers of the topic have enough to do. */
  #sendFrom(lane: Lane): boolean {
    const route = this.#parts.routes.cached(lane.topic.topic)
    const part = lane.parts[0]
    const queue = this.#queueFor(lane, route, part?.tried ?? noBrokers)
    if (queue === undefined) return false
    const batch = part === undefined ? this.#nextBatch(lane) : lane.parts.shift()!
    if (batch.deadline <= this.#parts.clock.monotonic()) this.#fail(batch, batch.failure ?? expired(lane))
    else this.#send(batch, route, queue)
    return true
  }

  #nextBatch(lane: Lane): Batch {
    const run = lane.firstRun
    const count = run > 0 ? run : lane.first.alone ? 1 : lane.fitting(maxBatchItems, maxBatchBytes)
    const rows = lane.take(count)
    return new Batch(lane, rows, run > 0, rows.tickets[0]!.submittedAt + deadlineMs)
  }

  /** The next queue in turn whose broker has a free slot, and is not avoided when there is one that is not. */
  #queueFor(lane: Lane, route: TopicRoute | undefined, tried: ReadonlySet<string>): MessageQueue | undefined {
    const full = this.#fullFor(lane)
    if (lane.queue !== undefined) return full.has(lane.queue.brokerName) ? undefined : lane.queue
    const queues = route?.publish ?? []
    if (queues.length === 0) return { topic: lane.topic.topic, brokerName: '', queueId: 0 }
    this.#turn = (this.#turn + 1) % 0x4000_0000
    const { avoidance } = this.#parts
    const best = chooseQueue(queues, this.#turn, tried, avoidance)
    if (!full.has(best.brokerName)) return best
    const other = chooseQueue(queues, this.#turn, full, avoidance)
    if (full.has(other.brokerName) || tried.has(other.brokerName)) return undefined
    return avoidance.isAvoided(other.brokerName) && !avoidance.isAvoided(best.brokerName) ? undefined : other
  }

  #fullFor(lane: Lane): ReadonlySet<string> {
    if (lane.singly) return this.#slots.fullForSingles
    return lane.waiting >= maxBatchItems ? this.#slots.fullForFullBatches : this.#slots.fullForBatches
  }

  #send(batch: Batch, route: TopicRoute | undefined, queue: MessageQueue): void {
    const { lane } = batch
    lane.busy = lane.queue !== undefined
    batch.attempts++
    batch.tried.add(queue.brokerName)
    const address = route && masterAddress(route.data, queue.brokerName)
    if (address === undefined) return this.#attemptFailed(batch, queue, noMaster(queue))
    let request: Request
    try {
      request = batch.request(this.#parts.group, queue)
    } catch (error) {
      if (batch.isSingle || batch.atomic) return this.#fail(batch, error as ClusterError)
      return this.#split(batch)
    }
    void this.#ask(batch, queue, address, request)
  }

  async #ask(batch: Batch, queue: MessageQueue, address: string, request: Request): Promise<void> {
    const { avoidance, calls, clock } = this.#parts
    const { singly } = batch.lane
    const bytes = request.body?.length ?? 0
    this.#slots.take(queue.brokerName, singly, bytes)
    const started = clock.monotonic()
    const timeoutMs = Math.min(requestTimeoutMs, batch.deadline - started)
    let answer: Command | undefined
    let failure: ClusterError | undefined
    try {
      answer = await calls.ask(whatOf(batch), address, request, timeoutMs)
    } catch (error) {
      failure = error as ClusterError
    }
    this.#slots.release(queue.brokerName, singly, bytes)
    if (answer !== undefined) {
      try {
        if (batch.stored(answer, queue)) avoidance.answered(queue.brokerName, clock.monotonic() - started)
        else failure = errorOfAnswer(whatOf(batch), address, answer)
      } catch (cause) {
        failure = new ClusterError('E_PROTOCOL', whatOf(batch), {
          why: (cause as Error).message,
          outcome: 'unknown',
          address,
          cause,
        })
      }
    }
    if (failure === undefined) this.#settled(batch)
    else this.#attemptFailed(batch, queue, failure)
    this.#pump()
  }

  #attemptFailed(batch: Batch, queue: MessageQueue, error: ClusterError): void {
    if (isBrokersFault(error) && queue.brokerName !== '') this.#parts.avoidance.failed(queue.brokerName)
    if (isRefusedAsWhole(error) && !batch.isSingle && !batch.atomic) return this.#split(batch)
    batch.failure = worse(batch.failure, error)
    // A late first attempt would come behind what follows the second one.
    const orderAtRisk = batch.lane.queue !== undefined && error.outcome === 'unknown'
    const hopeless = !mayRetry(error) && error.code !== 'E_OVERLOADED'
    if (this.#closed || orderAtRisk || hopeless || batch.attempts > maxRetries) return this.#fail(batch, batch.failure)
    void this.#retry(batch, error)
  }

  async #retry(batch: Batch, error: ClusterError): Promise<void> {
    const { topic } = batch.lane.topic
    let route = this.#parts.routes.cached(topic)
    if (isRouteStale(error)) {
      // The error of the send says more than that of the route.
      route = await this.#parts.routes.refresh(topic).catch(() => route)
    }
    if (this.#closed) return this.#fail(batch, batch.failure!)
    const untried = batch.lane.queue === undefined && route?.publish.some(queue => !batch.tried.has(queue.brokerName))
    if (untried) return this.#again(batch)
    const pauseMs = retryPausesMs[Math.min(batch.attempts, retryPausesMs.length) - 1]!
    this.#pauses.set(
      batch,
      this.#parts.clock.setTimeout(() => this.#again(batch), pauseMs),
    )
  }

  #again(batch: Batch): void {
    this.#pauses.delete(batch)
    batch.lane.busy = false
    batch.lane.parts.unshift(batch)
    this.list(batch.lane)
    this.#pump()
  }

  /** One bad item must not fail the others. */
  #split(batch: Batch): void {
    const { items, tickets, indexes } = batch.rows
    const parts = items.map((item, i) => {
      const rows = new Rows()
      rows.push(item, tickets[i]!, indexes[i]!)
      return new Batch(batch.lane, rows, false, batch.deadline)
    })
    batch.lane.busy = false
    batch.lane.parts.unshift(...parts)
    this.list(batch.lane)
  }

  #fail(batch: Batch, error: ClusterError): void {
    batch.failed(error)
    this.#settled(batch)
  }

  #settled(batch: Batch): void {
    const { lane, rows } = batch
    const { items, tickets } = rows
    this.pendingItems -= items.length
    lane.topic.pending -= items.length
    for (let i = 0; i < items.length; i++) {
      this.pendingBytes -= itemBytes(items[i]!)
      const { generation } = tickets[i]!
      if (--generation.pending === 0) for (const resolve of generation.waiting.splice(0)) resolve()
    }
    lane.busy = false
    this.list(lane)
  }
}

const whatOf = (batch: Batch): string => `send to topic ${batch.lane.topic.topic}`

const expired = (lane: Lane): ClusterError =>
  refused('E_TIMEOUT', `send to topic ${lane.topic.topic}`, `the brokers took no more within ${deadlineMs} ms`)

/** By a broker that says nothing about which of the messages it does not like, or does not know batches. */
const isRefusedAsWhole = (error: ClusterError): boolean =>
  error.brokerCode === ResponseCode.MESSAGE_ILLEGAL || error.brokerCode === ResponseCode.REQUEST_CODE_NOT_SUPPORTED
