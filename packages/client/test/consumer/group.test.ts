import { type Entry, Flag, Kind, type Meta, type WelcomeInfo } from '@cometmq/protocol'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Consumer, ConsumerEvent, Message } from '../../src/api.ts'
import { deflate } from '../../src/compress.ts'
import { createConsumer } from '../../src/consumer/index.ts'
import { type BridgeError } from '../../src/errors.ts'
import { json, type StandardSchema, text, topic } from '../../src/topic.ts'
import { Line, settle } from './setup.ts'

const notes = topic('notes', { codec: text })
type Notes = typeof notes

const bytes = (value: string): Uint8Array => new TextEncoder().encode(value)
const entry = (offset: number, { body = bytes(`m${offset}`), meta = {}, attempt = 1, flags = 0, queue = 0 } = {}): Entry => [
  0,
  queue,
  offset,
  `id${offset}`,
  1_000,
  attempt,
  flags,
  meta,
  body,
]

const entries = (from: number, count: number): Entry[] => Array.from({ length: count }, (_, n) => entry(from + n))

interface Bench {
  line: Line
  consumer: Consumer<Notes>
  sid: number
  give: (firstSeq: number, items: readonly Entry[]) => Promise<void>
  events: ConsumerEvent[]
}

async function open(options: object = {}, topics: Parameters<typeof createConsumer>[1] = [notes]): Promise<Bench> {
  const line = new Line()
  const consumer = createConsumer<Notes>(line.core, topics, { topics: ['notes'], group: 'g', ...options })
  const events: ConsumerEvent[] = []
  void (async () => {
    for await (const event of consumer.events()) events.push(event)
  })()
  await settle()
  await line.open()
  const sid = line.bridge.socket.hello.subs![0]![1]
  return { line, consumer, sid, events, give: (firstSeq, items) => line.give([Kind.DELIVER, sid, firstSeq, items]) }
}

const first = async (consumer: Consumer<Notes>): Promise<Message<Notes>> => {
  const next = await consumer[Symbol.asyncIterator]().next()
  if (next.done) throw new Error('the consumer has ended')
  return next.value
}
const take = async (consumer: Consumer<Notes>, count: number): Promise<Message<Notes>[]> => {
  const iterator = consumer[Symbol.asyncIterator]()
  const taken: Message<Notes>[] = []
  while (taken.length < count) taken.push((await iterator.next()).value as Message<Notes>)
  return taken
}
const errorOf = (work: Promise<unknown>): Promise<BridgeError> =>
  work.then(
    () => expect.unreachable('it should have failed'),
    (error: unknown) => error as BridgeError,
  )

const reported: unknown[] = []
beforeEach(() => void vi.spyOn(console, 'error').mockImplementation((error: unknown) => void reported.push(error)))
afterEach(() => {
  vi.unstubAllGlobals()
  reported.length = 0
})

