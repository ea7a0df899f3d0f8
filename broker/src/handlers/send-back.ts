import {
  ResponseCode,
  appendProperties,
  consumerSendMsgBackRequest,
  decodeRecord,
  getProperty,
  isOneway,
  offsetMessageId,
  retryTopic,
  type Command,
  type Handler,
  type MessageRecord,
  type Peer,
  type Reply,
} from '@cometmq/remoting'
import { property, withoutProperties } from '../delivery/known-properties.ts'
import { copyOf } from '../delivery/record-copy.ts'
import { randomBelow, type Broker } from './context.ts'
import { deadLetterTopic, maxReconsumeTimes } from './retry.ts'
import { schedule } from './schedule.ts'

const READ_AND_WRITE = 6
const UNIT_SUBSCRIBER = 2
const WRITABLE = 2
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
  if ((broker.config.brokerPermission & WRITABLE) === 0) {
    return { code: ResponseCode.NO_PERMISSION, remark: `the broker[${broker.config.brokerName}] sending message is forbidden` }
  }
  const refusing = broker.refusingSends()
  if (refusing !== null) return { code: ResponseCode.SERVICE_NOT_AVAILABLE, remark: refusing }
  const overloaded = broker.gate.overloaded()
  if (overloaded !== null) return { code: ResponseCode.SYSTEM_BUSY, remark: overloaded }
  if (config.retryQueueNums <= 0) return { code: ResponseCode.SUCCESS }
  const sysFlag = unitMode ? UNIT_SUBSCRIBER : 0
  const retry = broker.topics.ensure(retryTopic(group), config.retryQueueNums, READ_AND_WRITE, sysFlag)
  const record = await broker.store.read(offset)
  if (record === null)
    return { code: ResponseCode.SYSTEM_ERROR, remark: `look message by offset failed, ${offset}: no message starts there` }

  const stored = decodeRecord(record)
  const max = maxReconsumeTimes(request.version, askedMax ?? -1, config.retryMaxTimes)
  const level = retryLevel(stored, delayLevel, max)
  const target = level < 0 ? deadLetterTopic(broker, group) : retry
  const message = copyOf(stored, retryProperties(stored, level))
  message.topic = target.topicName
  message.queueId = randomBelow(broker, Math.max(1, target.writeQueueNums))
  message.reconsumeTimes++
  const capped = broker.delayLevels.parse(String(level))
  const result = broker.store.append(capped > 0 ? schedule(broker, message, capped) : message)
  if (result.status !== 'PUT_OK') return { code: ResponseCode.SYSTEM_ERROR, remark: `${result.status}: ${result.reason}` }
  broker.stats.sentBack(stored.topic, group)
  if (isOneway(request)) broker.gate.appended(result.endOffset)
  else broker.gate.addBare(peer, request.opaque, result.endOffset)
  return null
}

/** -1: dead letter. */
function retryLevel(stored: MessageRecord, asked: number, max: number): number {
  if (asked < 0 || stored.reconsumeTimes >= max) return -1
  return asked === 0 ? FIRST_RETRY_LEVEL + stored.reconsumeTimes : asked
}

function retryProperties(stored: MessageRecord, level: number): string {
  let added = property('WAIT', 'false') + property('DELAY', String(Math.max(0, level)))
  if (getProperty(stored.properties, 'RETRY_TOPIC') === undefined) added += property('RETRY_TOPIC', stored.topic)
  if (getProperty(stored.properties, 'ORIGIN_MESSAGE_ID') === undefined) {
    added += property('ORIGIN_MESSAGE_ID', offsetMessageId(stored.storeHost, stored.physicalOffset))
  }
  return appendProperties(withoutProperties(stored.properties, ['DELAY', 'WAIT']), added)
}
