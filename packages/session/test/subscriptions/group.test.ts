import { FakeClock } from '@cometmq/testkit'
import { Kind, type SubSpec } from '@cometmq/protocol'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSubscriptions } from '../../src/subscriptions/create.ts'
import type { SubscriptionLimits } from '../../src/subscriptions/limits.ts'
import type { Subscriptions } from '../../src/subscription.ts'
import { FakeClient, groupSpec } from './client.ts'
import { FakeCluster } from './fake-cluster.ts'

const silent = { debug() {}, info() {}, warn() {}, error() {} }
let clock: FakeClock
let cluster: FakeCluster
let subscriptions: Subscriptions
let sids = 0

function begin(limits: Partial<SubscriptionLimits> = {}): void {
  clock = new FakeClock()
  cluster = new FakeCluster(clock)
  cluster.createTopic('T', 2)
  subscriptions = createSubscriptions({ cluster, clock, logger: silent, limits })
}
beforeEach(() => begin())
afterEach(async () => {
  const closing = subscriptions.close()
  await clock.advanceAsync(1_000)
  await closing
})

async function open(spec: SubSpec = groupSpec(), client = new FakeClient()): Promise<FakeClient> {
  const opened = await subscriptions.open(client, ++sids, spec)
  client.subscription = opened.subscription
  client.pump()
  return client
}
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 4; turn++) await clock.advanceAsync(0)
}
const put = (count: number, first = 0): void => {
  for (let index = first; index < first + count; index++) cluster.put({ topic: 'T', body: `m${index}` })
}

describe('group', () => {
  it('delivers what is popped, and acknowledges', async () => {
    const client = await open()
    await settle()
    cluster.put({ topic: 'T', body: 'a', properties: { TAGS: 'red', KEYS: 'k1 k2', colour: 'blue', CMQ_ID: 'mine' } })
    cluster.put({ topic: 'T', body: 'b', queueId: 1 })
    await settle()
    expect(client.bodies.sort()).toEqual(['a', 'b'])
    const entry = [...client.entries.values()].find(({ 7: meta }) => meta[1] === 'red')!
    expect(entry[7]).toEqual({ 1: 'red', 2: ['k1', 'k2'], 3: { colour: 'blue' }, 8: 'mine' })
    expect(client.frames[0]).toMatchObject([
      Kind.SUBINFO,
      sids,
      {
        state: 'running',
        queues: [
          [0, 'T', 'b', 0, -1],
          [1, 'T', 'b', 1, -1],
        ],
      },
    ])
    client.subscription!.ack([1, 2], true)
    await settle()
    expect(client.of(Kind.ACKED)).toEqual([[Kind.ACKED, sids, [1, 2]]])
    expect(cluster.group('G').done.size).toBe(2)
    expect(client.subscription!.outstanding).toBe(0)
  })

  it('asks for no more than the client allows, and goes on when the limit is raised', async () => {
    const client = await open(groupSpec({ limit: [5, 1e6] }))
    await settle()
    put(20)
    await settle()
    expect(client.entries.size).toBe(5)
    expect(cluster.group('G').leases.size).toBe(5)
    client.subscription!.limit(12, 1e6)
    await settle()
    expect(client.entries.size).toBe(12)
    expect(cluster.group('G').leases.size).toBe(12)
    expect([...client.entries.keys()]).toEqual(Array.from({ length: 12 }, (_, index) => index + 1))
  })

  it('large messages: a stuck client holds its window and one pop at most', async () => {
    const client = await open(groupSpec({ limit: [1_000, 1024 * 1024] }))
    await settle()
    client.stuck = true
    for (let index = 0; index < 400; index++) cluster.put({ topic: 'T', body: new Uint8Array(100_000) })
    await settle()
    const bytes = (): number => cluster.group('G').leases.size * 100_064
    // The first pop knows no sizes; it asks for 16 at most.
    expect(bytes()).toBeLessThan(1.7e6)
    client.unstick()
    await settle()
    expect(client.entries.size).toBeLessThan(12 + 16)
    const before = client.entries.size
    client.stuck = true
    for (let round = 1; round <= 20; round++) {
      client.subscription!.ack([1, before], false)
      client.subscription!.limit(1_000, before * 100_064 + 1024 * 1024)
      await settle()
    }
    expect(bytes()).toBeLessThan(1.5 * 1024 * 1024)
  })

  it('pops in parallel while much is there, and large', async () => {
    begin()
    const client = await open(groupSpec({ limit: [1e6, 1e9] }))
    await settle()
    put(5_000)
    for (let turn = 0; turn < 60; turn++) await settle()
    expect(client.entries.size).toBe(5_000)
    expect(cluster.largestPop).toBe(256)
    // One waits at the broker again.
    expect(cluster.popping).toBe(1)
    expect(cluster.requests.pop).toBeLessThan(100)
  })

  it('filters by tags at the broker, by the token here: what does not match is acknowledged', async () => {
    const client = new FakeClient()
    client.where = { tenant: ['1'] }
    await open(groupSpec({ topics: [['T', 1, 'a']] }), client)
    await settle()
    cluster.put({ topic: 'T', body: 'yes', properties: { TAGS: 'a', tenant: '1' } })
    cluster.put({ topic: 'T', body: 'no', properties: { TAGS: 'a', tenant: '2' } })
    cluster.put({ topic: 'T', body: 'other', properties: { TAGS: 'b', tenant: '1' } })
    cluster.put({ topic: 'T', body: 'expired', properties: { TAGS: 'a', tenant: '1', CMQ_EXPIRES: '5' } })
    await settle()
    expect(client.bodies).toEqual(['yes'])
    expect(cluster.group('G').done.size).toBe(2)
  })

  it('refuses what cannot be', async () => {
    const refused = (spec: Partial<SubSpec>): Promise<unknown> => open(groupSpec(spec))
    await expect(refused({ leaseMs: 500 })).rejects.toMatchObject({ code: 40015 })
    await expect(refused({ leaseMs: 43_200_001 })).rejects.toMatchObject({ code: 40015 })
    await expect(refused({ leaseMs: NaN })).rejects.toMatchObject({ code: 40015 })
    await expect(refused({ group: '' })).rejects.toMatchObject({ code: 40000 })
    await expect(refused({ group: 'a b' })).rejects.toMatchObject({ code: 40000 })
    await expect(refused({ topics: [] })).rejects.toMatchObject({ code: 40000 })
    await expect(refused({ topics: [['T', 1, '* || a']] })).rejects.toMatchObject({ code: 40009 })
    await expect(refused({ topics: [['Nothing', 0, '']] })).rejects.toMatchObject({ code: 'E_NO_ROUTE' })
    expect(subscriptions.stats().subscriptions).toBe(0)
  })

  it('tells its lag', async () => {
    const client = await open()
    expect(await client.subscription!.lag()).toEqual({ messages: 7, ageMs: 500 })
  })
})

