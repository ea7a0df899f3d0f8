import { RequestCode, silentLogger, systemClock } from '@cometmq/remoting'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { type Cluster, createCluster, type SendItem } from '../src/index.ts'
import { deadAddress, nameServerFor, scripted } from './scripted.ts'
import { type Fate, impatientClock, itemOf, settle, type Settled, type StoringBroker, storingBroker } from './sender-tools.ts'

const opened: { close(): Promise<void> }[] = []
const closeAll = async (): Promise<void> => {
  for (const item of opened.splice(0).reverse()) await item.close()
}
afterEach(closeAll)
async function open<T extends { close(): Promise<void> }>(item: T | Promise<T>): Promise<T> {
  const ready = await item
  opened.push(ready)
  return ready
}
async function clusterOf(brokers: Record<string, { address: string }>, queues = 1): Promise<Cluster> {
  const addresses = Object.fromEntries(Object.entries(brokers).map(([name, { address }]) => [name, address]))
  const ns = await open(nameServerFor(addresses, queues))
  return open(createCluster({ nameServers: [ns.address], clock: impatientClock, logger: silentLogger }))
}
const ids = (broker: StoringBroker): string[] => [...broker.queues.values()].flat()
const many = (count: number, extra: (n: number) => Partial<SendItem> = () => ({})): SendItem[] =>
  Array.from({ length: count }, (_, n) => itemOf(`I${n}`, extra(n)))

describe('what is submitted in one turn', () => {
  it('travels together, and every item learns its own offset', async () => {
    const broker = await open(storingBroker(() => 'store'))
    const sender = (await clusterOf({ a: broker })).sender({ group: 'P' })
    const [one, two] = await Promise.all([settle(sender, many(3)), settle(sender, [itemOf('X')])])
    expect(broker.requests).toMatchObject([{ code: RequestCode.SEND_BATCH_MESSAGE, ids: ['I0', 'I1', 'I2', 'X'] }])
    expect([...one, ...two].map(item => item.stored)).toEqual(
      [0, 1, 2, 3].map(offset => ({ brokerName: 'a', queueId: 0, offset, status: 'SEND_OK' })),
    )
    expect(sender.pending).toBe(0)
  })

  it('goes in single requests when it must, or when there is but one', async () => {
    const broker = await open(storingBroker(() => 'store-alone'))
    const sender = (await clusterOf({ a: broker })).sender({ group: 'P' })
    const settled = await settle(
      sender,
      many(3, n => ({ alone: n !== 1 })),
    )
    expect(broker.requests.map(request => request.code)).toEqual(Array(3).fill(RequestCode.SEND_MESSAGE_V2))
    expect(settled.map(item => item.stored!.status)).toEqual(Array(3).fill('SLAVE_NOT_AVAILABLE'))
  })

  it('is cut into requests of 512 items, few of which are out at a time', async () => {
    const broker = await open(storingBroker(() => 'store', true))
    const sender = (await clusterOf({ a: broker }, 4)).sender({ group: 'P' })
    const settled = await settle(sender, many(10_000))
    expect(broker.requests.every(request => request.ids.length <= 512)).toBe(true)
    expect(broker.maxUnanswered).toBeLessThanOrEqual(8)
    expect(broker.queues.size).toBe(4)
    expect(settled.every(item => item.times === 1 && item.stored)).toBe(true)
  })

  it('waits, and so gathers, while two requests are out', async () => {
    const broker = await open(storingBroker(() => 'store', true))
    const sender = (await clusterOf({ a: broker })).sender({ group: 'P' })
    await settle(sender, [itemOf('first')])
    const waiting: Promise<Settled[]>[] = []
    for (let n = 0; n < 50; n++) {
      waiting.push(settle(sender, [itemOf(`W${n}`)]))
      await new Promise(setImmediate)
    }
    await Promise.all(waiting)
    expect(ids(broker)).toEqual(['first', ...waiting.map((_, n) => `W${n}`)])
    expect(broker.maxUnanswered).toBeLessThanOrEqual(2)
  })
})

