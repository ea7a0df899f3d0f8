import type { Case, CaseContext } from '../types.ts'
import { newTopic, numbers, take } from './support.ts'

type Line = Awaited<ReturnType<typeof newTopic>>
type Waiting = (t: CaseContext, line: Line, signal: AbortSignal) => Promise<unknown>

/** Each await that takes a signal: aborted before, and while it waits. */
const awaits: Readonly<Record<string, Waiting>> = {
  ready: (t, { topic }, signal) => unreachable(t, topic).ready({ signal }),
  'producer.ready': (t, { topic, name }, signal) => unreachable(t, topic).producer(name).ready({ signal }),
  send: (t, { topic, name }, signal) => unreachable(t, topic).producer(name).send('x', { signal }),
  sendBatch: async (t, { topic, name }, signal) => {
    // Each item has its own outcome, also after an abort.
    const [result] = await unreachable(t, topic)
      .producer(name)
      .sendBatch([{ value: 'x' }], { signal })
    throw result as Error
  },
  flush: (t, { topic, name }, signal) => {
    const producer = unreachable(t, topic).producer(name)
    producer.send('x').catch(() => {})
    return producer.flush({ signal })
  },
  lag: (t, { topic, name }, signal) =>
    unreachable(t, topic)
      .consumer({ topics: [name], group: t.name('g') })
      .lag({ signal }),
}

/** A connection that keeps trying in vain. */
const unreachable = (t: CaseContext, topic: Line['topic']) =>
  t.open([topic], { url: 'ws://127.0.0.1:9/ws', backoff: { min: 50, max: 100 } })

const abortCase = (what: string, when: 'before' | 'while', waiting: Waiting): Case => ({
  name: `abort: ${what}, ${when === 'before' ? 'aborted before' : 'while it waits'}`,
  async run(t) {
    const line = await newTopic(t)
    const abort = new AbortController()
    if (when === 'before') abort.abort()
    else setTimeout(() => abort.abort(), 100)
    await t.expect.rejects((async () => waiting(t, line, abort.signal))(), 'COMET_CANCELLED')
  },
})

/** Loops end without an error when their signal fires. */
const ends = (what: string, loop: (t: CaseContext, line: Line, signal: AbortSignal) => Promise<void>): Case => ({
  name: `abort: ${what} ends when its signal fires`,
  async run(t) {
    const line = await newTopic(t)
    const abort = new AbortController()
    setTimeout(() => abort.abort(), 200)
    await loop(t, line, abort.signal)
  },
})

export const abortCases: readonly Case[] = [
  ...Object.entries(awaits).flatMap(([what, waiting]) => [abortCase(what, 'before', waiting), abortCase(what, 'while', waiting)]),
  ends('run', (t, { topic, name }, signal) =>
    t
      .open([topic])
      .consumer({ topics: [name], group: t.name('g') })
      .run(() => {}, { signal }),
  ),
  ends('a consumer', async (t, { topic, name }, signal) => {
    for await (const message of t.open([topic]).consumer({ topics: [name], group: t.name('g'), signal })) message.ack()
  }),
  ends('states', async (t, { topic }, signal) => {
    for await (const state of t.open([topic]).states({ signal })) void state
  }),
  ends('events', async (t, { topic, name }, signal) => {
    for await (const event of t
      .open([topic])
      .consumer({ topics: [name], group: t.name('g') })
      .events({ signal }))
      void event
  }),
  {
    name: 'abort: a send that was not sent is not executed',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const proxy = await t.proxy()
      const connection = t.open([topic], { url: proxy.url, backoff: { min: 20, max: 100 } })
      const producer = connection.producer(name)
      await producer.send('a')
      await t.refuse(proxy.id, 1500)
      await t.cut(proxy.id)
      await t.until('it is noticed', () => connection.state.type !== 'open')
      const abort = new AbortController()
      const sending = producer.send('b', { signal: abort.signal })
      abort.abort()
      t.expect.equal((await t.expect.rejects(sending, 'COMET_CANCELLED')).outcome, 'not-executed')
      await producer.send('c')
      t.expect.equal((await t.stored(name)).map(message => message.body).sort(), ['a', 'c'])
    },
  },
  {
    name: 'abort: one send of many does not disturb the others',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const producer = t.open([topic]).producer(name)
      const abort = new AbortController()
      const sends = numbers(50).map((value, i) => producer.send(value, i === 20 ? { signal: abort.signal } : {}))
      abort.abort()
      const results = await Promise.allSettled(sends)
      t.expect.ok(results.filter(result => result.status === 'fulfilled').length >= 49, 'the others are stored')
    },
  },
  {
    name: 'abort: acked while it waits',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const proxy = await t.proxy()
      const connection = t.open([topic], { url: proxy.url })
      await connection.producer(name).send('x')
      const [message] = await take(t, connection.consumer({ topics: [name], group: t.name('g') }), 1, false)
      await t.freeze(proxy.id, 5000)
      const abort = new AbortController()
      setTimeout(() => abort.abort(), 100)
      await t.expect.rejects(message!.acked({ signal: abort.signal }), 'COMET_CANCELLED')
    },
  },
  {
    name: 'abort: drain waits no longer',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      await connection.producer(name).send('x')
      const consumer = connection.consumer({ topics: [name], group: t.name('g') })
      await take(t, consumer, 1, false)
      const abort = new AbortController()
      setTimeout(() => abort.abort(), 100)
      const report = await consumer.drain({ signal: abort.signal, timeout: '1h' })
      t.expect.equal([report.released, report.lost], [1, 0])
    },
  },
]
