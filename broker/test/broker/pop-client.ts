import {
  ackMessageRequest,
  changeInvisibleTimeRequest,
  decodeRecords,
  encodeBatchAck,
  encodePopCheckPoint,
  getProperty,
  isRetryTopic,
  parsePopCheckPoint,
  parsePoppedQueues,
  popMessageRequest,
  popMessageResponse,
  RequestCode,
  type Command,
  type InputOf,
  type MessageRecord,
  type ValueOf,
} from '@cometmq/remoting'
import type { TestBroker } from './harness.ts'

export interface Receipt {
  offset: number
  queueId: number
  extraInfo: string
  /** As acknowledgements name it. */
  topic: string
}

export interface PopAnswer {
  code: number
  remark: string | null
  header: ValueOf<typeof popMessageResponse>
  messages: MessageRecord[]
  texts: string[]
  /** In the order of the messages. */
  receipts: Receipt[]
}

export type PopAsk = Partial<InputOf<typeof popMessageRequest>>

export const popExt = (more: PopAsk = {}): Record<string, string> =>
  popMessageRequest.encode({
    consumerGroup: 'G',
    topic: 'T',
    queueId: -1,
    maxMsgNums: 32,
    invisibleTime: 60_000,
    pollTime: 0,
    bornTime: 0,
    initMode: 0,
    expType: 'TAG',
    exp: '*',
    ...more,
  })

export async function pop(on: TestBroker, more: PopAsk = {}): Promise<PopAnswer> {
  return popAnswer(await on.call(RequestCode.POP_MESSAGE, popExt(more)), more)
}

export function popAnswer({ code, remark, ext, body }: Command, asked: PopAsk): PopAnswer {
  const messages = body === null ? [] : decodeRecords(Buffer.from(body))
  const header = popMessageResponse.decode(ext)
  const texts = messages.map(each => each.body.toString())
  return { code, remark, header, messages, texts, receipts: receiptsOf(header, messages, asked) }
}

function receiptsOf(
  header: PopAnswer['header'],
  messages: MessageRecord[],
  { topic = 'T', consumerGroup = 'G' }: PopAsk,
): Receipt[] {
  const starts = parsePoppedQueues(header.startOffsetInfo ?? '')
  const listed = parsePoppedQueues(header.msgOffsetInfo ?? '').flatMap(({ retry, queueId, offsets }, i) =>
    offsets.map(offset => ({ retry, queueId, offset, start: starts[i]!.offsets[0]! })),
  )
  return messages.map((message, i) => {
    const { retry, queueId, offset, start } = listed[i]!
    if (message.queueId !== queueId || message.queueOffset !== offset) throw new Error('msgOffsetInfo does not name the messages')
    const extraInfo = encodePopCheckPoint({
      startOffset: start,
      popTime: header.popTime,
      invisibleTime: header.invisibleTime,
      reviveQueueId: header.reviveQid,
      retry,
      brokerName: 'broker-a',
      queueId,
      offset,
    })
    const own = getProperty(message.properties, 'POP_CK')
    if (own !== undefined && own !== extraInfo) throw new Error(`POP_CK is ${own}, the header gives ${extraInfo}`)
    const real = retry === 0 || isRetryTopic(topic) ? topic : `%RETRY%${consumerGroup}_${topic}`
    return { offset, queueId, extraInfo, topic: real }
  })
}

export async function ack(on: TestBroker, receipt: Receipt, consumerGroup = 'G'): Promise<number> {
  return (await on.call(RequestCode.ACK_MESSAGE, ackMessageRequest.encode({ consumerGroup, ...receipt }))).code
}

/** One entry per receipt. */
export async function ackBatch(on: TestBroker, receipts: readonly Receipt[], topic = 'T'): Promise<number> {
  const acks = receipts.map(({ extraInfo, offset, queueId }) => {
    const ck = parsePopCheckPoint(extraInfo)!
    const bits = new Uint8Array(((offset - ck.startOffset) >> 3) + 1)
    bits[bits.length - 1] = 1 << ((offset - ck.startOffset) & 7)
    return {
      consumerGroup: 'G',
      topic,
      retry: ck.retry,
      startOffset: ck.startOffset,
      queueId,
      reviveQueueId: ck.reviveQueueId,
      popTime: ck.popTime,
      invisibleTime: ck.invisibleTime,
      bits,
    }
  })
  return (await on.call(RequestCode.BATCH_ACK_MESSAGE, undefined, encodeBatchAck({ brokerName: 'broker-a', acks }))).code
}

/** Resolves with the new receipt. */
export async function changeTime(
  on: TestBroker,
  receipt: Receipt,
  invisibleTime: number,
  suspend = false,
): Promise<Receipt & { code: number }> {
  const ext = changeInvisibleTimeRequest.encode({ consumerGroup: 'G', ...receipt, invisibleTime, suspend })
  const answer = await on.call(RequestCode.CHANGE_MESSAGE_INVISIBLETIME, ext)
  if (answer.code !== 0) return { ...receipt, code: answer.code }
  const old = parsePopCheckPoint(receipt.extraInfo)!
  const extraInfo = encodePopCheckPoint({
    ...old,
    startOffset: old.reviveQueueId === 999 ? old.startOffset : receipt.offset,
    popTime: Number(answer.ext!['popTime']),
    invisibleTime: Number(answer.ext!['invisibleTime']),
  })
  return { ...receipt, extraInfo, code: answer.code }
}

export const committed = async (on: TestBroker, queueId = 0, topic = 'T'): Promise<number> =>
  Number(
    (await on.call(RequestCode.QUERY_CONSUMER_OFFSET, { consumerGroup: 'G', topic, queueId: String(queueId) })).ext!['offset'],
  )