describe('an all-or-nothing batch', () => {
  it('is one request whatever else waits', async () => {
    const broker = await open(storingBroker(() => 'store'))
    const sender = (await clusterOf({ a: broker })).sender({ group: 'P' })
    const atomic = Array.from({ length: 600 }, (_, n) => itemOf(`A${n}`))
    const [before, batch, after] = await Promise.all([
      settle(sender, [itemOf('before')]),
      settle(sender, atomic, true),
      settle(sender, [itemOf('after')]),
    ])
    expect(broker.requests.map(request => request.ids.length)).toEqual([1, 600, 1])
    expect([...before, ...batch, ...after].every(item => item.stored)).toBe(true)
  })

  it('fails as a whole', async () => {
    const broker = await open(storingBroker(() => 'store'))
    const sender = (await clusterOf({ a: broker })).sender({ group: 'P' })
    const settled = await settle(sender, [itemOf('fine'), itemOf('BAD')], true)
    expect(settled.map(item => item.error?.code)).toEqual(['E_MESSAGE', 'E_MESSAGE'])
    expect(ids(broker)).toEqual([])
  })

  it('is refused when it can be none', async () => {
    const broker = await open(storingBroker(() => 'store'))
    const sender = (await clusterOf({ a: broker })).sender({ group: 'P' })
    const big = { body: Buffer.alloc(3 * 1024 * 1024) }
    const refusals = [
      [itemOf('a'), itemOf('b', { topic: 'U' })],
      [itemOf('a'), itemOf('b', { orderKey: 'k' })],
      [itemOf('a'), itemOf('b', { alone: true })],
      [itemOf('a', big), itemOf('b', big)],
    ]
    for (const items of refusals)
      for (const { error } of await settle(sender, items, true))
        expect(error).toMatchObject({ code: 'E_MESSAGE', outcome: 'not-executed' })
    expect(broker.requests).toEqual([])
    expect(sender.pending).toBe(0)
  })
})

describe('failures', () => {
  it('one illegal item does not fail the others, nor change their order', async () => {
    const broker = await open(storingBroker(() => 'store'))
    const sender = (await clusterOf({ a: broker })).sender({ group: 'P' })
    const items = [itemOf('one'), itemOf('BAD'), itemOf('two')].map(item => ({ ...item, orderKey: 'k' }))
    const [settled] = await Promise.all([settle(sender, items), settle(sender, [itemOf('three', { orderKey: 'k' })])])
    expect(settled.map(item => item.error?.code)).toEqual([undefined, 'E_MESSAGE', undefined])
    expect(settled[1]!.error).toMatchObject({ brokerCode: 13, outcome: 'not-executed' })
    expect(ids(broker)).toEqual(['one', 'two', 'three'])
  })

  it('properties that are too long never leave', async () => {
    const broker = await open(storingBroker(() => 'store'))
    const sender = (await clusterOf({ a: broker })).sender({ group: 'P' })
    const long = { properties: `UNIQ_KEY\x01L\x02p\x01${'ü'.repeat(17_000)}\x02` }
    const settled = await settle(sender, [itemOf('one'), itemOf('L', long), itemOf('two')])
    expect(settled.map(item => item.error?.code)).toEqual([undefined, 'E_MESSAGE', undefined])
    expect(await settle(sender, [itemOf('L', { ...long, alone: true })])).toMatchObject([{ error: { code: 'E_MESSAGE' } }])
    expect(ids(broker).sort()).toEqual(['one', 'two'])
  })

  it('go to another broker, which then is asked first', async () => {
    const bad = await open(storingBroker(() => 'read-only'))
    const good = await open(storingBroker(() => 'store'))
    const sender = (await clusterOf({ a: bad, b: good })).sender({ group: 'P' })
    for (let n = 0; n < 5; n++)
      expect(await settle(sender, [itemOf(`I${n}`)])).toMatchObject([{ times: 1, stored: { brokerName: 'b', offset: n } }])
    expect(bad.requests.length).toBeLessThanOrEqual(1)
  })

  it('are tried three times on the only broker there is', async () => {
    const broker = await open(storingBroker(() => 'busy'))
    const sender = (await clusterOf({ a: broker })).sender({ group: 'P' })
    const settled = await settle(sender, many(2))
    expect(settled[0]!.error).toMatchObject({ code: 'E_BUSY', outcome: 'not-executed', brokerCode: 2 })
    expect(broker.requests).toHaveLength(3)
  })

  it('leave the outcome unknown when an earlier attempt may have stored it', async () => {
    const fates: Fate[] = ['store-and-close', 'busy', 'refuse']
    const broker = await open(storingBroker(() => fates.shift() ?? 'store'))
    const sender = (await clusterOf({ a: broker })).sender({ group: 'P' })
    expect((await settle(sender, many(2)))[1]!.error).toMatchObject({ code: 'E_ARGUMENT', outcome: 'unknown' })
  })

  it('of a broker nobody can reach say so', async () => {
    const sender = (await clusterOf({ a: { address: await deadAddress() } })).sender({ group: 'P' })
    const settled = await settle(sender, many(3))
    expect(settled.map(item => item.error)).toMatchObject(Array(3).fill({ code: 'E_CONNECT', outcome: 'not-executed' }))
    expect(sender.pending).toBe(0)
  })

  it('of the route fail what waits for it', async () => {
    const broker = await open(storingBroker(() => 'store'))
    const sender = (await clusterOf({ a: broker })).sender({ group: 'P' })
    const [bad, good] = await Promise.all([settle(sender, [itemOf('x', { topic: 'none' })]), settle(sender, [itemOf('y')])])
    expect(bad).toMatchObject([{ error: { code: 'E_NO_ROUTE', outcome: 'not-executed' } }])
    expect(good).toMatchObject([{ stored: { offset: 0 } }])
  })

  it('a broker that does not know batches gets single requests', async () => {
    const single = await open(storingBroker(() => 'store'))
    const old = await open(
      scripted({
        [RequestCode.SEND_BATCH_MESSAGE]: () => ({ code: 3, remark: 'unknown' }),
        [RequestCode.SEND_MESSAGE_V2]: () => ({ code: 0, ext: { msgId: 'X', queueId: '0', queueOffset: '7' } }),
      }),
    )
    expect(single.requests).toEqual([])
    const sender = (await clusterOf({ a: old })).sender({ group: 'P' })
    expect((await settle(sender, many(2))).map(item => item.stored?.offset)).toEqual([7, 7])
  })
})

