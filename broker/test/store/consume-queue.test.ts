import { FakeClock, MemoryDisk } from '@cometmq/testkit'
import { silentLogger } from '@cometmq/remoting'
import { expect, it } from 'vitest'
import { ConsumeQueues, type ConsumeQueuesOptions } from '../../src/store/consume-queue/queues.ts'
import type { ConsumeQueue } from '../../src/store/consume-queue/queue.ts'
import type { Disk } from '../../src/store/disk.ts'

const open = (disk: Disk, more: Partial<ConsumeQueuesOptions> = {}): Promise<ConsumeQueues> =>
  ConsumeQueues.load({
    disk,
    folder: '/store/consumequeue',
    fileBytes: 2000,
    clock: new FakeClock(),
    logger: silentLogger,
    clean: true,
    ...more,
  })

const fill = (queue: ConsumeQueue, from: number, count: number): void => {
  for (let i = from; i < from + count; i++) queue.append(i, i * 1000, 100, i % 3 ? 0 : -1, i - 50)
}

async function positions(queue: ConsumeQueue): Promise<number[]> {
  const found: number[] = []
  for (let offset = queue.min; offset < queue.max;) {
    const rows = await queue.readRows(offset, 1000)
    expect(rows.count).toBeGreaterThan(0)
    for (let i = 0; i < rows.count; i++) found.push(rows.position(i))
    offset += rows.count
  }
  return found
}

it('reads what was appended: from memory, from files, and after another start', async () => {
  const disk = new MemoryDisk()
  const queues = await open(disk)
  const queue = queues.getOrCreate('T|%1', 3)
  fill(queue, 0, 930)
  const expected = Array.from({ length: 930 }, (_, i) => i * 1000)
  expect(await positions(queue)).toEqual(expected)
  expect(await disk.list('/store/consumequeue')).toEqual([])
  expect(await queues.flush({ thorough: true, sync: true, dispatched: 930_000 })).toBe(930_000)
  expect(await positions(queue)).toEqual(expected)
  await queues.close()
  for (const clean of [true, false]) {
    const again = await open(disk, { clean })
    const found = again.get('T|%1', 3)!
    expect([found.min, found.max, found.next, found.maxPhysical]).toEqual([0, 930, 930, 929_100])
    expect(await positions(found)).toEqual(expected)
    const rows = await found.readRows(300, 1)
    expect([rows.size(0), rows.tagsHigh(0), rows.tagsLow(0)]).toEqual([100, -1, 250])
  }
})
