import {
  ORDERLY_REVIVE_QUEUE,
  ResponseCode,
  ackMessageRequest,
  changeInvisibleTimeRequest,
  changeInvisibleTimeResponse,
  decodeBatchAck,
  isOneway,
  parsePopCheckPoint,
  popRetryTopic,
  retryTopic,
  type BatchAck,
  type Command,
  type Handler,
  type Peer,
  type PopCheckPoint,
  type Reply,
} from '@cometmq/remoting'
import type { Broker } from './context.ts'
import { shown } from './fields.ts'
import { SUCCESS } from './replies.ts'

/** Longest time a message can be put aside: a hundred years. */
const INVISIBLE_MS_MAX = 3_155_760_000_000

type Names = 'ack' | 'batchAck' | 'changeTime'

/** What becomes of popped messages (spec store, 10.4 and 10.5; Java: AckMessageProcessor, ChangeInvisibleTimeProcessor). */
export function popAckHandlers(broker: Broker): Record<Names, Handler> {
  return {
    ack: (request, peer) => acknowledge(broker, request, peer),
    batchAck: (request, peer) => acknowledgeBatch(broker, request, peer),
    changeTime: (request, peer) => changeTime(broker, request, peer),
  }
}

/** 200051: success also when no lease holds the message any more. */
function acknowledge(broker: Broker, request: Command, peer: Peer): Reply | undefined {
  const asked = ackMessageRequest.decode(request.ext)
  const receipt = receiptOf(broker, asked)
  if ('code' in receipt) return receipt
  const { topic, queueId, offset } = asked
  if (offset < broker.store.minOffset(topic, queueId) || offset > broker.store.maxOffset(topic, queueId))
    return noMessage(broker, asked)
  if (receipt.reviveQueueId === ORDERLY_REVIVE_QUEUE) {
    const order = broker.pops.orders.find(asked.consumerGroup, topic, queueId)
    if (order !== undefined && broker.pops.orders.acknowledge(order, offset, receipt.popTime) === 'unknown')
      return {
        code: ResponseCode.MESSAGE_ILLEGAL,
        remark: `offset ${offset} is not in the last batch popped from ${topic}@${queueId}`,
      }
    return answer(broker, request, peer, SUCCESS)
  }
  const queue = broker.pops.find(asked.consumerGroup, topic, queueId)
  if (queue !== undefined) broker.pops.acknowledge(queue, offset, receipt.popTime)
  return answer(broker, request, peer, SUCCESS)
}

/** 200151: offsets that no lease holds are skipped. */
function acknowledgeBatch(broker: Broker, request: Command, peer: Peer): Reply | undefined {
  const { failure } = broker.pops
  if (failure !== null) return { code: ResponseCode.SYSTEM_ERROR, remark: failure }
  const { acks } = decodeBatchAck(request.body)
  if (acks.length === 0) return { code: ResponseCode.NO_MESSAGE, remark: 'the batch acknowledges nothing' }
  for (const ack of acks) acknowledgeRun(broker, ack)
  return answer(broker, request, peer, SUCCESS)
}

function acknowledgeRun(broker: Broker, ack: BatchAck): void {
  const { consumerGroup, queueId, startOffset, popTime, bits } = ack
  const topic =
    ack.retry === 0
      ? ack.topic
      : ack.retry === 1
        ? popRetryTopic(consumerGroup, ack.topic)
        : retryTopic(`${consumerGroup}+${ack.topic}`)
  if (!Number.isSafeInteger(startOffset) || startOffset < 0) return
  if (ack.reviveQueueId === ORDERLY_REVIVE_QUEUE) {
    const order = broker.pops.orders.find(consumerGroup, topic, queueId)
    if (order === undefined) return
    for (const offset of [...order.offsets]) {
      const i = offset - startOffset
      if (i >= 0 && i < bits.length * 8 && ((bits[i >> 3]! >>> (i & 7)) & 1) === 1)
        broker.pops.orders.acknowledge(order, offset, popTime)
    }
    return
  }
  const queue = broker.pops.find(consumerGroup, topic, queueId)
  if (queue !== undefined) broker.pops.acknowledgeBits(queue, startOffset, bits, popTime)
}

