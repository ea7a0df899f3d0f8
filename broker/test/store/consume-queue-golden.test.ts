import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { javaHashCode, silentLogger } from '@cometmq/remoting'
import { FakeClock } from '@cometmq/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConsumeQueues } from '../../src/store/consume-queue/queues.ts'
import { createNodeDisk } from '../../src/store/node-disk.ts'

const golden = fileURLToPath(new URL('../../../test/golden/store/', import.meta.url))

interface Expected {
  topics: Record<string, { queues: Record<string, { min: number; max: number }> }>
  broker: { commitLogMaxOffset: string }
  messages: {
    topic: string
    queueId: number
    queueOffset: number
    commitLogOffset: number
    storeSize: number
    storeTimestamp: number
  }[]
}

describe.each(['5.3.3-clean', '5.3.3-killed', '5.5.1-clean', '5.5.1-killed'])('consume queues written by RocketMQ %s', name => {
  let root = ''
  let copies = 0
  let expected: Expected
  let log: Buffer

  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'cometmq-queues-'))
    execFileSync('tar', ['xzf', `${golden}store-${name}.tar.gz`, '-C', root, 'store/consumequeue', 'store/commitlog'])
    expected = JSON.parse(gunzipSync(readFileSync(`${golden}store-${name}.expected.json.gz`)).toString()) as Expected
    log = Buffer.concat(
      readdirSync(`${root}/store/commitlog`)
        .sort()
        .map(file => readFileSync(`${root}/store/commitlog/${file}`)),
    )
  })
  afterAll(() => rmSync(root, { recursive: true }))

  const load = (clean: boolean): Promise<ConsumeQueues> => {
    const folder = `${root}/copy${copies++}/consumequeue`
    cpSync(`${root}/store/consumequeue`, folder, { recursive: true })
    return ConsumeQueues.load({
      disk: createNodeDisk(),
      folder,
      fileBytes: 2000,
      clock: new FakeClock(),
      logger: silentLogger,
      clean,
    })
  }

  /** Topic and properties of a record (spec store, 2.1). */
  const namesIn = (position: number): { topic: string; properties: string } => {
    const flags = log.readInt32BE(position + 36)
    const bodyAt = position + 84 + (flags & 0x10 ? 12 : 0) + (flags & 0x20 ? 12 : 0)
    const topicAt = bodyAt + 4 + log.readInt32BE(bodyAt)
    const topicEnd = topicAt + 1 + log.readUInt8(topicAt)
    const propertiesEnd = topicEnd + 2 + log.readUInt16BE(topicEnd)
    return { topic: log.toString('utf8', topicAt + 1, topicEnd), properties: log.toString('utf8', topicEnd + 2, propertiesEnd) }
  }

  it.each([true, false])('has the queues and rows the Java broker told of (clean: %s)', async clean => {
    const queues = await load(clean)
    const found: Record<string, { min: number; max: number }> = {}
    for (const queue of queues.all()) found[`${queue.topic} ${queue.queueId}`] = { min: queue.min, max: queue.max }
    const told = Object.entries(expected.topics).flatMap(([topic, { queues: ids }]) =>
      Object.entries(ids).map(([id, { min, max }]) => [`${topic} ${id}`, { min, max }] as const),
    )
    expect(found).toMatchObject(Object.fromEntries(told))
    for (const message of expected.messages) {
      const rows = await queues.get(message.topic, message.queueId)!.readRows(message.queueOffset, 1)
      expect([rows.count, rows.position(0), rows.size(0)]).toEqual([1, message.commitLogOffset, message.storeSize])
    }
    await queues.close()
  })

  it('has rows that each point to the record of their topic, queue and offset', async () => {
    const queues = await load(false)
    let end = 0
    for (const queue of queues.all()) {
      end = Math.max(end, queue.maxPhysical)
      for (let offset = queue.min; offset < queue.max; offset++) {
        const rows = await queue.readRows(offset, 1)
        const at = rows.position(0)
        expect(log.readInt32BE(at)).toBe(rows.size(0))
        expect(log.readInt32BE(at + 12)).toBe(queue.queueId)
        expect(Number(log.readBigInt64BE(at + 20))).toBe(offset)
        expect(Number(log.readBigInt64BE(at + 28))).toBe(at)
        const { topic, properties } = namesIn(at)
        expect(topic).toBe(queue.topic)
        if (topic === 'SCHEDULE_TOPIC_XXXX') continue // there it is a time
        const tags = properties.split('\x02').find(each => each.startsWith('TAGS\x01'))
        const hash = javaHashCode(tags?.slice(5) ?? '')
        expect([rows.tagsHigh(0), rows.tagsLow(0)]).toEqual([hash >> 31, hash])
      }
    }
    expect(queues.maxPhysical).toBe(end)
    expect(end).toBeLessThanOrEqual(Number(expected.broker.commitLogMaxOffset))
    await queues.close()
  })

  it('goes on where the Java broker stopped', async () => {
    const queues = await load(true)
    const queue = queues.get('T_fill', 0)!
    expect([queue.min, queue.max]).toEqual([0, 330])
    const position = Number(expected.broker.commitLogMaxOffset)
    for (let i = 0; i < 100; i++) queue.append(330 + i, position + i * 200, 200, 0, i)
    await queues.flush({ thorough: true, sync: true, dispatched: position + 20_000 })
    expect(queue.max).toBe(430)
    expect((await queue.readRows(399, 9)).position(0)).toBe(position + 69 * 200)
    const first = await queue.readRows(329, 1)
    expect(first.position(0) + first.size(0)).toBeLessThanOrEqual(position)
    await queues.close()
  })

  it('finds messages by time', async () => {
    const queues = await load(true)
    const messages = expected.messages.filter(message => message.topic === 'T_fill')
    const queue = queues.get('T_fill', 0)!
    const timeOf = async (position: number): Promise<number> => Number(log.readBigInt64BE(position + 56))
    for (const { storeTimestamp } of messages.filter((_, index) => index % 20 === 0)) {
      const offsets = messages.filter(message => message.storeTimestamp === storeTimestamp).map(message => message.queueOffset)
      expect(await queue.offsetByTime(storeTimestamp, 'LOWER', timeOf)).toBe(Math.min(...offsets))
      expect(await queue.offsetByTime(storeTimestamp, 'UPPER', timeOf)).toBe(Math.max(...offsets))
    }
    await queues.close()
  })
})
