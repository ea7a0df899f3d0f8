import {
  CommandError,
  MessageFormatError,
  ResponseCode,
  appendProperties,
  decodeBatch,
  isOneway,
  isRetryTopic,
  isSendForbiddenTopic,
  topicNameFault,
  type Command,
  type Handler,
  type Peer,
  type Reply,
  type TopicConfig,
} from '@cometmq/remoting'
import type { SendAnswer } from '../delivery/ack-gate.ts'
import {
  type KnownProperties,
  newKnownProperties,
  property,
  scanProperties,
  withoutProperties,
} from '../delivery/known-properties.ts'
import type { NewBatch, NewMessage, PutResult } from '../store/types.ts'
import { randomBelow, type Broker } from './context.ts'
import { putCode } from './put-code.ts'
import { deadLetterTopic, retryDestination } from './retry.ts'
import { schedule } from './schedule.ts'
import { newSendFields, readLongNames, readShortNames } from './send-fields.ts'

/** 0 none, 4 prepared, 8 commit, 12 rollback. */
const TRANSACTION_BITS = 0xc
const PREPARED = 4
const WRITABLE = 2
const INNER_BATCH_BIT = 0x80
const BROKER_OWNED = ['POP_CK', 'MSG_REGION', 'TRACE_ON', 'CLUSTER']
const TIMERS = ['TIMER_DELAY_SEC', 'TIMER_DELAY_MS', 'TIMER_DELIVER_MS']
const NO_BODY = Buffer.alloc(0)

/**
 * SEND_MESSAGE 10, SEND_MESSAGE_V2 310, SEND_BATCH_MESSAGE 320 (spec remoting, 3.2; Java: SendMessageProcessor).
 * The steps run in one go, without waiting; the answer waits in the acknowledgement gate. Fields, known properties and
 * the message itself are single objects used again for each send.
 */
export function sendHandlers(broker: Broker): { send: Handler; sendV2: Handler; sendBatch: Handler } {
  const sender = new Sender(broker)
  return {
    send: (request, peer) => sender.handle(request, peer, false, false),
    sendV2: (request, peer) => sender.handle(request, peer, true, false),
    sendBatch: (request, peer) => sender.handle(request, peer, true, true),
  }
}

class Sender {
  readonly #broker: Broker
  readonly #fields = newSendFields()
  readonly #known = newKnownProperties()
  /** MSG_REGION, TRACE_ON and CLUSTER, which every stored message gets. */
  #added = ''
  #addedBytes: Buffer = NO_BODY
  #errorExt: Readonly<Record<string, string>> = {}
  readonly #syncFlush: boolean
  readonly #message: NewMessage
  readonly #answer: SendAnswer = { queueId: 0, transactionId: '', mustBeSynced: true }

  constructor(broker: Broker) {
    const { config } = broker
    this.#broker = broker
    this.#readConfig()
    config.onChange(() => this.#readConfig())
    this.#syncFlush = config.flushDiskType === 'SYNC_FLUSH'
    this.#message = {
      topic: '',
      queueId: 0,
      flag: 0,
      sysFlag: 0,
      bornTimestamp: 0,
      bornHost: NO_BODY,
      reconsumeTimes: 0,
      preparedTransactionOffset: 0,
      body: NO_BODY,
      properties: '',
      tags: '',
      uniqKey: '',
      keys: '',
    }
  }