describe('taking', () => {
  it('has everything of the entry', async () => {
    const { consumer, give } = await open()
    const meta: Meta = { 1: 'a', 2: ['k'], 3: { p: 'q' }, 4: 'g1' }
    await give(1, [entry(7, { meta, attempt: 3, queue: 65_537 }), entry(8)])
    const [message, plain] = await take(consumer, 2)
    expect(message).toMatchObject({
      topic: 'notes',
      value: 'm7',
      id: 'id7',
      tag: 'a',
      keys: ['k'],
      props: { p: 'q' },
      group: 'g1',
    })
    expect(message).toMatchObject({
      attempt: 3,
      redelivered: true,
      queue: 65_537,
      offset: 7,
      bornAt: new Date(1_000),
      raw: bytes('m7'),
    })
    expect(plain).toMatchObject({ tag: undefined, keys: [], props: {}, group: undefined, redelivered: false })
  })

  it('raises the limit when half of the window is taken by the application, not before', async () => {
    const { line, consumer, sid, give } = await open({ prefetch: { messages: 8 } })
    await give(1, entries(0, 8))
    await take(consumer, 3)
    expect(line.sent(Kind.LIMIT)).toEqual([])
    await take(consumer, 1)
    expect(line.sent(Kind.LIMIT)).toEqual([[Kind.LIMIT, sid, 12, 1_048_576 + 4 * 66]])
    await take(consumer, 4)
    expect(line.sent(Kind.LIMIT).at(-1)!.slice(2)).toEqual([16, 1_048_576 + 8 * 66])
  })

  it('raises it by bytes too', async () => {
    const { line, consumer, give } = await open({ prefetch: { bytes: 400 } })
    await give(1, entries(0, 4))
    await take(consumer, 3)
    expect(line.sent(Kind.LIMIT)).toEqual([])
    await take(consumer, 1)
    expect(line.sent(Kind.LIMIT)[0]!.slice(2)).toEqual([68, 400 + 4 * 66])
  })

  it('several loops share; pause holds back, resume goes on', async () => {
    const { consumer, give } = await open()
    const one = first(consumer)
    const two = first(consumer)
    consumer.pause()
    await give(1, entries(0, 2))
    const values: string[] = []
    void one.then(message => values.push(message.value))
    void two.then(message => values.push(message.value))
    await settle()
    expect(values).toEqual([])
    consumer.resume()
    await settle()
    expect(values).toEqual(['m0', 'm1'])
  })

  it('inflates in order', async () => {
    const { consumer, give } = await open()
    const body = await deflate(bytes('x'.repeat(5_000)))
    await give(1, [entry(0, { body, flags: Flag.compressed }), entry(1)])
    const [large, small] = await take(consumer, 2)
    expect(large!.value).toBe('x'.repeat(5_000))
    expect(small!.value).toBe('m1')
  })

  it('a payload that cannot be decoded is no end: nack, event, next', async () => {
    const { line, consumer, events, sid, give } = await open()
    const bomb = await deflate(new Uint8Array(40_000_000))
    await give(1, [
      entry(0, { body: new Uint8Array([0xff]) }),
      entry(1, { body: bytes('no zlib'), flags: Flag.compressed }),
      entry(2, { body: bomb, flags: Flag.compressed }),
      entry(3),
    ])
    expect((await first(consumer)).value).toBe('m3')
    await line.clock.advanceAsync(10)
    expect(line.sent(Kind.NACK).flatMap(frame => frame[2])).toEqual([1, 1, 2, 2, 3, 3])
    expect(line.sent(Kind.NACK)[0]!.slice(0, 2)).toEqual([Kind.NACK, sid])
    expect(events.map(event => event.type)).toEqual(['undecodable', 'undecodable', 'undecodable'])
    expect(reported).toEqual([])
  })

  it('schemas, also asynchronous ones', async () => {
    const schema: StandardSchema<number, string> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: async value => (typeof value === 'number' ? { value: `#${value}` } : { issues: [{ message: 'no number' }] }),
      },
    }
    const { consumer, give, events } = await open({}, [topic('notes', { schema, codec: json })])
    await give(1, [entry(0, { body: bytes('"x"') }), entry(1, { body: bytes('5') })])
    expect((await first(consumer)).value).toBe('#5')
    expect(events[0]).toMatchObject({ type: 'undecodable', id: 'id0' })
  })
})

describe('settling', () => {
  it('gathers into ranges, sent after 10 ms', async () => {
    const { line, consumer, sid, give } = await open()
    await give(1, entries(0, 8))
    const all = await take(consumer, 8)
    for (const n of [0, 1, 3, 2, 6]) all[n]!.ack()
    all[0]!.ack()
    all[0]!.nack()
    all[4]!.nack({ after: '5s', reason: 'later' })
    all[5]!.extend('1m')
    all[7]!.deadLetter('bad')
    expect(line.sent(Kind.ACK)).toEqual([])
    await line.clock.advanceAsync(10)
    expect(line.sent(Kind.ACK)).toEqual([[Kind.ACK, sid, [1, 4, 7, 7]]])
    expect(line.sent(Kind.NACK)).toEqual([[Kind.NACK, sid, [5, 5], 5_000, 'later']])
    expect(line.sent(Kind.EXTEND)).toEqual([[Kind.EXTEND, sid, [6, 6], 60_000]])
    expect(line.sent(Kind.DEAD)).toEqual([[Kind.DEAD, sid, [8, 8], 'bad']])
  })

  it('acked() resolves when the bridge has it and rejects when the lease was lost', async () => {
    const { line, consumer, sid, give } = await open()
    await give(1, entries(0, 3))
    const all = await take(consumer, 3)
    const kept = all[0]!.acked()
    const lost = errorOf(all[1]!.acked())
    const aborted = errorOf(all[2]!.acked({ signal: AbortSignal.abort('why') }))
    await settle()
    expect(line.sent(Kind.ACK)).toEqual([[Kind.ACK, sid, [1, 3], true]])
    await line.give([Kind.ACKED, sid, [1, 1, 3, 3], [2, 2]])
    await kept
    expect((await lost).code).toBe('COMET_LEASE_LOST')
    expect(await aborted).toMatchObject({ code: 'COMET_CANCELLED', outcome: 'unknown' })
  })

  it('auto: a loop acknowledges when it asks for the next, not what it was left with', async () => {
    const { line, consumer, sid, give } = await open({ ack: 'auto' })
    await give(1, entries(0, 3))
    let count = 0
    for await (const _message of consumer) if (++count === 2) break
    await line.clock.advanceAsync(10)
    expect(line.sent(Kind.ACK)).toEqual([[Kind.ACK, sid, [1, 1]]])
  })

  it('batches and streams', async () => {
    const { line, consumer, sid, give } = await open()
    await give(1, entries(0, 3))
    const batches = consumer.batches({ max: 2 })[Symbol.asyncIterator]()
    const one = (await batches.next()).value as { messages: Message<Notes>[]; ack(): void }
    expect(one.messages.map(message => message.value)).toEqual(['m0', 'm1'])
    one.ack()
    const reader = consumer.readable().getReader()
    const { value } = await reader.read()
    value!.ack()
    await line.clock.advanceAsync(10)
    expect(line.sent(Kind.ACK)).toEqual([[Kind.ACK, sid, [1, 3]]])
  })

  it('a batch waits for more for a while', async () => {
    const { line, consumer, give } = await open()
    const batches = consumer.batches({ max: 3, wait: '1s' })[Symbol.asyncIterator]()
    const next = batches.next()
    await give(1, entries(0, 1))
    await line.clock.advanceAsync(500)
    await give(2, entries(1, 1))
    await line.clock.advanceAsync(500)
    expect(((await next).value as { messages: unknown[] }).messages).toHaveLength(2)
  })
})

