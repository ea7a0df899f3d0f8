import type { Case, CaseContext } from '../types.ts'
import { event, newTopic, next, numbers, settled, take, type TextConsumer, values, within } from './support.ts'

/** A broadcast consumer that hears everything from now on. */
async function listening(t: CaseContext, consumer: TextConsumer): Promise<TextConsumer> {
  await event(t, consumer, 'assigned')
  return consumer
}

export const broadcastCases: readonly Case[] = [
  {
    name: 'broadcast: every subscriber gets every message once',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const readers = await Promise.all(
        [0, 1, 2].map(() => listening(t, t.open([topic]).consumer({ topics: [name], mode: 'broadcast' }))),
      )
      await t
        .open([topic])
        .producer(name)
        .sendBatch(numbers(50).map(value => ({ value })))
      for (const reader of readers) t.expect.equal(values(await take(t, reader, 50)), numbers(50).sort())
    },
  },
  {
    name: 'broadcast: latest gives nothing old',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const producer = t.open([topic]).producer(name)
      await producer.send('old')
      const reader = await listening(t, t.open([topic]).consumer({ topics: [name], mode: 'broadcast', since: 'latest' }))
      await producer.send('new')
      t.expect.equal((await next(t, reader)).value, 'new')
    },
  },
  {
    name: 'broadcast: earliest gives everything in the order of each queue',
    async run(t) {
      const { name, topic } = await newTopic(t, 't', 1)
      const producer = t.open([topic]).producer(name)
      for (const value of numbers(20)) await producer.send(value)
      const messages = await take(t, t.open([topic]).consumer({ topics: [name], mode: 'broadcast', since: 'earliest' }), 20)
      t.expect.equal(
        messages.map(message => message.value),
        numbers(20),
      )
      t.expect.equal(
        messages.map(message => message.offset),
        numbers(20).map((_, i) => i),
        'offsets',
      )
    },
  },
  {
    name: 'broadcast: since a time',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const producer = t.open([topic]).producer(name)
      await producer.send('old')
      await new Promise(resolve => setTimeout(resolve, 1200))
      const since = new Date()
      await new Promise(resolve => setTimeout(resolve, 100))
      await producer.send('new')
      t.expect.equal((await next(t, t.open([topic]).consumer({ topics: [name], mode: 'broadcast', since }))).value, 'new')
    },
  },
  {
    name: 'broadcast: a cursor goes on where another consumer stopped',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const producer = t.open([topic]).producer(name)
      await producer.sendBatch(numbers(10).map(value => ({ value })))
      const first = t.open([topic]).consumer({ topics: [name], mode: 'broadcast', since: 'earliest', prefetch: { messages: 4 } })
      const before = values(await take(t, first, 6))
      const cursor = JSON.parse(JSON.stringify(first.cursor())) as ReturnType<typeof first.cursor>
      await first.drain()
      await producer.send('later')
      const after = values(
        await take(t, t.open([topic]).consumer({ topics: [name], mode: 'broadcast', since: 'resume', cursor }), 5),
      )
      t.expect.equal([...before, ...after].sort(), [...numbers(10), 'later'].sort())
    },
  },
  {
    name: 'broadcast: tags choose',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const reader = t.open([topic]).consumer({ topics: [{ topic: name, tags: ['red'] }], mode: 'broadcast', since: 'earliest' })
      await t
        .open([topic])
        .producer(name)
        .sendBatch([
          { value: 'r1', tag: 'red' },
          { value: 'b1', tag: 'blue' },
          { value: 'r2', tag: 'red' },
        ])
      t.expect.equal(values(await take(t, reader, 2)), ['r1', 'r2'])
      t.expect.equal(await within(reader, 400), [], 'no more')
    },
  },
  {
    name: 'broadcast: two topics in one consumer',
    async run(t) {
      const [a, b] = [await newTopic(t, 'a'), await newTopic(t, 'b')]
      const connection = t.open([a.topic, b.topic])
      await connection.producer(a.name).send('a')
      await connection.producer(b.name).send('b')
      const messages = await take(t, connection.consumer({ topics: [a.name, b.name], mode: 'broadcast', since: 'earliest' }), 2)
      t.expect.equal(
        messages.map(message => [message.topic, message.value]).sort(),
        [
          [a.name, 'a'],
          [b.name, 'b'],
        ].sort(),
      )
    },
  },
  {
    name: 'broadcast: messages sent without the bridge arrive',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const reader = await listening(t, t.open([topic]).consumer({ topics: [name], mode: 'broadcast' }))
      await t.send(name, { body: 'hello', tag: 'a', keys: ['k'], props: { p: '1' } })
      const message = await next(t, reader)
      t.expect.equal([message.value, message.tag, message.keys, message.props], ['hello', 'a', ['k'], { p: '1' }])
    },
  },
  {
    name: 'broadcast: seek to the earliest and to the latest',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const producer = t.open([topic]).producer(name)
      await producer.sendBatch(numbers(5).map(value => ({ value })))
      const reader = t.open([topic]).consumer({ topics: [name], mode: 'broadcast', since: 'earliest' })
      await take(t, reader, 5)
      await reader.seek('earliest')
      t.expect.equal(values(await take(t, reader, 5)), numbers(5), 'again')
      await reader.seek('earliest')
      await reader.seek('latest')
      await producer.send('new')
      const rest = await t.until('the new one', async () => {
        const message = await next(t, reader)
        return message.value === 'new' ? message : undefined
      })
      t.expect.equal(rest.value, 'new')
    },
  },
  {
    name: 'broadcast: a subscriber that does not read does not hold up another',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      const lazy = await listening(t, connection.consumer({ topics: [name], mode: 'broadcast', prefetch: { messages: 2 } }))
      const quick = await listening(t, connection.consumer({ topics: [name], mode: 'broadcast' }))
      await connection.producer(name).sendBatch(numbers(100).map(value => ({ value })))
      t.expect.equal(values(await take(t, quick, 100)), numbers(100).sort())
      t.expect.equal(values(await take(t, lazy, 100)), numbers(100).sort(), 'and it still gets all')
    },
  },
  {
    name: 'broadcast: drop-oldest tells what was left out',
    timeoutMs: 30_000,
    async run(t) {
      const { name, topic } = await newTopic(t, 't', 1)
      const reader = await listening(
        t,
        t.open([topic]).consumer({ topics: [name], mode: 'broadcast', onSlow: 'drop-oldest', prefetch: { messages: 2 } }),
      )
      const gaps: { from: number; to: number }[] = []
      void (async () => {
        for await (const event of reader.events({ signal: t.signal })) if (event.type === 'gap') gaps.push(event)
      })().catch(() => {})
      const producer = t.open([topic]).producer(name)
      const body = 'x'.repeat(1000)
      for (let i = 0; i < 20; i++) await producer.sendBatch(numbers(200, `${i}-${body}`).map(value => ({ value })))
      await producer.send('last')
      let seen = 0
      for await (const message of reader) {
        seen++
        if (message.value === 'last') break
      }
      const left = gaps.reduce((sum, gap) => sum + gap.to - gap.from, 0)
      t.expect.equal(seen + left, 4001, 'seen and left out together')
    },
  },
  {
    name: 'broadcast: a consumer that is closed gets nothing more',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      const reader = await listening(t, connection.consumer({ topics: [name], mode: 'broadcast' }))
      await reader[Symbol.asyncDispose]()
      await connection.producer(name).send('x')
      t.expect.equal(await within(reader, 200), [])
    },
  },
  {
    name: 'broadcast: lag counts what is ahead of the cursor',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      await connection.producer(name).sendBatch(numbers(10).map(value => ({ value })))
      const reader = connection.consumer({ topics: [name], mode: 'broadcast', since: 'earliest' })
      await settled(reader, t)
      await take(t, reader, 10)
      await t.until('no lag', async () => (await reader.lag()).messages === 0)
    },
  },
]
