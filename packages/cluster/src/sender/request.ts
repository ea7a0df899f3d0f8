import { encodeSendHeader, type MessageQueue, type Request, RequestCode, writeInt16, writeInt32 } from '@cometmq/remoting'
import { type ClusterError, refused } from '../errors.ts'
import { defaultTopicQueueNums, templateTopic } from '../routes.ts'
import { type SendItem } from '../streaming.ts'
import { itemOverheadBytes } from './lane.ts'

const maxPropertyBytes = 32_767
const maxUtf8BytesPerUnit = 3

/** The body of a batch (spec remoting 5.3), written straight from the items. Throws E_MESSAGE for properties that are too long. */
export function encodeItems(items: readonly SendItem[]): Buffer {
  let room = 0
  for (let i = 0; i < items.length; i++) {
    const { body, properties } = items[i]!
    room += itemOverheadBytes + body.length + properties.length * maxUtf8BytesPerUnit
  }
  const bytes = Buffer.allocUnsafeSlow(room)
  let at = 0
  for (let i = 0; i < items.length; i++) at = putItem(bytes, at, items[i]!)
  return bytes.subarray(0, at)
}

function putItem(bytes: Buffer, at: number, item: SendItem): number {
  const { body, properties } = item
  const propertiesAt = at + itemOverheadBytes + body.length
  const written = properties.length === 0 ? 0 : bytes.write(properties, propertiesAt, 'utf8')
  if (written > maxPropertyBytes)
    throw refused(
      'E_MESSAGE',
      'the message cannot be sent',
      `its properties have ${written} bytes, more than ${maxPropertyBytes}`,
    )
  const end = propertiesAt + written
  writeInt32(bytes, at, end - at)
  writeInt32(bytes, at + 4, 0)
  writeInt32(bytes, at + 8, 0)
  writeInt32(bytes, at + 12, item.flag)
  writeInt32(bytes, at + 16, body.length)
  bytes.set(body, at + 20)
  writeInt16(bytes, propertiesAt - 2, written)
  return end
}

const tooLong = (bytes: number): ClusterError =>
  refused('E_MESSAGE', 'the message cannot be sent', `its properties have ${bytes} bytes, more than ${maxPropertyBytes}`)

function checkProperties(properties: string): void {
  if (properties.length * maxUtf8BytesPerUnit <= maxPropertyBytes) return
  const bytes = Buffer.byteLength(properties)
  if (bytes > maxPropertyBytes) throw tooLong(bytes)
}

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** SEND_MESSAGE_V2 (310). Throws E_MESSAGE for properties that are too long. */
export function singleRequest(group: string, item: SendItem, queue: MessageQueue): Request {
  checkProperties(item.properties)
  return { code: RequestCode.SEND_MESSAGE_V2, ext: sendHeader(group, item, queue, false), body: asBuffer(item.body) }
}

/**
 * SEND_BATCH_MESSAGE (320). The header has no properties of its own: brokers of 5.3 append them to every item, and a missing WAIT means
 * that the broker waits for the disk (spec remoting 3.2).
 */
export const batchRequest = (group: string, first: SendItem, queue: MessageQueue, body: Buffer): Request => ({
  code: RequestCode.SEND_BATCH_MESSAGE,
  ext: sendHeader(group, first, queue, true),
  body,
})

const sendHeader = (group: string, item: SendItem, queue: MessageQueue, batch: boolean): Record<string, string> =>
  encodeSendHeader(RequestCode.SEND_MESSAGE_V2, {
    producerGroup: group,
    topic: item.topic,
    defaultTopic: templateTopic,
    defaultTopicQueueNums,
    queueId: queue.queueId,
    sysFlag: item.sysFlag,
    bornTimestamp: item.bornTimestamp,
    flag: batch ? 0 : item.flag,
    properties: batch ? '' : item.properties,
    reconsumeTimes: 0,
    unitMode: false,
    batch,
    brokerName: queue.brokerName,
  })
