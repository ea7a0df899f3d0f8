import type { Case } from '../types.ts'
import { ascii, newTopic, numbers } from './support.ts'

const items = (count: number): { value: string }[] => numbers(count).map(value => ({ value }))

const sizes = (count: number): Case => ({
  name: `batch: ${count} messages get ${count} receipts in order`,
  async run(t) {
    const { name, topic } = await newTopic(t)
    const receipts = await t.open([topic]).producer(name).sendBatch(items(count))
    t.expect.equal(receipts.length, count, 'receipts')
    const bodies = new Map((await t.stored(name)).map(message => [message.msgId, message.body]))
    receipts.forEach((receipt, i) => {
      if (receipt instanceof Error) throw receipt
      t.expect.equal(bodies.get(receipt.id), `m${i}`, `message ${i}`)
    })
    t.expect.equal(bodies.size, count, 'stored')
  },
})

export const batchCases: readonly Case[] = [
  sizes(1),
  sizes(2),
  sizes(32),
  sizes(500),
  {
    name: 'batch: none is an empty answer',
    async run(t) {
      const { name, topic } = await newTopic(t)
      t.expect.equal(await t.open([topic]).producer(name).sendBatch([]), [])
    },
  },
  {
    name: 'batch: one bad message does not fail the others',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const results = await t
        .open([topic])
        .producer(name)
        .sendBatch([{ value: 'a' }, { value: ascii(5 * 1024 * 1024) }, { value: 'c' }, { value: 'd', keys: ['a b'] }])
      t.expect.equal(
        results.map(result => (t.BridgeError.is(result) ? result.code : 'stored')),
        ['stored', 'COMET_BODY_TOO_LARGE', 'stored', 'COMET_ILLEGAL_KEY'],
      )
      t.expect.equal((await t.stored(name)).map(message => message.body).sort(), ['a', 'c'])
    },
  },
  {
    name: 'batch: atomic goes into one queue, one after the other',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const receipts = await t.open([topic]).producer(name).sendBatch(items(20), { atomic: true })
      const stored = await t.stored(name)
      t.expect.equal(new Set(stored.map(message => message.queueId)).size, 1, 'queues')
      t.expect.equal(
        stored.map(message => message.body),
        numbers(20),
        'order',
      )
      t.expect.equal(
        receipts.map(receipt => (receipt instanceof Error ? -1 : receipt.offset)),
        numbers(20).map((_, i) => i),
        'offsets',
      )
    },
  },
  {
    name: 'batch: atomic with a bad message stores none',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const results = await t
        .open([topic])
        .producer(name)
        .sendBatch([{ value: 'a' }, { value: 'b', keys: ['a b'] }, { value: 'c' }], { atomic: true })
      t.expect.ok(
        results.every(result => t.BridgeError.is(result)),
        'every item is an error',
      )
      t.expect.equal((await t.stored(name)).length, 0, 'stored')
    },
  },
  {
    name: 'batch: each message keeps its own tag, keys and properties',
    async run(t) {
      const { name, topic } = await newTopic(t)
      await t
        .open([topic])
        .producer(name)
        .sendBatch([
          { value: 'a', tag: 'red', keys: ['k1'], props: { p: '1' } },
          { value: 'b', tag: 'blue', keys: ['k2'], props: { p: '2' } },
        ])
      const stored = [...(await t.stored(name))].sort((a, b) => (a.body < b.body ? -1 : 1))
      t.expect.equal(
        stored.map(message => [message.tag, message.keys, message.properties['p']]),
        [
          ['red', ['k1'], '1'],
          ['blue', ['k2'], '2'],
        ],
      )
    },
  },
  {
    name: 'batch: more than the window and than a frame goes through',
    timeoutMs: 40_000,
    async run(t) {
      const { name, topic } = await newTopic(t)
      const large = numbers(600).map(value => ({ value: value + ascii(4000) }))
      const results = await t.open([topic]).producer(name).sendBatch(large)
      t.expect.ok(
        results.every(result => !(result instanceof Error)),
        'all are stored',
      )
      t.expect.equal((await t.stored(name)).length, 600)
    },
  },
  {
    name: 'batch: several at once do not mix',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const producer = t.open([topic]).producer(name)
      const all = await Promise.all(['a', 'b', 'c'].map(p => producer.sendBatch(numbers(30, p).map(value => ({ value })))))
      const bodies = new Map((await t.stored(name)).map(message => [message.msgId, message.body]))
      all.forEach((receipts, which) =>
        receipts.forEach((receipt, i) => {
          if (receipt instanceof Error) throw receipt
          t.expect.equal(bodies.get(receipt.id), `${'abc'[which]}${i}`)
        }),
      )
    },
  },
  {
    name: 'batch: any iterable is taken',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const results = await t
        .open([topic])
        .producer(name)
        .sendBatch(new Set([{ value: 'a' }, { value: 'b' }]))
      t.expect.equal(results.length, 2)
    },
  },
]
