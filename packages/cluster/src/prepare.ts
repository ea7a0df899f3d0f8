import { encodeBatch, encodeProperties, PropertyKey } from '@cometmq/remoting'
import { compressBody } from './compress.ts'
import { bodyOf, checkMessage, checkProperties, type OutgoingMessage, propertiesOf } from './message.ts'
import { refused } from './errors.ts'

/** One request body, ready to be sent as often as needed. */
export interface Prepared {
  topic: string
  /** The client's unique id; of a batch: those of all items, joined by commas. */
  msgId: string
  body: Buffer
  sysFlag: number
  flag: number
  properties: string
  isBatch: boolean
  orderKey: string | undefined
  bornTimestamp: number
}

/** From this body size on, bodies are compressed (spec remoting 3.2). */
export const compressFromBytes = 4096
export const maxBatchBytes = 4 * 1024 * 1024
export const maxBatchMessages = 10_000

export function prepareOne(message: OutgoingMessage, nextId: () => string, now: number): Prepared {
  const raw = bodyOf(message)
  checkMessage(message, raw.length)
  const msgId = nextId()
  const properties = checkProperties(encodeProperties(Object.entries(propertiesOf(message, msgId))))
  const { body, sysFlag } = raw.length >= compressFromBytes ? compressBody(raw) : { body: raw, sysFlag: 0 }
  const { topic, orderKey, flag = 0 } = message
  return { topic, msgId, body, sysFlag, flag, properties, isBatch: false, orderKey, bornTimestamp: now }
}

/** Spec remoting 3.2 and 5.3: one topic, one WAIT flag, no delays, never compressed, a UNIQ_KEY in each item and one outside. */
export function prepareBatch(messages: readonly OutgoingMessage[], nextId: () => string, now: number): Prepared {
  const first = checkBatch(messages)
  const items = messages.map(message => {
    const body = bodyOf(message)
    checkMessage(message, body.length)
    const uniqueKey = nextId()
    return {
      uniqueKey,
      body,
      flag: message.flag ?? 0,
      properties: checkProperties(encodeProperties(Object.entries(propertiesOf(message, uniqueKey)))),
    }
  })
  const body = encodeBatch(items)
  if (body.length > maxBatchBytes) throw badBatch(`it has ${body.length} bytes, the limit is ${maxBatchBytes}: send it in parts`)
  return {
    topic: first.topic,
    msgId: items.map(item => item.uniqueKey).join(','),
    body,
    sysFlag: 0,
    flag: 0,
    properties: encodeProperties([
      [PropertyKey.UNIQ_KEY, nextId()],
      [PropertyKey.WAIT, String(first.waitStored ?? true)],
    ]),
    isBatch: true,
    orderKey: first.orderKey,
    bornTimestamp: now,
  }
}

function checkBatch(messages: readonly OutgoingMessage[]): OutgoingMessage {
  const first = messages[0]
  if (!first) throw badBatch('it holds no message')
  if (messages.length > maxBatchMessages) throw badBatch(`it holds ${messages.length} messages, the limit is ${maxBatchMessages}`)
  if (first.topic.startsWith('%RETRY%')) throw badBatch('retry topics take no batches')
  for (const message of messages) {
    if (message.topic !== first.topic) throw badBatch('all its messages must have the same topic')
    if (message.orderKey !== first.orderKey) throw badBatch('all its messages must have the same order key')
    if ((message.waitStored ?? true) !== (first.waitStored ?? true))
      throw badBatch('all its messages must have the same waitStored')
    if (message.delayLevel || message.delayMs !== undefined || message.deliverAt !== undefined)
      throw badBatch('a delayed message cannot be part of it')
  }
  return first
}

const badBatch = (why: string) => refused('E_MESSAGE', 'the batch cannot be sent', why)
