import {
  type Caller,
  createCaller,
  type JsonObject,
  type JsonValue,
  parseJson,
  RequestCode,
  silentLogger,
  systemClock,
  tcpTransport,
} from '@cometmq/remoting'
import { decodeMessage } from '../../golden/support/java-store.ts'

/** What a broker holds, as any client can see it. Internal topics are left out. */
export interface Snapshot {
  /** Name → configuration. */
  topics: Record<string, JsonValue>
  groups: Record<string, JsonValue>
  /** `topic@group` → queue → offset. */
  offsets: Record<string, JsonValue>
  /** `topic/queue/offset` → the record's bytes as hex. */
  records: Record<string, string>
}

const TIMEOUT_MS = 10_000
const isUsers = (topic: string): boolean => topic.startsWith('T_')

/** Reads everything a broker holds through its remoting port. */
export async function takeSnapshot(broker: string): Promise<Snapshot> {
  const caller = createCaller({ transport: tcpTransport, clock: systemClock, logger: silentLogger })
  try {
    const topics = await ask(caller, broker, RequestCode.GET_ALL_TOPIC_CONFIG, 'topicConfigTable')
    const groups = await ask(caller, broker, RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG, 'subscriptionGroupTable')
    const offsets = await ask(caller, broker, RequestCode.GET_ALL_CONSUMER_OFFSET, 'offsetTable')
    const users = only(topics, isUsers)
    const records: Record<string, string> = {}
    for (const [topic, config] of Object.entries(users)) {
      for (let queueId = 0; queueId < Number((config as JsonObject)['readQueueNums']); queueId++)
        await readQueue(caller, broker, { topic, queueId }, records)
    }
    return { topics: users, groups: only(groups, name => name.startsWith('G_')), offsets: only(offsets, isUsers), records }
  } finally {
    await caller.close()
  }
}

const only = (all: JsonObject, keep: (name: string) => boolean): Record<string, JsonValue> =>
  Object.fromEntries(Object.entries(all).filter(([name]) => keep(name)))

async function ask(caller: Caller, broker: string, code: number, member: string): Promise<JsonObject> {
  const answer = await caller.call(broker, { code }, TIMEOUT_MS)
  if (answer.code !== 0) throw new Error(`request ${code} was answered ${answer.code}: ${answer.remark}`)
  return (parseJson(answer.body!.toString()) as JsonObject)[member] as JsonObject
}

async function readQueue(
  caller: Caller,
  broker: string,
  queue: { topic: string; queueId: number },
  into: Record<string, string>,
): Promise<void> {
  for (let offset = 0; ;) {
    const ext = {
      consumerGroup: 'TOOLS_CONSUMER',
      topic: queue.topic,
      queueId: String(queue.queueId),
      queueOffset: String(offset),
      maxMsgNums: '32',
      sysFlag: '4',
      commitOffset: '0',
      suspendTimeoutMillis: '0',
      subscription: '*',
      subVersion: '0',
      expressionType: 'TAG',
    }
    const answer = await caller.call(broker, { code: RequestCode.PULL_MESSAGE, ext }, TIMEOUT_MS)
    if (answer.code !== 0 || answer.body === null) return
    for (let at = 0; at < answer.body.length;) {
      const size = answer.body.readInt32BE(at)
      const record = answer.body.subarray(at, at + size)
      const message = decodeMessage(record)
      into[`${message.topic}/${message.queueId}/${message.queueOffset}`] = record.toString('hex')
      at += size
    }
    offset = Number(answer.ext?.['nextBeginOffset'])
  }
}

/** Unique keys of messages that a query by that key does not find. */
export async function notFoundByKey(broker: string, snapshot: Snapshot): Promise<string[]> {
  const caller = createCaller({ transport: tcpTransport, clock: systemClock, logger: silentLogger })
  const missing: string[] = []
  try {
    for (const hex of Object.values(snapshot.records)) {
      const record = Buffer.from(hex, 'hex')
      const { topic, properties } = decodeMessage(record)
      const key = properties['UNIQ_KEY'] ?? ''
      const ext = {
        topic,
        key,
        maxNum: '32',
        beginTimestamp: '0',
        endTimestamp: '9223372036854775807',
        _UNIQUE_KEY_QUERY: 'true',
      }
      const answer = await caller.call(broker, { code: RequestCode.QUERY_MESSAGE, ext }, TIMEOUT_MS)
      if (answer.code !== 0 || answer.body === null || !answer.body.includes(record)) missing.push(key)
    }
  } finally {
    await caller.close()
  }
  return missing
}
