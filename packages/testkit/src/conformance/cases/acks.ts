import type { Case } from '../types.ts'
import { newTopic, next, numbers, take, values, within } from './support.ts'

export const ackCases: readonly Case[] = [
  {
    name: 'acks: acked resolves when the bridge has it',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const group = t.name('g')
      const connection = t.open([topic])
      await connection.producer(name).send('x')
      await (await next(t, connection.consumer({ topics: [name], group }))).acked()
      await connection.close()
      t.expect.equal(await within(t.open([topic]).consumer({ topics: [name], group }), 700), [])
    },
  },
  {
    name: 'acks: twice is once',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      await connection.producer(name).send('x')
      const message = await next(t, connection.consumer({ topics: [name], group: t.name('g') }))
      message.ack()
      message.ack()
      message.nack()
      await new Promise(resolve => setTimeout(resolve, 100))
      t.expect.equal(connection.state.type, 'open')
    },
  },
  {
    name: 'acks: in any order',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const group = t.name('g')
      const connection = t.open([topic])
      await connection.producer(name).sendBatch(numbers(20).map(value => ({ value })))
      const messages = await take(t, connection.consumer({ topics: [name], group }), 20, false)
      const mixed = [...messages.filter((_, i) => i % 2 === 1), ...messages.filter((_, i) => i % 2 === 0).reverse()]
      await Promise.all(mixed.map(message => message.acked()))
      await connection.close()
      t.expect.equal(await within(t.open([topic]).consumer({ topics: [name], group }), 700), [], 'left over')
    },
  },
  {
    name: 'acks: only what was acknowledged is settled',
    timeoutMs: 60_000,
    async run(t) {
      const { name, topic } = await newTopic(t)
      const group = t.name('g')
      const connection = t.open([topic])
      await connection.producer(name).sendBatch(numbers(10).map(value => ({ value })))
      const messages = await take(t, connection.consumer({ topics: [name], group }), 10, false)
      const kept = messages.filter((_, i) => i % 3 === 0)
      await Promise.all(messages.filter((_, i) => i % 3 !== 0).map(message => message.acked()))
      await connection.close()
      t.expect.equal(values(await take(t, t.open([topic]).consumer({ topics: [name], group }), kept.length)), values(kept))
    },
  },
  {
    name: 'acks: nack without delay brings it back at once, with the attempt counted',
    timeoutMs: 60_000,
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      await connection.producer(name).send('x', { tag: 'a', keys: ['k'], props: { p: '1' } })
      const consumer = connection.consumer({ topics: [name], group: t.name('g') })
      const first = await next(t, consumer)
      first.nack({ after: 0 })
      const second = await next(t, consumer)
      t.expect.equal([second.attempt, second.redelivered, second.id], [2, true, first.id])
      t.expect.equal([second.tag, second.keys, second.props], ['a', ['k'], { p: '1' }], 'its parts')
      second.nack({ after: 0, reason: 'again' })
      const third = await next(t, consumer)
      t.expect.equal(third.attempt, 3)
      third.ack()
    },
  },
  {
    name: 'acks: nack with a delay waits so long',
    timeoutMs: 60_000,
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      await connection.producer(name).send('x')
      const consumer = connection.consumer({ topics: [name], group: t.name('g') })
      const first = await next(t, consumer)
      const at = Date.now()
      first.nack({ after: '2s' })
      const second = await next(t, consumer)
      t.expect.ok(Date.now() - at >= 1900, `came after ${Date.now() - at} ms`)
      second.ack()
    },
  },
  {
    name: 'acks: a dead letter does not come again',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const group = t.name('g')
      const connection = t.open([topic])
      await connection.producer(name).send('poison')
      const consumer = connection.consumer({ topics: [name], group })
      ;(await next(t, consumer)).deadLetter('cannot be read')
      await t.until('it is in the dead letter topic', async () => {
        try {
          return (await t.stored(`%DLQ%${group}`)).some(message => message.body === 'poison')
        } catch {
          return false
        }
      })
      await connection.close()
      t.expect.equal(await within(t.open([topic]).consumer({ topics: [name], group }), 700), [])
    },
  },
  {
    name: 'acks: drain acknowledges, gives back and counts',
    timeoutMs: 60_000,
    async run(t) {
      const { name, topic } = await newTopic(t)
      const group = t.name('g')
      const connection = t.open([topic])
      await connection.producer(name).sendBatch(numbers(10).map(value => ({ value })))
      const consumer = connection.consumer({ topics: [name], group })
      const messages = await take(t, consumer, 10, false)
      for (const message of messages.slice(0, 4)) message.ack()
      const report = await consumer.drain({ timeout: 500 })
      t.expect.equal(report.lost, 0, 'lost')
      t.expect.ok(report.released >= 6, `released ${report.released}`)
      t.expect.equal((await take(t, t.open([topic]).consumer({ topics: [name], group }), 6)).length, 6)
    },
  },
  {
    name: 'acks: many acknowledgements of many messages at once',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      await connection.producer(name).sendBatch(numbers(500).map(value => ({ value })))
      const consumer = connection.consumer({ topics: [name], group: t.name('g'), prefetch: { messages: 500 } })
      const messages = await take(t, consumer, 500, false)
      await Promise.all(messages.map(message => message.acked()))
      await t.until('no lag', async () => (await consumer.lag()).messages === 0)
    },
  },
  {
    name: 'acks: settling after the connection closed does nothing and throws nothing',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      await connection.producer(name).send('x')
      const message = await next(t, connection.consumer({ topics: [name], group: t.name('g') }))
      await connection.close()
      message.ack()
      message.nack()
      message.extend('10s')
      t.expect.ok(message.signal.aborted, 'its signal has fired')
      try {
        await message.acked()
        throw new Error('acked resolved')
      } catch (error) {
        t.expect.ok(t.BridgeError.is(error), `a BridgeError, not ${String(error)}`)
      }
    },
  },
]
