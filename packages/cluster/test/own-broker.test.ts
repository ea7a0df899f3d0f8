import { createNodeDisk, loadConfig, loadNameServerConfig, startBroker, startNameServer } from '@cometmq/broker'
import { silentLogger, systemClock } from '@cometmq/remoting'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cluster, ClusterError, createCluster, type ReceivedMessage } from '../src/index.ts'

let folder: string
let cluster: Cluster
const closers: (() => Promise<void>)[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'comet-cluster-'))
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
  ]
  const broker = await startBroker({ ...parts, config: loadConfig({ sets: [...sets, `namesrvAddr=127.0.0.1:${ns.port}`] }) })
  closers.push(() => broker.close())
  cluster = createCluster({ nameServers: [`127.0.0.1:${ns.port}`], clock: systemClock, logger: silentLogger })
  closers.push(() => cluster.close())
})
afterAll(async () => {
  for (const close of closers.reverse()) await close()
  await rm(folder, { recursive: true, force: true })
})

/** All messages of a topic. */
async function readAll(topic: string, tags = '*'): Promise<ReceivedMessage[]> {
  const puller = cluster.puller({ group: 'readers' })
  const all: ReceivedMessage[] = []
  for (const queue of await cluster.topics.queues(topic)) {
    for (let offset = 0; ;) {
      const result = await puller.pull(queue, offset, { tags })
      all.push(...result.messages)
      if (result.status !== 'found' && result.status !== 'no-match') break
      offset = result.nextOffset
    }
  }
  return all
}

