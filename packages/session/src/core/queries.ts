import { checkTopic, type ReceivedMessage } from '@cometmq/cluster'
import type { Value } from '@cometmq/protocol'
import { refuse } from './errors.ts'
import { checkName } from './publishing.ts'
import { allows } from './scopes.ts'
import type { SessionHost } from './shared.ts'
import type { Subs } from './subs.ts'

export interface Query {
  readonly what: string
  readonly args: { readonly [key: string]: Value }
  readonly signal: AbortSignal
}

const maxFound = 32
/** Bodies of all messages found together; those that do not fit come without. */
const maxFoundBytes = 1024 * 1024

/** `lag` of an own subscription; `message` and `key` need the scope `inspect`. */
export async function query(host: SessionHost, subs: Subs, { what, args, signal }: Query): Promise<Value> {
  switch (what) {
    case 'lag':
      return lag(subs, args['sid'])
    case 'message':
      return find(host, args['topic'], topic =>
        host.shared.cluster.messages.byUniqueKey(topic, textOf(args['id'], 'id'), { signal }),
      )
    case 'key':
      return find(host, args['topic'], topic =>
        host.shared.cluster.messages.byKey(topic, textOf(args['key'], 'key'), { signal, maxMessages: maxFound }),
      )
    case 'dead':
      throw refuse(50101, 'dead letters cannot be looked at through this bridge yet; use the command line')
    default:
      throw refuse(40000, `there is no query ${JSON.stringify(what.slice(0, 40))}; there are lag, message and key`)
  }
}

async function lag(subs: Subs, sid: Value): Promise<Value> {
  const subscription = typeof sid === 'number' ? subs.get(sid)?.subscription : undefined
  if (!subscription) throw refuse(40091, 'the subscription whose lag was asked for is not open in this session')
  const { messages, ageMs } = await subscription.lag()
  return { messages, ageMs }
}

async function find(host: SessionHost, topic: Value, search: (topic: string) => Promise<ReceivedMessage[]>): Promise<Value> {
  const name = textOf(topic, 'topic')
  checkName('topic', name, checkTopic)
  if (!allows(host.principal.scopes, { type: 'inspect', topic: name }))
    throw refuse(40390, `looking at single messages of topic ${name} needs the scope \`inspect\` and a scope to subscribe to it`)
  const found = (await search(name)).filter(message => matchesWhere(host, message)).slice(0, maxFound)
  let left = maxFoundBytes
  return found.map(message => {
    left -= message.body.length
    return foundMessage(message, left >= 0)
  })
}

/** What the token hides in subscriptions is hidden here, too. */
function matchesWhere(host: SessionHost, message: ReceivedMessage): boolean {
  const { where } = host.principal
  if (where === null) return true
  return Object.entries(where).every(([name, values]) => {
    const value = name === 'TAGS' ? message.tag : message.properties.get(name)
    return value !== undefined && values.includes(value)
  })
}

const foundMessage = (message: ReceivedMessage, withBody: boolean): Value => ({
  topic: message.topic,
  broker: message.brokerName,
  queueId: message.queueId,
  offset: message.queueOffset,
  id: message.msgId,
  bornMs: message.bornTimestamp,
  storedMs: message.storeTimestamp,
  attempt: message.reconsumeTimes + 1,
  properties: Object.fromEntries(message.properties),
  bytes: message.body.length,
  ...(withBody ? { body: new Uint8Array(message.body.buffer, message.body.byteOffset, message.body.length) } : {}),
})

function textOf(value: Value, name: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw refuse(40000, `the query needs a text \`${name}\``)
}
