import { decode, encodeFrame, type Frame, Kind, type SubSpec } from '@cometmq/protocol'
import { FakeClock } from '@cometmq/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { wireFrame } from '../../src/subscriptions/broadcast/entry-batch.ts'
import { createSubscriptions } from '../../src/subscriptions/create.ts'
import type { SubscriptionLimits } from '../../src/subscriptions/limits.ts'
import type { Subscriptions } from '../../src/subscription.ts'
import { broadcastSpec, FakeClient } from './client.ts'
import { FakeCluster } from './fake-cluster.ts'

const silent = { debug() {}, info() {}, warn() {}, error() {} }
let clock: FakeClock
let cluster: FakeCluster
let subscriptions: Subscriptions
let sids = 0

function begin(limits: Partial<SubscriptionLimits> = {}): void {
  clock = new FakeClock()
  cluster = new FakeCluster(clock)
  cluster.createTopic('T')
  subscriptions = createSubscriptions({ cluster, clock, logger: silent, limits })
}
beforeEach(() => begin())
afterEach(async () => {
  await subscriptions.close()
})

async function open(spec: SubSpec = broadcastSpec(), client = new FakeClient()): Promise<FakeClient> {
  const opened = await subscriptions.open(client, ++sids, spec)
  client.subscription = opened.subscription
  client.pump()
  await settle()
  return client
}
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await clock.advanceAsync(0)
}
const put = (count: number, first = 0, more: object = {}): void => {
  for (let index = first; index < first + count; index++) cluster.put({ topic: 'T', body: `m${index}`, ...more })
}
const names = (count: number, first = 0): string[] => Array.from({ length: count }, (_, index) => `m${first + index}`)
const wide: [number, number] = [100_000, 100_000_000]

