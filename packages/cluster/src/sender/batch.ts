import { type MessageQueue, type Request, sendMessageResponse, type Command } from '@cometmq/remoting'
import { type ClusterError } from '../errors.ts'
import { statusOf } from '../send-request.ts'
import { type SendExtra } from '../streaming.ts'
import { itemBytes, type Rows } from './lane.ts'
import { batchRequest, encodeItems, singleRequest } from './request.ts'
import { type Lane } from './topic-lanes.ts'

/** Items that are in one request, from when they leave their lane until they are settled. */
export class Batch {
  readonly lane: Lane
  readonly rows: Rows
  /** All or nothing: it may not be split. */
  readonly atomic: boolean
  /** Monotonic ms after which it is not tried again. */
  readonly deadline: number
  attempts = 0
  /** Broker names. */
  readonly tried = new Set<string>()
  failure: ClusterError | undefined
  #body: Buffer | undefined

  constructor(lane: Lane, rows: Rows, atomic: boolean, deadline: number) {
    this.lane = lane
    this.rows = rows
    this.atomic = atomic
    this.deadline = deadline
  }

  get isSingle(): boolean {
    return this.rows.length === 1
  }

  /** Throws E_MESSAGE when an item cannot be encoded. */
  request(group: string, queue: MessageQueue): Request {
    const { items } = this.rows
    if (items.length === 1) return singleRequest(group, items[0]!, queue)
    this.#body ??= encodeItems(items)
    return batchRequest(group, items[0]!, queue, this.#body)
  }

  /** Tells the sinks when the answer says that everything was stored; false when it does not. */
  stored(answer: Command, queue: MessageQueue): boolean {
    const status = statusOf.get(answer.code)
    if (status === undefined) return false
    const header = sendMessageResponse.decode(answer.ext)
    const at = header.queueId === undefined || header.queueId === queue.queueId ? queue : { ...queue, queueId: header.queueId }
    const first = header.queueOffset ?? -1
    const { items, tickets, indexes } = this.rows
    const extra: SendExtra | undefined =
      header.transactionId === undefined && header.recallHandle === undefined
        ? undefined
        : { transactionId: header.transactionId, recallHandle: header.recallHandle }
    for (let i = 0; i < items.length; i++) {
      try {
        tickets[i]!.sink.stored(indexes[i]!, at, first < 0 ? -1 : first + i, status, extra)
      } catch {
        // a sink that throws must not keep the others from being told
      }
    }
    return true
  }

  failed(error: ClusterError): void {
    const { items, tickets, indexes } = this.rows
    for (let i = 0; i < items.length; i++) {
      try {
        tickets[i]!.sink.failed(indexes[i]!, error)
      } catch {
        // as above
      }
    }
  }

  get bytes(): number {
    let bytes = 0
    for (const item of this.rows.items) bytes += itemBytes(item)
    return bytes
  }
}
