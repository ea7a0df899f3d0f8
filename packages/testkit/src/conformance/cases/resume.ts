import type { Case, CaseContext } from '../types.ts'
import { event, newTopic, numbers, take, values } from './support.ts'

/** A connection through a proxy that can be cut, which comes back quickly. */
async function throughProxy(t: CaseContext, word = 't') {
  const { name, topic } = await newTopic(t, word)
  const proxy = await t.proxy()
  const connection = t.open([topic], { url: proxy.url, backoff: { min: 20, max: 200 } })
  return { name, topic, proxy, connection }
}

/** Sends while the socket is cut after `bytes` more bytes upwards. */
const cutSend = (bytes: number): Case => ({
  name: `resume: sends go on when the socket is cut after ${bytes} bytes up`,
  timeoutMs: 30_000,
  async run(t) {
    const { name, proxy, connection } = await throughProxy(t)
    const producer = connection.producer(name)
    await producer.ready()
    await t.cut(proxy.id, { up: bytes })
    const receipts = await Promise.all(numbers(200).map(value => producer.send(value)))
    t.expect.equal(new Set(receipts.map(receipt => receipt.id)).size, 200, 'ids')
    t.expect.equal((await t.stored(name)).map(message => message.body).sort(), numbers(200).sort(), 'stored once each')
    t.expect.ok(connection.stats().reconnects >= 1, 'it was cut')
  },
})

const cutReceive = (bytes: number): Case => ({
  name: `resume: deliveries go on when the socket is cut after ${bytes} bytes down`,
  timeoutMs: 30_000,
  async run(t) {
    const { name, topic, proxy, connection } = await throughProxy(t)
    const consumer = connection.consumer({ topics: [name], group: t.name('g') })
    await consumer.lag()
    await t.cut(proxy.id, { down: bytes })
    await t
      .open([topic])
      .producer(name)
      .sendBatch(numbers(200).map(value => ({ value })))
    const messages = await take(t, consumer, 200)
    t.expect.equal(values(messages), numbers(200).sort(), 'once each')
    t.expect.ok(connection.stats().reconnects >= 1, 'it was cut')
  },
})

const cutBroadcast = (bytes: number): Case => ({
  name: `resume: a broadcast goes on without gap or double when cut after ${bytes} bytes down`,
  timeoutMs: 30_000,
  async run(t) {
    const { name, topic, proxy, connection } = await throughProxy(t)
    const reader = connection.consumer({ topics: [name], mode: 'broadcast', since: 'earliest' })
    await reader.lag()
    await t.cut(proxy.id, { down: bytes })
    await t
      .open([topic])
      .producer(name)
      .sendBatch(numbers(200).map(value => ({ value })))
    t.expect.equal(values(await take(t, reader, 200)), numbers(200).sort())
  },
})

