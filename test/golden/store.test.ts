import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig, type RunningBroker, startBroker } from '@cometmq/broker'
import { createNodeDisk, openStore, type Store } from '@cometmq/broker/store'
import { type Caller, createCaller, type JsonObject, parseJson, RequestCode, silentLogger, systemClock, tcpTransport } from '@cometmq/remoting'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { asExpected, type Expected, type ExpectedTopic, seenByClient } from './support/expected.ts'
import { decodeMessage, readCommitLog, readIndex, readRow } from './support/java-store.ts'
import { goldenJson, unpackStore } from './support/unpack.ts'

/** The sizes that the stores were written with. */
const sizes = { mappedFileSizeCommitLog: 131_072, mappedFileSizeConsumeQueue: 2000, maxHashSlotNum: 500, maxIndexNum: 2000 } as const
/** Hours: the records are old. */
const fileReservedTime = 876_000

describe.each(['store-5.3.3-clean', 'store-5.3.3-killed', 'store-5.5.1-clean', 'store-5.5.1-killed'])('%s', name => {
  const expected = goldenJson<Expected>(`store/${name}.expected.json.gz`)
  let folder: string
  beforeAll(() => {
    folder = join(unpackStore(name), 'store')
  })
  afterAll(() => rmSync(join(folder, '..'), { recursive: true, force: true }))

  describe('the store', () => {
    let store: Store
    beforeAll(async () => {
      store = await openStore({
        disk: createNodeDisk(),
        clock: systemClock,
        logger: silentLogger,
        folder,
        storeHost: Buffer.from([127, 0, 0, 1, 0, 0, 0x2a, 0x9f]),
        fileReservedTimeHours: fileReservedTime,
        ...sizes,
      })
    })
    afterAll(() => store.close())

    it('has every queue with its bounds', () => {
      const bounds = (topic: string, queueId: number) => ({ min: store.minOffset(topic, queueId), max: store.maxOffset(topic, queueId) })
      let queues = 0
      for (const [topic, config] of Object.entries(expected.topics)) {
        for (const [queueId, range] of Object.entries(config.queues)) {
          expect({ topic, queueId, ...bounds(topic, Number(queueId)) }).toEqual({ topic, queueId, ...range })
          expect(store.nextOffset(topic, Number(queueId))).toBe(range.max)
          queues++
        }
      }
      expect(queues).toBeGreaterThan(20)
    })

    it('has the log range', () => {
      expect(store.stats().minPhysicalOffset).toBe(Number(expected.broker.commitLogMinOffset))
      expect(store.stats().appended).toBe(Number(expected.broker.commitLogMaxOffset))
    })

    it('gives every message by queue and offset', async () => {
      expect(expected.messages.length).toBeGreaterThan(400)
      for (const message of expected.messages) {
        const { topic, queueId, queueOffset } = message
        const found = await store.get({ topic, queueId, offset: queueOffset, maxCount: 1, maxBytes: 1_000_000 })
        expect(found.status, `${topic} ${queueId} ${queueOffset}`).toBe('FOUND')
        expect(seenByClient(decodeMessage(found.body))).toEqual(asExpected(message))
      }
    })

    it('gives every message by its position, unique key and keys', async () => {
      for (const message of expected.messages) {
        const record = await store.read(message.commitLogOffset)
        expect(record?.length).toBe(message.storeSize)
        const keys = [message.properties['UNIQ_KEY'], ...(message.properties['KEYS']?.split(' ') ?? [])].filter(key => key !== undefined)
        for (const key of new Set(keys)) {
          const hits = await store.query(message.topic, key, 64, 0, Number.MAX_SAFE_INTEGER)
          expect(hits.map(hit => hit.physicalOffset), `${message.topic} ${key}`).toContain(message.commitLogOffset)
        }
      }
    })
  })

  it('decodes without us after we closed it', () => {
    const log = readCommitLog(folder)
    for (const message of expected.messages) {
      const { topic, queueId, queueOffset, commitLogOffset, storeSize } = message
      expect(seenByClient(log.get(commitLogOffset)!)).toEqual(asExpected(message))
      const row = readRow(folder, topic, queueId, queueOffset, sizes.mappedFileSizeConsumeQueue)
      expect(row, `${topic} ${queueId} ${queueOffset}`).toEqual({ physicalOffset: commitLogOffset, size: storeSize })
      const key = message.properties['UNIQ_KEY']
      if (key !== undefined) expect(readIndex(folder, topic, key, sizes.maxHashSlotNum)).toContain(commitLogOffset)
    }
  })

  describe('a broker on it', () => {
    let broker: RunningBroker
    let caller: Caller
    beforeAll(async () => {
      const options = { ...sizes, fileReservedTime, listenPort: 0, bindAddress: '127.0.0.1', brokerIP1: '127.0.0.1', namesrvAddr: '' }
      const named = { brokerClusterName: 'golden', brokerName: 'broker-a', storePathRootDir: folder, defaultTopicQueueNums: 4 }
      broker = await startBroker({
        config: loadConfig({ sets: Object.entries({ ...options, ...named }).map(([key, value]) => `${key}=${value}`) }),
        disk: createNodeDisk(),
        clock: systemClock,
        logger: silentLogger,
      })
      caller = createCaller({ transport: tcpTransport, clock: systemClock, logger: silentLogger })
    })
    afterAll(async () => {
      await caller.close()
      await broker.close()
      const topics = parseJson(readFileSync(join(folder, 'config/topics.json'), 'utf8')) as JsonObject
      expect(topics['topicConfigTable']).toMatchObject(configsOf(expected.topics))
      const offsets = parseJson(readFileSync(join(folder, 'config/consumerOffset.json'), 'utf8')) as JsonObject
      expect(offsets['offsetTable']).toMatchObject(expected.consumerOffsets)
      const groups = parseJson(readFileSync(join(folder, 'config/subscriptionGroup.json'), 'utf8')) as JsonObject
      expect(groups['subscriptionGroupTable']).toMatchObject(expected.groups)
    })
    const ask = async (code: number): Promise<JsonObject> => {
      const answer = await caller.call(broker.address, { code }, 10_000)
      expect(answer.code).toBe(0)
      return parseJson(answer.body!.toString()) as JsonObject
    }

    it('has every topic', async () => {
      const { topicConfigTable } = await ask(RequestCode.GET_ALL_TOPIC_CONFIG)
      expect(topicConfigTable).toMatchObject(configsOf(expected.topics))
    })

    it('has every group', async () => {
      const { subscriptionGroupTable } = await ask(RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG)
      expect(subscriptionGroupTable).toMatchObject(expected.groups)
    })

    it('has every consumer offset', async () => {
      const { offsetTable } = await ask(RequestCode.GET_ALL_CONSUMER_OFFSET)
      expect(offsetTable).toMatchObject(expected.consumerOffsets)
    })
  })
})

const configsOf = (topics: Record<string, ExpectedTopic>): Record<string, Omit<ExpectedTopic, 'queues'>> =>
  Object.fromEntries(Object.entries(topics).map(([name, { queues: _, ...config }]) => [name, config]))