describe('group: settling', () => {
  it('nack: again after a time, with the next attempt and a new seq', async () => {
    const client = await open()
    put(2)
    await settle()
    client.subscription!.nack([1, 1], 0, undefined)
    client.subscription!.nack([2, 2], null, 'later')
    await settle()
    await settle()
    expect(client.entries.get(3)?.[5]).toBe(2)
    await clock.advanceAsync(900)
    expect(client.entries.size).toBe(3)
    await clock.advanceAsync(200)
    expect(client.entries.get(4)?.[5]).toBe(2)
    client.subscription!.ack([3, 4], false)
    await settle()
    expect(cluster.group('G').done.size).toBe(2)
  })

  it('a lease that passes is told, and what comes too late fails', async () => {
    const client = await open(groupSpec({ leaseMs: 4_000 }))
    put(3)
    await settle()
    client.subscription!.ack([2, 2], false)
    // Told before the broker gives it to somebody else, and not before the client's time is over.
    await clock.advanceAsync(4_000)
    expect(client.of(Kind.LEASE)).toEqual([])
    await clock.advanceAsync(999)
    expect(client.of(Kind.LEASE)).toEqual([[Kind.LEASE, sids, [1, 1, 3, 3]]])
    expect(client.entries.size).toBe(3)
    client.subscription!.ack([1, 3], true)
    await settle()
    expect(client.of(Kind.ACKED)).toEqual([[Kind.ACKED, sids, [1, 3], [1, 1, 3, 3]]])
    expect(subscriptions.stats().leasesLost).toBe(2)
    await clock.advanceAsync(1_000)
    cluster.wake()
    await settle()
    expect([...client.entries.values()].map(entry => entry[5])).toEqual([1, 1, 1, 2, 2])
  })

  it('acks are idempotent, and a range of everything costs nothing', async () => {
    const client = await open()
    put(3)
    await settle()
    for (let time = 0; time < 3; time++) client.subscription!.ack([0, Number.MAX_SAFE_INTEGER], true)
    await settle()
    expect(client.of(Kind.ACKED)).toHaveLength(3)
    expect(client.of(Kind.ACKED).every(frame => frame.length === 3)).toBe(true)
    expect(cluster.requests.ack).toBe(1)
  })

  it('an ack that fails is repeated; when it stays so, the confirmation says it', async () => {
    const client = await open()
    put(2)
    await settle()
    cluster.failures.ack.push('E_TIMEOUT')
    client.subscription!.ack([1, 1], true)
    await clock.advanceAsync(1_000)
    expect(client.of(Kind.ACKED)).toEqual([[Kind.ACKED, sids, [1, 1]]])
    cluster.failures.ack.push('E_PERMISSION')
    client.subscription!.ack([2, 2], true)
    await settle()
    expect(client.of(Kind.ACKED).at(-1)).toEqual([Kind.ACKED, sids, [2, 2], [2, 2]])
  })

  it('extend: the lease ends later; what comes meanwhile waits for the new receipt', async () => {
    const client = await open(groupSpec({ leaseMs: 2_000 }))
    put(2)
    await settle()
    await clock.advanceAsync(1_500)
    client.subscription!.extend([1, 2], 10_000)
    client.subscription!.ack([1, 1], true)
    await settle()
    expect(client.of(Kind.ACKED)).toEqual([[Kind.ACKED, sids, [1, 1]]])
    await clock.advanceAsync(10_000)
    expect(client.of(Kind.LEASE)).toEqual([])
    client.subscription!.ack([2, 2], true)
    await settle()
    expect(cluster.group('G').done.size).toBe(2)
    expect(client.subscription!.leaseLeftMs).toBe(0)
  })

  it('an extension that fails changes nothing', async () => {
    const client = await open(groupSpec({ leaseMs: 2_000 }))
    put(1)
    await settle()
    cluster.failures.change.push('E_TIMEOUT')
    client.subscription!.extend([1, 1], 60_000)
    await clock.advanceAsync(3_000)
    expect(client.of(Kind.LEASE)).toEqual([[Kind.LEASE, sids, [1, 1]]])
  })

  it('dead letters: on demand, and after the last attempt', async () => {
    begin({ maxAttempts: 3 })
    const client = await open()
    put(2)
    await settle()
    client.subscription!.dead([1, 1], 'cannot be read')
    for (let attempt = 1; attempt <= 3; attempt++) {
      const seq = Math.max(...client.entries.keys())
      expect(client.entries.get(seq)![5]).toBe(attempt)
      client.subscription!.nack([seq, seq], 0, undefined)
      await settle()
      await settle()
    }
    expect(cluster.group('G').dead.size).toBe(2)
    expect(client.entries.size).toBe(4)
    expect(client.subscription!.outstanding).toBe(0)
  })
})

