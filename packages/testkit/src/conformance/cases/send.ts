import type { Case, CaseContext } from '../types.ts'
import { ascii, newTopic, numbers } from './support.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Sends one text with options and gives back how it is stored. */
async function storedAfter(t: CaseContext, value: string, options: Record<string, unknown> = {}) {
  const { name, topic } = await newTopic(t)
  const receipt = await t.open([topic]).producer(name).send(value, options)
  const stored = await t.stored(name)
  t.expect.equal(stored.length, 1, 'messages stored')
  return { receipt, stored: stored[0]! }
}

/** Sending with these options must fail before anything is stored. */
const refused = (what: string, code: string, options: Record<string, unknown>, value: unknown = 'x'): Case => ({
  name: `send: refused: ${what}`,
  async run(t) {
    const { name, topic } = await newTopic(t)
    const producer = t.open([topic]).producer(name)
    const error = await t.expect.rejects((async () => producer.send(value as string, options))(), code)
    t.expect.equal(error.outcome, 'not-executed', 'outcome')
    await producer.send('good')
    t.expect.equal(
      (await t.stored(name)).map(message => message.body),
      ['good'],
      'stored',
    )
  },
})

/** Texts that must come back as they were. */
const roundTrip = (what: string, value: string): Case => ({
  name: `send: body arrives as it was: ${what}`,
  async run(t) {
    const { stored } = await storedAfter(t, value)
    t.expect.ok(stored.body === value, `body differs: ${stored.body.length} characters instead of ${value.length}`)
  },
})