describe('run', () => {
  it('runs so many at a time; a handler that throws makes a nack and no end', async () => {
    const { line, consumer, sid, give } = await open({ ack: 'auto' })
    const stop = new AbortController()
    let now = 0
    let most = 0
    const gates: (() => void)[] = []
    const done = consumer.run(
      async message => {
        most = Math.max(most, ++now)
        await new Promise<void>(resolve => gates.push(resolve))
        now--
        if (message.value === 'm1') throw new Error('no good')
      },
      { concurrency: 2, signal: stop.signal },
    )
    await give(1, entries(0, 4))
    expect(gates).toHaveLength(2)
    while (gates.length > 0) {
      gates.shift()!()
      await settle()
    }
    stop.abort()
    await done
    await line.clock.advanceAsync(10)
    expect(most).toBe(2)
    expect(line.sent(Kind.ACK).flatMap(frame => frame[2])).toEqual([1, 1, 3, 4])
    expect(line.sent(Kind.NACK)).toEqual([[Kind.NACK, sid, [2, 2], null, 'no good']])
    expect(reported).toHaveLength(1)
  })

  it('by group: one at a time of each, in order, others pass', async () => {
    const { consumer, give } = await open()
    const log: string[] = []
    const gates = new Map<string, () => void>()
    void consumer.run(
      message => {
        log.push(message.value)
        return new Promise<void>(resolve => gates.set(message.value, resolve))
      },
      { concurrency: 3, by: 'group' },
    )
    const groups = ['a', 'a', 'b', 'a']
    await give(
      1,
      groups.map((group, n) => entry(n, { meta: { 4: group } })),
    )
    expect(log).toEqual(['m0', 'm2'])
    gates.get('m0')!()
    await settle()
    expect(log).toEqual(['m0', 'm2', 'm1'])
    gates.get('m1')!()
    await settle()
    expect(log).toEqual(['m0', 'm2', 'm1', 'm3'])
  })

  it('rejects when the subscription fails', async () => {
    const { line, consumer, sid } = await open()
    const failed = errorOf(consumer.run(() => undefined))
    await line.give([Kind.ERR, 0, 40402, 'topic notes was deleted', { sid }])
    expect((await failed).code).toBe('COMET_TOPIC_NOT_FOUND')
    expect((await errorOf(first(consumer))).code).toBe('COMET_TOPIC_NOT_FOUND')
  })
})