/** 200053: the message is held that long from now; when no lease holds it any more, nothing changes. */
function changeTime(broker: Broker, request: Command, peer: Peer): Reply | undefined {
  const asked = changeInvisibleTimeRequest.decode(request.ext)
  const receipt = receiptOf(broker, asked)
  if ('code' in receipt) return receipt
  const { topic, queueId, offset } = asked
  if (offset < broker.store.minOffset(topic, queueId) || offset >= broker.store.maxOffset(topic, queueId))
    return noMessage(broker, asked)
  const popTime = broker.clock.now()
  const invisibleMs = Math.min(Math.max(0, asked.invisibleTime), INVISIBLE_MS_MAX)
  if (receipt.reviveQueueId === ORDERLY_REVIVE_QUEUE) {
    const order = broker.pops.orders.find(asked.consumerGroup, topic, queueId)
    if (order !== undefined) broker.pops.orders.changeTime(order, offset, receipt.popTime, invisibleMs)
    // The batch keeps its pop time: only this message has another end.
    const sincePop = Math.max(0, popTime + invisibleMs - receipt.popTime)
    const ext = changeInvisibleTimeResponse.encode({
      popTime: receipt.popTime,
      invisibleTime: sincePop,
      reviveQid: ORDERLY_REVIVE_QUEUE,
    })
    return answer(broker, request, peer, { code: ResponseCode.SUCCESS, ext })
  }
  const queue = broker.pops.find(asked.consumerGroup, topic, queueId)
  if (queue !== undefined)
    broker.pops.changeTime(queue, offset, receipt.popTime, { popTime, invisibleMs, suspended: asked.suspend })
  const ext = changeInvisibleTimeResponse.encode({ popTime, invisibleTime: invisibleMs, reviveQid: receipt.reviveQueueId })
  return answer(broker, request, peer, { code: ResponseCode.SUCCESS, ext })
}

interface Asked {
  consumerGroup: string
  topic: string
  queueId: number
  extraInfo: string
  offset: number
}

/** The receipt of a request about one message, or why it is refused. */
function receiptOf(broker: Broker, asked: Asked): PopCheckPoint | Reply {
  const { topic, queueId, extraInfo } = asked
  const config = broker.topics.get(topic)
  if (config === undefined)
    return { code: ResponseCode.TOPIC_NOT_EXIST, remark: `topic[${shown(topic)}] not exist, apply first please!` }
  if (queueId < 0 || queueId >= config.readQueueNums) {
    return {
      code: ResponseCode.MESSAGE_ILLEGAL,
      remark: `queueId[${queueId}] is illegal, topic:[${topic}] topicConfig.readQueueNums:[${config.readQueueNums}]`,
    }
  }
  const { failure } = broker.pops
  if (failure !== null) return { code: ResponseCode.SYSTEM_ERROR, remark: failure }
  const receipt = parsePopCheckPoint(extraInfo)
  if (receipt !== null) return receipt
  return { code: ResponseCode.SYSTEM_ERROR, remark: `extraInfo "${shown(extraInfo)}" is not a receipt of a popped message` }
}

function noMessage({ store }: Broker, { topic, queueId, offset }: Asked): Reply {
  return {
    code: ResponseCode.NO_MESSAGE,
    remark: `offset is illegal, key:${topic}@${queueId}, commit:${offset}, store:${store.minOffset(topic, queueId)}~${store.maxOffset(topic, queueId)}`,
  }
}

/** When the change is in the journal. */
function answer(broker: Broker, request: Command, peer: Peer, reply: Reply): undefined {
  if (!isOneway(request)) broker.pops.answer(peer, request.opaque, reply)
  return undefined
}
