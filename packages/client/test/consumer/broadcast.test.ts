import { type Entry, Kind, type SubInfo, type SubSpec } from '@cometmq/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Consumer, ConsumerEvent } from '../../src/api.ts'
import { createConsumer } from '../../src/consumer/index.ts'
import { addTo, holds } from '../../src/consumer/ranges.ts'
import { text, topic } from '../../src/topic.ts'
import { Line, settle } from './setup.ts'

const ticks = topic('ticks', { codec: text })
const trades = topic('trades', { codec: text })
type Def = typeof ticks | typeof trades

const entry = (topicIx: number, queue: number, offset: number): Entry => {
  const body = new TextEncoder().encode(`${topicIx}/${queue}/${offset}`)
  return [topicIx, queue, offset, `id${offset}`, 0, 1, 0, {}, body]
}
type Queues = NonNullable<SubInfo['queues']>

async function open(options: object = {}, queues: Queues = [[0, 'ticks', 'a', 0, 10]]) {
  const line = new Line()
  const all = { topics: ['ticks', 'trades'], mode: 'broadcast', ...options }
  const consumer = createConsumer<Def>(line.core, [trades, ticks], all as never)
  await settle()
  await line.open()
  const sid = line.bridge.socket.hello.subs![0]![1]
  await line.give([Kind.SUBINFO, sid, { state: 'running', queues }])
  return { line, consumer, sid, spec: () => line.bridge.socket.hello.subs![0]![2] }
}

async function take(consumer: Consumer<Def>, count: number): Promise<string[]> {
  const iterator = consumer[Symbol.asyncIterator]()
  const values: string[] = []
  while (values.length < count) values.push(((await iterator.next()).value as { value: string }).value)
  return values
}

