import { getProperty, popRetryTopic, PropertyKey, retryTopic } from '@cometmq/remoting'
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

type Retry = 0 | 1 | 2

export class Receipt implements PopReceipt {
  readonly batch: PopBatch
  readonly queueId: number
  readonly offset: number
  readonly startOffset: number
  readonly retry: Retry

  constructor(batch: PopBatch, queueId: number, offset: number, startOffset: number, retry: Retry) {
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
  }
}

/** What the header of an answer says about its messages. */
export class PopAnswer {
  readonly batch: PopBatch
  readonly #starts: Map<number, number>

  constructor(batch: PopBatch, startOffsetInfo: string | undefined) {
    this.batch = batch
    this.#starts = parseStartOffsets(startOffsetInfo)
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

/** `r queueId startOffset;…` (spec remoting 3.5) by `keyOf`. */
function parseStartOffsets(info: string | undefined): Map<number, number> {
  const starts = new Map<number, number>()
  for (const entry of (info ?? '').split(';')) {
    const [retry, queueId, start] = entry.split(' ').map(Number)
    if (retry !== undefined && queueId !== undefined && Number.isSafeInteger(start)) starts.set(keyOf(retry, queueId), start!)
  }
  return starts
}

const keyOf = (retry: number, queueId: number): number => queueId * 4 + retry

/** The receipt that the broker put into a message from a retry topic. Undefined when there is none, or none that makes sense. */
function receiptInProperties(properties: string, batch: PopBatch): Receipt | undefined {
  const text = getProperty(properties, PropertyKey.POP_CK)
  if (text === undefined) return undefined
  const parts = text.split(' ')
  const [start, popTime, invisibleMs, reviveQueueId, retry] = parts.slice(0, 5).map(Number)
  const brokerName = parts[5]
  const queueId = Number(parts[6])
  const offset = Number(parts[7])
  const numbers = [start, popTime, invisibleMs, reviveQueueId, queueId, offset]
  if (!brokerName || !numbers.every(Number.isSafeInteger) || (retry !== 0 && retry !== 1 && retry !== 2)) return undefined
  const source = {
    group: batch.group,
    topic: batch.topic,
    brokerName,
    popTime: popTime!,
    invisibleMs: invisibleMs!,
    reviveQueueId: reviveQueueId!,
  }
  return new Receipt(new PopBatch(source), queueId, offset, start!, retry)
}

/** The topic requests about a receipt name. */
export function realTopic(receipt: PopReceipt): string {
  if (receipt.retry === 0) return receipt.topic
  return receipt.retry === 1 ? popRetryTopic(receipt.group, receipt.topic) : popRetryTopicV2(receipt.group, receipt.topic)
}

/** Retry topic of POP consumption, version 2 (spec remoting 3.5). */
export const popRetryTopicV2 = (group: string, topic: string): string => `${retryTopic(group)}+${topic}`

/** `ckOffset popTime invisibleTime reviveQid r brokerName queueId msgQueueOffset` */
export const extraInfo = (receipt: PopReceipt): string =>
  `${receipt.startOffset} ${receipt.popTime} ${receipt.invisibleMs} ${receipt.reviveQueueId} ${receipt.retry} ${receipt.brokerName} ${receipt.queueId} ${receipt.offset}`