describe('broadcast: reading', () => {
  it('tells the queues first, then delivers what is stored from then on', async () => {
    cluster.createTopic('T', 2)
    put(3)
    const client = await open()
    put(2, 3)
    cluster.put({ topic: 'T', queueId: 1, body: 'other' })
    await settle()
    expect(client.frames[0]).toEqual([
      Kind.SUBINFO,
      sids,
      {
        state: 'running',
        queues: [
          [0, 'T', 'b', 0, 3],
          [1, 'T', 'b', 1, 0],
        ],
      },
    ])
    expect(client.bodies.sort()).toEqual(['m3', 'm4', 'other'])
    expect([...client.entries.keys()]).toEqual([1, 2, 3])
  })

  it('starts at the earliest, at a time, at a cursor', async () => {
    put(3)
    await clock.advanceAsync(1_000)
    const time = clock.now()
    put(2, 3)
    expect((await open(broadcastSpec({ start: 'earliest' }))).bodies).toEqual(names(5))
    expect((await open(broadcastSpec({ start: { at: time } }))).bodies).toEqual(names(2, 3))
    expect((await open(broadcastSpec({ start: { cursor: [['T', 'b', 0, 4]] } }))).bodies).toEqual(names(1, 4))
  })

  it('reads once and encodes once for all', async () => {
    const clients = await Promise.all(Array.from({ length: 50 }, () => open(broadcastSpec({ limit: wide }))))
    const reads = cluster.requests.read
    put(10)
    await settle()
    for (const client of clients) expect(client.bodies).toEqual(names(10))
    expect(cluster.requests.read - reads).toBeLessThan(15)
    const frames = clients.flatMap(client => client.of(Kind.DELIVER))
    for (const frame of frames) expect(decode(encodeFrame(wireFrame(frame)))).toEqual(decode(encodeFrame(frame)))
    const { batchesEncoded, batchesOut } = subscriptions.stats()
    expect(batchesOut).toBe(frames.length)
    expect(batchesEncoded).toBe(frames.length / clients.length)
  })

  it('encodes parts of a batch as they would be by themselves', async () => {
    put(40)
    const client = await open(broadcastSpec({ start: 'earliest', limit: [7, 1e6] }))
    client.subscription!.limit(30, 1e6)
    await settle()
    client.subscription!.limit(100, 1e6)
    await settle()
    const frames = client.of(Kind.DELIVER)
    expect(frames.map(frame => frame[3].length)).toEqual([7, 23, 10])
    for (const frame of frames) expect(decode(encodeFrame(wireFrame(frame)))).toEqual(decode(encodeFrame(frame)))
    expect(subscriptions.stats().batchesEncoded).toBe(1)
  })

  it('several topics: the entries are the same, the base differs', async () => {
    cluster.createTopic('U')
    const first = await open(
      broadcastSpec({
        topics: [
          ['T', 0, ''],
          ['U', 0, ''],
        ],
      }),
    )
    const second = await open(broadcastSpec({ topics: [['U', 0, '']] }))
    cluster.put({ topic: 'U', body: 'u' })
    await settle()
    const [a, b] = [first.of(Kind.DELIVER)[0]!, second.of(Kind.DELIVER)[0]!]
    expect(a[4]).toBe(1)
    expect(b[4]).toBeUndefined()
    expect(a[3]).toBe(b[3])
    const wire = decode(encodeFrame(wireFrame(a))) as Frame
    expect(wire[4]).toBe(1)
  })

  it('filters by tag expression at the broker and by the token here', async () => {
    const restricted = new FakeClient()
    restricted.where = { TAGS: ['a'], tenant: ['1', '2'] }
    await open(broadcastSpec({ topics: [['T', 1, 'b || a']] }), restricted)
    const tagged = await open(broadcastSpec({ topics: [['T', 1, 'a||b']] }))
    for (const [tag, tenant] of [
      ['a', '1'],
      ['a', '3'],
      ['b', '1'],
      ['c', '1'],
      ['a', '2'],
    ]) {
      cluster.put({ topic: 'T', body: `${tag}${tenant}`, properties: { TAGS: tag!, tenant: tenant! } })
    }
    await settle()
    expect(tagged.bodies).toEqual(['a1', 'a3', 'b1', 'a2'])
    expect(restricted.bodies).toEqual(['a1', 'a2'])
    expect([...restricted.entries.keys()]).toEqual([1, 2])
  })

  it('a new token brings another filter', async () => {
    const client = new FakeClient()
    client.where = { t: ['1'] }
    await open(broadcastSpec(), client)
    cluster.put({ topic: 'T', body: 'a', properties: { t: '1' } })
    await settle()
    client.where = { t: ['2'] }
    cluster.put({ topic: 'T', body: 'b', properties: { t: '1' } })
    cluster.put({ topic: 'T', body: 'c', properties: { t: '2' } })
    await settle()
    expect(client.bodies).toEqual(['a', 'c'])
  })

  it('passes over what has expired', async () => {
    const client = await open()
    cluster.put({ topic: 'T', body: 'old', properties: { CMQ_EXPIRES: String(clock.now() - 1) } })
    cluster.put({ topic: 'T', body: 'new', properties: { CMQ_EXPIRES: String(clock.now() + 1000) } })
    await settle()
    expect(client.bodies).toEqual(['new'])
  })

  it('refuses filters it cannot do', async () => {
    await expect(open(broadcastSpec({ topics: [['T', 1, 'a || || b']] }))).rejects.toMatchObject({ code: 40009 })
    await expect(open(broadcastSpec({ topics: [['T', 1, 'a b']] }))).rejects.toMatchObject({ code: 40009 })
    await expect(open(broadcastSpec({ topics: [['T', 2, 'a > 1']] }))).rejects.toMatchObject({ code: 50101 })
    await expect(open(broadcastSpec({ topics: [['Nothing', 0, '']] }))).rejects.toMatchObject({ code: 'E_NO_ROUTE' })
    expect(subscriptions.stats().subscriptions).toBe(0)
  })
})

