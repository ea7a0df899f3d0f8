import { type ClusterError, refused } from '../errors.ts'
import { checkGroup } from '../message.ts'
import { type TopicRoute } from '../routes.ts'
import { type Sender, type SendItem, type SendSink } from '../streaming.ts'
import { Dispatcher, type DispatcherParts } from './dispatcher.ts'
import { Generation, itemBytes, Ticket } from './lane.ts'
import { maxAtomicBytes, maxAtomicItems } from './limits.ts'
import { TopicLanes } from './topic-lanes.ts'

export interface SenderParts extends DispatcherParts {
  /** Called when the sender closes. */
  onClose: () => void
}

const maxPendingItems = 200_000
const maxPendingBytes = 256 * 1024 * 1024
const maxIdleTopics = 10_000

/** See `Sender` in streaming.ts. */
export class BatchSender implements Sender {
  readonly group: string
  readonly #parts: SenderParts
  readonly #dispatcher: Dispatcher
  readonly #topics = new Map<string, TopicLanes>()
  #generations: Generation[] = []
  #generation = new Generation()
  #closed = false

  constructor(parts: SenderParts) {
    checkGroup(parts.group)
    this.group = parts.group
    this.#parts = parts
    this.#dispatcher = new Dispatcher(parts)
  }

  get pending(): number {
    return this.#dispatcher.pendingItems
  }

  submit(items: readonly SendItem[], sink: SendSink): void {
    const count = items.length
    if (count === 0) return
    const refusal = this.#refusal(items)
    if (refusal !== undefined) return failAll(items, sink, refusal)
    const ticket = this.#ticket(sink, count)
    let lanes: TopicLanes | undefined
    let route: TopicRoute | undefined
    for (let index = 0; index < count; index++) {
      const item = items[index]!
      if (lanes === undefined || item.topic !== lanes.topic) {
        lanes = this.#lanes(item.topic)
        route = this.#routeOf(lanes)
      }
      this.#add(lanes, route, item, { ticket, index, run: 0 })
    }
    this.#dispatcher.soon()
  }

  submitAtomic(items: readonly SendItem[], sink: SendSink): void {
    const first = items[0]
    if (first === undefined) return
    const refusal = atomicFault(items) ?? this.#refusal(items)
    if (refusal !== undefined) return failAll(items, sink, refusal)
    const ticket = this.#ticket(sink, items.length)
    const lanes = this.#lanes(first.topic)
    const route = this.#routeOf(lanes)
    for (let index = 0; index < items.length; index++)
      this.#add(lanes, route, items[index]!, { ticket, index, run: index === 0 ? items.length : 0 })
    this.#dispatcher.soon()
  }

  async flush(): Promise<void> {
    if (this.#generation.pending > 0) {
      this.#generations.push(this.#generation)
      this.#generation = new Generation()
    }
    this.#generations = this.#generations.filter(generation => generation.pending > 0)
    await Promise.all(this.#generations.map(generation => new Promise<void>(resolve => generation.waiting.push(resolve))))
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    const error = closedError()
    for (const lanes of this.#topics.values()) this.#dispatcher.failWaiting(lanes, error)
    this.#topics.clear()
    this.#dispatcher.close()
    this.#parts.onClose()
  }

  #refusal(items: readonly SendItem[]): ClusterError | undefined {
    if (this.#closed) return closedError()
    const { pendingItems, pendingBytes } = this.#dispatcher
    let bytes = pendingBytes
    for (let i = 0; i < items.length; i++) bytes += itemBytes(items[i]!)
    if (pendingItems + items.length <= maxPendingItems && bytes <= maxPendingBytes) {
      this.#dispatcher.pendingItems += items.length
      this.#dispatcher.pendingBytes = bytes
      return undefined
    }
    const why = `${pendingItems} messages (${pendingBytes} bytes) are not answered yet; the limits are ${maxPendingItems} and ${maxPendingBytes}`
    return refused('E_OVERLOADED', `${items.length} messages were not sent`, why)
  }

  #ticket(sink: SendSink, count: number): Ticket {
    this.#generation.pending += count
    return new Ticket(sink, this.#generation, this.#parts.clock.monotonic())
  }

  #add(
    lanes: TopicLanes,
    route: TopicRoute | undefined,
    item: SendItem,
    row: { ticket: Ticket; index: number; run: number },
  ): void {
    lanes.pending++
    if (route === undefined) return lanes.unrouted.add(item, row.ticket, row.index, row.run)
    const lane = lanes.laneOf(item, route)
    lane.add(item, row.ticket, row.index, row.run)
    this.#dispatcher.list(lane)
  }

  #lanes(topic: string): TopicLanes {
    let lanes = this.#topics.get(topic)
    if (lanes === undefined) {
      if (this.#topics.size >= maxIdleTopics)
        for (const [name, other] of this.#topics) if (other.pending === 0) this.#topics.delete(name)
      this.#topics.set(topic, (lanes = new TopicLanes(topic)))
    }
    return lanes
  }

  /** Undefined while the route is asked for: what comes meanwhile waits for it, in order. */
  #routeOf(lanes: TopicLanes): TopicRoute | undefined {
    if (lanes.loading) return undefined
    const route = this.#parts.routes.cached(lanes.topic)
    if (route !== undefined && route.publish.length > 0) return route
    lanes.loading = true
    void this.#load(lanes)
    return undefined
  }

  async #load(lanes: TopicLanes): Promise<void> {
    try {
      const route = await this.#parts.routes.forPublishing(lanes.topic)
      lanes.loading = false
      this.#dispatcher.routed(lanes, route)
    } catch (error) {
      lanes.loading = false
      this.#dispatcher.failUnrouted(lanes, error as ClusterError)
    }
  }
}

const closedError = (): ClusterError => refused('E_CLOSED', 'the message was not sent', 'the sender is closed')

function atomicFault(items: readonly SendItem[]): ClusterError | undefined {
  const fault = (why: string): ClusterError => refused('E_MESSAGE', 'the batch cannot be sent', why)
  const first = items[0]!
  if (items.length > maxAtomicItems) return fault(`it holds ${items.length} messages, the limit is ${maxAtomicItems}`)
  let bytes = 0
  for (const item of items) {
    if (item.topic !== first.topic) return fault('all its messages must have the same topic')
    if (item.orderKey !== first.orderKey) return fault('all its messages must have the same order key')
    if (items.length > 1 && item.alone)
      return fault('a delayed, transactional, compressed or retried message cannot be part of it')
    bytes += itemBytes(item)
  }
  return bytes > maxAtomicBytes ? fault(`it has ${bytes} bytes, the limit is ${maxAtomicBytes}: send it in parts`) : undefined
}

function failAll(items: readonly SendItem[], sink: SendSink, error: ClusterError): void {
  for (let index = 0; index < items.length; index++) {
    try {
      sink.failed(index, error)
    } catch {
      // a sink that throws must not keep the others from being told
    }
  }
}
