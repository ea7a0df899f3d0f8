import { type Command, parseJson } from '@cometmq/remoting'
import { decodeMessage } from './java-store.ts'
import { seenByClient } from './expected.ts'

/** Header fields that differ by nature. */
const ignoredExt = new Set([
  'msgId', // holds our port and log position
  'indexLastUpdatePhyoffset', // log position
  'indexLastUpdateTimestamp', // time
  'timestamp', // time
  'popTime', // time
])

/** Members of JSON bodies that differ by nature. */
const ignoredMembers = new Set([
  'dataVersion', // counts changes, with a time
  'mappingDataVersion', // the same
  'timestamp', // time
  'timeStamp', // time
  'lastTimestamp', // time
  'lastUpdateTimestamp', // time
  'clientAddr', // port of the client's socket
  'remoteIP', // port of the client's socket
  'consumeTps', // depends on how fast the requests come
  'physicOffset', // log position
  'physicSize', // property values of other lengths
  'groupTopicMap', // derived from offsetTable; no reader uses it
])

/** Properties of messages that differ by nature. */
const ignoredProperties = new Set([
  'ORIGIN_MESSAGE_ID', // holds port and log position
  'DLQ_ORIGIN_MESSAGE_ID', // the same
  'POP_CK', // holds the time of the pop
  '1ST_POP_TIME', // time
])

export interface Answer {
  code: number
  ext: Record<string, unknown>
  body: unknown
}

/**
 * Names of topics and groups that requests left out work on, and of the internal topics behind what is not built: requests that name them are
 * not made, and tables are compared without them.
 */
export const notBuiltNames =
  /T_tx|T_delay|T_rpc|G_rpc|P_tx|P_answer|P_go_tx|TIMER_|TRAN_MSG|REPLY|REVIVE|RMQ_SYS_TRANS|TRANS_CHECK|CID_RMQ_SYS|wheel_timer|ROCKSDB/

/** An answer without what differs by nature. `address` is the broker's, as the answer names it. */
export function comparable(requestCode: number, answer: Command, address: string): Answer {
  const ext = Object.fromEntries(Object.entries(answer.ext ?? {}).filter(([name]) => !ignoredExt.has(name)))
  // A queue of the topic that only Java keeps leases in: only whether it is the mark of orderly pops tells anything.
  if (ext['reviveQid'] !== undefined && ext['reviveQid'] !== '999') ext['reviveQid'] = 'one of the revive queues'
  return { code: answer.code, ext, body: bodyOf(requestCode, answer.body, address) }
}

export const holdsMessages = new Set([11, 361, 12, 33, 200_050, 200_052])

/** Log positions of the messages in a body. */
export function positionsOf(body: Buffer): number[] {
  const list: number[] = []
  for (let at = 0; at < body.length; at += body.readInt32BE(at)) list.push(Number(body.readBigInt64BE(at + 28)))
  return list
}

function bodyOf(requestCode: number, body: Buffer | null, address: string): unknown {
  if (body === null) return null
  if (holdsMessages.has(requestCode)) return messagesOf(body)
  const text = body.toString().replaceAll(address, 'BROKER')
  return text.startsWith('{') ? plain(parseJson(text)) : text
}

function messagesOf(body: Buffer): unknown[] {
  const list: unknown[] = []
  for (let at = 0; at < body.length;) {
    const size = body.readInt32BE(at)
    const { commitLogOffset: _, storeTimestamp: __, storeHost: ___, bornHost: ____, bornTimestamp: _____, storeSize: ______, ...message } = seenByClient(
      decodeMessage(body.subarray(at, at + size)),
    )
    list.push({ ...message, properties: Object.fromEntries(Object.entries(message.properties).filter(([name]) => !ignoredProperties.has(name))) })
    at += size
  }
  return list
}

/** Without ignored members; bigint as text; arrays of objects in a fixed order, since Java's sets have none. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value))
    return value.filter(element => typeof element !== 'string' || !notBuiltNames.test(element)).map(plain).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !ignoredMembers.has(name) && !notBuiltNames.test(name))
      .map(([name, member]) => [name, plain(member)]),
  )
}

/** Paths at which `ours` differs from `recorded`. Members that only ours has are no difference: readers ignore them. */
export function differences(recorded: unknown, ours: unknown, path = ''): string[] {
  if (typeof recorded === 'object' && recorded !== null && typeof ours === 'object' && ours !== null && Array.isArray(recorded) === Array.isArray(ours)) {
    if (Array.isArray(recorded) && recorded.length !== (ours as unknown[]).length) return [`${path}: ${recorded.length} elements, ours ${(ours as unknown[]).length}`]
    return Object.entries(recorded).flatMap(([name, value]) => differences(value, (ours as Record<string, unknown>)[name], `${path}.${name}`))
  }
  return recorded === ours ? [] : [`${path}: ${text(recorded)}, ours ${text(ours)}`]
}

const text = (value: unknown): string => (JSON.stringify(value) ?? 'absent').slice(0, 200)
