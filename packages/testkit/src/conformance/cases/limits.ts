import type { Case } from '../types.ts'
import { ascii, newTopic, numbers, take } from './support.ts'

const prefetch = (messages: number): Case => ({
  name: `limits: no more than ${messages} wait in memory with a prefetch of ${messages}`,
  async run(t) {
    const { name, topic } = await newTopic(t)
    const connection = t.open([topic])
    await connection.producer(name).sendBatch(numbers(200).map(value => ({ value })))
    const consumer = connection.consumer({ topics: [name], group: t.name('g'), prefetch: { messages } })
    let most = 0
    const seen: string[] = []
    for await (const message of consumer) {
      most = Math.max(most, connection.stats().buffered)
      seen.push(message.value)
      message.ack()
      if (seen.length % 20 === 0) await new Promise(resolve => setTimeout(resolve, 5))
      if (seen.length === 200) break
    }
    t.expect.ok(most <= messages, `${most} waited`)
    t.expect.equal(seen.sort(), numbers(200).sort(), 'and all arrive')
  },
})

export const limitCases: readonly Case[] = [
  prefetch(1),
  prefetch(8),
  prefetch(64),
  {
    name: 'limits: prefetch in bytes holds',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      const producer = connection.producer(name, { compress: false })
      await producer.sendBatch(numbers(100).map(value => ({ value: value + ascii(10_000) })))
      const consumer = connection.consumer({ topics: [name], group: t.name('g'), prefetch: { bytes: 50_000 } })
      let most = 0
      let count = 0
      for await (const message of consumer) {
        most = Math.max(most, connection.stats().buffered)
        message.ack()
        if (++count === 100) break
      }
      t.expect.ok(most <= 5, `${most} waited`)
    },
  },
  {
    name: 'limits: one message larger than the prefetch in bytes still arrives',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      await connection.producer(name).send(ascii(200_000))
      const consumer = connection.consumer({ topics: [name], group: t.name('g'), prefetch: { bytes: 10_000 } })
      t.expect.equal((await take(t, consumer, 1))[0]!.value.length, 200_000)
    },
  },
  {
    name: 'limits: maxInFlight holds',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      const producer = connection.producer(name, { maxInFlight: 5 })
      await producer.ready()
      t.expect.ok(producer.window.messages <= 5, `window ${producer.window.messages}`)
      await Promise.all(numbers(100).map(value => producer.send(value)))
      t.expect.equal((await t.stored(name)).length, 100)
    },
  },
  {
    name: 'limits: the queue of a producer is bounded, and says so',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const producer = t.open([topic]).producer(name, { maxQueued: 10, maxInFlight: 1 })
      const results = await Promise.allSettled(numbers(100).map(value => producer.send(value)))
      const stored = results.filter(result => result.status === 'fulfilled').length
      const errors = results.flatMap(result => (result.status === 'rejected' ? [result.reason as unknown] : []))
      t.expect.ok(stored >= 10 && errors.length > 0, `${stored} stored, ${errors.length} refused`)
      t.expect.ok(
        errors.every(error => t.BridgeError.is(error, 'COMET_WINDOW_FULL')),
        'WINDOW_FULL',
      )
      t.expect.equal((await t.stored(name)).length, stored, 'stored')
    },
  },
  {
    name: 'limits: more subscriptions than allowed are refused',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      const consumers = Array.from({ length: 65 }, () => connection.consumer({ topics: [name], mode: 'broadcast' }))
      const results = await Promise.allSettled(consumers.map(consumer => consumer.lag()))
      const errors = results.flatMap(result => (result.status === 'rejected' ? [result.reason as unknown] : []))
      t.expect.equal(errors.length, 1, 'refused')
      t.expect.ok(t.BridgeError.is(errors[0], 'COMET_TOO_MANY_PARTS'), `wrong error: ${String(errors[0])}`)
    },
  },
  {
    name: 'limits: more producers than allowed are refused',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      const producers = Array.from({ length: 33 }, () => connection.producer(name))
      const results = await Promise.allSettled(producers.map(producer => producer.ready()))
      t.expect.equal(results.filter(result => result.status === 'rejected').length, 1, 'refused')
    },
  },
  {
    name: 'limits: statistics count frames, messages and bytes',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      await connection.producer(name).sendBatch(numbers(10).map(value => ({ value })))
      await take(t, connection.consumer({ topics: [name], group: t.name('g') }), 10)
      const stats = connection.stats()
      t.expect.equal([stats.out.messages, stats.in.messages], [10, 10], 'messages')
      t.expect.ok(stats.in.frames > 0 && stats.out.frames > 0, 'frames')
      t.expect.equal(stats.reconnects, 0, 'reconnects')
    },
  },
]