describe('against our own broker', () => {
  it('lists brokers and what they tell about themselves', async () => {
    const brokers = await cluster.brokers.list()
    expect(brokers).toMatchObject([{ brokerName: 'b-1', brokerId: 0 }])
    expect(await cluster.brokers.runtimeInfo(brokers[0]!.address)).toHaveProperty('brokerVersionDesc')
  })

  it('sends and receives: text, large and binary bodies, tags, keys, properties', async () => {
    await cluster.topics.create({ topic: 'all', readQueues: 2, writeQueues: 2 })
    const producer = cluster.producer({ group: 'P' })
    const large = 'y'.repeat(100_000)
    const binary = Uint8Array.from({ length: 256 }, (_, index) => index)
    const results = [
      await producer.send({ topic: 'all', body: 'text', tag: 'A', keys: ['k1', 'k2'], properties: { colour: 'red' } }),
      await producer.send({ topic: 'all', body: large }),
      await producer.send({ topic: 'all', body: binary, flag: -3 }),
    ]
    const got = new Map((await readAll('all')).map(message => [message.msgId, message]))
    expect(got.get(results[0]!.msgId)).toMatchObject({
      tag: 'A',
      keys: ['k1', 'k2'],
      offsetMsgId: results[0]!.offsetMsgId,
      brokerName: 'b-1',
    })
    expect(got.get(results[0]!.msgId)!.properties.get('colour')).toBe('red')
    expect(got.get(results[1]!.msgId)!.body.toString()).toBe(large)
    expect(got.get(results[1]!.msgId)!.storeSize).toBeLessThan(5_000)
    expect([...got.get(results[2]!.msgId)!.body]).toEqual([...binary])
    expect(got.get(results[2]!.msgId)!.flag).toBe(-3)
    expect((await readAll('all', 'A || B')).map(message => message.body.toString())).toEqual(['text'])
  })

  it('keeps the order of a key, and the order of a batch', async () => {
    await cluster.topics.create({ topic: 'ordered', readQueues: 8, writeQueues: 8 })
    const producer = cluster.producer({ group: 'P' })
    for (let n = 0; n < 5; n++) await producer.send({ topic: 'ordered', body: `one-${n}`, orderKey: 'a' })
    const batch = await producer.sendBatch(['x', 'y', 'z'].map(body => ({ topic: 'ordered', body, orderKey: 'a' })))
    expect(batch.msgId.split(',')).toHaveLength(3)
    expect((await readAll('ordered')).map(message => message.body.toString())).toEqual([
      'one-0',
      'one-1',
      'one-2',
      'one-3',
      'one-4',
      'x',
      'y',
      'z',
    ])
  })

  it('creates a topic with its first message', async () => {
    const producer = cluster.producer({ group: 'P' })
    await producer.send({ topic: 'auto', body: 'first' })
    await expect.poll(async () => (await cluster.topics.list()).includes('auto')).toBe(true)
    expect((await readAll('auto')).map(message => message.body.toString())).toEqual(['first'])
  })

  it('wakes a held pull when a message comes', async () => {
    await cluster.topics.create({ topic: 'held', readQueues: 1, writeQueues: 1 })
    const [queue] = await cluster.topics.queues('held')
    const pulling = cluster.puller({ group: 'readers' }).pull(queue!, 0, { holdMs: 20_000 })
    await cluster.producer({ group: 'P' }).send({ topic: 'held', body: 'news' })
    expect((await pulling).messages.map(message => message.body.toString())).toEqual(['news'])
  })

  it('corrects an offset that does not exist', async () => {
    await cluster.topics.create({ topic: 'moved', readQueues: 1, writeQueues: 1 })
    await cluster.producer({ group: 'P' }).send({ topic: 'moved', body: 'x' })
    const [queue] = await cluster.topics.queues('moved')
    const puller = cluster.puller({ group: 'readers' })
    expect(await puller.pull(queue!, 99)).toMatchObject({ status: 'offset-moved', nextOffset: 1, messages: [] })
    expect(await puller.pull(queue!, 1)).toMatchObject({ status: 'no-new', nextOffset: 1 })
  })

  it('commits offsets and finds them by time', async () => {
    await cluster.topics.create({ topic: 'offsets', readQueues: 1, writeQueues: 1 })
    const producer = cluster.producer({ group: 'P' })
    for (const body of ['a', 'b', 'c']) await producer.send({ topic: 'offsets', body })
    const [queue] = await cluster.topics.queues('offsets')
    expect([await cluster.offsets.min(queue!), await cluster.offsets.max(queue!)]).toEqual([0, 3])
    const first = await cluster.messages.atOffset(queue!, 0)
    expect(await cluster.offsets.byTime(queue!, first!.storeTimestamp)).toBe(0)
    expect(await cluster.offsets.byTime(queue!, Date.now() + 3_600_000)).toBe(3)
    expect(await cluster.offsets.earliestTime(queue!)).toBe(first!.storeTimestamp)
    await cluster.puller({ group: 'committers' }).pull(queue!, 0)
    await cluster.offsets.commit('committers', queue!, 2)
    expect(await cluster.offsets.committed('committers', queue!)).toBe(2)
    const info = await cluster.groups.info('committers')
    expect(info).toMatchObject({ state: 'offline', lag: 1 })
    expect(info.queues).toMatchObject([{ topic: 'offsets', brokerOffset: 3, consumerOffset: 2, lag: 1 }])
    expect(await cluster.groups.names()).toContain('committers')
  })

  it('finds messages by key, by both ids and by place', async () => {
    await cluster.topics.create({ topic: 'found', readQueues: 1, writeQueues: 1 })
    const sent = await cluster.producer({ group: 'P' }).send({ topic: 'found', body: 'me', keys: ['needle', 'other'] })
    await cluster.producer({ group: 'P' }).send({ topic: 'found', body: 'not me', keys: ['hay'] })
    const found = { msgId: sent.msgId, offsetMsgId: sent.offsetMsgId }
    expect(await cluster.messages.byKey('found', 'needle')).toMatchObject([found])
    expect(await cluster.messages.byKey('found', 'nothing')).toEqual([])
    expect(await cluster.messages.byUniqueKey('found', sent.msgId)).toMatchObject([found])
    expect(await cluster.messages.byOffsetMsgId(sent.offsetMsgId)).toMatchObject(found)
    expect(await cluster.messages.atOffset(sent.queue, sent.queueOffset)).toMatchObject(found)
    expect(await cluster.messages.atOffset(sent.queue, 77)).toBeUndefined()
  })

  it('tells about a topic and deletes it', async () => {
    await cluster.topics.create({ topic: 'short-lived', readQueues: 3, writeQueues: 2 })
    expect(await cluster.topics.info('short-lived')).toMatchObject({ readQueues: 3, writeQueues: 2, messages: 0 })
    expect(await cluster.topics.remove('short-lived')).toMatchObject([{ brokerName: 'b-1', ok: true }])
    await expect(cluster.topics.route('short-lived')).rejects.toMatchObject({ code: 'E_TOPIC_NOT_FOUND' })
    await expect(cluster.topics.remove('short-lived')).rejects.toBeInstanceOf(ClusterError)
  })

  it('names the reason of a refusal', async () => {
    await expect(cluster.topics.create({ topic: 'TBW102' })).rejects.toMatchObject({
      code: 'E_ARGUMENT',
      brokerCode: 29,
      outcome: 'not-executed',
    })
    await expect(cluster.groups.info('nobody')).rejects.toMatchObject({ code: 'E_GROUP_NOT_FOUND' })
    await expect(cluster.topics.create({ topic: 'x' }, { broker: 'none' })).rejects.toMatchObject({ code: 'E_NO_BROKER' })
  })
})