describe('group: waiting too long', () => {
  it('what a stuck client did not get is released while it is ours', async () => {
    const client = await open(groupSpec({ leaseMs: 4_000 }))
    await settle()
    client.stuck = true
    put(3)
    await settle()
    expect(cluster.group('G').leases.size).toBe(3)
    await clock.advanceAsync(600)
    const other = await open(groupSpec({ leaseMs: 5_000 }))
    await settle()
    expect(cluster.requests.change).toBe(3)
    expect(other.entries.size + client.subscription!.outstanding).toBe(3)
    expect(client.entries.size).toBe(0)
  })
})

describe('group: resume', () => {
  it('keeps leases while detached; delivers again what was not seen, with its seq', async () => {
    const client = await open()
    put(6)
    await settle()
    client.subscription!.ack([2, 2], false)
    client.subscription!.detach()
    put(2, 6)
    await clock.advanceAsync(5_000)
    expect(client.entries.size).toBe(6)
    const seen = new Map(client.entries)
    client.entries.clear()
    expect(client.subscription!.attach(3)).toBe(3)
    await settle()
    for (const seq of [4, 5, 6]) expect(client.entries.get(seq)).toEqual(seen.get(seq))
    expect([...client.entries.keys()].sort()).toEqual([4, 5, 6, 7, 8])
    client.subscription!.ack([1, 8], true)
    await settle()
    expect(cluster.group('G').done.size).toBe(8)
  })

  it('what was lost meanwhile is told and does not shrink the window', async () => {
    const client = await open(groupSpec({ leaseMs: 1_000, limit: [10, 650] }))
    put(10)
    await settle()
    expect(client.entries.size).toBe(10)
    client.subscription!.detach()
    await clock.advanceAsync(1_600)
    expect(client.subscription!.attach(4)).toBe(0)
    client.subscription!.limit(14, 650)
    await clock.advanceAsync(500)
    cluster.wake()
    await settle()
    expect(client.of(Kind.LEASE)).toEqual([[Kind.LEASE, sids, [5, 10]]])
    // Six entries count no more: four may come.
    expect([...client.entries.keys()].filter(seq => seq > 10)).toEqual([11, 12, 13, 14])
  })

  it('messages popped for one that went away go to another one at once', async () => {
    const first = await open()
    await settle()
    await first.subscription!.close()
    const second = await open()
    await settle()
    put(1)
    await settle()
    await settle()
    expect(second.bodies).toEqual(['m0'])
    expect(second.entries.get(1)![5]).toBe(1)
  })

  it('nobody there: they are released at once', async () => {
    const first = await open()
    await settle()
    await first.subscription!.close()
    put(1)
    await settle()
    expect(cluster.requests.change).toBe(1)
  })
})