describe('broadcast: slow subscribers', () => {
  it('a stuck one holds nobody up, and catches up later without a gap', async () => {
    begin({ ringBytes: 4_000 })
    const stuck = await open(broadcastSpec({ limit: wide }))
    const others = [await open(broadcastSpec({ limit: wide })), await open(broadcastSpec({ limit: wide }))]
    stuck.stuck = true
    for (let round = 0; round < 20; round++) {
      put(50, round * 50)
      await settle()
    }
    for (const other of others) expect(other.bodies).toEqual(names(1000))
    expect(stuck.bodies.length).toBeLessThan(64)
    stuck.unstick()
    await settle()
    await settle()
    put(1, 1000)
    await settle()
    expect(stuck.bodies).toEqual(names(1001))
    expect([...stuck.entries.keys()]).toEqual(Array.from({ length: 1001 }, (_, index) => index + 1))
    expect(stuck.of(Kind.GAP)).toEqual([])
  })

  it('those that catch up side by side share reads', async () => {
    put(2_000)
    await open(broadcastSpec({ limit: wide }))
    const before = cluster.requests.read
    const late = await Promise.all(Array.from({ length: 20 }, () => open(broadcastSpec({ start: 'earliest', limit: wide }))))
    await settle()
    await settle()
    for (const client of late) expect(client.bodies).toEqual(names(2_000))
    expect(cluster.requests.read - before).toBeLessThan(16)
  })

  it('stops at the limit and goes on when it is raised; one entry may exceed the bytes', async () => {
    const client = await open(broadcastSpec({ limit: [3, 1e6] }))
    put(10)
    await settle()
    expect(client.bodies).toEqual(names(3))
    client.subscription!.limit(100, 10)
    await settle()
    expect(client.bodies).toEqual(names(10))
    const small = await open(broadcastSpec({ start: 'earliest', limit: [100, 100] }))
    expect(small.bodies).toEqual(names(2))
    small.subscription!.limit(100, 133)
    await settle()
    expect(small.bodies).toEqual(names(3))
  })

  it('drop-oldest keeps the newest and tells what is left out', async () => {
    begin({ keepMessages: 10 })
    const client = await open(broadcastSpec({ slow: 'drop-oldest', limit: wide }))
    put(5)
    await settle()
    client.stuck = true
    put(95, 5)
    await settle()
    client.unstick()
    await settle()
    const [gap] = client.of(Kind.GAP)
    const [, , queue, from, to, cause] = gap!
    expect([queue, cause, to]).toEqual([0, 'slow', 90])
    expect(client.bodies).toEqual([...names(from), ...names(10, 90)])
  })

  it('drop-oldest does not drop before it has reached the end once', async () => {
    begin({ keepMessages: 10 })
    put(500)
    const client = await open(broadcastSpec({ slow: 'drop-oldest', start: 'earliest', limit: wide }))
    await settle()
    expect(client.bodies).toEqual(names(500))
  })

  it('latest-per-key: the newest of each key, every skip reported', async () => {
    const client = await open(broadcastSpec({ slow: 'latest-per-key', limit: [2, 1e6] }))
    const keyed = (key: string, value: number): void => {
      cluster.put({ topic: 'T', body: `${key}${value}`, properties: { KEYS: `${key} other` } })
    }
    client.stuck = true
    for (let value = 0; value < 5; value++) for (const key of ['a', 'b', 'c']) keyed(key, value)
    keyed('a', 5)
    await settle()
    client.unstick()
    await settle()
    expect(client.bodies).toEqual(['b4', 'c4'])
    client.subscription!.limit(10, 1e6)
    await settle()
    expect(client.bodies).toEqual(['b4', 'c4', 'a5'])
    expect(client.of(Kind.GAP)).toEqual([[Kind.GAP, sids, 0, 0, 13, 'slow']])
  })

  it('disconnect: when nothing went for 10 s although something waited', async () => {
    const client = await open(broadcastSpec({ slow: 'disconnect' }))
    client.stuck = true
    await clock.advanceAsync(20_000)
    expect(client.slow).toBe(0)
    put(1)
    await settle()
    await clock.advanceAsync(9_000)
    expect(client.slow).toBe(0)
    await clock.advanceAsync(1_500)
    expect(client.slow).toBe(1)
  })

  it('disconnect: not while it takes something now and then', async () => {
    const client = await open(broadcastSpec({ slow: 'disconnect', limit: [1, 1e6] }))
    put(5)
    await settle()
    for (let seq = 2; seq <= 5; seq++) {
      await clock.advanceAsync(9_000)
      client.subscription!.limit(seq, 1e6)
      await settle()
    }
    await clock.advanceAsync(30_000)
    expect(client.bodies).toEqual(names(5))
    expect(client.slow).toBe(0)
  })

  it('tells what retention took away', async () => {
    const client = await open(broadcastSpec({ limit: [2, 1e6] }))
    begin_expiry()
    function begin_expiry(): void {
      put(2)
    }
    await settle()
    client.stuck = true
    cluster.expire('T', 0, 2)
    put(8, 2)
    await clock.advanceAsync(16_000)
    cluster.expire('T', 0, 6)
    // Another reader makes the shared memory forget what the broker no longer has.
    client.unstick()
    client.subscription!.limit(100, 1e6)
    await settle()
    const gaps = client.of(Kind.GAP)
    const lost = gaps.reduce((sum, [, , , from, to]) => sum + to - from, 0)
    expect(client.bodies.length + lost).toBe(10)
    expect(client.bodies.slice(-4)).toEqual(names(4, 6))
  })
})

