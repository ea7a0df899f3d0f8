import { createNodeDisk, loadConfig, loadNameServerConfig, startBroker, startNameServer } from '@cometmq/broker'
import { compressBody, compressionFlags, encodeProperties, silentLogger, systemClock } from '@cometmq/remoting'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inflateSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cluster, createCluster, type PoppedMessage, type PopOptions, type SendItem } from '../src/index.ts'
import { itemOf, settle } from './sender-tools.ts'

let folder: string
let cluster: Cluster
const closers: (() => Promise<void>)[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'comet-popper-'))
  const parts = { disk: createNodeDisk(), clock: systemClock, logger: silentLogger }
  const nsConfig = loadNameServerConfig({ sets: ['bindAddress=127.0.0.1', 'listenPort=0'] })
  const ns = await startNameServer({ ...parts, host: '127.0.0.1', port: 0, dataFolder: join(folder, 'ns'), config: nsConfig })
  closers.push(() => ns.close())
  const sets = [
    `storePathRootDir=${join(folder, 'b')}`,
    'bindAddress=127.0.0.1',
    'brokerIP1=127.0.0.1',
    'listenPort=0',
    'brokerName=b-1',
    `namesrvAddr=127.0.0.1:${ns.port}`,
  ]
  const broker = await startBroker({ ...parts, config: loadConfig({ sets }) })
  closers.push(() => broker.close())
  cluster = createCluster({ nameServers: [`127.0.0.1:${ns.port}`], clock: systemClock, logger: silentLogger })
  closers.push(() => cluster.close())
})
afterAll(async () => {
  for (const close of closers.reverse()) await close()
  await rm(folder, { recursive: true, force: true })
})

const text = (message: { body: Uint8Array }): string => Buffer.from(message.body).toString()
const texts = (messages: readonly { body: Uint8Array }[]): string[] => messages.map(text).sort()

async function topicWith(topic: string, items: readonly Partial<SendItem>[], queues = 4): Promise<void> {
  await cluster.topics.create({ topic, readQueues: queues, writeQueues: queues })
  const sender = cluster.sender({ group: 'P' })
  const settled = await settle(
    sender,
    items.map((item, n) => itemOf(`${topic}-${n}`, { topic, ...item })),
  )
  expect(settled.filter(item => item.error)).toEqual([])
  sender.close()
}
const bodies = (...names: string[]): Partial<SendItem>[] => names.map(name => ({ body: Buffer.from(name) }))

const pop = (topic: string, options: Partial<PopOptions> = {}): Promise<PoppedMessage[]> =>
  cluster
    .popper()
    .pop({ topic, group: 'G', brokerName: 'b-1', maxMessages: 32, invisibleMs: 60_000, holdMs: 0, from: 'earliest', ...options })

/** Until so many came. */
async function popSome(count: number, topic: string, options: Partial<PopOptions> = {}): Promise<PoppedMessage[]> {
  const all: PoppedMessage[] = []
  while (all.length < count) all.push(...(await pop(topic, { holdMs: 5_000, ...options })))
  return all
}

