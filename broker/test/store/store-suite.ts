import { decodeRecords } from '@cometmq/remoting'
import type { Disk, Store } from '@cometmq/broker/store'
import { FakeClock } from '@cometmq/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Acks, message, openSmall, SMALL } from './tools.ts'

/** What every store must do, on any disk. `makeDisk` gives a disk with an empty `/store`, or maps it to an empty folder. */
export function storeSuite(
  name: string,
  makeDisk: () => Promise<{ disk: Disk; folder: string; dispose(): Promise<void> }>,
): void {
  describe(`store on ${name}`, () => {
    let place: Awaited<ReturnType<typeof makeDisk>>
    let store: Store
    let acks: Acks
    const open = async (): Promise<void> => {
      store = await openSmall(place.disk, { folder: place.folder })
      acks = new Acks(store)
    }
    beforeEach(async () => {
      place = await makeDisk()
      await open()
    })
    afterEach(async () => {
      await store.close()
      await place.dispose()
    })

    const bodies = async (topic: string, queueId: number, from = 0): Promise<string[]> => {
      const found: string[] = []
      for (let offset = from; ;) {
        const result = await store.get({ topic, queueId, offset, maxCount: 32, maxBytes: 1 << 20 })
        if (result.status !== 'FOUND') return found
        for (const record of decodeRecords(result.body)) found.push(Buffer.from(record.body).toString())
        offset = result.nextOffset
      }
    }

    it('gives back what was stored, field by field', async () => {
      const put = await acks.put(message(7, { queueId: 3 }))
      const result = await store.get({ topic: 'TopicTest', queueId: 3, offset: 0, maxCount: 32, maxBytes: 1 << 20 })
      expect(result).toMatchObject({ status: 'FOUND', nextOffset: 1, minOffset: 0, maxOffset: 1, count: 1 })
      const [record] = [...decodeRecords(result.body)]
      expect(record).toMatchObject({
        topic: 'TopicTest',
        queueId: 3,
        queueOffset: 0,
        physicalOffset: put.physicalOffset,
        flag: 7,
        bornTimestamp: 1_700_000_000_007,
        storeTimestamp: put.storeTimestamp,
        reconsumeTimes: 0,
      })
      expect(await store.read(put.physicalOffset)).toEqual(result.body)
    })

    it('keeps order and content over file ends, and after a clean restart', async () => {
      const expected: string[] = []
      for (let n = 0; n < 1500; n++) {
        const next = message(n)
        expected.push(Buffer.from(next.body).toString())
        const result = store.append(next)
        expect(result).toMatchObject({ status: 'PUT_OK', queueOffset: n })
        if (n % 97 === 0) await acks.durable(result.endOffset)
      }
      await store.flush()
      expect(store.stats().appended).toBeGreaterThan(SMALL.mappedFileSizeCommitLog * 4)
      expect(await bodies('TopicTest', 0)).toEqual(expected)
      await store.close()
      await open()
      expect(await bodies('TopicTest', 0)).toEqual(expected)
      expect(store.maxOffset('TopicTest', 0)).toBe(1500)
      expect(store.append(message(1500))).toMatchObject({ status: 'PUT_OK', queueOffset: 1500 })
    })

    it('puts a batch into one file as a whole', async () => {
      for (let n = 0; n < 300; n++) {
        const { topic, queueId, sysFlag, bornTimestamp, bornHost, reconsumeTimes, preparedTransactionOffset } = message(n)
        const elements = [0, 1, 2, 3, 4].map(i => message(n * 5 + i))
        const result = store.appendBatch({
          topic,
          queueId,
          sysFlag,
          bornTimestamp,
          bornHost,
          reconsumeTimes,
          preparedTransactionOffset,
          elements,
        })
        expect(result.status).toBe('PUT_OK')
        expect(result.queueOffset).toBe(n * 5)
        const files = new Set(result.physicalOffsets.map(position => Math.floor(position / SMALL.mappedFileSizeCommitLog)))
        expect(files.size).toBe(1)
        await acks.durable(result.endOffset)
      }
      const all = await bodies('TopicTest', 0)
      expect(all).toEqual(Array.from({ length: 1500 }, (_, n) => Buffer.from(message(n).body).toString()))
    })

    it('answers with the status of spec store 3.4', async () => {
      const get = (offset: number, queueId = 0) =>
        store.get({ topic: 'TopicTest', queueId, offset, maxCount: 32, maxBytes: 1 << 20 })
      expect(await get(0)).toMatchObject({ status: 'NO_MATCHED_LOGIC_QUEUE', nextOffset: 0 })
      for (let n = 0; n < 10; n++) await acks.put(message(n))
      expect(await get(10)).toMatchObject({ status: 'OFFSET_OVERFLOW_ONE', nextOffset: 10 })
      expect(await get(11)).toMatchObject({ status: 'OFFSET_OVERFLOW_BADLY', nextOffset: 10 })
      expect(await get(-1)).toMatchObject({ status: 'OFFSET_TOO_SMALL', nextOffset: 0 })
      const none = await store.get({
        topic: 'TopicTest',
        queueId: 0,
        offset: 0,
        maxCount: 32,
        maxBytes: 1 << 20,
        accepts: () => false,
      })
      expect(none).toMatchObject({ status: 'NO_MATCHED_MESSAGE', nextOffset: 10 })
      const one = await store.get({ topic: 'TopicTest', queueId: 0, offset: 0, maxCount: 32, maxBytes: 1 })
      expect(one).toMatchObject({ status: 'FOUND', count: 1, nextOffset: 1 })
    })

    it('filters by tags code', async () => {
      for (let n = 0; n < 90; n++) await acks.put(message(n))
      const seen = new Set<number>()
      const result = await store.get({
        topic: 'TopicTest',
        queueId: 0,
        offset: 0,
        maxCount: 100,
        maxBytes: 1 << 20,
        accepts: code => {
          seen.add(code)
          return code === 2653 // "T1".hashCode()
        },
      })
      expect(seen.size).toBe(3)
      for (const record of decodeRecords(result.body)) expect(record.flag % 3).toBe(1)
      expect(result.count).toBe(30)
    })

    it('finds messages by unique key and by key, before and after a restart', async () => {
      for (let n = 0; n < 600; n++) store.append(message(n))
      await store.flush()
      const find = async (key: string): Promise<number[]> =>
        (await store.query('TopicTest', key, 32, 0, Number.MAX_SAFE_INTEGER)).map(hit => [...decodeRecords(hit.record)][0]!.flag)
      for (const n of [0, 1, 299, 599]) {
        expect(await find(message(n).uniqKey)).toContain(n)
        expect(await find('order' + n)).toContain(n)
      }
      await store.close()
      await open()
      for (const n of [0, 1, 299, 599]) expect(await find('order' + n)).toContain(n)
      expect(await find('nothing')).toEqual([])
    })

    it('finds offsets by time', async () => {
      const clock = new FakeClock()
      await store.close()
      store = await openSmall(place.disk, { folder: place.folder }, clock)
      acks = new Acks(store)
      const times: number[] = []
      for (let n = 0; n < 300; n++) {
        times.push((await acks.put(message(n))).storeTimestamp)
        if (n % 2 === 1) clock.advance(10)
      }
      expect(await store.offsetByTime('TopicTest', 0, times[100]!, 'LOWER')).toBe(100)
      expect(await store.offsetByTime('TopicTest', 0, times[100]!, 'UPPER')).toBe(101)
      expect(await store.offsetByTime('TopicTest', 0, times[100]! + 1, 'LOWER')).toBe(102)
      expect(await store.storeTimeAt('TopicTest', 0, 100)).toBe(times[100])
      expect(await store.storeTimeAt('TopicTest', 0, 300)).toBe(-1)
    })

    it('refuses what is against the limits, with a reason, and goes on', async () => {
      expect(store.append(message(0, { body: Buffer.alloc(4 * 1024 * 1024 + 1) }))).toMatchObject({ status: 'MESSAGE_ILLEGAL' })
      expect(store.append(message(0, { body: Buffer.alloc(70_000) })).reason).toMatch(/65536/)
      expect(store.append(message(0, { properties: 'a\x01' + 'x'.repeat(32_766) + '\x02' }))).toMatchObject({
        status: 'PROPERTIES_SIZE_EXCEEDED',
      })
      expect(store.append(message(0, { topic: 'x'.repeat(128) }))).toMatchObject({ status: 'MESSAGE_ILLEGAL' })
      expect(store.append(message(0, { topic: '%RETRY%' + 'x'.repeat(200) }))).toMatchObject({ status: 'PUT_OK' })
      expect(await acks.put(message(0))).toMatchObject({ queueOffset: 0 })
      expect(await bodies('TopicTest', 0)).toHaveLength(1)
      expect(await bodies('%RETRY%' + 'x'.repeat(200), 0)).toHaveLength(1)
    })

    it('tells arrivals of watched queues, once', async () => {
      const heard: string[] = []
      store.onArrival((topic, queueId, maxOffset) => heard.push(`${topic}/${queueId}/${maxOffset}`))
      store.watch('TopicTest', 1)
      await acks.put(message(0, { queueId: 0 }))
      await store.flush()
      expect(heard).toEqual([])
      await acks.put(message(1, { queueId: 1 }))
      await acks.put(message(2, { queueId: 1 }))
      await store.flush()
      expect(heard).toEqual(['TopicTest/1/1'])
      store.watch('TopicTest', 1)
      await acks.put(message(3, { queueId: 1 }))
      await store.flush()
      expect(heard).toEqual(['TopicTest/1/1', 'TopicTest/1/3'])
    })

    it('forgets a deleted topic and starts it anew at 0', async () => {
      for (let n = 0; n < 50; n++) store.append(message(n))
      await store.deleteTopic('TopicTest')
      expect([...store.queues()]).toEqual([])
      expect(await acks.put(message(0))).toMatchObject({ queueOffset: 0 })
      await store.close()
      await open()
      expect(store.maxOffset('TopicTest', 0)).toBe(1)
    })

    it('does not bring a topic back that was deleted last', async () => {
      for (let n = 0; n < 4; n++) await acks.put(message(n))
      await store.deleteTopic('TopicTest')
      await store.close()
      await open()
      expect(store.maxOffset('TopicTest', 0)).toBe(0)
      expect(await acks.put(message(0))).toMatchObject({ queueOffset: 0 })
      await store.close()
      await open()
      expect(store.maxOffset('TopicTest', 0)).toBe(1)
    })

    it('is refused to a second opener while it is open', async () => {
      await expect(openSmall(place.disk, { folder: place.folder })).rejects.toThrow(/in use/)
      await acks.put(message(0))
    })
  })
}