describe('leases', () => {
  it('LEASE aborts the signal; what waited is dropped and counts as taken', async () => {
    const { line, consumer, sid, events, give } = await open({ prefetch: { messages: 4 } })
    await give(1, entries(0, 4))
    const [held, other] = await take(consumer, 2)
    const { signal } = held!
    expect(signal.aborted).toBe(false)
    await line.give([Kind.LEASE, sid, [1, 1, 3, 3]])
    expect(signal.aborted).toBe(true)
    expect((signal.reason as BridgeError).code).toBe('COMET_LEASE_LOST')
    expect(other!.signal.aborted).toBe(false)
    expect(events.at(-1)).toEqual({ type: 'lease-lost', ids: ['id0', 'id2'] })
    held!.ack()
    expect((await first(consumer)).value).toBe('m3')
    await line.clock.advanceAsync(10)
    expect(line.sent(Kind.ACK)).toEqual([])
    expect(line.sent(Kind.LIMIT).at(-1)!.slice(2)).toEqual([8, 1_048_576 + 4 * 66])
    expect((await errorOf(held!.acked())).code).toBe('COMET_LEASE_LOST')
  })

  it('by our own clocks: what is in hand is lost, what waits is extended in time', async () => {
    const { line, consumer, sid, events, give } = await open()
    await give(1, entries(0, 2))
    const held = await first(consumer)
    await line.clock.advanceAsync(29_000)
    expect(held.signal.aborted).toBe(false)
    expect(line.sent(Kind.EXTEND)[0]).toEqual([Kind.EXTEND, sid, [2, 2], 30_000])
    await line.clock.advanceAsync(1_100)
    expect(held.signal.aborted).toBe(true)
    expect(events.at(-1)).toEqual({ type: 'lease-lost', ids: ['id0'] })
    expect((await first(consumer)).value).toBe('m1')
  })

  it('extend() keeps it', async () => {
    const { line, consumer, give } = await open()
    await give(1, entries(0, 1))
    const held = await first(consumer)
    held.extend('2m')
    await line.clock.advanceAsync(100_000)
    expect(held.signal.aborted).toBe(false)
    await line.clock.advanceAsync(21_000)
    expect(held.signal.aborted).toBe(true)
  })

  it('after a sleep in which only the wall clock went on', async () => {
    const { line, consumer, events, give } = await open({ prefetch: { messages: 8 } })
    await give(1, entries(0, 3))
    await first(consumer)
    line.clock.jump(3_600_000)
    await give(4, [entry(8), entry(9)])
    expect((await take(consumer, 2)).map(message => message.value)).toEqual(['m8', 'm9'])
    expect(events).toEqual([
      { type: 'lease-lost', ids: ['id1'] },
      { type: 'lease-lost', ids: ['id2'] },
    ])
    expect(line.sent(Kind.LIMIT).at(-1)!.slice(2)).toEqual([12, 1_048_576 + 4 * 66])
    const more = first(consumer)
    await give(6, [entry(10)])
    expect((await more).value).toBe('m10')
  })
})

