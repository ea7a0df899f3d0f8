import type { Case } from '../types.ts'
import { event, newTopic, next } from './support.ts'

export const leaseCases: readonly Case[] = [
  {
    name: 'leases: the signal of a message fires when its lease ends',
    timeoutMs: 30_000,
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      await connection.producer(name).send('x')
      const message = await next(t, connection.consumer({ topics: [name], group: t.name('g'), lease: '2s' }))
      t.expect.equal(message.signal.aborted, false, 'at first')
      await t.until('the signal fires', () => message.signal.aborted)
    },
  },
  {
    name: 'leases: what is not settled in time comes again with a higher attempt',
    timeoutMs: 40_000,
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      await connection.producer(name).send('x')
      const consumer = connection.consumer({ topics: [name], group: t.name('g'), lease: '2s' })
      const first = await next(t, consumer)
      const second = await next(t, consumer)
      t.expect.equal([second.value, second.id, second.attempt, second.redelivered], ['x', first.id, 2, true])
      second.ack()
    },
  },
  {
    name: 'leases: acked after the end is refused',
    timeoutMs: 30_000,
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      await connection.producer(name).send('x')
      const message = await next(t, connection.consumer({ topics: [name], group: t.name('g'), lease: '2s' }))
      await t.until('the signal fires', () => message.signal.aborted)
      await t.expect.rejects(message.acked(), 'COMET_LEASE_LOST')
    },
  },
  {
    name: 'leases: an event tells which messages were lost',
    timeoutMs: 30_000,
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      await connection.producer(name).send('x')
      const consumer = connection.consumer({ topics: [name], group: t.name('g'), lease: '2s' })
      const lost = event(t, consumer, 'lease-lost')
      const message = await next(t, consumer)
      t.expect.equal((await lost).ids, [message.id])
    },
  },
  {
    name: 'leases: extend keeps a message',
    timeoutMs: 30_000,
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      await connection.producer(name).send('x')
      const message = await next(t, connection.consumer({ topics: [name], group: t.name('g'), lease: '2s' }))
      message.extend('20s')
      await new Promise(resolve => setTimeout(resolve, 4000))
      t.expect.equal(message.signal.aborted, false, 'still ours')
      await message.acked()
    },
  },
  {
    name: 'leases: a lease that ended does not wedge the window',
    timeoutMs: 40_000,
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      const producer = connection.producer(name)
      await producer.sendBatch([{ value: 'a' }, { value: 'b' }])
      const consumer = connection.consumer({ topics: [name], group: t.name('g'), lease: '2s', prefetch: { messages: 2 } })
      const kept = [await next(t, consumer), await next(t, consumer)]
      await t.until('both are lost', () => kept.every(message => message.signal.aborted))
      const again = [await next(t, consumer), await next(t, consumer)]
      t.expect.equal(again.map(message => message.value).sort(), ['a', 'b'])
      for (const message of again) message.ack()
    },
  },
  {
    name: 'leases: a lease out of bounds is refused',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const consumer = t.open([topic]).consumer({ topics: [name], group: t.name('g'), lease: '30d' })
      await t.expect.rejects((async () => consumer.lag())(), 'COMET_ILLEGAL_LEASE')
    },
  },
]
