import { asOptionalString, asStringRecord, asStrings, bodyObject } from '../json/read.ts'
import { encodeJson } from '../json/stringify.ts'

/** Small bodies of names and texts (spec: remoting, sections 3.1, 3.3.2 and 3.8). */

/** Java: TopicList. Answer of 206, 224, 304, 305, 311 to 313 and 343. */
export interface TopicList {
  topicList: string[]
  brokerAddr?: string
}
export function decodeTopicList(body: Uint8Array | null): TopicList {
  const value = bodyObject(body, 'topicList')
  const list: TopicList = { topicList: asStrings(value['topicList'], 'topicList') }
  const brokerAddr = asOptionalString(value['brokerAddr'], 'brokerAddr')
  if (brokerAddr !== undefined) list.brokerAddr = brokerAddr
  return list
}
export const encodeTopicList = (list: TopicList): Buffer => encodeJson(list)

/** Java: KVTable. Answer of 28, 103 and 219. */
export const decodeKVTable = (body: Uint8Array | null): Record<string, string> =>
  asStringRecord(bodyObject(body, 'kvTable')['table'], 'table')
export const encodeKVTable = (table: Readonly<Record<string, string>>): Buffer => encodeJson({ table })

/** Java: GroupList. Answer of 300. */
export const decodeGroupList = (body: Uint8Array | null): string[] =>
  asStrings(bodyObject(body, 'body')['groupList'], 'groupList')
export const encodeGroupList = (groupList: readonly string[]): Buffer => encodeJson({ groupList })

/** Java: GetConsumerListByGroupResponseBody. Answer of 38. */
export const decodeConsumerIdList = (body: Uint8Array | null): string[] =>
  asStrings(bodyObject(body, 'body')['consumerIdList'], 'consumerIdList')
export const encodeConsumerIdList = (consumerIdList: readonly string[]): Buffer => encodeJson({ consumerIdList })

/** Name → value text of 25, 26, 318 and 319: `name=value` lines, `#` comments, no continuation lines; later lines win. */
export function decodePropertiesText(body: Uint8Array | null): Map<string, string> {
  const properties = new Map<string, string>()
  const text = body === null ? '' : Buffer.from(body).toString('utf8')
  for (const line of text.split(/\r?\n/)) {
    const at = line.indexOf('=')
    if (at <= 0 || line.trimStart().startsWith('#')) continue
    properties.set(line.slice(0, at).trim(), line.slice(at + 1).trim())
  }
  return properties
}
export function encodePropertiesText(properties: Iterable<readonly [string, string]>): Buffer {
  let text = ''
  for (const [name, value] of properties) text += `${name}=${value}\n`
  return Buffer.from(text, 'utf8')
}
