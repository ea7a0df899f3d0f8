import { type MessageQueue } from '@cometmq/remoting'
import { queueForKey } from '../order-key.ts'
import { type TopicRoute } from '../routes.ts'
import { type SendItem } from '../streaming.ts'
import { type Batch } from './batch.ts'
import { WaitingRows } from './lane.ts'

/** Items of one topic that may share requests; those of an ordered lane go to its queue, one request at a time. */
export class Lane extends WaitingRows {
  readonly topic: TopicLanes
  /** Set: ordered. */
  readonly queue: MessageQueue | undefined
  readonly singly: boolean
  /** Requests that go before the rows: to be tried again, or parts of one that was split. */
  readonly parts: Batch[] = []
  /** An ordered lane with a request that is not settled. */
  busy = false
  /** In the sender's list of lanes with something to send. */
  listed = false

  constructor(topic: TopicLanes, queue: MessageQueue | undefined, singly: boolean) {
    super()
    this.topic = topic
    this.queue = queue
    this.singly = singly
  }

  get sendable(): boolean {
    return !this.busy && (this.parts.length > 0 || this.waiting > 0)
  }
}

/** What waits for one topic. */
export class TopicLanes {
  readonly topic: string
  /** Until the route is there. */
  readonly unrouted = new WaitingRows()
  loading = false
  /** Items of this topic that are not settled. */
  pending = 0
  readonly #mixed = new Lane(this, undefined, false)
  readonly #singly = new Lane(this, undefined, true)
  readonly #ordered = new Map<string, Lane>()
  /** The ordered lanes by place of their queue in this route. */
  #route: TopicRoute | undefined
  #byPlace: (Lane | undefined)[] = []

  constructor(topic: string) {
    this.topic = topic
  }

  laneOf(item: SendItem, route: TopicRoute): Lane {
    if (item.orderKey !== undefined) return this.#orderedLane(item.orderKey, route)
    return item.alone ? this.#singly : this.#mixed
  }

  *all(): Iterable<Lane> {
    yield this.#mixed
    yield this.#singly
    yield* this.#ordered.values()
  }

  #orderedLane(key: string, route: TopicRoute): Lane {
    if (this.#route !== route) {
      this.#route = route
      this.#byPlace = []
      for (const [name, lane] of this.#ordered) if (!lane.busy && !lane.sendable) this.#ordered.delete(name)
    }
    const place = queueForKey(key, route.publish.length)
    return (this.#byPlace[place] ??= this.#laneOfQueue(route.publish[place]!))
  }

  /** The same lane for a queue whatever its place in the route: its requests must not overtake each other. */
  #laneOfQueue(queue: MessageQueue): Lane {
    const name = `${queue.queueId} ${queue.brokerName}`
    let lane = this.#ordered.get(name)
    if (lane === undefined) this.#ordered.set(name, (lane = new Lane(this, queue, false)))
    return lane
  }
}
