import type { Case } from '../types.ts'
import { newTopic } from './support.ts'

export const errorCases: readonly Case[] = [
  {
    name: 'errors: every error has code, status, outcome and words',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const error = await t.expect.rejects(
        t
          .open([topic])
          .producer(name)
          .send('x', { keys: ['a b'] }),
        'COMET_ILLEGAL_KEY',
      )
      t.expect.equal([error.status, error.retryable, error.outcome], [40004, false, 'not-executed'])
      t.expect.ok(error.message.length > 10, 'says something')
      t.expect.ok(error instanceof Error && t.BridgeError.is(error, 'COMET_ILLEGAL_KEY'), 'is what it says')
      t.expect.equal(t.BridgeError.is(error, 'COMET_TIMEOUT'), false)
      t.expect.equal(t.BridgeError.is(new Error('x')), false)
    },
  },
  {
    name: 'errors: a topic that connect was not told of',
    async run(t) {
      const { topic } = await newTopic(t)
      const connection = t.open([topic])
      await t.expect.rejects((async () => connection.producer('other' as never))(), 'COMET_INVALID_ARGUMENT')
    },
  },
  {
    name: 'errors: a group consumer without a group',
    async run(t) {
      const { name, topic } = await newTopic(t)
      await t.expect.rejects((async () => t.open([topic]).consumer({ topics: [name] } as never))(), 'COMET_INVALID_ARGUMENT')
    },
  },
  {
    name: 'errors: a group name that RocketMQ does not allow',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic], { auth: () => t.token({ subscribe: [{ topic: '*', group: '*' }] }) })
      await t.expect
        .rejects((async () => connection.consumer({ topics: [name], group: 'a group' }).lag())(), 'COMET_INVALID_ARGUMENT')
        .catch(() =>
          t.expect.rejects((async () => connection.consumer({ topics: [name], group: 'a group!' }).lag())(), 'COMET_BAD_REQUEST'),
        )
    },
  },
  {
    name: 'errors: broadcast of a topic that does not exist',
    async run(t) {
      const name = t.name('missing')
      const consumer = t.open([t.topic(name)]).consumer({ topics: [name], mode: 'broadcast' })
      await t.expect.rejects(consumer.lag(), 'COMET_TOPIC_NOT_FOUND')
    },
  },
  {
    name: 'errors: a loop over a refused consumer ends with its error',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic], { auth: () => t.token({ subscribe: [] }) })
      const consumer = connection.consumer({ topics: [name], group: t.name('g') })
      await t.expect.rejects(
        (async () => {
          for await (const message of consumer) message.ack()
        })(),
        'COMET_SCOPE_DENIED',
      )
    },
  },
  {
    name: 'errors: an address where nobody answers',
    async run(t) {
      const { topic } = await newTopic(t)
      const connection = t.open([topic], { url: 'ws://127.0.0.1:9/ws', backoff: { min: 10, max: 20, giveUpAfter: 300 } })
      const error = await connection.ready().then(
        () => undefined,
        (reason: unknown) => reason,
      )
      t.expect.ok(t.BridgeError.is(error), `a BridgeError, not ${String(error)}`)
    },
  },
  {
    name: 'errors: an address that is none',
    async run(t) {
      const { topic } = await newTopic(t)
      await t.expect.rejects((async () => t.open([topic], { url: 'not an address' }).ready())(), 'COMET_INVALID_ARGUMENT')
    },
  },
  {
    name: 'errors: request and transactions say that they are not there yet',
    async run(t) {
      const name = await t.createTopic(t.name('t'))
      const connection = t.open([t.topic(name, { codec: t.text, kind: 'transaction' })])
      await t.expect.rejects((async () => connection.producer(name).ready())(), 'COMET_NOT_SUPPORTED')
    },
  },
  {
    name: 'errors: using a closed connection',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      await connection.producer(name).send('x')
      await connection.close()
      await t.expect.rejects((async () => connection.producer(name).send('y'))(), 'COMET_CLOSED')
      await t.expect.rejects((async () => connection.ready())(), 'COMET_CLOSED')
      await connection.close()
    },
  },
  {
    name: 'errors: a connection nobody uses opens nothing',
    async run(t) {
      const { topic } = await newTopic(t)
      let asked = 0
      const connection = t.open([topic], { auth: () => (asked++, t.token()) })
      await new Promise(resolve => setTimeout(resolve, 300))
      t.expect.equal([asked, connection.state.type], [0, 'idle'])
    },
  },
  {
    name: 'errors: an idle connection closes, and opens again when used',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic], { idle: 100 })
      const producer = connection.producer(name)
      await producer.send('x')
      await producer[Symbol.asyncDispose]()
      await t.until('it is idle', () => connection.state.type === 'idle')
      await connection.producer(name).send('y')
      t.expect.equal((await t.stored(name)).length, 2)
    },
  },
  {
    name: 'errors: drain of a connection counts and closes',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      const sends = [connection.producer(name).send('a'), connection.producer(name).send('b')]
      const report = await connection.drain()
      await Promise.all(sends)
      t.expect.equal([report.flushed, report.lost], [2, 0])
      t.expect.equal(connection.state.type, 'closed')
    },
  },
]
