import { checkTopic, type ClusterError, type MessageQueue, type Sender, type SendItem, type SendStatus } from '@cometmq/cluster'
import { Flag, messageIdOf, type Meta, type Value } from '@cometmq/protocol'
import {
  atomicFault,
  checkName,
  checkPublishing,
  type Fault,
  faultOf,
  isFault,
  itemOf,
  type MessageRules,
  type ProducerKind,
  type QueueNumbers,
  statusFaults,
} from '@cometmq/session'
import { createHash, randomBytes } from 'node:crypto'
import { type HttpParts } from '../options.ts'
import { type Answer, type Call, type Operation } from './door.ts'
import { badRequest, Fields } from './fields.ts'
import { type HttpLimits } from './limits.ts'
import { answerOf, type Result } from './results.ts'

export interface SendParts extends HttpParts {
  readonly sender: Sender
  readonly numbers: QueueNumbers
  readonly http: HttpLimits
}

const messageFields = [
  'body',
  'encoding',
  'tag',
  'keys',
  'props',
  'group',
  'delayMs',
  'deliverAt',
  'id',
  'expiresMs',
  'contentType',
  'traceparent',
] as const

/** `POST /v1/send`: one or many messages of one topic. Answers when the broker has. */
export function sendOperation(parts: SendParts): Operation {
  const { http, sender } = parts
  return async call => {
    const fields = new Fields(call.body, 'the request', ['topic', 'messages', 'atomic', 'requestId', 'resent'])
    const topic = fields.required('topic')
    checkName('topic', topic, checkTopic)
    checkPublishing(call.principal, topic)
    const list = fields.list('messages', http.maxMessages)
    if (list === undefined) throw badRequest('`messages` is missing: a list of messages, each with a `body`')
    const base = idBase(call, topic, fields.text('requestId'))
    const flags = fields.flag('resent') ? Flag.resent : 0
    const ids = list.map((_, index) => messageIdOf(base, index + 1))
    const items = list.map((message, index) => itemFrom(parts, call, { topic, message, flags, id: ids[index]! }))
    const atomic = fields.flag('atomic')
    const results = await submit(sender, parts.numbers, items, atomic)
    return receipts(ids, results)
  }
}

/** The first part of message ids: with the same `requestId`, the same again. */
function idBase({ principal }: Call, topic: string, requestId: string | undefined): string {
  if (requestId === undefined) return randomBytes(10).toString('hex').toUpperCase()
  if (!/^[\w.:-]{8,64}$/.test(requestId)) throw badRequest('`requestId` must have 8 to 64 letters, digits, or . _ : -')
  const hash = createHash('sha256').update(JSON.stringify([principal.subject, topic, requestId]))
  return hash.digest('hex').slice(0, 20).toUpperCase()
}

interface Given {
  readonly topic: string
  readonly message: unknown
  readonly flags: number
  readonly id: string
}

function itemFrom({ sessionLimits, clock }: SendParts, { principal }: Call, given: Given): SendItem | Fault {
  const fields = new Fields(given.message, 'a message', messageFields)
  const meta = metaOf(fields)
  const rules: MessageRules = {
    topic: given.topic,
    kind: kindOf(meta),
    scopes: principal.scopes,
    maxBodyBytes: sessionLimits.maxBodyBytes,
    maxPropertyBytes: sessionLimits.maxPropertyBytes,
    now: clock.now(),
  }
  const { body, isText } = bodyOf(fields)
  return itemOf(rules, given.flags | (isText ? Flag.text : 0), meta, body, given.id)
}

const kindOf = (meta: Meta): ProducerKind =>
  meta[4] !== undefined ? 'fifo' : meta[5] !== undefined || meta[6] !== undefined ? 'delay' : 'normal'

function metaOf(fields: Fields): Meta {
  const values: Record<number, Meta[number]> = {
    1: fields.text('tag'),
    2: fields.texts('keys', 1_000),
    3: fields.textMap('props'),
    4: fields.text('group'),
    5: fields.count('delayMs'),
    6: fields.count('deliverAt'),
    8: fields.text('id'),
    9: fields.text('traceparent'),
    12: fields.count('expiresMs', 1),
    13: fields.text('contentType'),
  }
  return values
}

function bodyOf(fields: Fields): { body: Uint8Array; isText: boolean } {
  const body = fields.get('body')
  const encoding = fields.choice('encoding', ['base64', 'text'])
  if (body instanceof Uint8Array) {
    if (encoding !== undefined) throw badRequest('a `body` of bytes has no `encoding`')
    return { body, isText: false }
  }
  if (typeof body !== 'string') throw badRequest('`body` of a message must be a text; bytes go as base64 with `encoding`')
  if (encoding !== 'base64') return { body: Buffer.from(body, 'utf8'), isText: true }
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(body)) throw badRequest('`body` of a message is not base64')
  return { body: Buffer.from(body, 'base64'), isText: false }
}

/** Result of each item, by its index. */
type Sent = Fault | { readonly queue: number; readonly offset: number; readonly fault?: Fault }

function submit(
  sender: Sender,
  numbers: QueueNumbers,
  given: readonly (SendItem | Fault)[],
  atomic: boolean,
): Promise<readonly Sent[]> | readonly Sent[] {
  const items = given.filter((item): item is SendItem => !isFault(item))
  const refused = atomic ? wholeFault(given, items) : undefined
  if (refused !== undefined) return given.map(item => (isFault(item) ? item : refused))
  const results = given.map(item => (isFault(item) ? item : undefined)) as (Sent | undefined)[]
  if (items.length === 0) return results as Sent[]
  const places = given.flatMap((item, index) => (isFault(item) ? [] : [index]))
  return new Promise(resolve => {
    let left = items.length
    const set = (index: number, result: Sent): void => {
      results[places[index]!] = result
      if (--left === 0) resolve(results as Sent[])
    }
    const sink = {
      stored(index: number, queue: MessageQueue, offset: number, status: SendStatus): void {
        const fault = statusFaults[status]
        const place = { queue: numbers.of(queue.brokerName, queue.queueId), offset }
        set(index, fault === undefined ? place : { ...place, fault })
      },
      failed: (index: number, error: ClusterError): void => set(index, faultOf(error)),
    }
    if (atomic) sender.submitAtomic(items, sink)
    else sender.submit(items, sink)
  })
}

/** All or nothing: why nothing can be sent. */
function wholeFault(given: readonly (SendItem | Fault)[], items: readonly SendItem[]): Fault | undefined {
  const bad = given.find((item): item is Fault => isFault(item))
  if (bad === undefined) return atomicFault(items)
  const text = `the batch is atomic and another of its messages was refused: ${bad.text}`
  return { code: 40000, text, outcome: 'not-executed' }
}

function receipts(ids: readonly string[], results: readonly Sent[]): Answer {
  const items = results.map((result, index): Result => {
    const id = ids[index]!
    if (!('queue' in result)) return { value: { id }, fault: result }
    const { queue, offset, fault } = result
    const value: Value = { id, queue, offset }
    return fault === undefined ? { value } : { value, fault }
  })
  return answerOf('receipts', items)
}
