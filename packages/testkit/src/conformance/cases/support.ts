import type { Consumer, ConsumerEvent, MessageOf, TopicDef } from '@cometmq/client'
import type { CaseContext } from '../types.ts'

export type TextTopic = TopicDef<string, string, string>
export type TextMessage = MessageOf<TextTopic>
export type TextConsumer = Consumer<TextTopic>

export interface Line {
  readonly name: string
  readonly topic: TextTopic
}

/** A new topic of texts, with a name of this case. */
export async function newTopic(t: CaseContext, word = 't', queues = 4): Promise<Line> {
  const name = await t.createTopic(t.name(word), queues)
  return { name, topic: t.topic(name, { codec: t.text }) as TextTopic }
}

/** Takes messages until there are `count`; acknowledges them unless told otherwise. */
export async function take(t: CaseContext, consumer: TextConsumer, count: number, ack = true): Promise<TextMessage[]> {
  const found: TextMessage[] = []
  if (count === 0) return found
  for await (const message of consumer) {
    found.push(message)
    if (ack) message.ack()
    if (found.length === count) return found
    if (t.signal.aborted) break
  }
  throw new Error(`the consumer ended after ${found.length} of ${count} messages`)
}

/** The next one, not acknowledged. */
export const next = async (t: CaseContext, consumer: TextConsumer): Promise<TextMessage> =>
  (await take(t, consumer, 1, false))[0]!

/** What arrives within `ms`: for cases where nothing may. */
export async function within(consumer: TextConsumer, ms: number): Promise<TextMessage[]> {
  const found: TextMessage[] = []
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort(), ms)
  await consumer.run(
    message => {
      found.push(message)
      message.ack()
    },
    { signal: abort.signal },
  )
  clearTimeout(timer)
  return found
}

export const values = (messages: readonly TextMessage[]): string[] => messages.map(message => message.value).sort()

export const numbers = (count: number, prefix = 'm'): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`)

/** A group consumer that has its subscription: what is sent from now on is delivered. */
export async function settled(consumer: TextConsumer, t: CaseContext): Promise<TextConsumer> {
  await consumer.lag({ signal: t.signal })
  return consumer
}

export const ascii = (length: number): string => 'x'.repeat(length)

/** The next event of a kind, from now on. */
export async function event<K extends ConsumerEvent['type']>(
  t: CaseContext,
  consumer: TextConsumer,
  type: K,
): Promise<Extract<ConsumerEvent, { type: K }>> {
  for await (const one of consumer.events({ signal: t.signal }))
    if (one.type === type) return one as Extract<ConsumerEvent, { type: K }>
  throw new Error(`the consumer ended before ${type}`)
}
