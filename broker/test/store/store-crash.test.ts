import { decodeRecords } from '@cometmq/remoting'
import { createRandom, FakeClock, MemoryDisk } from '@cometmq/testkit'
import type { PutResult, Store } from '@cometmq/broker/store'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Acks, message, openSmall } from './tools.ts'

interface Stored {
  n: number
  queueId: number
  put: PutResult
}

/** Every acknowledged message is where its answer said, with its content, and found by its keys; queues have no gap. */
async function verify(store: Store, acknowledged: readonly Stored[]): Promise<void> {
  const wrong: string[] = []
  for (const { n, queueId, put } of acknowledged) {
    const at = await store.get({ topic: 'TopicTest', queueId, offset: put.queueOffset, maxCount: 1, maxBytes: 1 << 20 })
    const record = at.status === 'FOUND' ? decodeRecords(at.body)[0]! : null
    const isThere =
      record?.flag === n &&
      record.queueOffset === put.queueOffset &&
      record.physicalOffset === put.physicalOffset &&
      Buffer.from(record.body).equals(message(n).body)
    if (!isThere) wrong.push(`message ${n} is not at queue ${queueId} offset ${put.queueOffset}: ${at.status}`)
    const hits = await store.query('TopicTest', message(n).uniqKey, 32, 0, Number.MAX_SAFE_INTEGER)
    if (!hits.some(hit => hit.physicalOffset === put.physicalOffset)) wrong.push(`message ${n} is not found by its key`)
  }
  expect(wrong).toEqual([])
  for (const { topic, queueId } of [...store.queues()]) {
    for (let offset = store.minOffset(topic, queueId); offset < store.maxOffset(topic, queueId);) {
      const result = await store.get({ topic, queueId, offset, maxCount: 32, maxBytes: 1 << 20 })
      expect(result.status).toBe('FOUND')
      const offsets = decodeRecords(result.body).map(record => record.queueOffset)
      expect(offsets).toEqual(offsets.map((_, i) => offset + i))
      offset += offsets.length
    }
  }
}

type Flush = 'SYNC_FLUSH' | 'ASYNC_FLUSH'

/** Runs a few lives of one store, each ended in the middle of things, and checks after each what was promised before. */
async function lives(seed: number, flushDiskType: Flush, end: 'power cut' | 'killed'): Promise<void> {
  const random = createRandom(seed)
  const clock = new FakeClock()
  let disk = new MemoryDisk({ seed, clock })
  const acknowledged: Stored[] = []
  let n = 0
  for (let life = 0; life < 4; life++) {
    const store = await openSmall(disk, { flushDiskType, checkpointIntervalBytes: 40_000 }, clock)
    const acks = new Acks(store)
    await verify(store, acknowledged)
    const waiting: Stored[] = []
    const steps = 1 + random.int(120)
    for (let step = 0; step < steps; step++) {
      for (let burst = random.int(7); burst > 0; burst--) {
        const queueId = random.int(4)
        const put = store.append(message(n, { queueId }))
        if (put.status === 'PUT_OK') waiting.push({ n, queueId, put })
        n++
      }
      clock.advance(random.int(701))
      for (let turns = random.int(4); turns > 0; turns--) await new Promise(resolve => setImmediate(resolve))
    }
    const upTo = flushDiskType === 'SYNC_FLUSH' || end === 'power cut' ? acks.synced : acks.written
    acknowledged.push(...waiting.filter(({ put }) => put.endOffset <= upTo))
    disk = end === 'power cut' ? disk.crash() : disk.kill()
  }
  const store = await openSmall(disk, { flushDiskType }, clock)
  await verify(store, acknowledged)
  await store.close()
  const again = await openSmall(disk, { flushDiskType }, clock)
  await verify(again, acknowledged)
  await again.close()
}