describe('resume', () => {
  it('hot: acks that may have been lost go again, repeated deliveries are dropped', async () => {
    const { line, consumer, sid, events, give } = await open()
    await give(1, entries(0, 4))
    const [one, two, three] = await take(consumer, 3)
    one!.ack()
    await line.clock.advanceAsync(10)
    line.bridge.socket.cut()
    await settle()
    two!.ack()
    await line.clock.advanceAsync(20_000)
    const rid = (): number => line.bridge.socket.hello.subs![0]![0]
    line.bridge.socket.accept()
    await settle()
    expect(line.bridge.socket.hello.resume!.subs).toEqual([[sid, 4]])
    line.bridge.socket.welcome({ resumed: 2, results: [[Kind.OK, rid(), { leaseMs: 30_000, redelivered: 1 }]] })
    await give(4, entries(3, 2))
    expect(line.sent(Kind.ACK).map(frame => frame[2])).toEqual([
      [1, 1],
      [2, 2],
    ])
    expect((await take(consumer, 2)).map(message => message.value)).toEqual(['m3', 'm4'])
    expect(three!.signal.aborted).toBe(false)
    expect(events.at(-1)).toEqual({ type: 'resumed', how: 'hot', redelivered: 1 })
  })

  it('hot: seqs whose leases were lost unseen do not use up the window', async () => {
    const { line, consumer, sid, give } = await open({ prefetch: { messages: 4 } })
    await give(1, entries(0, 1))
    await take(consumer, 1)
    await line.reopen(2)
    await line.give([Kind.LEASE, sid, [2, 4]])
    expect(line.sent(Kind.LIMIT).at(-1)![2]).toBe(8)
    await give(5, entries(8, 1))
    expect((await first(consumer)).value).toBe('m8')
  })

  it('cold and none: what waited comes again, what is in hand is lost; seq starts anew', async () => {
    for (const resumed of [0, 1] as const) {
      const { line, consumer, events, sid, give } = await open()
      await give(1, entries(0, 3))
      const held = await first(consumer)
      const unconfirmed = errorOf(held.acked())
      const { signal } = (await take(consumer, 1))[0]!
      await line.reopen(resumed)
      expect(signal.aborted).toBe(true)
      expect(await unconfirmed).toMatchObject({ code: 'COMET_LEASE_LOST', outcome: 'unknown' })
      await give(1, [entry(2, { attempt: 2 })])
      const again = await first(consumer)
      expect(again).toMatchObject({ value: 'm2', attempt: 2 })
      again.ack()
      held.ack()
      await line.clock.advanceAsync(10)
      expect(line.sent(Kind.ACK)).toEqual([[Kind.ACK, sid, [1, 1]]])
      expect(events.at(-1)).toMatchObject({ type: 'resumed', how: 'cold' })
    }
  })

  it('moving: what is in hand is settled over the old socket', async () => {
    const { line, consumer, sid, give } = await open()
    await give(1, entries(0, 2))
    const held = await first(consumer)
    const old = line.bridge.socket
    await line.give([Kind.GOAWAY, 4001, 60_000, 'ws://b', 0])
    await line.clock.advanceAsync(1_000)
    expect(line.bridge.socket).not.toBe(old)
    await line.open({ resumed: 1 } satisfies Partial<WelcomeInfo>)
    expect(held.signal.aborted).toBe(false)
    expect(old.closed).toBeUndefined()
    held.ack()
    await line.clock.advanceAsync(10)
    expect(old.of(Kind.ACK)).toEqual([[Kind.ACK, sid, [1, 1]]])
    expect(old.of(Kind.BYE)).toHaveLength(1)
    expect(line.sent(Kind.ACK)).toEqual([])
    await give(1, [entry(1, { attempt: 2 })])
    expect((await first(consumer)).attempt).toBe(2)
  })
})

describe('the end', () => {
  const answer = async ({ line }: Bench): Promise<void> => {
    const unsub = line.sent(Kind.UNSUB)
    for (const [, rid] of unsub) await line.give([Kind.OK, rid])
  }

  it('drain: no more deliveries, waits for what is in hand, gives back the rest', async () => {
    const bench = await open()
    const { line, consumer, sid, give } = bench
    await give(1, entries(0, 4))
    const iterator = consumer[Symbol.asyncIterator]()
    const one = (await iterator.next()).value as Message<Notes>
    const two = (await iterator.next()).value as Message<Notes>
    const draining = consumer.drain({ timeout: '3s' })
    expect((await iterator.next()).done).toBe(true)
    await answer(bench)
    one.ack()
    await line.clock.advanceAsync(3_000)
    expect(line.sent(Kind.UNSUB).map(frame => frame[3])).toEqual([1, 0])
    expect(line.sent(Kind.ACK)).toEqual([[Kind.ACK, sid, [1, 1]]])
    await answer(bench)
    expect(await draining).toEqual({ flushed: 0, acked: 1, released: 3, lost: 0 })
    expect(two.signal.aborted).toBe(true)
  })

  it('a signal closes it', async () => {
    const stop = new AbortController()
    const bench = await open({ signal: stop.signal })
    const next = bench.consumer[Symbol.asyncIterator]().next()
    stop.abort()
    await settle()
    await answer(bench)
    expect((await next).done).toBe(true)
  })

  it('lag asks the bridge', async () => {
    const { line, consumer, sid } = await open()
    const lag = consumer.lag()
    await settle()
    const [, rid, what, args] = line.sent(Kind.QUERY)[0]!
    expect([what, args]).toEqual(['lag', { sid }])
    await line.give([Kind.OK, rid, { messages: 5, ageMs: 90 }])
    expect(await lag).toEqual({ messages: 5, age: 90 })
  })

  it('wrong options are told at once', () => {
    const { core } = new Line()
    const make = (options: object) => () => createConsumer(core, [notes], options as never)
    expect(make({ topics: ['notes'] })).toThrow('group')
    expect(make({ topics: ['other'], group: 'g' })).toThrow('other')
    expect(make({ topics: [], group: 'g' })).toThrow('empty')
    expect(make({ topics: ['notes'], group: 'g', onSlow: 'drop-oldest' })).toThrow('slow')
    expect(make({ topics: [{ topic: 'notes', tags: ['a'], sql: 'x' }], group: 'g' })).toThrow('tags or sql')
  })
})
