import { Kind, type SubSpec } from '@cometmq/protocol'
import { silentLogger, systemClock } from '@cometmq/remoting'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Subscriptions } from '../../src/subscription.ts'
import { createSubscriptions } from '../../src/subscriptions/create.ts'
import { startOwnBroker } from '../support/own-broker.ts'
import { broadcastSpec, FakeClient, groupSpec } from './client.ts'

let broker: Awaited<ReturnType<typeof startOwnBroker>>
let subscriptions: Subscriptions
let sids = 0

beforeAll(async () => {
  broker = await startOwnBroker()
  subscriptions = createSubscriptions({ cluster: broker.cluster, clock: systemClock, logger: silentLogger })
})
afterAll(async () => {
  await subscriptions.close()
  await broker.close()
})

/** Looks again after every frame. */
class Client extends FakeClient {
  #watchers: (() => void)[] = []

  override send(...args: Parameters<FakeClient['send']>): void {
    super.send(...args)
    for (const watcher of this.#watchers.splice(0)) watcher()
  }

  async until(test: () => boolean): Promise<void> {
    while (!test()) await new Promise<void>(resolve => this.#watchers.push(resolve))
  }
}

async function open(spec: SubSpec): Promise<Client> {
  const client = new Client()
  client.subscription = (await subscriptions.open(client, ++sids, spec)).subscription
  client.pump()
  await client.until(() => client.of(Kind.SUBINFO).length > 0)
  return client
}

async function topic(name: string, queues = 1): Promise<void> {
  await broker.cluster.topics.create({ topic: name, readQueues: queues, writeQueues: queues })
}

const send = async (name: string, bodies: readonly string[], more: object = {}): Promise<void> => {
  const producer = broker.cluster.producer({ group: 'P' })
  for (const body of bodies) await producer.send({ topic: name, body, ...more })
}

describe('group, against our own broker', () => {
  it('two members share the messages; each is acknowledged once', async () => {
    await topic('shared', 4)
    const spec = groupSpec({ group: 'S', topics: [['shared', 0, '']] })
    const members = [await open(spec), await open(spec)]
    const bodies = Array.from({ length: 100 }, (_, index) => `m${index}`)
    const all = (): string[] => members.flatMap(member => member.bodies)
    await Promise.all([send('shared', bodies), Promise.race(members.map(member => member.until(() => all().length === 100)))])
    expect(all().sort()).toEqual([...bodies].sort())
    for (const member of members) {
      if (member.entries.size === 0) continue
      member.subscription!.ack([1, member.entries.size], true)
      await member.until(() => member.of(Kind.ACKED).length === 1)
      expect(member.of(Kind.ACKED)[0]).toHaveLength(3)
    }
    await Promise.all(members.map(member => member.subscription!.close()))
  })

  it('nack without delay and a lease that ends bring a message back with the next attempt', async () => {
    await topic('again')
    const client = await open(groupSpec({ group: 'A', topics: [['again', 0, '']], leaseMs: 1_000 }))
    await send('again', ['x'])
    await client.until(() => client.entries.size === 1)
    client.subscription!.nack([1, 1], 0, undefined)
    await client.until(() => client.entries.size === 2)
    expect(client.entries.get(2)![5]).toBe(2)
    await client.until(() => client.entries.size === 3)
    expect(client.of(Kind.LEASE)).toEqual([[Kind.LEASE, sids, [2, 2]]])
    expect(client.entries.get(3)!.slice(3, 6)).toEqual([client.entries.get(1)![3], client.entries.get(1)![4], 3])
    client.subscription!.extend([3, 3], 60_000)
    client.subscription!.ack([2, 3], true)
    await client.until(() => client.of(Kind.ACKED).length === 1)
    expect(client.of(Kind.ACKED)[0]).toEqual([Kind.ACKED, sids, [2, 3], [2, 2]])
    await client.subscription!.close()
  })

  it('dead letters reach the topic of the group', async () => {
    await topic('poison')
    const client = await open(groupSpec({ group: 'D', topics: [['poison', 0, '']] }))
    await send('poison', ['bad'])
    await client.until(() => client.entries.size === 1)
    client.subscription!.dead([1, 1], 'cannot be read')
    // The confirmation comes when all settlements under way have been tried.
    client.subscription!.ack([1, 1], true)
    await client.until(() => client.of(Kind.ACKED).length === 1)
    const dead = await open(broadcastSpec({ topics: [['%DLQ%D', 0, '']], start: 'earliest' }))
    await dead.until(() => dead.entries.size === 1)
    expect(dead.bodies).toEqual(['bad'])
    await Promise.all([client.subscription!.close(), dead.subscription!.close()])
  })

  it('ordered: in the order of sending, although one is refused once', async () => {
    await topic('ordered')
    const client = await open(groupSpec({ group: 'O', ordered: true, topics: [['ordered', 0, '']], limit: [2, 1e6] }))
    await send('ordered', ['1', '2', '3', '4'], { orderKey: 'k' })
    const done: string[] = []
    let refused = false
    for (let seq = 1; done.length < 4; seq++) {
      await client.until(() => client.entries.has(seq))
      const body = Buffer.from(client.entries.get(seq)![8]).toString()
      client.subscription!.limit(seq + 2, 1e6)
      if (body === '3' && !refused) {
        refused = true
        client.subscription!.nack([seq, seq], 1, undefined)
      } else {
        done.push(body)
        client.subscription!.ack([seq, seq], false)
      }
    }
    expect(done.filter(body => body !== '4')).toEqual(['1', '2', '3'])
    await client.subscription!.close()
  })
})

describe('broadcast, against our own broker', () => {
  it('latest, earliest, tags and a late reader', async () => {
    await topic('news', 2)
    await send('news', ['old1', 'old2'], { tag: 'A' })
    const spec = broadcastSpec({ topics: [['news', 0, '']] })
    const [latest, earliest] = [await open(spec), await open({ ...spec, start: 'earliest' })]
    const tagged = await open(broadcastSpec({ topics: [['news', 1, 'B || C']], start: 'earliest' }))
    await send('news', ['new1'], { tag: 'A' })
    await send('news', ['new2'], { tag: 'B', keys: ['k'] })
    await Promise.all([
      latest.until(() => latest.entries.size === 2),
      earliest.until(() => earliest.entries.size === 4),
      tagged.until(() => tagged.entries.size === 1),
    ])
    expect(latest.bodies.sort()).toEqual(['new1', 'new2'])
    expect(earliest.bodies.sort()).toEqual(['new1', 'new2', 'old1', 'old2'])
    expect(tagged.entries.get(1)![7]).toEqual({ 1: 'B', 2: ['k'] })
    expect(await latest.subscription!.lag()).toEqual({ messages: 0, ageMs: 0 })
    await Promise.all([latest, earliest, tagged].map(client => client.subscription!.close()))
  })

  it('detached for a while: nothing is missing, and seqs go on', async () => {
    await topic('gap')
    const client = await open(broadcastSpec({ topics: [['gap', 0, '']] }))
    await send('gap', ['a', 'b'])
    await client.until(() => client.entries.size === 2)
    client.subscription!.detach()
    await send('gap', ['c'])
    client.entries.delete(2)
    expect(client.subscription!.attach(1)).toBe(1)
    await client.until(() => client.entries.size === 3)
    expect(client.bodies).toEqual(['a', 'b', 'c'])
    await client.subscription!.close()
  })
})
