import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Connection, Message } from '../../src/api.ts'
import { createConnect } from '../../src/connect.ts'
import { json, text, topic, type Codec, type TopicDef } from '../../src/topic.ts'
import { OwnBridge } from './own-bridge.ts'

let bridge: OwnBridge
beforeAll(async () => {
  bridge = await OwnBridge.start()
})
afterAll(() => bridge.close())

/** A topic of its own for each test. */
async function fresh<const K extends 'normal' | 'fifo'>(kind: K, queues = 2) {
  const def = topic(`t-${randomUUID()}`, { kind, codec: text })
  await bridge.cluster.topics.create({ topic: def.name, readQueues: queues, writeQueues: queues })
  return def
}

const connect = <const R extends readonly TopicDef[]>(topics: R): Connection<R> =>
  createConnect(bridge.environment)({ url: 'ws://a', topics, backoff: { min: 1, max: 10 } })

/** Takes messages until `enough`. */
async function until<T extends TopicDef>(
  source: AsyncIterable<Message<T>>,
  enough: (message: Message<T>) => boolean,
): Promise<void> {
  for await (const message of source) if (enough(message)) return
}

describe('against our own broker', () => {
  it('sends a thousand messages and consumes them in a group, each once', async () => {
    const def = await fresh('normal')
    await using connection = connect([def])
    const producer = connection.producer(def.name)
    const consumer = connection.consumer({ topics: [def.name], group: `g-${randomUUID()}`, ack: 'auto' })
    const seen = new Map<string, number>()
    const stop = new AbortController()
    const running = consumer.run(
      message => {
        seen.set(message.value, (seen.get(message.value) ?? 0) + 1)
        if (seen.size === 1000) stop.abort()
      },
      { concurrency: 4, signal: stop.signal },
    )
    const receipts = await Promise.all(Array.from({ length: 1000 }, (_, n) => producer.send(`m${n}`, { keys: [`k${n}`] })))
    expect(new Set(receipts.map(receipt => receipt.id)).size).toBe(1000)
    await running
    expect([...seen.values()].every(times => times === 1)).toBe(true)
    const [stored] = await bridge.cluster.messages.byUniqueKey(def.name, receipts[7]!.id)
    expect(stored!.body.toString()).toBe('m7')
  })

  it('keeps the order of a group', async () => {
    const def = await fresh('fifo')
    await using connection = connect([def])
    const producer = connection.producer(def.name)
    for (let n = 0; n < 60; n++) void producer.send(`${n}`, { group: `g${n % 3}` })
    await producer.flush()
    const consumer = connection.consumer({ topics: [def.name], group: `g-${randomUUID()}`, ordered: true, ack: 'auto' })
    const order: Record<string, number[]> = { g0: [], g1: [], g2: [] }
    const stop = new AbortController()
    let left = 60
    await consumer.run(
      message => {
        order[message.group!]!.push(Number(message.value))
        if (--left === 0) stop.abort()
      },
      { concurrency: 3, signal: stop.signal },
    )
    for (const numbers of Object.values(order)) expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
    expect(Object.values(order).flat()).toHaveLength(60)
  })

  it('a nack brings a message again, with the next attempt', async () => {
    const def = await fresh('normal')
    await using connection = connect([def])
    const consumer = connection.consumer({ topics: [def.name], group: `g-${randomUUID()}` })
    await connection.producer(def.name).send('again')
    const attempts: number[] = []
    await until(consumer, message => {
      attempts.push(message.attempt)
      if (message.attempt < 2) message.nack({ after: 0 })
      else message.ack()
      return message.attempt === 2
    })
    expect(attempts).toEqual([1, 2])
  })

  it('broadcast goes on over cut sockets and a new node, without a gap or a message twice', async () => {
    const def = await fresh('normal', 1)
    await using connection = connect([def])
    const producer = connection.producer(def.name)
    const consumer = connection.consumer({ topics: [def.name], mode: 'broadcast', since: 'earliest' })
    const values: string[] = []
    const all = until(consumer, message => values.push(message.value) === 300)
    for (let n = 0; n < 300; n++) {
      await producer.send(`${n}`)
      if (n === 80 || n === 160) bridge.cut()
      if (n === 220) await bridge.replace()
    }
    await all
    expect(values).toEqual(Array.from({ length: 300 }, (_, n) => `${n}`))
  })

  it('sends are stored once when sockets break under them', async () => {
    const def = await fresh('normal')
    await using connection = connect([def])
    const producer = connection.producer(def.name)
    const consumer = connection.consumer({ topics: [def.name], mode: 'broadcast', since: 'earliest' })
    const sends = Array.from({ length: 600 }, (_, n) => producer.send(`${n}`))
    await sends[0]
    bridge.cut()
    await sends[300]
    bridge.cut()
    await Promise.all(sends)
    const last = producer.send('end')
    const counts = new Map<string, number>()
    await last
    await until(consumer, message => {
      counts.set(message.value, (counts.get(message.value) ?? 0) + 1)
      return counts.size === 601
    })
    expect([...counts.values()].every(times => times === 1)).toBe(true)
  })

  it('large JSON travels compressed', async () => {
    interface Row {
      name: string
    }
    const def = topic(`t-${randomUUID()}`, { codec: json as Codec<Row[]> })
    await bridge.cluster.topics.create({ topic: def.name, readQueues: 1, writeQueues: 1 })
    await using connection = connect([def])
    const consumer = connection.consumer({ topics: [def.name], group: `g-${randomUUID()}` })
    const rows = Array.from({ length: 1_000 }, () => ({ name: 'the same' }))
    await connection.producer(def.name).send(rows)
    await until(consumer, message => {
      expect(message.value).toEqual(rows)
      message.ack()
      return true
    })
  })

  it('drain tells what became of everything', async () => {
    const def = await fresh('normal')
    const group = `g-${randomUUID()}`
    const connection = connect([def])
    const producer = connection.producer(def.name)
    const consumer = connection.consumer({ topics: [def.name], group })
    await producer.sendBatch(Array.from({ length: 10 }, (_, n) => ({ value: `${n}` })))
    let count = 0
    await until(consumer, message => {
      message.ack()
      return ++count === 10
    })
    const sent = producer.send('late')
    const drained = await connection.drain({ timeout: '5s' })
    expect(drained).toMatchObject({ flushed: 1, lost: 0 })
    await sent
    await using second = connect([def])
    const late: string[] = []
    await until(second.consumer({ topics: [def.name], group }), message => {
      message.ack()
      return late.push(message.value) === 1
    })
    expect(late).toEqual(['late'])
  })
})
