import { BridgeError, durationMs, type Signalled, type TopicDef } from '@cometmq/client'
import { incoming, outgoing } from './payload.ts'
import { type AnswerBody, createRequest, type Delivery, errorOfProblem, type Item } from './request.ts'
import type { HttpClient, HttpClientOptions, HttpReceipt, Settled } from './types.ts'

export { BridgeError, bytes, json, text, topic } from '@cometmq/client'
export type { Code, Codec, Duration, Kind, Outcome, StandardSchema, TopicDef } from '@cometmq/client'
export type * from './types.ts'

type Outgoing = Parameters<typeof outgoing>[1]

/** A client without a socket, for runtimes that cannot hold one. Nothing happens before the first request. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const request = createRequest(options)

  async function post(
    topic: TopicDef,
    items: readonly Outgoing[],
    { atomic, signal }: { atomic?: boolean } & Signalled,
  ): Promise<(HttpReceipt | BridgeError)[]> {
    // A list of nothing is refused by the bridge.
    if (!items.length) return []
    const messages = await Promise.all(items.map(item => outgoing(topic, item)))
    const requestId = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 14)}`
    const body = { topic: topic.name, messages, requestId, ...(atomic && { atomic }) }
    const { receipts = [] } = await request('/v1/send', body, { signal, repeatable: true })
    return receipts.map(({ error, id, queue, offset }) => (error ? errorOfProblem(error) : { id, queue, offset }))
  }

  async function settle(action: string, messages: Settled | readonly Settled[], more: object & Signalled): Promise<Item[]> {
    const { signal, ...rest } = more
    const list = (Array.isArray(messages) ? messages : [messages]) as readonly Settled[]
    if (!list.length) return []
    const handles = list.map(message => (typeof message === 'string' ? message : message.handle))
    // Settled twice is settled; a lease that was made longer twice is lost to one of them.
    const repeatable = action === 'ack'
    const { results = [] } = await request('/v1/ack', { action, handles, ...rest }, { signal, repeatable })
    const failed = results.find(({ error }) => error)
    if (failed) throw errorOfProblem(failed.error!)
    return [...results]
  }

  const client = {
    async send(topic: TopicDef, value: unknown, { signal, ...rest }: Omit<Outgoing, 'value'> & Signalled = {}) {
      const [receipt] = await post(topic, [{ value, ...rest }], signal ? { signal } : {})
      if (receipt instanceof BridgeError) throw receipt
      return receipt!
    },

    sendBatch: (topic: TopicDef, items: Iterable<Outgoing>, options: { atomic?: boolean } & Signalled = {}) =>
      post(topic, [...items], options),

    async receive(given: TopicDef | readonly TopicDef[], options: Parameters<HttpClient['receive']>[1]) {
      const { group, max, wait, lease, tags, since, signal, onUndecodable } = options
      const topics = (Array.isArray(given) ? given : [given]) as readonly TopicDef[]
      const body = {
        ...{ group, max, tags, since, topics: topics.map(({ name }) => name) },
        waitMs: wait === undefined ? undefined : durationMs(wait, 'wait'),
        leaseMs: lease === undefined ? undefined : durationMs(lease, 'lease'),
      }
      const { messages = [] }: AnswerBody = await request('/v1/receive', body, { signal })
      const decode = async (delivery: Delivery): Promise<object[]> => {
        try {
          return [
            await incoming(
              topics.find(({ name }) => name === delivery.topic)!,
              delivery,
            ),
          ]
        } catch (error) {
          await settle('nack', delivery, {}).catch(() => undefined)
          onUndecodable?.(delivery, error as BridgeError)
          return []
        }
      }
      return (await Promise.all(messages.map(decode))).flat()
    },

    ack: (messages: Settled | readonly Settled[], options: Signalled = {}) => done(settle('ack', messages, options)),

    nack: (messages: Settled | readonly Settled[], { after, signal }: Parameters<HttpClient['nack']>[1] = {}) =>
      done(
        settle('nack', messages, { signal, ...(after !== undefined && { afterMs: durationMs(after, 'after') }) } as Signalled),
      ),

    async extend(message: Settled, by: Parameters<HttpClient['extend']>[1], { signal }: Signalled = {}) {
      return (await settle('extend', message, { signal, leaseMs: durationMs(by, 'by') } as Signalled))[0]!.handle
    },

    deadLetter: (messages: Settled | readonly Settled[], options: Signalled = {}) => done(settle('dead', messages, options)),
  }
  return client as unknown as HttpClient
}

const done = (work: Promise<unknown>): Promise<void> => work.then(() => undefined)