describe('an acknowledged message survives', () => {
  for (const [flush, end] of [
    ['SYNC_FLUSH', 'power cut'],
    ['SYNC_FLUSH', 'killed'],
    ['ASYNC_FLUSH', 'killed'],
    ['ASYNC_FLUSH', 'power cut'],
  ] as const) {
    it(`${flush}, ${end}`, { timeout: 120_000 }, async () => {
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 1, max: 1 << 30 }), seed => lives(seed, flush, end)),
        { numRuns: 25, endOnFailure: true },
      )
    })
  }
})

describe('a disk that fails', () => {
  it('full: refuses with a reason, goes on reading, takes messages again when there is room; nothing acknowledged is lost', async () => {
    const clock = new FakeClock()
    const disk = new MemoryDisk({ clock, capacityBytes: 400_000 })
    const store = await openSmall(disk, {}, clock)
    const acks = new Acks(store)
    const stored: Stored[] = []
    let n = 0
    let reason = ''
    for (; reason === '' && n < 20_000; n++) {
      const put = store.append(message(n))
      if (put.status !== 'PUT_OK') reason = put.reason
      else {
        try {
          await acks.durable(put.endOffset)
          stored.push({ n, queueId: 0, put })
        } catch {
          reason = 'rolled back'
        }
      }
    }
    const refused = store.append(message(n))
    expect(refused).toMatchObject({ status: 'SERVICE_NOT_AVAILABLE' })
    expect(refused.reason).toMatch(/full/)
    expect(stored.length).toBeGreaterThan(100)
    await verify(store, stored)
    expect(store.maxOffset('TopicTest', 0)).toBe(stored.length)
    disk.capacityBytes = Infinity
    for (let i = 0; i < 20 && store.stats().notWritable !== null; i++) {
      clock.advance(1000)
      await new Promise(resolve => setImmediate(resolve))
    }
    expect(store.stats().notWritable).toBeNull()
    acks.failedFrom = Infinity
    const put = await acks.put(message(n))
    expect(put.queueOffset).toBe(stored.length)
    stored.push({ n, queueId: 0, put })
    await store.close()
    const again = await openSmall(disk, {}, clock)
    await verify(again, stored)
    expect(again.maxOffset('TopicTest', 0)).toBe(stored.length)
    await again.close()
  })

  it('failing write: what was not stored is told so, and nothing of it appears', async () => {
    const disk = new MemoryDisk()
    const store = await openSmall(disk)
    const acks = new Acks(store)
    const stored: Stored[] = []
    for (let n = 0; n < 20; n++) stored.push({ n, queueId: 0, put: await acks.put(message(n)) })
    disk.faults.fail({ operation: 'write', path: /commitlog/, code: 'EIO', bytes: 200 })
    const put = store.append(message(99))
    await expect(acks.durable(put.endOffset)).rejects.toThrow('rolled back')
    expect(store.append(message(100))).toMatchObject({ status: 'SERVICE_NOT_AVAILABLE' })
    await verify(store, stored)
    await store.close()
    const again = await openSmall(disk)
    await verify(again, stored)
    expect(again.maxOffset('TopicTest', 0)).toBe(20)
    await again.close()
  })

  it('failing sync with asynchronous flush: nothing more is promised', async () => {
    const clock = new FakeClock()
    const disk = new MemoryDisk({ clock })
    const store = await openSmall(disk, { flushDiskType: 'ASYNC_FLUSH' }, clock)
    const acks = new Acks(store)
    await acks.writtenTo(store.append(message(0)).endOffset)
    disk.faults.fail({ operation: 'sync', path: /commitlog/, code: 'EIO', times: 100 })
    for (let n = 1; n < 100; n++) await acks.writtenTo(store.append(message(n)).endOffset)
    for (let i = 0; i < 20 && store.stats().notWritable === null; i++) {
      clock.advance(500)
      await new Promise(resolve => setImmediate(resolve))
    }
    expect(store.append(message(200)).reason).toMatch(/sync/)
  })
})