  #readConfig(): void {
    const { regionId, brokerClusterName, traceOn } = this.#broker.config
    const trace = String(traceOn)
    this.#added = property('MSG_REGION', regionId) + property('TRACE_ON', trace) + property('CLUSTER', brokerClusterName)
    this.#addedBytes = Buffer.from(this.#added)
    this.#errorExt = { MSG_REGION: regionId, TRACE_ON: trace }
  }

  handle(request: Command, peer: Peer, shortNames: boolean, isBatchCode: boolean): Reply | undefined {
    try {
      return this.#handle(request, peer, shortNames, isBatchCode)
    } catch (error) {
      // Clients read MSG_REGION from every answer to a send.
      if (error instanceof CommandError) return this.#error(error.code, error.message)
      throw error
    }
  }

  #handle(request: Command, peer: Peer, shortNames: boolean, isBatchCode: boolean): Reply | undefined {
    const broker = this.#broker
    const refusing = broker.refusingSends()
    if (refusing !== null) return this.#error(ResponseCode.SERVICE_NOT_AVAILABLE, refusing)
    const overloaded = broker.gate.overloaded()
    if (overloaded !== null) return this.#error(ResponseCode.SYSTEM_BUSY, overloaded)

    const fields = this.#fields
    const unreadable = shortNames ? readShortNames(request.ext, fields) : readLongNames(request.ext, fields)
    if (unreadable !== null) return this.#error(ResponseCode.SYSTEM_ERROR, `request ${request.code}: ${unreadable}`)
    const config = broker.topics.get(fields.topic) ?? this.#missingTopic()
    if ('code' in config) return config
    if (isSendForbiddenTopic(fields.topic)) {
      return this.#error(ResponseCode.NO_PERMISSION, `Sending message to topic[${fields.topic}] is forbidden.`)
    }
    if (config.order && (broker.config.brokerPermission & WRITABLE) === 0) {
      return this.#error(ResponseCode.NO_PERMISSION, `the broker[${broker.config.brokerName}] sending message is forbidden`)
    }
    const queueProblem = this.#chooseQueue(config)
    if (queueProblem !== null) return queueProblem
    const body = request.body
    if (body === null)
      return this.#error(ResponseCode.MESSAGE_ILLEGAL, 'the message body is empty; RocketMQ messages need at least one byte')
    return isBatchCode || fields.batch ? this.#batch(request, peer, body) : this.#single(request, peer, body)
  }

  #single(request: Command, peer: Peer, body: Buffer): Reply | undefined {
    const broker = this.#broker
    const fields = this.#fields
    const known = this.#known
    let properties = fields.properties
    scanProperties(properties, known)
    if (known.brokerOwned) properties = withoutProperties(properties, BROKER_OWNED)

    const message = this.#message
    message.topic = fields.topic
    message.queueId = fields.queueId
    let delay = known.delay
    if (isRetryTopic(fields.topic)) {
      const destination = retryDestination(broker, fields, request.version)
      if ('code' in destination) return this.#error(destination.code, destination.remark)
      if (destination.deadLetter) {
        const dlq = deadLetterTopic(broker, destination.group)
        message.topic = dlq.topicName
        message.queueId = randomBelow(broker, dlq.writeQueueNums)
        properties = withoutProperties(properties, ['DELAY']) + property('DELAY', '-1')
        delay = '-1'
      }
    }
    const level = broker.delayLevels.parse(delay)
    const unsupported = this.#unsupported(level)
    if (unsupported !== null) return unsupported
    if (known.timer !== '' && level > 0) properties = withoutProperties(properties, TIMERS)

    let uniqKey = known.uniqKey
    if (uniqKey === '') {
      uniqKey = broker.uniqueId()
      properties = appendProperties(properties, property('UNIQ_KEY', uniqKey))
    }
    message.properties = properties
    message.addedProperties = this.#addedBytes
    message.flag = fields.flag
    message.sysFlag = fields.sysFlag
    message.bornTimestamp = fields.bornTimestamp
    message.bornHost = peer.remoteHost
    message.reconsumeTimes = fields.reconsumeTimes
    message.body = body
    message.tags = known.tags
    message.uniqKey = uniqKey
    message.keys = known.keys
    const replyQueueId = message.queueId
    const result = broker.store.append(level > 0 ? schedule(broker, { ...message }, level) : message)
    if (result.status !== 'PUT_OK') return this.#refused(result)
    broker.stats.put(fields.topic, broker.config.brokerClusterName, 1, result.endOffset - result.physicalOffset)
    this.#answer.queueId = replyQueueId
    this.#answer.transactionId = uniqKey
    this.#waitForLog(request, peer, result, known.wait)
    return undefined
  }

  #batch(request: Command, peer: Peer, body: Buffer): Reply | undefined {
    const broker = this.#broker
    const fields = this.#fields
    const known = this.#known
    scanProperties(fields.properties, known)
    if (isRetryTopic(fields.topic))
      return this.#error(ResponseCode.MESSAGE_ILLEGAL, `batch sends to the retry topic ${fields.topic} are not allowed`)
    const level = broker.delayLevels.parse(known.delay)
    if (level > 0)
      return this.#error(ResponseCode.MESSAGE_ILLEGAL, 'a batch cannot have a delay level; send delayed messages one by one')
    const unsupported = this.#unsupported(0)
    if (unsupported !== null) return unsupported
    if (body.length > broker.config.maxMessageSize) {
      return this.#error(
        ResponseCode.MESSAGE_ILLEGAL,
        `the batch has ${body.length} bytes, maxMessageSize is ${broker.config.maxMessageSize}; send smaller batches`,
      )
    }
    const header = known.brokerOwned ? withoutProperties(fields.properties, BROKER_OWNED) : fields.properties
    const elements = batchElements(body, known)
    if (typeof elements === 'string') return this.#error(ResponseCode.MESSAGE_ILLEGAL, elements)
    const batch: NewBatch = {
      topic: fields.topic,
      queueId: fields.queueId,
      sysFlag: fields.sysFlag,
      bornTimestamp: fields.bornTimestamp,
      bornHost: peer.remoteHost,
      reconsumeTimes: fields.reconsumeTimes,
      preparedTransactionOffset: 0,
      // Behind each element's own, as RocketMQ 5.3.3 stores them (spec store, 2.6).
      addedProperties: Buffer.from(appendProperties(header, this.#added)),
      elements,
    }
    const result = broker.store.appendBatch(batch)
    if (result.status !== 'PUT_OK') return this.#refused(result)
    broker.stats.put(
      fields.topic,
      broker.config.brokerClusterName,
      batch.elements.length,
      result.endOffset - result.physicalOffset,
    )
    this.#answer.queueId = batch.queueId
    this.#answer.transactionId = known.uniqKey
    this.#waitForLog(request, peer, result, known.wait)
    return undefined
  }

  #waitForLog(request: Command, peer: Peer, result: PutResult, wait: boolean): void {
    const { gate } = this.#broker
    this.#answer.mustBeSynced = wait && this.#syncFlush
    if (isOneway(request)) gate.appended(result.endOffset)
    else gate.add(peer, request.opaque, result, this.#answer)
  }

  /** Steps 1 to 3 for a topic this broker does not have: a good name, and created after its template, or refused. */
  #missingTopic(): TopicConfig | Reply {
    const broker = this.#broker
    const fields = this.#fields
    const problem = topicNameFault(fields.topic)
    if (problem !== null) return this.#error(ResponseCode.INVALID_PARAMETER, problem)
    if (isSendForbiddenTopic(fields.topic)) {
      return this.#error(ResponseCode.NO_PERMISSION, `Sending message to topic[${fields.topic}] is forbidden.`)
    }
    const sysFlag = fields.unitMode ? (isRetryTopic(fields.topic) ? 2 : 1) : 0
    if (isRetryTopic(fields.topic)) return broker.topics.ensure(fields.topic, 1, 6, sysFlag)
    const created = broker.topics.autoCreate(fields.topic, fields.defaultTopic, fields.defaultTopicQueueNums, sysFlag)
    if (!('refused' in created)) return created
    return this.#error(ResponseCode.TOPIC_NOT_EXIST, `topic[${fields.topic}] not exist, apply first please! ${created.refused}`)
  }

  #chooseQueue(config: TopicConfig): Reply | null {
    const fields = this.#fields
    if (fields.queueId < 0) {
      fields.queueId = randomBelow(this.#broker, Math.max(1, config.writeQueueNums))
      return null
    }
    const queues = Math.max(config.readQueueNums, config.writeQueueNums)
    if (fields.queueId < queues) return null
    return this.#error(
      ResponseCode.INVALID_PARAMETER,
      `request queueId[${fields.queueId}] is illegal, topic ${fields.topic} has ${queues} queues (0 to ${queues - 1})`,
    )
  }

  /** What this release does not store, told apart from ordinary messages so that nothing is delivered at a wrong time. */
  #unsupported(level: number): Reply | null {
    const { sysFlag, reconsumeTimes } = this.#fields
    const known = this.#known
    const isRetry = reconsumeTimes > 0 && level > 0
    if ((known.transactional && !isRetry) || (sysFlag & TRANSACTION_BITS) === PREPARED) {
      return this.#error(
        ResponseCode.MESSAGE_ILLEGAL,
        'transactional messages (TRAN_MSG) are not supported by this broker; send an ordinary message after the local transaction has committed',
      )
    }
    if (known.timer !== '' && level === 0 && !known.timerDone) {
      return this.#error(
        ResponseCode.MESSAGE_ILLEGAL,
        `timer messages (${known.timer}) are not supported by this broker; use a delay level (property DELAY, 1 to ${this.#broker.delayLevels.max})`,
      )
    }
    if (known.innerBatch || (sysFlag & INNER_BATCH_BIT) !== 0) {
      return this.#error(
        ResponseCode.MESSAGE_ILLEGAL,
        'inner batches need a topic with queue.type=BatchCQ, which this broker does not have; use code 320',
      )
    }
    return null
  }

  #refused(result: PutResult): Reply {
    this.#broker.stats.putFailures.add(1)
    return this.#error(putCode(result.status), result.reason === '' ? result.status : result.reason)
  }

  #error(code: number, remark: string): Reply {
    return { code, remark, ext: this.#errorExt }
  }
}

const knownOfElement = newKnownProperties()

/**
 * Elements of a batch. The header's properties come behind their own, and of equal names the later one counts. A string: why the body
 * cannot be read.
 */
function batchElements(body: Buffer, ofHeader: KnownProperties): NewBatch['elements'] | string {
  try {
    return decodeBatch(body).map(({ flag, body, properties }) => {
      scanProperties(properties, knownOfElement)
      const { tags, uniqKey, keys } = knownOfElement
      return {
        flag,
        body,
        properties,
        tags: ofHeader.tags === '' ? tags : ofHeader.tags,
        uniqKey: ofHeader.uniqKey === '' ? uniqKey : ofHeader.uniqKey,
        keys: ofHeader.keys === '' ? keys : ofHeader.keys,
      }
    })
  } catch (error) {
    if (error instanceof MessageFormatError) return `batch body: ${error.message}`
    throw error
  }
}