describe('pop', () => {
  it('gives messages as they were stored, with all that is known about them', async () => {
    const properties = encodeProperties([
      ['UNIQ_KEY', 'the-id'],
      ['TAGS', 'A'],
      ['wörd', 'ü'],
    ])
    const before = Date.now()
    await topicWith('whole', [{ body: Uint8Array.of(0, 255, 7), properties, flag: -5, bornTimestamp: 123_456_789_012 }], 1)
    expect(await cluster.popper().brokersOf('whole')).toEqual(['b-1'])
    const [message] = await popSome(1, 'whole')
    expect(message).toMatchObject({
      topic: 'whole',
      queueId: 0,
      queueOffset: 0,
      msgId: 'the-id',
      flag: -5,
      bornTimestamp: 123_456_789_012,
      reconsumeTimes: 0,
      compression: 'none',
    })
    expect([...message!.body]).toEqual([0, 255, 7])
    expect(message!.properties).toContain('wörd\x01ü\x02')
    expect(message!.storeTimestamp).toBeGreaterThanOrEqual(before)
    expect(await cluster.messages.atOffset({ topic: 'whole', brokerName: 'b-1', queueId: 0 }, 0)).toMatchObject({
      physicalOffset: message!.physicalOffset,
    })
    expect(message!.receipt).toMatchObject({ group: 'G', topic: 'whole', brokerName: 'b-1', offset: 0, retry: 0 })
    expect(await pop('whole')).toEqual([])
  })

  it('leaves zlib to the receiver and undoes what a browser cannot', async () => {
    const body = Buffer.from('again and '.repeat(100))
    const kinds = ['ZLIB', 'LZ4'] as const
    await topicWith(
      'compressed',
      kinds.map(kind => ({ body: compressBody(body, kind), sysFlag: compressionFlags(kind), alone: true })),
    )
    const got = await popSome(2, 'compressed')
    const zlib = got.filter(message => message.compression === 'zlib')
    expect(zlib.map(message => inflateSync(message.body).equals(body))).toEqual([true])
    const plain = got.filter(message => message.compression === 'none')
    expect(plain.map(message => text(message) === body.toString())).toEqual([true])
  })

  it('takes more than 32 at once from a broker that gives more, and settles them all', async () => {
    await topicWith('large', bodies(...Array.from({ length: 500 }, (_, n) => `m${n}`)), 2)
    const got = await popSome(500, 'large', { maxMessages: 500 })
    expect(new Set(got.map(text)).size).toBe(500)
    expect(await cluster.popper().ack(got.map(message => message.receipt))).toEqual([])
    expect(await cluster.popper().lag('large', 'G')).toEqual({ messages: 0, oldest: undefined })
  })

  it('waits for a message, and ends the wait when told to', async () => {
    await topicWith('waits', [], 1)
    const waiting = popSome(1, 'waits')
    const sender = cluster.sender({ group: 'P' })
    await settle(sender, [itemOf('news', { topic: 'waits' })])
    expect(texts(await waiting)).toEqual(['body of news'])
    const stop = new AbortController()
    const aborted = pop('waits', { holdMs: 20_000, signal: stop.signal })
    stop.abort()
    await expect(aborted).rejects.toMatchObject({ code: 'E_ABORTED' })
  })

  it('what comes for nobody is soon delivered to somebody', async () => {
    await topicWith('given-back', [], 1)
    const stop = new AbortController()
    const aborted = pop('given-back', { group: 'Given', holdMs: 20_000, signal: stop.signal })
    await expect.poll(() => cluster.groups.names()).toContain('Given') // so the broker has the request
    stop.abort()
    await expect(aborted).rejects.toMatchObject({ code: 'E_ABORTED' })
    await settle(cluster.sender({ group: 'P' }), [itemOf('x', { topic: 'given-back' })])
    // Well before the 60 s for which the abandoned pop took it.
    expect(texts(await popSome(1, 'given-back', { group: 'Given' }))).toEqual(['body of x'])
  })

  it('filters by tag, exactly: what only has the hash of one is acknowledged', async () => {
    const tagged = (id: string, tag: string) => ({
      properties: encodeProperties([
        ['UNIQ_KEY', id],
        ['TAGS', tag],
      ]),
    })
    // 'Aa' and 'BB' have the same hash in Java.
    await topicWith('tags', [tagged('1', 'Aa'), tagged('2', 'BB'), tagged('3', 'C')], 1)
    const got = await popSome(2, 'tags', { expression: 'Aa || C' })
    expect(got.map(message => message.msgId)).toEqual(['1', '3'])
    expect(await cluster.popper().ack(got.map(message => message.receipt))).toEqual([])
    await expect.poll(async () => (await cluster.popper().lag('tags', 'G')).messages).toBe(0)
  })

  it('says what is wrong', async () => {
    await expect(pop('no-such-topic')).rejects.toMatchObject({ code: 'E_NO_ROUTE', outcome: 'not-executed' })
    await topicWith('errors', [], 1)
    await expect(pop('errors', { brokerName: 'b-9' })).rejects.toMatchObject({ code: 'E_NO_BROKER' })
    await expect(pop('errors', { maxMessages: 0 })).rejects.toMatchObject({ code: 'E_ARGUMENT' })
    await expect(pop('errors', { queueId: 77, maxMessages: 100 })).rejects.toMatchObject({ brokerCode: 29 })
    await expect(pop('errors', { expression: 'a ==', expressionType: 'SQL92' })).rejects.toMatchObject({
      outcome: expect.any(String) as string,
    })
  })
})

