import type { SubSpec, SubStart, SubTopic } from '@cometmq/protocol'
import type { BroadcastCursor } from '../api.ts'
import { type Duration, durationMs } from '../duration.ts'
import { fail, topicOf, wrong } from '../fail.ts'
import type { TopicDef } from '../topic.ts'
import { defaultLeaseMs } from '../figures.ts'

/** Every form of ConsumerOptions: plain JavaScript has no types to stop it. */
export interface AnyConsumerOptions {
  readonly topics: readonly unknown[]
  readonly prefetch?: { readonly messages?: number; readonly bytes?: number }
  readonly lease?: Duration
  readonly ack?: 'manual' | 'auto'
  readonly mode?: 'group' | 'broadcast'
  readonly group?: string
  readonly ordered?: boolean
  readonly since?: 'latest' | 'earliest' | Date | 'resume'
  readonly cursor?: BroadcastCursor
  readonly onSlow?: NonNullable<SubSpec['slow']>
  readonly signal?: AbortSignal
}

/** The options checked and completed. */
export interface Settings {
  readonly spec: SubSpec
  readonly topics: readonly TopicDef[]
  readonly auto: boolean
}

export function settingsOf(defs: readonly TopicDef[], options: AnyConsumerOptions): Settings & { leaseMs: number } {
  const {
    mode = 'group',
    group,
    ordered = false,
    since = 'latest',
    onSlow = 'pause',
    prefetch = {},
    ack,
    lease,
    cursor,
  } = options
  const isGroup = mode === 'group'
  if (isGroup ? !group : mode !== 'broadcast' || group !== undefined)
    wrong('a group consumer needs `group`, a broadcast consumer takes none')
  if (isGroup && onSlow !== 'pause') wrong('a group consumer has no slow policy but pause')
  if (!options.topics.length) wrong('`topics` is empty')
  const topics: TopicDef[] = []
  const subs = options.topics.map(item => subOf(defs, topics, item))
  const { messages = 64, bytes = 1024 * 1024 } = prefetch
  if (!(messages >= 1 && bytes >= 1)) wrong('prefetch must be at least 1 message and 1 byte')
  const spec: SubSpec = {
    mode,
    ...(isGroup && { group: group! }),
    topics: subs,
    ...(ordered && { ordered }),
    start: startOf(since, cursor),
    ...(lease !== undefined && { leaseMs: durationMs(lease, 'lease') }),
    ...(!isGroup && { slow: onSlow }),
    limit: [messages, bytes],
  }
  return { spec, topics, auto: ack === 'auto', leaseMs: spec.leaseMs ?? defaultLeaseMs }
}

function subOf(defs: readonly TopicDef[], found: TopicDef[], item: unknown): SubTopic {
  const { topic, tags, sql } = (typeof item === 'string' ? { topic: item } : item) as {
    topic: string
    tags?: readonly string[]
    sql?: string
  }
  found.push(topicOf(defs, topic))
  if (tags && sql !== undefined) wrong('give tags or sql, not both')
  if (tags?.some(tag => !/^[^|\s]+$/.test(tag))) fail(40009, 'a tag must not hold a bar or a blank, nor be empty')
  return sql === undefined ? (tags?.length ? [topic, 1, tags.join(' || ')] : [topic, 0, '*']) : [topic, 2, sql]
}

function startOf(since: 'latest' | 'earliest' | Date | 'resume', cursor: BroadcastCursor | undefined): SubStart {
  if (since === 'resume') return cursor?.length ? { cursor } : 'latest'
  return since instanceof Date ? { at: Number(since) } : since
}