export const resumeCases: readonly Case[] = [
  ...[1, 300, 700, 1200].map(cutSend),
  ...[1, 500, 2000, 6000].map(cutReceive),
  ...[1, 2500].map(cutBroadcast),
  {
    name: 'resume: hot when the bridge still has the session',
    async run(t) {
      const { name, proxy, connection } = await throughProxy(t)
      await connection.producer(name).send('a')
      await t.cut(proxy.id)
      await t.until('it is hot', () => connection.state.type === 'open' && connection.state.resumed === 'hot')
      await connection.producer(name).send('b')
      t.expect.equal((await t.stored(name)).length, 2)
    },
  },
  {
    name: 'resume: a message in hand keeps its lease over a cut',
    timeoutMs: 30_000,
    async run(t) {
      const { name, proxy, connection } = await throughProxy(t)
      await connection.producer(name).send('x')
      const consumer = connection.consumer({ topics: [name], group: t.name('g') })
      const [message] = await take(t, consumer, 1, false)
      await t.cut(proxy.id)
      await t.until('it is back', () => connection.state.type === 'open' && connection.stats().reconnects === 1)
      t.expect.equal(message!.signal.aborted, false, 'still ours')
      await message!.acked()
      await t.until('no lag', async () => (await consumer.lag()).messages === 0)
    },
  },
  {
    name: 'resume: the consumer is told how',
    timeoutMs: 30_000,
    async run(t) {
      const { name, proxy, connection } = await throughProxy(t)
      const consumer = connection.consumer({ topics: [name], group: t.name('g') })
      const resumed = event(t, consumer, 'resumed')
      await consumer.lag()
      await t.cut(proxy.id)
      t.expect.equal((await resumed).how, 'hot')
    },
  },
  {
    name: 'resume: several cuts in a row lose nothing',
    timeoutMs: 40_000,
    async run(t) {
      const { name, proxy, connection } = await throughProxy(t)
      const producer = connection.producer(name)
      const consumer = connection.consumer({ topics: [name], group: t.name('g') })
      const taking = take(t, consumer, 300)
      const sends: Promise<unknown>[] = []
      for (let i = 0; i < 300; i++) {
        sends.push(producer.send(`m${i}`))
        if (i % 60 === 30) await t.cut(proxy.id)
        if (i % 10 === 0) await new Promise(resolve => setTimeout(resolve, 5))
      }
      await Promise.all(sends)
      t.expect.equal(values(await taking), numbers(300).sort())
      t.expect.equal((await t.stored(name)).length, 300, 'stored')
    },
  },
  {
    name: 'resume: waits while the bridge cannot be reached',
    timeoutMs: 30_000,
    async run(t) {
      const { name, proxy, connection } = await throughProxy(t)
      const producer = connection.producer(name)
      await producer.send('a')
      await t.refuse(proxy.id, 1000)
      await t.cut(proxy.id)
      await producer.send('b')
      t.expect.equal((await t.stored(name)).length, 2)
    },
  },
  {
    name: 'resume: without the wish to wait a send fails at once while offline',
    timeoutMs: 30_000,
    async run(t) {
      const { name, proxy, connection } = await throughProxy(t)
      const producer = connection.producer(name, { ifOffline: 'fail' })
      await producer.ready()
      await t.refuse(proxy.id, 2000)
      await t.cut(proxy.id)
      await t.until('it is noticed', () => connection.state.type !== 'open')
      const error = await t.expect.rejects(producer.send('b'), 'COMET_OFFLINE')
      t.expect.equal(error.outcome, 'not-executed')
    },
  },
  {
    name: 'resume: giveUpAfter ends the connection with a clear error',
    timeoutMs: 30_000,
    async run(t) {
      const { name, topic } = await newTopic(t)
      const proxy = await t.proxy()
      const connection = t.open([topic], { url: proxy.url, backoff: { min: 20, max: 50, giveUpAfter: '1s' } })
      await connection.producer(name).send('a')
      await t.refuse(proxy.id, 20_000)
      await t.cut(proxy.id)
      await t.until('it is closed', () => connection.state.type === 'closed')
      await t.expect.rejects((async () => connection.producer(name).send('b'))(), 'COMET_OFFLINE')
    },
  },
  {
    name: 'resume: a bridge that goes away hands its clients over, and publishers see no error',
    timeoutMs: 60_000,
    async run(t) {
      const { name, topic } = await newTopic(t)
      const [first, second] = [await t.bridge(), await t.bridge()]
      const connection = t.open([topic], { url: [first.url, second.url], backoff: { min: 20, max: 200 } })
      const producer = connection.producer(name)
      await producer.send('m0')
      const sends: Promise<unknown>[] = []
      await t.goaway(first.id, { graceMs: 5000 })
      for (let i = 1; i < 200; i++) {
        sends.push(producer.send(`m${i}`))
        await new Promise(resolve => setTimeout(resolve, 5))
      }
      await Promise.all(sends)
      t.expect.equal(values(await take(t, connection.consumer({ topics: [name], group: t.name('g') }), 200)), numbers(200).sort())
    },
  },
  {
    name: 'resume: cold on another bridge keeps subscriptions and cursors',
    timeoutMs: 60_000,
    async run(t) {
      const { name, topic } = await newTopic(t)
      const [first, second] = [await t.bridge(), await t.bridge()]
      const connection = t.open([topic], { url: [first.url, second.url], backoff: { min: 20, max: 200 } })
      const reader = connection.consumer({ topics: [name], mode: 'broadcast', since: 'earliest' })
      const producer = t.open([topic]).producer(name)
      await producer.sendBatch(numbers(50).map(value => ({ value })))
      const before = values(await take(t, reader, 50))
      await t.goaway(first.id, { graceMs: 1000 })
      await producer.sendBatch(numbers(50, 'n').map(value => ({ value })))
      const after = values(await take(t, reader, 50))
      t.expect.equal([before, after], [numbers(50).sort(), numbers(50, 'n').sort()])
    },
  },
  {
    name: 'resume: states tell what happens',
    timeoutMs: 30_000,
    async run(t) {
      const { name, proxy, connection } = await throughProxy(t)
      const seen: string[] = []
      const watching = (async () => {
        for await (const state of connection.states({ signal: t.signal })) {
          if (seen.at(-1) !== state.type) seen.push(state.type)
          if (state.type === 'closed') return
        }
      })()
      await connection.producer(name).send('a')
      await t.cut(proxy.id)
      await t.until('it is back', () => connection.state.type === 'open' && connection.stats().reconnects === 1)
      await connection.close()
      await watching
      t.expect.equal(
        seen.filter(type => type !== 'idle'),
        ['connecting', 'open', 'connecting', 'open', 'closed'],
      )
    },
  },
  {
    name: 'resume: bytes that stop without a reset are noticed or waited out',
    timeoutMs: 60_000,
    async run(t) {
      const { name, proxy, connection } = await throughProxy(t)
      const producer = connection.producer(name)
      await producer.send('a')
      await t.freeze(proxy.id, 3000)
      await producer.send('b')
      t.expect.equal((await t.stored(name)).map(message => message.body).sort(), ['a', 'b'])
    },
  },
]
