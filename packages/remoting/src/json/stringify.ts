import type { MessageQueue } from '../bodies/types.ts'
import { JsonError } from './parse.ts'

/** What `stringifyJson` takes: plain data, bigint, and texts made by `messageQueueMap`. Undefined members are left out. */
export type Jsonable = unknown

/** A value already written. */
class WrittenJson {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
  /** Makes JSON.stringify give up, so that the reader of `text` is always the slow writer below. */
  toJSON(): never {
    throw new TypeError('use stringifyJson')
  }
}

const MAX_DEPTH = 256

/** Strict compact JSON, except for message queue maps; bigint as a bare number; not-finite numbers as null. */
export function stringifyJson(value: Jsonable): string {
  try {
    return JSON.stringify(value) ?? 'null'
  } catch {
    return write(value, 0)
  }
}

export const encodeJson = (value: Jsonable): Buffer => Buffer.from(stringifyJson(value), 'utf8')

function write(value: Jsonable, depth: number): string {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof WrittenJson) return value.text
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (depth > MAX_DEPTH) throw new JsonError(`cannot write JSON: nested deeper than ${MAX_DEPTH} levels, or a cycle`)
  if (Array.isArray(value)) return '[' + value.map(item => write(item, depth + 1)).join(',') + ']'
  const members: string[] = []
  for (const [key, member] of Object.entries(value)) {
    if (member !== undefined) members.push(JSON.stringify(key) + ':' + write(member, depth + 1))
  }
  return '{' + members.join(',') + '}'
}

/**
 * `{{"brokerName":"b","queueId":0,"topic":"T"}:value}`: fastjson's form of a map with queues as keys, no JSON. Java and Go
 * clients read it, Go only in exactly this spelling (spec: remoting, section 4, writing rules).
 */
export function messageQueueMap(entries: Iterable<readonly [MessageQueue, Jsonable]>): Jsonable {
  const members: string[] = []
  for (const [queue, value] of entries) members.push(messageQueueKey(queue) + ':' + stringifyJson(value))
  return new WrittenJson('{' + members.join(',') + '}')
}

export const messageQueueKey = (queue: MessageQueue): string =>
  `{"brokerName":${JSON.stringify(queue.brokerName)},"queueId":${queue.queueId},"topic":${JSON.stringify(queue.topic)}}`
