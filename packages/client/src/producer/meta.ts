import type { Meta } from '@cometmq/protocol'
import { type Duration, durationMs } from '../duration.ts'
import { fail } from '../fail.ts'
import type { TopicDef } from '../topic.ts'

/** Everything that any kind takes: plain JavaScript has no types to stop it. */
export interface AnySend {
  readonly tag?: string
  readonly keys?: readonly string[]
  readonly props?: Readonly<Record<string, string>>
  readonly id?: string
  readonly expires?: Duration
  readonly group?: string
  readonly after?: Duration
  readonly at?: Date
  readonly priority?: number
  readonly ifOffline?: string
  readonly signal?: AbortSignal
}

const none: Meta = {}

/** The bridge checks again, with the limits of its broker. Throws what it would answer. */
export function metaOf({ name, kind, tags }: TopicDef, options: AnySend | undefined): Meta {
  if (!options) {
    if (kind === 'normal' || kind === 'transaction') return none
    options = {}
  }
  const { tag, keys, props, id, expires, group, after, at, priority } = options
  const meta: Record<number, NonNullable<Meta[number]>> = {}
  if (tag !== undefined) {
    if (tags.length > 0 && !tags.includes(tag)) fail(40003, `topic ${name} has the tags ${tags.join(', ')}, not ${tag}`)
    meta[1] = text(tag, 'tag', 40003, /[|\s\x00-\x1f]/, 'bars, blanks and ')
  }
  if (keys !== undefined && keys.length > 0) {
    for (const key of keys) text(key, 'key', 40004, /[\s\x00-\x1f]/, 'blanks and ')
    meta[2] = keys
  }
  if (props !== undefined) {
    for (const key in props) {
      text(key, 'property', 40006, /^CMQ_|[\x00-\x1f]/, 'CMQ_ in front and ')
      text(props[key], key, 40006)
    }
    meta[3] = props
  }
  if (id !== undefined) meta[8] = text(id, 'id', 60004)
  if (expires !== undefined && (meta[12] = durationMs(expires, 'expires')) === 0) fail(60004, 'expires must be more than 0')
  checkKind(name, kind, 'fifo', 'group', group)
  if (group !== undefined) meta[4] = text(group, 'group', 40005)
  checkKind(name, kind, 'priority', 'priority', priority)
  if (priority !== undefined) meta[7] = priority
  if (after !== undefined && at !== undefined) fail(40012, 'give after or at, not both')
  checkKind(name, kind, 'delay', 'after or at', after ?? at)
  if (after !== undefined) meta[5] = durationMs(after, 'after')
  if (at !== undefined) meta[6] = Number(at) || fail(40012, 'at must be a Date')
  return meta
}

/** The option belongs to one kind, which needs it. */
function checkKind(name: string, kind: string, wanted: string, option: string, value: unknown): void {
  if ((kind === wanted) === (value !== undefined)) return
  fail(40011, `topic ${name} is of kind ${kind}, which ${kind === wanted ? 'needs' : 'does not take'} ${option}`)
}

/** RocketMQ separates properties by control characters and keeps no empty ones. */
function text(value: unknown, what: string, status: number, wrong = /[\x00-\x1f]/, without = ''): string {
  if (typeof value === 'string' && value && !wrong.test(value)) return value
  return fail(status, `${what} must be text without ${without}control characters, not ${JSON.stringify(value)}`)
}
