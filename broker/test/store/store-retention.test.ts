import { MemoryDisk, FakeClock } from '@cometmq/testkit'
import { expect, it } from 'vitest'
import { Acks, message, openSmall, SMALL } from './tools.ts'

it('deletes old files when asked, with what points into them; the reserved time can change while the store is open', async () => {
  const clock = new FakeClock()
  const disk = new MemoryDisk({ clock })
  const store = await openSmall(disk, { fileReservedTimeHours: 72 }, clock)
  const acks = new Acks(store)
  for (let n = 0; n < 1500; n++) {
    const { endOffset } = store.append(message(n))
    if (n % 100 === 99) await acks.durable(endOffset)
  }
  clock.advance(2 * 3_600_000)
  expect(await store.clean(true)).toBe(0)
  store.setRetention({ fileReservedTimeHours: 1 })
  const removed = await store.clean(true)
  expect(removed).toBeGreaterThan(2)
  const minPosition = store.stats().minPhysicalOffset
  expect(minPosition).toBe(removed * SMALL.mappedFileSizeCommitLog)
  const min = store.minOffset('TopicTest', 0)
  expect(min).toBeGreaterThan(0)
  const first = await store.get({ topic: 'TopicTest', queueId: 0, offset: min, maxCount: 1, maxBytes: 1 })
  expect(first).toMatchObject({ status: 'FOUND', count: 1 })
  expect(await store.get({ topic: 'TopicTest', queueId: 0, offset: 0, maxCount: 1, maxBytes: 1 })).toMatchObject({
    status: 'OFFSET_TOO_SMALL',
    nextOffset: min,
  })
  expect(await store.query('TopicTest', 'order0', 32, 0, Number.MAX_SAFE_INTEGER)).toEqual([])
  expect(() => store.setRetention({ deleteWhen: '25' })).toThrow(/not an hour/)
  await store.close()
  const again = await openSmall(disk, {}, clock)
  expect(again.minOffset('TopicTest', 0)).toBe(min)
  expect(again.maxOffset('TopicTest', 0)).toBe(1500)
  await again.close()
})