export const sendCases: readonly Case[] = [
  {
    name: 'send: a receipt tells id, queue and offset, and the message is stored',
    async run(t) {
      const { receipt, stored } = await storedAfter(t, 'hello')
      t.expect.equal(stored.msgId, receipt.id, 'id')
      t.expect.equal(stored.body, 'hello', 'body')
      t.expect.equal(receipt.duplicate, false, 'duplicate')
      t.expect.equal(receipt.queue % 65_536, stored.queueId, 'queue')
      t.expect.equal(receipt.offset, 0, 'offset')
    },
  },
  {
    name: 'send: tag arrives',
    async run(t) {
      t.expect.equal((await storedAfter(t, 'x', { tag: 'red' })).stored.tag, 'red')
    },
  },
  {
    name: 'send: keys arrive',
    async run(t) {
      t.expect.equal((await storedAfter(t, 'x', { keys: ['k1', 'k2'] })).stored.keys, ['k1', 'k2'])
    },
  },
  {
    name: 'send: properties arrive, with any characters but the separators',
    async run(t) {
      const props = { a: '1', 'with space': 'ü€😀', empty2: ' ' }
      const { stored } = await storedAfter(t, 'x', { props })
      for (const [key, value] of Object.entries(props)) t.expect.equal(stored.properties[key], value, key)
    },
  },
  {
    name: "send: the application's id is stored",
    async run(t) {
      const { stored } = await storedAfter(t, 'x', { id: 'order-17' })
      t.expect.equal(stored.properties['CMQ_ID'], 'order-17')
    },
  },
  {
    name: 'send: the time of birth is the time of sending',
    async run(t) {
      const before = Date.now()
      const { stored } = await storedAfter(t, 'x')
      t.expect.ok(stored.bornAt >= before - 5000 && stored.bornAt <= Date.now() + 5000, `born at ${stored.bornAt}`)
    },
  },
  roundTrip('one byte', 'a'),
  roundTrip('unicode', 'Ünïcödé 漢字 😀\u0000\u0001\u0002'),
  roundTrip('1 kB', ascii(1024)),
  roundTrip('64 kB', ascii(65_536)),
  roundTrip('300 kB, more than a frame', numbers(40_000, 'part-').join(',')),
  roundTrip(
    '1 MB that does not compress',
    Array.from({ length: 100_000 }, () => Math.random().toString(36).slice(2, 12)).join(''),
  ),
  {
    name: 'send: binary bodies arrive as they were',
    async run(t) {
      const name = await t.createTopic(t.name('t'))
      const body = Uint8Array.from({ length: 256 }, (_, i) => i)
      const connection = t.open([t.topic(name)])
      await connection.producer(name).send(body)
      for await (const message of connection.consumer({ topics: [name], group: t.name('g') })) {
        message.ack()
        t.expect.equal([...message.value], [...body], 'body')
        return
      }
    },
  },
  {
    name: 'send: JSON with a schema is checked and arrives typed',
    async run(t) {
      const name = await t.createTopic(t.name('t'))
      const schema = {
        '~standard': {
          version: 1 as const,
          vendor: 'test',
          validate: (value: unknown) =>
            typeof (value as { n?: unknown }).n === 'number'
              ? { value: value as { n: number } }
              : { issues: [{ message: 'n must be a number' }] },
        },
      }
      const connection = t.open([t.topic(name, { schema })])
      const producer = connection.producer(name)
      await t.expect.rejects(producer.send({ n: 'x' } as never), 'COMET_SCHEMA')
      await producer.send({ n: 7 } as never)
      t.expect.equal(
        (await t.stored(name)).map(message => message.body),
        ['{"n":7}'],
        'stored',
      )
    },
  },
  {
    name: 'send: a schema may be asynchronous, and order is kept',
    async run(t) {
      const name = await t.createTopic(t.name('t'), 1)
      let turn = 0
      const schema = {
        '~standard': {
          version: 1 as const,
          vendor: 'test',
          validate: async (value: unknown) => {
            await new Promise(resolve => setTimeout(resolve, turn++ % 2 === 0 ? 20 : 1))
            return { value }
          },
        },
      }
      const producer = t.open([t.topic(name, { schema })]).producer(name)
      await Promise.all([0, 1, 2, 3, 4, 5].map(n => producer.send(n as never)))
      t.expect.equal(
        (await t.stored(name)).map(message => message.body),
        ['0', '1', '2', '3', '4', '5'],
      )
    },
  },
  {
    name: 'send: 1,000 at once are all stored, each under its own id',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const producer = t.open([topic]).producer(name)
      const receipts = await Promise.all(numbers(1000).map(value => producer.send(value)))
      t.expect.equal(new Set(receipts.map(receipt => receipt.id)).size, 1000, 'ids')
      const stored = await t.stored(name)
      t.expect.equal(stored.length, 1000, 'stored')
      const bodies = new Map(stored.map(message => [message.msgId, message.body]))
      receipts.forEach((receipt, i) => t.expect.equal(bodies.get(receipt.id), `m${i}`, `message ${i}`))
    },
  },
  {
    name: 'send: two producers of one topic do not disturb each other',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      const [a, b] = [connection.producer(name), connection.producer(name)]
      await Promise.all(numbers(20).flatMap(value => [a.send(`a${value}`), b.send(`b${value}`)]))
      t.expect.equal((await t.stored(name)).length, 40)
    },
  },
  {
    name: 'send: several topics over one connection',
    async run(t) {
      const [a, b] = [await newTopic(t, 'a'), await newTopic(t, 'b')]
      const connection = t.open([a.topic, b.topic])
      await Promise.all([connection.producer(a.name).send('to a'), connection.producer(b.name).send('to b')])
      t.expect.equal(
        (await t.stored(a.name)).map(message => message.body),
        ['to a'],
      )
      t.expect.equal(
        (await t.stored(b.name)).map(message => message.body),
        ['to b'],
      )
    },
  },
  {
    name: 'send: fifo messages of one group go to one queue in order',
    async run(t) {
      const name = await t.createTopic(t.name('t'))
      const producer = t.open([t.topic(name, { codec: t.text, kind: 'fifo' })]).producer(name)
      await Promise.all(numbers(50).map(value => producer.send(value as never, { group: 'customer-1' })))
      const stored = await t.stored(name)
      t.expect.equal(new Set(stored.map(message => message.queueId)).size, 1, 'queues')
      t.expect.equal(
        stored.map(message => message.body),
        numbers(50),
        'order',
      )
    },
  },
  {
    name: 'send: fifo without a group is refused at once',
    async run(t) {
      const name = await t.createTopic(t.name('t'))
      const producer = t.open([t.topic(name, { codec: t.text, kind: 'fifo' })]).producer(name)
      await t.expect.rejects((async () => producer.send('x', {} as never))(), 'COMET_KIND_MISMATCH')
    },
  },
  {
    name: 'send: oneway is stored without a receipt',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const producer = t.open([topic]).producer(name)
      await producer.ready()
      t.expect.equal(producer.oneway('quick'), true, 'taken')
      await t.until('the message is stored', async () => (await t.stored(name)).length === 1)
    },
  },
  {
    name: 'send: oneway says false when the window is full, and nothing is lost in silence',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const producer = t.open([topic]).producer(name, { maxInFlight: 10 })
      await producer.ready()
      const taken = numbers(50).filter(value => producer.oneway(value)).length
      t.expect.ok(taken >= 10 && taken < 50, `taken: ${taken}`)
      await t.until('what was taken is stored', async () => (await t.stored(name)).length === taken)
    },
  },
  {
    name: 'send: flush waits for everything',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const producer = t.open([topic]).producer(name)
      const sends = numbers(100).map(value => producer.send(value))
      await producer.flush()
      t.expect.equal((await t.stored(name)).length, 100)
      await Promise.all(sends)
    },
  },
  {
    name: 'send: a producer that is disposed has sent what it was given',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const producer = t.open([topic]).producer(name)
      const sends = numbers(20).map(value => producer.send(value))
      await producer[Symbol.asyncDispose]()
      await Promise.all(sends)
      t.expect.equal((await t.stored(name)).length, 20)
      await t.expect.rejects((async () => producer.send('late'))(), 'COMET_CLOSED')
    },
  },
  {
    name: 'send: a writable stream applies back-pressure and stores everything',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const writer = t.open([topic]).producer(name).writable().getWriter()
      for (const value of numbers(100)) {
        await writer.ready
        void writer.write({ value })
      }
      await writer.close()
      t.expect.equal((await t.stored(name)).length, 100)
    },
  },
  {
    name: 'send: the window tells what may be sent',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const producer = t.open([topic]).producer(name)
      await producer.ready()
      const before = producer.window
      t.expect.ok(before.messages > 0 && before.bytes > 0, `window ${JSON.stringify(before)}`)
      await producer.send('x')
      await t.until('the window is as large as before', () => producer.window.messages === before.messages)
    },
  },
  {
    name: 'send: a topic nobody has created is refused, or made by the broker',
    async run(t) {
      const name = t.name('unknown')
      const producer = t.open([t.topic(name, { codec: t.text })]).producer(name)
      try {
        await producer.send('x')
      } catch (error) {
        t.expect.ok(t.BridgeError.is(error, 'COMET_TOPIC_NOT_FOUND'), `wrong error: ${String(error)}`)
      }
    },
  },
  refused('an empty tag', 'COMET_ILLEGAL_TAG', { tag: '' }),
  refused('a tag with a bar', 'COMET_ILLEGAL_TAG', { tag: 'a|b' }),
  refused('a key with a space', 'COMET_ILLEGAL_KEY', { keys: ['a b'] }),
  refused('an empty key', 'COMET_ILLEGAL_KEY', { keys: [''] }),
  refused("a property of RocketMQ's own", 'COMET_ILLEGAL_PROPERTY_KEY', { props: { UNIQ_KEY: 'x' } }),
  refused('a property of our own', 'COMET_ILLEGAL_PROPERTY_KEY', { props: { CMQ_RESENT: '1' } }),
  refused('a property with a separator', 'COMET_ILLEGAL_PROPERTY_KEY', { props: { a: 'x\u0001y' } }),
  refused('properties that are too large', 'COMET_PROPERTIES_TOO_LARGE', { props: { a: ascii(17_000) } }),
  refused('a body that is too large', 'COMET_BODY_TOO_LARGE', {}, ascii(5 * 1024 * 1024)),
  refused('a value the codec cannot encode', 'COMET_INVALID_ARGUMENT', {}, { not: 'text' }),
  refused('a delay on a normal topic', 'COMET_KIND_MISMATCH', { after: 1000 }),
  {
    name: 'send: raw bytes and text of the same content are the same message',
    async run(t) {
      const name = await t.createTopic(t.name('t'))
      await t
        .open([t.topic(name)])
        .producer(name)
        .send(encode('same'))
      await t
        .open([t.topic(name, { codec: t.text })])
        .producer(name)
        .send('same')
      t.expect.equal(
        (await t.stored(name)).map(message => message.body),
        ['same', 'same'],
      )
    },
  },
]
