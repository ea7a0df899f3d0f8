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
const settle = (): Promise<void> => clock.advanceAsync(0)

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
})