describe('limits and the end', () => {
  it('refuses what is too much, and takes more when there is room again', async () => {
    let release = (): void => {}
    const held = new Promise<void>(resolve => (release = resolve))
    const ns = await open(
      scripted({ [RequestCode.GET_ROUTEINFO_BY_TOPIC]: () => held.then(() => ({ code: 17, remark: 'none' })) }),
    )
    const cluster = await open(createCluster({ nameServers: [ns.address], clock: systemClock, logger: silentLogger }))
    const sender = cluster.sender({ group: 'P' })
    const big = { body: Buffer.alloc(32 * 1024 * 1024) }
    const first = settle(
      sender,
      Array.from({ length: 7 }, () => itemOf('a', big)),
    )
    const errors: unknown[] = []
    sender.submit([itemOf('b', big), itemOf('c')], { stored: () => {}, failed: (_, error) => errors.push(error) })
    expect(errors).toMatchObject(Array(2).fill({ code: 'E_OVERLOADED', outcome: 'not-executed' }))
    expect(sender.pending).toBe(7)
    release()
    await first
    expect(sender.pending).toBe(0)
    expect(await settle(sender, [itemOf('d', big)])).toMatchObject([{ error: { code: 'E_NO_ROUTE' } }])
  })

  it('a sink that throws does not keep the others from being told', async () => {
    const broker = await open(storingBroker(() => 'store'))
    const sender = (await clusterOf({ a: broker })).sender({ group: 'P' })
    sender.submit([itemOf('x')], {
      stored: () => {
        throw new Error('not this')
      },
      failed: () => {},
    })
    expect(await settle(sender, [itemOf('y')])).toMatchObject([{ times: 1, stored: { offset: 1 } }])
    expect(sender.pending).toBe(0)
  })

  it('flush waits for what was submitted before it and for nothing later', async () => {
    const broker = await open(storingBroker(() => 'store', true))
    const sender = (await clusterOf({ a: broker })).sender({ group: 'P' })
    await sender.flush()
    let told = 0
    let going = true
    const sink = {
      stored: () => {
        told++
        if (going) sender.submit([itemOf(`M${told}`)], sink)
      },
      failed: () => {},
    }
    sender.submit([itemOf('M0')], sink)
    await sender.flush()
    expect(told).toBeGreaterThanOrEqual(1)
    expect(sender.pending).toBe(1)
    going = false
    await sender.flush()
  })

  it('a closed sender fails what it has not sent, and takes nothing', async () => {
    const broker = await open(storingBroker(() => 'store'))
    const sender = (await clusterOf({ a: broker })).sender({ group: 'P' })
    const waiting = settle(sender, many(3))
    sender.close()
    sender.close()
    expect(await waiting).toMatchObject(Array(3).fill({ times: 1, error: { code: 'E_CLOSED', outcome: 'not-executed' } }))
    expect(await settle(sender, [itemOf('late')])).toMatchObject([{ error: { code: 'E_CLOSED' } }])
    expect(broker.requests).toEqual([])
  })
})

