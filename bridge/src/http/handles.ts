import type { PoppedMessage, PopReceipt } from '@cometmq/cluster'
import { Sealer } from './sealer.ts'

/** What settles one delivered message, without anything being kept here. */
export interface Handle {
  /** Who got the message. */
  readonly subject: string
  readonly receipt: PopReceipt
  /** Epoch ms: the lease is lost from then on. */
  readonly deadline: number
  /** 1 is the first delivery. */
  readonly attempt: number
  /** For the dead letter topic. */
  readonly msgId: string
  readonly physicalOffset: number
}

type Sealed = readonly [
  subject: string,
  deadline: number,
  attempt: number,
  msgId: string,
  physicalOffset: number,
  group: string,
  topic: string,
  brokerName: string,
  queueId: number,
  offset: number,
  startOffset: number,
  popTime: number,
  invisibleMs: number,
  reviveQueueId: number,
  retry: 0 | 1 | 2,
]

/** Handles as clients hold them: sealed, so that a client sees nothing of the broker in them and cannot make one. */
export class Handles {
  readonly #sealer: Sealer

  constructor(key: Uint8Array) {
    this.#sealer = new Sealer(key, 'handle')
  }

  seal({ subject, receipt, deadline, attempt, msgId, physicalOffset }: Handle): string {
    const { group, topic, brokerName, queueId, offset, startOffset, popTime, invisibleMs, reviveQueueId, retry } = receipt
    const place = [brokerName, queueId, offset, startOffset, popTime, invisibleMs, reviveQueueId, retry] as const
    const sealed: Sealed = [subject, deadline, attempt, msgId, physicalOffset, group, topic, ...place]
    return this.#sealer.seal(sealed)
  }

  /** Undefined when it is none of ours. */
  open(text: string): Handle | undefined {
    const sealed = this.#sealer.open(text) as Sealed | undefined
    if (sealed === undefined) return undefined
    const [subject, deadline, attempt, msgId, physicalOffset, group, topic, brokerName, ...numbers] = sealed
    const [queueId, offset, startOffset, popTime, invisibleMs, reviveQueueId, retry] = numbers
    const place = { group, topic, brokerName, queueId, offset, startOffset, popTime, invisibleMs, reviveQueueId, retry }
    return { subject, deadline, attempt, msgId, physicalOffset, receipt: place }
  }
}

/** What the dead letter topic needs of a message. */
export const deadMessage = ({ receipt, msgId, physicalOffset, attempt }: Handle): PoppedMessage => ({
  topic: receipt.topic,
  queueId: receipt.queueId,
  queueOffset: receipt.offset,
  msgId,
  bornTimestamp: 0,
  storeTimestamp: 0,
  reconsumeTimes: attempt - 1,
  flag: 0,
  properties: '',
  body: new Uint8Array(),
  compression: 'none',
  physicalOffset,
  receipt,
})
