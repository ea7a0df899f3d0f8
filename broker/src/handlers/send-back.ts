import { ResponseCode, consumerSendMsgBackRequest, isOneway, type Command, type Handler, type Peer, type Reply } from '@cometmq/remoting'
import { copyRecord, type RecordCopy } from '../delivery/record-copy.ts'
import { offsetMessageIds } from '../delivery/offset-msg-id.ts'
import type { Broker } from './context.ts'
import { randomBelow } from './context.ts'
import { propertyOf, property, withProperty, withoutProperties, newKnownProperties, scanProperties, joinProperties } from '../delivery/properties.ts'
import { deadLetterTopic, maxReconsumeTimes } from './retry.ts'
import { schedule } from './schedule.ts'
import { retryTopicOf } from './topic-names.ts'

const READ_AND_WRITE = 6
const UNIT_SUBSCRIBER = 2
/** First retry waits level 3 (10 s), the next one level more. */
const FIRST_RETRY_LEVEL = 3

/** CONSUMER_SEND_MSG_BACK 36 (spec store, 9): a message that could not be consumed goes to its group's retry or dead letter topic. */
export function sendBackHandler(broker: Broker): Handler {
  return (request, peer) => {
    // The record may have to be read from disk, and the answer waits for the log: so this one answers by itself.
    sendBack(broker, request, peer).then(
      reply => {
        if (reply !== null) peer.respond(request.opaque, reply)
      },
      (error: unknown) => {
        const code = (error as { code?: unknown }).code
        peer.respond(request.opaque, {
          code: typeof code === 'number' ? code : ResponseCode.SYSTEM_ERROR,
          remark: error instanceof Error ? error.message : String(error),
        })
      },
    )
    return undefined
  }
}

/** Null when the acknowledgement gate answers. */
async function sendBack(broker: Broker, request: Command, peer: Peer): Promise<Reply | null> {
  const { group, offset, delayLevel, maxReconsumeTimes: askedMax, unitMode } = consumerSendMsgBackRequest.decode(request.ext)
  const config = broker.groups.find(group)
  if (config === undefined) {
    return { code: ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, remark: `subscription group not exist, ${group}` }
  }
  const refusing = broker.refusingSends()
  if (refusing !== null) return { code: ResponseCode.SERVICE_NOT_AVAILABLE, remark: refusing }
  const overloaded = broker.gate.overloaded()
  if (overloaded !== null) return { code: ResponseCode.SYSTEM_BUSY, remark: overloaded }
  if (config.retryQueueNums <= 0) return { code: ResponseCode.SUCCESS }
  const sysFlag = unitMode ? UNIT_SUBSCRIBER : 0
  const retryTopic = broker.topics.ensure(retryTopicOf(group), config.retryQueueNums, READ_AND_WRITE, sysFlag)
  const record = await broker.store.read(offset)
  if (record === null) return { code: ResponseCode.SYSTEM_ERROR, remark: `look message by offset failed, ${offset}: no message starts there` }

  const message = copyRecord(record)
  const max = maxReconsumeTimes(request.version, askedMax ?? -1, config.retryMaxTimes)
  const originalTopic = message.topic
  const level = retryLevel(message, delayLevel, max)
  message.properties = retryProperties(message, level)
  fillIndexed(message)
  if (level < 0) {
    const dlq = deadLetterTopic(broker, group)
    message.topic = dlq.topicName
    message.queueId = randomBelow(broker, dlq.writeQueueNums)
  } else {
    message.topic = retryTopic.topicName
    message.queueId = randomBelow(broker, retryTopic.writeQueueNums)
  }
  message.reconsumeTimes++
  message.preparedTransactionOffset = 0
  const capped = broker.delayLevels.parse(String(level))
  const result = broker.store.append(capped > 0 ? schedule(broker, message, capped) : message)
  if (result.status !== 'PUT_OK') return { code: ResponseCode.SYSTEM_ERROR, remark: `${result.status}: ${result.reason}` }
  broker.stats.sentBack(originalTopic, group)
  if (isOneway(request)) broker.gate.appended(result.endOffset)
  else broker.gate.addBare(peer, request.opaque, result.endOffset)
  return null
}

/** -1: dead letter. */
function retryLevel(message: RecordCopy, asked: number, max: number): number {
  if (asked < 0 || message.reconsumeTimes >= max) return -1
  return asked === 0 ? FIRST_RETRY_LEVEL + message.reconsumeTimes : asked
}

function retryProperties(message: RecordCopy, level: number): string {
  let properties = withoutProperties(message.properties, ['DELAY', 'WAIT'])
  if (propertyOf(properties, 'RETRY_TOPIC') === '') properties += property('RETRY_TOPIC', message.topic)
  if (propertyOf(properties, 'ORIGIN_MESSAGE_ID') === '') {
    const id = offsetMessageIds(message.storeHost).of(message.physicalOffset)
    properties = withProperty(properties, 'ORIGIN_MESSAGE_ID', id)
  }
  return joinProperties(properties, property('WAIT', 'false') + property('DELAY', String(Math.max(0, level))))
}

const known = newKnownProperties()

function fillIndexed(message: RecordCopy): void {
  scanProperties(message.properties, known)
  message.tags = known.tags
  message.keys = known.keys
  message.uniqKey = known.uniqKey
}