describe('settling', () => {
  it('a lease that was shortened ends soon, one that was made longer does not', async () => {
    await topicWith('leases', bodies('short', 'long'), 1)
    const got = await popSome(2, 'leases', { invisibleMs: 10_000 })
    const popper = cluster.popper()
    const [short, long] = ['short', 'long'].map(name => got.find(message => text(message) === name)!)
    const longer = await popper.changeInvisible(long!.receipt, 120_000)
    expect(longer.invisibleMs).toBe(120_000)
    await popper.changeInvisible(short!.receipt, 1_000)
    const [again] = await popSome(1, 'leases')
    expect(text(again!)).toBe('short')
    expect(again).toMatchObject({ topic: 'leases', reconsumeTimes: 1, msgId: short!.msgId, receipt: { topic: 'leases' } })
    expect(again!.receipt.retry).not.toBe(0)
    expect((await popper.lag('leases', 'G')).messages).toBeGreaterThanOrEqual(1)
    expect(await popper.ack([again!.receipt, longer])).toEqual([])
    expect(await popper.lag('leases', 'G')).toEqual({ messages: 0, oldest: undefined })
    expect(await pop('leases')).toEqual([])
  })

  it('a dead letter is in the topic of dead letters, and nowhere else', async () => {
    await topicWith('deadly', bodies('poison', 'food'), 1)
    const got = await popSome(2, 'deadly', { group: 'D' })
    const popper = cluster.popper()
    await popper.deadLetter(got.find(message => text(message) === 'poison')!)
    expect(await popper.ack(got.filter(message => text(message) === 'food').map(message => message.receipt))).toEqual([])
    expect(await popper.lag('deadly', 'D')).toMatchObject({ messages: 0 })
    await expect.poll(async () => (await cluster.topics.list()).includes('%DLQ%D')).toBe(true)
    const dead = await cluster.messages.atOffset({ topic: '%DLQ%D', brokerName: 'b-1', queueId: 0 }, 0)
    expect(dead!.body.toString()).toBe('poison')
  })

  it('lag counts what waits and knows since when', async () => {
    await topicWith('lagging', bodies('a', 'b', 'c'), 2)
    const popper = cluster.popper()
    const [first] = await cluster.topics.queues('lagging')
    const lag = await popper.lag('lagging', 'L')
    expect(lag.messages).toBe(3)
    const stored = (await Promise.all([0, 1].map(queueId => cluster.messages.atOffset({ ...first!, queueId }, 0)))).flatMap(
      message => message?.storeTimestamp ?? [],
    )
    expect(lag.oldest).toBe(Math.min(...stored))
    await expect(popper.lag('no-such-topic', 'L')).rejects.toMatchObject({ code: 'E_NO_ROUTE' })
  })

  it('gathers the acks of a turn, of any number of topics', async () => {
    await topicWith('acks-1', bodies('a', 'b'))
    await topicWith('acks-2', bodies('c'))
    const got = [...(await popSome(2, 'acks-1')), ...(await popSome(1, 'acks-2'))]
    const popper = cluster.popper()
    const answers = await Promise.all(got.map(message => popper.ack([message.receipt])))
    expect(answers).toEqual([[], [], []])
    expect(await popper.ack([])).toEqual([])
    for (const topic of ['acks-1', 'acks-2']) expect(await popper.lag(topic, 'G')).toMatchObject({ messages: 0 })
  })
})

describe('reader', () => {
  it('reads by offset, waits, and moves an offset that does not exist', async () => {
    await topicWith('read', bodies('a', 'b', 'c'), 1)
    const reader = cluster.reader()
    const [queue] = await reader.queuesOf('read')
    expect(await reader.bounds(queue!)).toEqual({ min: 0, max: 3 })
    const limits = { queue: queue!, maxMessages: 100, maxBytes: 1_000_000, holdMs: 0 }
    const result = await reader.read({ ...limits, offset: 1 })
    expect(result).toMatchObject({ status: 'found', nextOffset: 3, minOffset: 0, maxOffset: 3 })
    expect(result.messages.map(text)).toEqual(['b', 'c'])
    expect(result.messages.map(message => message.queueOffset)).toEqual([1, 2])
    expect(await reader.read({ ...limits, offset: 3 })).toMatchObject({ status: 'no-new', messages: [] })
    expect(await reader.read({ ...limits, offset: 99 })).toMatchObject({ status: 'offset-moved', nextOffset: 3 })
    expect(await reader.offsetAt(queue!, result.messages[0]!.storeTimestamp + 3_600_000)).toBe(3)
    const waiting = reader.read({ ...limits, offset: 3, holdMs: 20_000 })
    await settle(cluster.sender({ group: 'P' }), [itemOf('d', { topic: 'read' })])
    expect((await waiting).messages.map(message => message.msgId)).toEqual(['d'])
    expect(await cluster.groups.names()).not.toContain('CID_CMQ_READER')
  })

  it('keeps to its limits and to the tags', async () => {
    const tagged = (tag: string) => ({
      body: Buffer.alloc(1_000),
      properties: encodeProperties([
        ['UNIQ_KEY', tag],
        ['TAGS', tag],
      ]),
    })
    await topicWith('limited', [tagged('Aa'), tagged('BB'), tagged('C'), tagged('Aa')], 1)
    const reader = cluster.reader()
    const [queue] = await reader.queuesOf('limited')
    const limits = { queue: queue!, offset: 0, maxMessages: 2, maxBytes: 1_000_000, holdMs: 0 }
    expect((await reader.read(limits)).messages).toHaveLength(2)
    expect((await reader.read({ ...limits, maxMessages: 100, maxBytes: 1_500 })).messages.length).toBeLessThan(3)
    const tags = await reader.read({ ...limits, maxMessages: 100, expression: 'Aa' })
    expect(tags).toMatchObject({ nextOffset: 4 })
    expect(tags.messages.map(message => message.queueOffset)).toEqual([0, 3])
    await expect(reader.queuesOf('no-such-topic')).rejects.toMatchObject({ code: 'E_NO_ROUTE' })
  })
})