describe('broadcast', () => {
  it('says what it wants', async () => {
    const { spec } = await open({ since: new Date(5), onSlow: 'latest-per-key', prefetch: { messages: 3, bytes: 9 } })
    const wanted: SubSpec = {
      mode: 'broadcast',
      topics: [
        ['ticks', 0, '*'],
        ['trades', 0, '*'],
      ],
      start: { at: 5 },
      slow: 'latest-per-key',
      limit: [3, 9],
    }
    expect(spec()).toEqual(wanted)
  })

  it('acknowledges what the application has taken, and only that', async () => {
    const { line, consumer, sid } = await open()
    await line.give([Kind.DELIVER, sid, 1, [entry(0, 0, 10), entry(0, 0, 11), entry(0, 0, 12)]])
    expect(await take(consumer, 2)).toEqual(['0/0/10', '0/0/11'])
    await line.clock.advanceAsync(500)
    expect(line.sent(Kind.ACK)).toEqual([[Kind.ACK, sid, [1, 2]]])
    expect(consumer.cursor()).toEqual([['ticks', 'a', 0, 12]])
  })

  it('goes on from its cursor after the session was lost: no gap, nothing twice, queues numbered anew', async () => {
    const queues: Queues = [
      [0, 'ticks', 'a', 0, 10],
      [65_536, 'ticks', 'b', 0, 20],
      [0, 'trades', 'a', 0, 30],
    ]
    const { line, consumer, sid, spec } = await open({}, queues)
    await line.give([Kind.DELIVER, sid, 1, [entry(0, 0, 10), entry(0, 65_536, 20), entry(0, 0, 11)]])
    await line.give([Kind.DELIVER, sid, 4, [entry(0, 0, 30)], 1])
    expect(await take(consumer, 3)).toEqual(['0/0/10', '0/65536/20', '0/0/11'])
    await line.reopen(0)
    expect(spec().start).toEqual({
      cursor: [
        ['ticks', 'a', 0, 12],
        ['ticks', 'b', 0, 21],
        ['trades', 'a', 0, 30],
      ],
    })
    const renumbered: Queues = [
      [0, 'ticks', 'b', 0, 21],
      [65_536, 'ticks', 'a', 0, 12],
      [65_536, 'trades', 'a', 0, 30],
    ]
    await line.give([Kind.SUBINFO, sid, { state: 'running', queues: renumbered }])
    await line.give([Kind.DELIVER, sid, 1, [entry(0, 0, 21), entry(0, 65_536, 11), entry(0, 65_536, 12)]])
    await line.give([Kind.DELIVER, sid, 4, [entry(0, 65_536, 30)], 1])
    expect(await take(consumer, 3)).toEqual(['0/0/21', '0/65536/12', '0/65536/30'])
    expect(consumer.cursor()).toEqual([
      ['ticks', 'a', 0, 13],
      ['ticks', 'b', 0, 22],
      ['trades', 'a', 0, 31],
    ])
  })

  it('moving: what was taken over the old socket meanwhile does not come twice', async () => {
    const { line, consumer, sid, spec } = await open()
    await line.give([Kind.DELIVER, sid, 1, [entry(0, 0, 10), entry(0, 0, 11), entry(0, 0, 12)]])
    await take(consumer, 1)
    await line.give([Kind.GOAWAY, 4001, 60_000, 'ws://b', 0])
    await line.clock.advanceAsync(1_000)
    line.bridge.socket.accept()
    await settle()
    expect(spec().start).toEqual({ cursor: [['ticks', 'a', 0, 11]] })
    await take(consumer, 1)
    line.bridge.socket.welcome({ resumed: 1 })
    await line.give([Kind.SUBINFO, sid, { state: 'running', queues: [[0, 'ticks', 'a', 0, 11]] }])
    await line.give([Kind.DELIVER, sid, 1, [entry(0, 0, 11), entry(0, 0, 12), entry(0, 0, 13)]])
    expect(await take(consumer, 2)).toEqual(['0/0/12', '0/0/13'])
  })

  it('a queue that is told again keeps its position while messages wait here', async () => {
    const { line, consumer, sid } = await open()
    await line.give([Kind.DELIVER, sid, 1, [entry(0, 0, 10), entry(0, 0, 11)]])
    await line.give([Kind.SUBINFO, sid, { state: 'running', queues: [[0, 'ticks', 'a', 0, 12]] }])
    expect(await take(consumer, 2)).toEqual(['0/0/10', '0/0/11'])
  })

  it('resume: begins at a cursor that was kept elsewhere', async () => {
    const cursor = JSON.parse('[["ticks","a",0,4]]') as [string, string, number, number][]
    const { spec, consumer } = await open({ since: 'resume', cursor }, [])
    expect(spec().start).toEqual({ cursor })
    expect(consumer.cursor()).toEqual(cursor)
    expect((await open({ since: 'resume' }, [])).spec().start).toBe('latest')
  })

  it('seek: what waits is of the old position; a later resume knows the new one', async () => {
    const { line, consumer, sid, spec } = await open()
    await line.give([Kind.DELIVER, sid, 1, [entry(0, 0, 10), entry(0, 0, 11)]])
    await take(consumer, 1)
    const sought = consumer.seek('earliest')
    await settle()
    const [, rid, , target] = line.sent(Kind.SEEK)[0]!
    expect(target).toBe('earliest')
    line.bridge.socket.give([Kind.OK, rid])
    line.bridge.socket.give([Kind.SUBINFO, sid, { state: 'running', queues: [[0, 'ticks', 'a', 0, 2]] }])
    await line.give([Kind.DELIVER, sid, 3, [entry(0, 0, 2), entry(0, 0, 3)]])
    await sought
    expect(await take(consumer, 1)).toEqual(['0/0/2'])
    await line.reopen(0)
    expect(spec().start).toEqual({ cursor: [['ticks', 'a', 0, 3]] })
  })

  it('seek of one queue: what waits of the others stays', async () => {
    const queues: Queues = [
      [0, 'ticks', 'a', 0, 10],
      [1, 'ticks', 'a', 1, 20],
    ]
    const { line, consumer, sid } = await open({}, queues)
    await line.give([Kind.DELIVER, sid, 1, [entry(0, 0, 10), entry(0, 1, 20), entry(0, 0, 11)]])
    const sought = consumer.seek({ queue: 0, offset: 3 })
    await settle()
    await line.give([Kind.OK, line.sent(Kind.SEEK)[0]![1]], [Kind.DELIVER, sid, 4, [entry(0, 0, 3)]])
    await sought
    expect(await take(consumer, 2)).toEqual(['0/1/20', '0/0/3'])
    await line.clock.advanceAsync(500)
    expect(line.sent(Kind.ACK).map(frame => frame[2])).toEqual([[1, 4]])
    expect(consumer.cursor()).toEqual([
      ['ticks', 'a', 0, 4],
      ['ticks', 'a', 1, 21],
    ])
  })

  it('events: assigned, gap, slow', async () => {
    const { line, consumer, sid } = await open()
    const events: ConsumerEvent[] = []
    const stop = new AbortController()
    const reading = (async () => {
      for await (const event of consumer.events(stop)) events.push(event)
    })()
    await line.give([Kind.GAP, sid, 0, 3, 9, 'expired'], [Kind.SUBINFO, sid, { state: 'slow' }])
    await line.give([Kind.SUBINFO, sid, { state: 'running', queues: [[1, 'ticks', 'a', 1, 0]] }])
    stop.abort()
    await reading
    expect(events).toEqual([
      { type: 'gap', queue: 0, from: 3, to: 9, cause: 'expired' },
      { type: 'slow', buffered: 0 },
      { type: 'assigned', queues: 1 },
    ])
  })
})

describe('ranges', () => {
  it('are the smallest ascending pairs that hold exactly the numbers added', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 })), numbers => {
        const ranges: number[] = []
        for (const number of numbers) addTo(ranges, number)
        for (let number = 0; number <= 42; number++) expect(holds(ranges, number)).toBe(numbers.includes(number))
        for (let at = 1; at < ranges.length; at++)
          if (at % 2 === 0) expect(ranges[at]!).toBeGreaterThan(ranges[at - 1]! + 1)
          else expect(ranges[at]!).toBeGreaterThanOrEqual(ranges[at - 1]!)
      }),
    )
  })
})
