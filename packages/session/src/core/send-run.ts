import type { ClusterError, MessageQueue, SendExtra, SendItem, SendSink, SendStatus } from '@cometmq/cluster'
import type { Receipt } from '@cometmq/protocol'
import { type Fault, failedReceipt, faultOf, statusFaults } from './errors.ts'
import type { SessionProducer } from './producer.ts'

/** Where the results of a frame go. */
export interface RunOwner {
  queueNumber(queue: MessageQueue): number
  answered(producer: SessionProducer, receipt: Receipt, bytes: number, oneway: boolean): void
}

/** The messages of one SEND or SENDB that went to the cluster: one object a frame. */
export class SendRun implements SendSink {
  readonly #owner: RunOwner
  readonly #producer: SessionProducer
  readonly #oneway: boolean
  readonly #items: readonly SendItem[]
  /** Request id of each item; or of the first one, the others following it. */
  readonly #rids: number | readonly number[]
  #left: number

  constructor(
    owner: RunOwner,
    producer: SessionProducer,
    oneway: boolean,
    items: readonly SendItem[],
    rids: number | readonly number[],
  ) {
    this.#owner = owner
    this.#producer = producer
    this.#oneway = oneway
    this.#items = items
    this.#rids = rids
    this.#left = items.length
    producer.running.add(this)
  }

  /** Also true for those already answered: ask for their receipts first. */
  holds(rid: number): boolean {
    if (typeof this.#rids === 'number') return rid >= this.#rids && rid < this.#rids + this.#items.length
    return this.#rids.includes(rid)
  }

  stored(index: number, queue: MessageQueue, queueOffset: number, status: SendStatus, extra: SendExtra | undefined): void {
    const rid = this.#rid(index)
    const number = this.#owner.queueNumber(queue)
    const fault = statusFaults[status]
    if (fault !== undefined) return this.#answer(index, [rid, fault.code, null, number, queueOffset, extraOf(fault)])
    if (extra?.recallHandle === undefined) return this.#answer(index, [rid, 0, null, number, queueOffset])
    this.#answer(index, [rid, 0, null, number, queueOffset, { recall: extra.recallHandle }])
  }

  failed(index: number, error: ClusterError): void {
    this.#answer(index, failedReceipt(this.#rid(index), faultOf(error)))
  }

  #rid(index: number): number {
    return typeof this.#rids === 'number' ? this.#rids + index : this.#rids[index]!
  }

  #answer(index: number, receipt: Receipt): void {
    if (--this.#left === 0) this.#producer.running.delete(this)
    this.#owner.answered(this.#producer, receipt, this.#items[index]!.body.length, this.#oneway)
  }
}

const extraOf = (fault: Fault) => ({ text: fault.text, outcome: fault.outcome })