describe('broadcast: resume and seek', () => {
  it('goes on behind what the client has, with the same seqs', async () => {
    const client = await open(broadcastSpec({ limit: wide }))
    put(10)
    await settle()
    client.subscription!.detach()
    put(5, 10)
    await settle()
    expect(client.bodies).toEqual(names(10))
    for (let seq = 5; seq <= 10; seq++) client.entries.delete(seq)
    expect(client.subscription!.attach(4)).toBe(6)
    await settle()
    expect(client.bodies).toEqual(names(15))
    expect([...client.entries.keys()]).toEqual(Array.from({ length: 15 }, (_, index) => index + 1))
    client.subscription!.ack([1, 15], true)
    expect(client.of(Kind.ACKED)).toHaveLength(1)
    expect(client.subscription!.outstanding).toBe(0)
  })

  it('what was not seen and not acknowledged counts once in the window', async () => {
    const client = await open(broadcastSpec({ limit: [10, 1e6] }))
    put(20)
    await settle()
    client.subscription!.detach()
    expect(client.subscription!.attach(3)).toBe(7)
    await settle()
    expect(client.of(Kind.DELIVER).reduce((sum, frame) => sum + frame[3].length, 0)).toBe(17)
    expect([...client.entries.keys()]).toHaveLength(10)
  })

  it('repeats a gap notice that may not have arrived', async () => {
    begin({ keepMessages: 10 })
    const client = await open(broadcastSpec({ slow: 'drop-oldest', limit: wide }))
    put(1)
    await settle()
    client.stuck = true
    put(99, 1)
    await settle()
    client.unstick()
    await settle()
    expect(client.of(Kind.GAP)).toHaveLength(1)
    client.subscription!.detach()
    client.frames.length = 0
    client.subscription!.attach(1)
    await settle()
    const gaps = client.of(Kind.GAP)
    expect(gaps.length).toBeGreaterThan(0)
    expect(gaps[0]).toEqual([Kind.GAP, sids, 0, 1, 90, 'slow'])
  })

  it('seeks', async () => {
    const client = await open(broadcastSpec({ limit: wide }))
    put(5)
    await settle()
    await client.subscription!.seek({ queue: 0, offset: 3 })
    await settle()
    expect(client.bodies).toEqual([...names(5), ...names(2, 3)])
    await client.subscription!.seek('earliest')
    await settle()
    expect(client.bodies.slice(7)).toEqual(names(5))
    await client.subscription!.seek('latest')
    put(1, 5)
    await settle()
    expect(client.bodies.slice(12)).toEqual(['m5'])
    await expect(client.subscription!.seek({ queue: 9, offset: 0 })).rejects.toMatchObject({ code: 40016 })
    expect(client.of(Kind.SUBINFO).at(-1)![2].queues).toEqual([[0, 'T', 'b', 0, 5]])
  })
})

describe('broadcast: the cluster', () => {
  it('reads on after errors and says so', async () => {
    const client = await open()
    cluster.failures.read.push('E_TIMEOUT', 'E_CONNECT')
    await clock.advanceAsync(15_000)
    await settle()
    put(1)
    await clock.advanceAsync(5_000)
    expect(client.bodies).toEqual(['m0'])
    expect(client.of(Kind.SUBINFO).map(frame => frame[2].state)).toEqual(['running', 'retrying', 'running'])
  })

  it('gives up when the topic is deleted', async () => {
    const client = await open()
    cluster.failures.read.push('E_TOPIC_NOT_FOUND')
    await clock.advanceAsync(15_500)
    expect(client.failures).toMatchObject([{ code: 'E_TOPIC_NOT_FOUND' }])
  })

  it('finds queues that appear later, from when it began', async () => {
    const client = await open()
    cluster.createTopic('T', 2)
    cluster.createTopic('T', 1, 'c')
    cluster.put({ topic: 'T', queueId: 1, body: 'one' })
    cluster.put({ topic: 'T', brokerName: 'c', body: 'two' })
    await clock.advanceAsync(31_000)
    await settle()
    expect(client.bodies.sort()).toEqual(['one', 'two'])
    expect(client.of(Kind.SUBINFO)[1]![2].queues).toEqual([
      [1, 'T', 'b', 1, 0],
      [65_536, 'T', 'c', 0, 0],
    ])
  })

  it('stops reading when nobody is left', async () => {
    const client = await open()
    const other = await open()
    await client.subscription!.close()
    other.subscription!.detach()
    await clock.advanceAsync(40_000)
    const { read } = cluster.requests
    await clock.advanceAsync(60_000)
    expect(cluster.requests.read).toBe(read)
    put(3)
    other.subscription!.attach(0)
    await settle()
    expect(other.bodies).toEqual(names(3))
  })

  it('tells how far behind it is', async () => {
    const client = await open(broadcastSpec({ limit: [1, 1e6] }))
    put(4)
    await settle()
    await clock.advanceAsync(700)
    expect(await client.subscription!.lag()).toEqual({ messages: 3, ageMs: 700 })
  })
})
