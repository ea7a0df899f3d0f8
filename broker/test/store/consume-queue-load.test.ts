import { MemoryDisk } from '@cometmq/testkit'
import { describe, expect, it } from 'vitest'
import type { Disk } from '../../src/store/disk.ts'
import { fillQueue, folder, openQueues, readPositions } from './consume-queue-model.ts'

const everything = { thorough: true, sync: true, dispatched: 0 }
const zeros = '0'.repeat(20)

async function put(disk: Disk, path: string, size: number): Promise<void> {
  await disk.makeFolder(path.slice(0, path.lastIndexOf('/')))
  const file = await disk.open(path, { create: true })
  await file.truncate(size)
  await file.close()
}

async function written(rows: number): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  const queues = await openQueues(disk)
  fillQueue(queues.getOrCreate('T', 0), 0, rows)
  await queues.flush(everything)
  await queues.close()
  return disk
}

describe('loading', () => {
  it('refuses a file of another size: which, what it is, what it should be, what to do', async () => {
    const disk = new MemoryDisk()
    await put(disk, `${folder}/T/0/${zeros}`, 6_000_000)
    const problem = `${folder}/T/0/${zeros} has 6000000 bytes, expected 2000 (mappedFileSizeConsumeQueue): start with the size`
    await expect(openQueues(disk)).rejects.toThrow(problem)
    await expect(openQueues(disk, { clean: false })).rejects.toThrow(problem)
    expect((await openQueues(disk, { fileBytes: 6_000_000 })).get('T', 0)?.max).toBe(0)
  })

  it('refuses a short file, unless a crash of ours left it', async () => {
    const disk = new MemoryDisk()
    await put(disk, `${folder}/T/0/${zeros}`, 1980)
    await expect(openQueues(disk, { clean: false })).rejects.toThrow('has 1980 bytes, expected 2000')
    const ours = await written(150)
    const path = `${folder}/T/0/00000000000000002000`
    await put(ours, path, 600)
    await expect(openQueues(ours, { clean: true })).rejects.toThrow('has 600 bytes')
    const queues = await openQueues(ours, { clean: false })
    expect(queues.get('T', 0)?.max).toBe(130)
    expect((await ours.stat(path))?.size).toBe(2000)
    await put(ours, `${folder}/T/0/${zeros}`, 600)
    await expect(openQueues(ours, { clean: false })).rejects.toThrow('has 600 bytes') // not the last one: no crash does that
  })

  it('removes an empty last file, as Java does', async () => {
    const disk = await written(150)
    await put(disk, `${folder}/T/0/00000000000000004000`, 0)
    await put(disk, `${folder}/T/7/${zeros}`, 0)
    const queues = await openQueues(disk)
    expect([queues.get('T', 0)?.max, queues.get('T', 7)?.max]).toEqual([150, 0])
    expect(await disk.stat(`${folder}/T/7/${zeros}`)).toBeNull()
  })

  it('refuses gaps and names that are no positions', async () => {
    const gap = await written(350)
    await gap.remove(`${folder}/T/0/00000000000000002000`)
    await expect(openQueues(gap)).rejects.toThrow('00000000000000002000 is missing')
    const foreign = await written(50)
    await put(foreign, `${folder}/T/0/backup`, 2000)
    await expect(openQueues(foreign)).rejects.toThrow('T/0/backup is not the name of a consume queue file')
  })

  it('leaves other folders alone', async () => {
    const disk = await written(50)
    await put(disk, `/store/batchconsumequeue/B/0/${zeros}`, 13_800_000)
    await put(disk, `/store/consumequeue_ext/T/0/${zeros}`, 48)
    await put(disk, `${folder}/T/notes/x`, 5)
    await put(disk, `${folder}/T/note`, 5)
    await put(disk, `${folder}/note`, 5)
    const queues = await openQueues(disk)
    expect([...queues.all()].map(queue => `${queue.topic}/${queue.queueId}`)).toEqual(['T/0'])
    expect([...queues.topics()]).toEqual(['T'])
  })

  it('finds the end of long files with few reads', async () => {
    for (const rows of [0, 1, 199, 200, 201, 3199, 3200, 3201, 9999, 10_000, 10_001]) {
      const disk = new MemoryDisk()
      const queues = await openQueues(disk, { fileBytes: 200_000 })
      const queue = queues.getOrCreate('T', 0)
      fillQueue(queue, 0, rows)
      await queues.flush(everything)
      for (const clean of [true, false]) {
        const found = (await openQueues(disk, { clean, fileBytes: 200_000 })).get('T', 0)
        expect([found?.max ?? 0, found?.maxPhysical ?? 0]).toEqual([rows, rows === 0 ? 0 : rows * 1000 - 900])
      }
    }
  })

  it('stops at a hole after an unclean exit, and never takes for new what lies behind it', async () => {
    const disk = await written(350)
    const file = await disk.open(`${folder}/T/0/00000000000000004000`, { create: false })
    await file.write([new Uint8Array(20 * 30)], 20 * 40)
    await file.close()
    const queues = await openQueues(disk, { clean: false })
    const queue = queues.get('T', 0)!
    expect([queue.max, queue.maxPhysical, queues.maxPhysical]).toEqual([240, 239_100, 239_100])
    for (let i = 240; i < 270; i++) queue.append(i, i * 1000 + 7, 100, 0, 0)
    await queues.flush(everything)
    await queues.close()
    for (const clean of [true, false]) {
      const again = await openQueues(disk, { clean })
      expect(again.get('T', 0)!.max).toBe(270)
      expect((await readPositions(again.get('T', 0)!)).at(-1)).toBe(269_007)
    }
  })

  it('refuses names that would leave the folder', async () => {
    const queues = await openQueues(new MemoryDisk())
    for (const topic of ['', '.', '..', 'a/b', '../x', 'a\\b', 'a\0b'])
      expect(() => queues.getOrCreate(topic, 0)).toThrow(RangeError)
    for (const queueId of [-1, 1.5, NaN, 2 ** 31]) expect(() => queues.getOrCreate('T', queueId)).toThrow(RangeError)
    for (const topic of ['%RETRY%G', 'T|x', '..a', 'T.x']) expect(queues.getOrCreate(topic, 0).topic).toBe(topic)
  })
})
