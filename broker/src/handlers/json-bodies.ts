import { ResponseCode, type MessageQueue, type Reply } from '@cometmq/remoting'

/** JSON answers (spec remoting, 4): written so that Java's and Go's readers take them. */

export function jsonReply(value: unknown, ext?: Record<string, string>): Reply {
  return textReply(toJson(value), ext)
}

export function textReply(text: string, ext?: Record<string, string>): Reply {
  return { code: ResponseCode.SUCCESS, body: Buffer.from(text), ...(ext === undefined ? {} : { ext }) }
}

/** Versions of subscriptions are BigInts; JSON text has them as plain numbers. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, plainBigInts).replace(BIG_INT, '$1')
}

/** A map keyed by message queues in fastjson's form, `{{"brokerName":…}:value,…}`: Java and Go read only this one both. */
export function queueMap(entries: Iterable<readonly [MessageQueue, string]>): string {
  const parts: string[] = []
  for (const [queue, value] of entries) parts.push(`${queueJson(queue)}:${value}`)
  return `{${parts.join(',')}}`
}

export const queueJson = ({ brokerName, queueId, topic }: MessageQueue): string =>
  `{"brokerName":${JSON.stringify(brokerName)},"queueId":${queueId},"topic":${JSON.stringify(topic)}}`

/** Java's doubles always have a fraction. */
export const double = (value: number): string => (Number.isInteger(value) ? `${value}.0` : String(value))

const plainBigInts = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? `\u0000${value}` : value)
const BIG_INT = /"\\u0000(-?\d+)"/g
