import type { Case } from '../types.ts'
import { newTopic, next, numbers, settled, take, values, within } from './support.ts'

const counts = (count: number): Case => ({
  name: `group: ${count} messages arrive once each`,
  async run(t) {
    const { name, topic } = await newTopic(t)
    const connection = t.open([topic])
    const consumer = connection.consumer({ topics: [name], group: t.name('g') })
    await Promise.all([connection.producer(name).sendBatch(numbers(count).map(value => ({ value })))])
    t.expect.equal(values(await take(t, consumer, count)), numbers(count).sort())
    await consumer.drain()
    const again = t.open([topic]).consumer({ topics: [name], group: t.name('g') })
    t.expect.equal(await within(again, 700), [], 'left over')
  },
})

export const groupCases: readonly Case[] = [
  counts(1),
  counts(100),
  counts(1000),
  {
    name: 'group: a message has all its parts',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      const receipt = await connection.producer(name).send('hello', { tag: 'red', keys: ['k1', 'k2'], props: { p: 'ü' } })
      const message = await next(t, connection.consumer({ topics: [name], group: t.name('g') }))
      t.expect.equal(
        [
          message.topic,
          message.value,
          message.id,
          message.tag,
          message.keys,
          message.props,
          message.attempt,
          message.redelivered,
        ],
        [name, 'hello', receipt.id, 'red', ['k1', 'k2'], { p: 'ü' }, 1, false],
      )
      t.expect.equal([message.queue, message.offset], [receipt.queue, receipt.offset], 'place')
      t.expect.ok(Math.abs(message.bornAt.getTime() - Date.now()) < 60_000, 'born now')
      t.expect.equal(new TextDecoder().decode(message.raw), 'hello', 'raw')
      message.ack()
    },
  },
  {
    name: 'group: messages sent without the bridge arrive with tag, keys and properties',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const id = await t.send(name, { body: 'from a service', tag: 'blue', keys: ['k'], props: { region: 'eu' } })
      const message = await next(t, t.open([topic]).consumer({ topics: [name], group: t.name('g') }))
      t.expect.equal(
        [message.value, message.id, message.tag, message.keys, message.props],
        ['from a service', id, 'blue', ['k'], { region: 'eu' }],
      )
      message.ack()
    },
  },
  {
    name: 'group: a new group starts at the beginning',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      await connection.producer(name).sendBatch([{ value: 'a' }, { value: 'b' }])
      t.expect.equal(values(await take(t, connection.consumer({ topics: [name], group: t.name('g') }), 2)), ['a', 'b'])
    },
  },
  {
    name: 'group: members share the messages',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const group = t.name('g')
      const seen: string[] = []
      const stop = new AbortController()
      const members = [0, 1, 2].map(() => t.open([topic]).consumer({ topics: [name], group, prefetch: { messages: 4 } }))
      const loops = members.map(member =>
        member.run(
          async message => {
            seen.push(message.value)
            await new Promise(resolve => setTimeout(resolve, 2))
            message.ack()
          },
          { signal: stop.signal },
        ),
      )
      await t
        .open([topic])
        .producer(name)
        .sendBatch(numbers(200).map(value => ({ value })))
      await t.until('all have arrived', () => seen.length >= 200)
      stop.abort()
      await Promise.all(loops)
      t.expect.equal(seen.sort(), numbers(200).sort(), 'seen')
    },
  },
  {
    name: 'group: two groups get every message each',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      await connection.producer(name).sendBatch(numbers(20).map(value => ({ value })))
      for (const word of ['g1', 'g2'])
        t.expect.equal(
          values(await take(t, connection.consumer({ topics: [name], group: t.name(word) }), 20)),
          numbers(20).sort(),
          word,
        )
    },
  },
  {
    name: 'group: one consumer reads two topics',
    async run(t) {
      const [a, b] = [await newTopic(t, 'a'), await newTopic(t, 'b')]
      const connection = t.open([a.topic, b.topic])
      await connection.producer(a.name).send('from a')
      await connection.producer(b.name).send('from b')
      const messages = await take(t, connection.consumer({ topics: [a.name, b.name], group: t.name('g') }), 2)
      const found = messages.map(message => [message.topic, message.value]).sort()
      t.expect.equal(
        found,
        [
          [a.name, 'from a'],
          [b.name, 'from b'],
        ].sort(),
      )
    },
  },
  {
    name: 'group: messages sent while waiting arrive',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      const consumer = await settled(connection.consumer({ topics: [name], group: t.name('g') }), t)
      const waiting = take(t, consumer, 3)
      for (const value of numbers(3)) {
        await connection.producer(name).send(value)
        await new Promise(resolve => setTimeout(resolve, 50))
      }
      t.expect.equal(values(await waiting), numbers(3))
    },
  },
  {
    name: 'group: unacknowledged messages come back to another member after BYE',
    timeoutMs: 60_000,
    async run(t) {
      const { name, topic } = await newTopic(t)
      const group = t.name('g')
      const first = t.open([topic])
      await first.producer(name).send('work')
      const message = await next(t, first.consumer({ topics: [name], group, lease: '60s' }))
      t.expect.equal(message.attempt, 1, 'attempt')
      await first.close()
      const again = await next(t, t.open([topic]).consumer({ topics: [name], group }))
      t.expect.equal([again.value, again.redelivered, again.attempt > 1], ['work', true, true])
      again.ack()
    },
  },
  {
    name: 'group: run with concurrency handles several at a time, and no more',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      await connection.producer(name).sendBatch(numbers(40).map(value => ({ value })))
      let [now, most, done] = [0, 0, 0]
      const stop = new AbortController()
      await connection.consumer({ topics: [name], group: t.name('g') }).run(
        async message => {
          most = Math.max(most, ++now)
          await new Promise(resolve => setTimeout(resolve, 10))
          now--
          message.ack()
          if (++done === 40) stop.abort()
        },
        { concurrency: 5, signal: stop.signal },
      )
      t.expect.equal([most, done], [5, 40])
    },
  },
  {
    name: 'group: a handler that throws makes the message come again, and the loop goes on',
    timeoutMs: 60_000,
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      await connection.producer(name).sendBatch([{ value: 'bad' }, { value: 'good' }])
      const seen: string[] = []
      const stop = new AbortController()
      await connection.consumer({ topics: [name], group: t.name('g') }).run(
        message => {
          seen.push(`${message.value}${message.attempt}`)
          if (message.value === 'bad' && message.attempt === 1) throw new Error('no luck')
          message.ack()
          if (seen.includes('bad2') && seen.includes('good1')) stop.abort()
        },
        { signal: stop.signal },
      )
      t.expect.equal(seen.sort(), ['bad1', 'bad2', 'good1'])
    },
  },
  {
    name: 'group: batches come together and are acknowledged together',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      await connection.producer(name).sendBatch(numbers(25).map(value => ({ value })))
      const seen: string[] = []
      const consumer = connection.consumer({ topics: [name], group: t.name('g') })
      for await (const batch of consumer.batches({ max: 10, wait: '100ms' })) {
        t.expect.ok(batch.messages.length <= 10, 'at most 10')
        seen.push(...batch.messages.map(message => message.value))
        batch.ack()
        if (seen.length >= 25) break
      }
      t.expect.equal(seen.sort(), numbers(25).sort())
      await consumer.drain()
      t.expect.equal(await within(t.open([topic]).consumer({ topics: [name], group: t.name('g') }), 700), [], 'left over')
    },
  },
  {
    name: 'group: a readable stream gives the messages',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      await connection.producer(name).sendBatch(numbers(5).map(value => ({ value })))
      const reader = connection
        .consumer({ topics: [name], group: t.name('g') })
        .readable()
        .getReader()
      const seen: string[] = []
      while (seen.length < 5) {
        const { value } = await reader.read()
        seen.push(value!.value)
        value!.ack()
      }
      t.expect.equal(seen.sort(), numbers(5).sort())
      await reader.cancel()
    },
  },
  {
    name: 'group: pause and resume',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      const consumer = connection.consumer({ topics: [name], group: t.name('g') })
      const seen: string[] = []
      const stop = new AbortController()
      consumer.pause()
      const loop = consumer.run(message => (seen.push(message.value), message.ack()), { signal: stop.signal })
      await connection.producer(name).send('x')
      await new Promise(resolve => setTimeout(resolve, 500))
      t.expect.equal(seen, [], 'while paused')
      consumer.resume()
      await t.until('it arrives', () => seen.length === 1)
      stop.abort()
      await loop
    },
  },
  {
    name: 'group: lag counts what waits',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      const consumer = connection.consumer({ topics: [name], group: t.name('g'), prefetch: { messages: 2 } })
      consumer.pause()
      await connection.producer(name).sendBatch(numbers(10).map(value => ({ value })))
      await t.until('a lag', async () => (await consumer.lag()).messages > 0)
      consumer.resume()
      await take(t, consumer, 10)
      await t.until('no lag', async () => (await consumer.lag()).messages === 0)
    },
  },
  {
    name: 'group: auto acknowledges when the loop asks for the next',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const group = t.name('g')
      const connection = t.open([topic])
      await connection.producer(name).sendBatch([{ value: 'a' }, { value: 'b' }])
      const consumer = connection.consumer({ topics: [name], group, ack: 'auto' })
      t.expect.equal((await take(t, consumer, 2, false)).length, 2)
      await consumer.drain()
      const again = await within(t.open([topic]).consumer({ topics: [name], group }), 1500)
      t.expect.ok(again.length <= 1, 'the first at least is acknowledged')
    },
  },
  {
    name: 'group: the first acknowledges in run with auto',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const group = t.name('g')
      const connection = t.open([topic])
      await connection.producer(name).sendBatch(numbers(5).map(value => ({ value })))
      const consumer = connection.consumer({ topics: [name], group, ack: 'auto' })
      const stop = new AbortController()
      let count = 0
      await consumer.run(() => void (++count === 5 && stop.abort()), { signal: stop.signal })
      await consumer.drain()
      t.expect.equal(await within(t.open([topic]).consumer({ topics: [name], group }), 700), [], 'left over')
    },
  },
  {
    name: 'group: compressed bodies are inflated',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      const value = numbers(2000, 'word ').join(' ')
      await connection.producer(name, { compress: true }).send(value)
      const message = await next(t, connection.consumer({ topics: [name], group: t.name('g') }))
      t.expect.ok(message.value === value, 'the text is what was sent')
      message.ack()
    },
  },
  {
    name: 'group: bodies larger than a frame arrive',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      const value = Array.from({ length: 60_000 }, () => Math.random().toString(36).slice(2, 12)).join('')
      await connection.producer(name, { compress: false }).send(value)
      const message = await next(t, connection.consumer({ topics: [name], group: t.name('g') }))
      t.expect.ok(message.value === value, 'the text is what was sent')
      message.ack()
    },
  },
  {
    name: 'group: a payload that cannot be decoded is reported and does not stop the loop',
    async run(t) {
      const name = await t.createTopic(t.name('t'))
      const topic = t.topic(name, { codec: t.json })
      await t.send(name, { body: 'not json' })
      await t.send(name, { body: '{"good":true}' })
      const consumer = t.open([topic]).consumer({ topics: [name], group: t.name('g') })
      const seen: unknown[] = []
      const stop = new AbortController()
      const loop = consumer.run(message => (seen.push(message.value), message.ack()), { signal: stop.signal })
      for await (const event of consumer.events({ signal: t.signal })) {
        if (event.type !== 'undecodable') continue
        t.expect.equal(event.topic, name)
        break
      }
      await t.until('the good one arrives', () => seen.length === 1)
      stop.abort()
      await loop
      t.expect.equal(seen, [{ good: true }])
    },
  },
]
