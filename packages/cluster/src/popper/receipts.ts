import {
  encodePopCheckPoint,
  getProperty,
  parseOrderCounts,
  parsePopCheckPoint,
  parsePoppedQueues,
  type PopRetryFlag,
  popRetryTopic,
  PropertyKey,
  retryTopic,
} from '@cometmq/remoting'
import { type PoppedMessage, type PopReceipt } from '../streaming.ts'
import { Stored } from '../stored-message.ts'

/** What the receipts of one answer have in common. */
export class PopBatch {
  readonly group: string
  readonly topic: string
  readonly brokerName: string
  readonly popTime: number
  readonly invisibleMs: number
  readonly reviveQueueId: number

  constructor(source: Omit<PopReceipt, 'queueId' | 'offset' | 'startOffset' | 'retry'>) {
    this.group = source.group
    this.topic = source.topic
    this.brokerName = source.brokerName
    this.popTime = source.popTime
    this.invisibleMs = source.invisibleMs
    this.reviveQueueId = source.reviveQueueId
  }
}

export class Receipt implements PopReceipt {
  readonly batch: PopBatch
  readonly queueId: number
  readonly offset: number
  readonly startOffset: number
  readonly retry: PopRetryFlag

  constructor(batch: PopBatch, queueId: number, offset: number, startOffset: number, retry: PopRetryFlag) {
    this.batch = batch
    this.queueId = queueId
    this.offset = offset
    this.startOffset = startOffset
    this.retry = retry
  }

  get group(): string {
    return this.batch.group
  }
  get topic(): string {
    return this.batch.topic
  }
  get brokerName(): string {
    return this.batch.brokerName
  }
  get popTime(): number {
    return this.batch.popTime
  }
  get invisibleMs(): number {
    return this.batch.invisibleMs
  }
  get reviveQueueId(): number {
    return this.batch.reviveQueueId
  }
}

export class Popped extends Stored implements PoppedMessage {
  readonly receipt: PopReceipt

  constructor(bytes: Buffer, base: number, topic: string, propertiesAt: number, answer: PopAnswer) {
    super(bytes, base, topic, propertiesAt)
    this.receipt = answer.receiptOf(this)
    if (answer.isOrdered) this.reconsumeTimes = answer.countOf(this)
  }
}

/** What the header of an answer says about its messages. */
export class PopAnswer {
  readonly batch: PopBatch
  readonly #starts: Map<number, number>
  readonly #counts: Map<string, number> | undefined

  constructor(batch: PopBatch, startOffsetInfo: string | undefined, orderCountInfo: string | undefined) {
    this.batch = batch
    this.#starts = startOffsets(startOffsetInfo)
    this.#counts = orderCountInfo === undefined || orderCountInfo === '' ? undefined : parseOrderCounts(orderCountInfo)
  }

  /** In order, messages stay in their queue when they are delivered again; the header has the counts. */
  get isOrdered(): boolean {
    return this.#counts !== undefined
  }

  countOf({ queueId, queueOffset, reconsumeTimes }: Stored): number {
    return this.#counts?.get(`0 qo${queueId}%${queueOffset}`) ?? this.#counts?.get(`0 ${queueId}`) ?? reconsumeTimes
  }

  /** A message from a retry topic brings its receipt along; it was delivered before (spec remoting 3.5). */
  receiptOf(message: Stored): Receipt {
    if (message.reconsumeTimes > 0) {
      const own = receiptInProperties(message.properties, this.batch)
      if (own !== undefined) return own
    }
    const { queueId, queueOffset } = message
    let start = this.#starts.get(keyOf(0, queueId))
    if (start === undefined) this.#starts.set(keyOf(0, queueId), (start = queueOffset))
    return new Receipt(this.batch, queueId, queueOffset, start, 0)
  }
}

const keyOf = (retry: number, queueId: number): number => queueId * 4 + retry

/** By `keyOf`. */
function startOffsets(info: string | undefined): Map<number, number> {
  const starts = new Map<number, number>()
  if (info === undefined || info === '') return starts
  for (const { retry, queueId, offsets } of parsePoppedQueues(info))
    if (offsets[0] !== undefined) starts.set(keyOf(retry, queueId), offsets[0])
  return starts
}

/** The receipt that the broker put into a message from a retry topic. Undefined when there is none, or none that makes sense. */
function receiptInProperties(properties: string, batch: PopBatch): Receipt | undefined {
  const text = getProperty(properties, PropertyKey.POP_CK)
  const checkPoint = text === undefined ? null : parsePopCheckPoint(text)
  if (checkPoint === null || checkPoint.offset < 0) return undefined
  const { brokerName, popTime, invisibleTime: invisibleMs, reviveQueueId, queueId, offset, startOffset, retry } = checkPoint
  const isSame = brokerName === batch.brokerName && popTime === batch.popTime && invisibleMs === batch.invisibleMs
  const own =
    isSame && reviveQueueId === batch.reviveQueueId
      ? batch
      : new PopBatch({ group: batch.group, topic: batch.topic, brokerName, popTime, invisibleMs, reviveQueueId })
  return new Receipt(own, queueId, offset, startOffset, retry)
}

/** The topic requests about a receipt name. */
export function realTopic(receipt: PopReceipt): string {
  if (receipt.retry === 0) return receipt.topic
  return receipt.retry === 1 ? popRetryTopic(receipt.group, receipt.topic) : popRetryTopicV2(receipt.group, receipt.topic)
}

/** Retry topic of POP consumption, version 2 (spec remoting 3.5). */
export const popRetryTopicV2 = (group: string, topic: string): string => `${retryTopic(group)}+${topic}`

/** POP_CK. */
export const extraInfo = (receipt: PopReceipt): string =>
  encodePopCheckPoint({
    startOffset: receipt.startOffset,
    popTime: receipt.popTime,
    invisibleTime: receipt.invisibleMs,
    reviveQueueId: receipt.reviveQueueId,
    retry: receipt.retry,
    brokerName: receipt.brokerName,
    queueId: receipt.queueId,
    offset: receipt.offset,
  })