describe('under random failures', () => {
  const fates = fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.constant<Fate>('store') },
      { weight: 3, arbitrary: fc.constantFrom<Fate>('store-alone', 'store-and-close', 'close', 'busy', 'read-only', 'refuse') },
    ),
    { maxLength: 40 },
  )
  const submissions = fc.array(
    fc.array(fc.record({ key: fc.constantFrom(undefined, 'k1', 'k2', 'k3'), alone: fc.boolean(), bad: fc.boolean() }), {
      minLength: 1,
      maxLength: 12,
    }),
    { minLength: 1, maxLength: 12 },
  )

  it('every item is settled once and truly, and the order of a key is kept', async () => {
    await fc.assert(
      fc.asyncProperty(fates, submissions, fc.boolean(), async (script, rounds, later) => {
        const fate = (): Fate => script.shift() ?? 'store'
        const brokers = { a: await open(storingBroker(fate, later)), b: await open(storingBroker(fate, later)) }
        const sender = (await clusterOf(brokers, 2)).sender({ group: 'P' })
        let count = 0
        const all: { item: SendItem; id: string; settled: Settled }[] = []
        const pending: Promise<void>[] = []
        for (const round of rounds) {
          const items = round.map(({ key, alone, bad }) => {
            const id = `${bad && count % 7 === 0 ? 'BAD' : 'OK'}-${count++}`
            return { id, item: itemOf(id, { orderKey: key, alone }) }
          })
          const settling = settle(
            sender,
            items.map(({ item }) => item),
          )
          pending.push(settling.then(done => void all.push(...items.map((item, n) => ({ ...item, settled: done[n]! })))))
          if (count % 2 === 0) await new Promise(setImmediate)
        }
        await Promise.all(pending)
        await closeAll()
        expect(sender.pending).toBe(0)
        expect(all).toHaveLength(count)
        for (const { id, item, settled } of all) checkTruth(id, item, settled, brokers)
        for (const key of ['k1', 'k2', 'k3'])
          checkOrder(
            all.filter(({ item }) => item.orderKey === key).map(({ id }) => id),
            brokers,
          )
      }),
      { numRuns: 40 },
    )
  }, 60_000)

  type Brokers = Readonly<Record<'a' | 'b', StoringBroker>>
  const logs = (brokers: Brokers): string[][] => Object.values(brokers).flatMap(broker => [...broker.queues.values()])

  function checkTruth(id: string, item: SendItem, settled: Settled, brokers: Brokers): void {
    expect(settled.times).toBe(1)
    const copies = logs(brokers)
      .flat()
      .filter(other => other === id).length
    if (settled.stored) {
      const { brokerName, queueId, offset } = settled.stored
      expect(brokers[brokerName as 'a' | 'b'].queues.get(queueId)![offset]).toBe(id)
    } else if (settled.error!.outcome === 'not-executed') expect(copies).toBe(0)
    if (item.orderKey !== undefined) expect(copies).toBeLessThanOrEqual(1)
  }

  function checkOrder(submitted: readonly string[], brokers: Brokers): void {
    const number = (id: string): number => Number(id.split('-')[1])
    const holding = logs(brokers).filter(log => log.some(id => submitted.includes(id)))
    expect(holding.length).toBeLessThanOrEqual(1)
    const stored = (holding[0] ?? []).filter(id => submitted.includes(id)).map(number)
    expect(stored).toEqual([...stored].sort((a, b) => a - b))
  }
})
