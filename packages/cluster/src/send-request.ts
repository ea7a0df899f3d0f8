import {
  type Command,
  encodeSendHeader,
  type MessageQueue,
  type Request,
  RequestCode,
  ResponseCode,
  sendMessageResponse,
} from '@cometmq/remoting'
import { type Prepared } from './prepare.ts'
import { defaultTopicQueueNums, templateTopic } from './routes.ts'

export type SendStatus = 'SEND_OK' | 'FLUSH_DISK_TIMEOUT' | 'SLAVE_NOT_AVAILABLE' | 'FLUSH_SLAVE_TIMEOUT'

export interface SendResult {
  /** All but SEND_OK: stored, but the broker could not confirm disk or replica in its time. */
  status: SendStatus
  /** The client's unique id (UNIQ_KEY); of a batch: all of them, joined by commas. */
  msgId: string
  /** The broker's id: address and position in its log; of a batch: all of them, joined by commas. */
  offsetMsgId: string
  queue: MessageQueue
  /** Offset in the queue; of a batch: that of its first message. */
  queueOffset: number
  transactionId: string | undefined
  /** For a delayed message of a broker that allows it: what cancels the delivery. */
  recallHandle: string | undefined
}

export const statusOf = new Map<number, SendStatus>([
  [ResponseCode.SUCCESS, 'SEND_OK'],
  [ResponseCode.FLUSH_DISK_TIMEOUT, 'FLUSH_DISK_TIMEOUT'],
  [ResponseCode.SLAVE_NOT_AVAILABLE, 'SLAVE_NOT_AVAILABLE'],
  [ResponseCode.FLUSH_SLAVE_TIMEOUT, 'FLUSH_SLAVE_TIMEOUT'],
])

/** SEND_MESSAGE_V2 (310) or SEND_BATCH_MESSAGE (320) with its one-letter header (spec remoting 3.2). */
export function sendRequest(group: string, prepared: Prepared, queue: MessageQueue): Request {
  const code = prepared.isBatch ? RequestCode.SEND_BATCH_MESSAGE : RequestCode.SEND_MESSAGE_V2
  return {
    code,
    ext: encodeSendHeader(code, {
      producerGroup: group,
      topic: prepared.topic,
      defaultTopic: templateTopic,
      defaultTopicQueueNums,
      queueId: queue.queueId,
      sysFlag: prepared.sysFlag,
      bornTimestamp: prepared.bornTimestamp,
      flag: prepared.flag,
      properties: prepared.properties,
      reconsumeTimes: 0,
      unitMode: false,
      batch: prepared.isBatch,
      brokerName: queue.brokerName,
    }),
    body: prepared.body,
  }
}

/** Undefined when the code says that the message was not stored. */
export function sendResult(answer: Command, prepared: Prepared, queue: MessageQueue): SendResult | undefined {
  const status = statusOf.get(answer.code)
  if (status === undefined) return undefined
  const header = sendMessageResponse.decode(answer.ext)
  return {
    status,
    msgId: prepared.msgId,
    offsetMsgId: header.msgId ?? '',
    queue: { topic: prepared.topic, brokerName: queue.brokerName, queueId: header.queueId ?? queue.queueId },
    queueOffset: header.queueOffset ?? -1,
    transactionId: header.transactionId,
    recallHandle: header.recallHandle,
  }
}