describe('group: the end', () => {
  it('stop: no more deliveries, acks go on; close releases at once', async () => {
    const client = await open(groupSpec({ limit: [3, 1e6] }))
    put(3)
    await settle()
    client.subscription!.limit(10, 1e6)
    client.subscription!.stop()
    put(3, 3)
    await settle()
    expect(client.entries.size).toBe(3)
    client.subscription!.ack([1, 1], false)
    const closing = client.subscription!.close()
    await settle()
    await closing
    const { leases, done } = cluster.group('G')
    expect(done.size).toBe(1)
    expect([...leases.values()].every(lease => lease.visibleAt <= clock.monotonic())).toBe(true)
    expect(subscriptions.stats().subscriptions).toBe(0)
    await client.subscription!.close()
  })

  it('ordered: one batch at a time, in order', async () => {
    begin()
    cluster.createTopic('O')
    const client = await open(groupSpec({ ordered: true, topics: [['O', 0, '']], limit: [4, 1e6] }))
    for (let index = 0; index < 12; index++) cluster.put({ topic: 'O', body: `o${index}` })
    await settle()
    for (let round = 1; round <= 3; round++) {
      expect(client.bodies).toEqual(Array.from({ length: round * 4 }, (_, index) => `o${index}`))
      client.subscription!.limit(round * 4 + 4, 1e6)
      client.subscription!.ack([1, round * 4], false)
      await settle()
      await settle()
    }
    expect(cluster.group('G').done.size).toBe(12)
  })
})

describe('group: the cluster', () => {
  it('backs off after errors and says so', async () => {
    const client = await open()
    cluster.failures.pop.push('E_CONNECT', 'E_CONNECT')
    await settle()
    put(1)
    await settle()
    expect(client.entries.size).toBe(0)
    await clock.advanceAsync(1_000)
    expect(client.bodies).toEqual(['m0'])
    expect(client.of(Kind.SUBINFO).map(frame => frame[2].state)).toEqual(['running', 'retrying', 'running'])
  })

  it('goes on after a pause whose timer fires a little early', async () => {
    const client = await open()
    clock.setTimeout = (run, ms) => FakeClock.prototype.setTimeout.call(clock, run, Math.max(0, ms - 0.5))
    cluster.failures.pop.push('E_CONNECT')
    await settle()
    put(1)
    await clock.advanceAsync(1_000)
    expect(client.bodies).toEqual(['m0'])
  })

  it('gives up when it may not', async () => {
    const client = await open()
    cluster.failures.pop.push('E_PERMISSION')
    await settle()
    expect(client.failures).toMatchObject([{ code: 'E_PERMISSION' }])
  })

  it('finds brokers that appear later', async () => {
    const client = await open()
    cluster.createTopic('T', 1, 'c')
    cluster.put({ topic: 'T', brokerName: 'c', body: 'far' })
    await clock.advanceAsync(31_000)
    expect(client.bodies).toEqual(['far'])
    expect(client.entries.get(1)![1]).toBe(65_536)
  })
})
