import { MemoryDisk } from '@cometmq/testkit'
import { describe, expect, it } from 'vitest'
import type { ConsumeQueue } from '../../src/store/consume-queue/queue.ts'
import type { Disk, DiskFile } from '../../src/store/disk.ts'
import { fillQueue, folder, listeningLogger, openQueues, readPositions } from './consume-queue-model.ts'

const thousands = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => (from + i) * 1000)
const everything = { thorough: true, sync: true, dispatched: 0 }

const namesIn = async (disk: Disk, path: string): Promise<string[]> =>
  (await disk.list(`${folder}/${path}`)).map(entry => entry.name)

async function fileBytes(disk: Disk, path: string): Promise<Buffer> {
  const file = await disk.open(`${folder}/${path}`, { create: false })
  const bytes = Buffer.alloc(await file.size())
  await file.read(bytes, 0)
  await file.close()
  return bytes
}

describe('rows', () => {
  it('are read from memory, from files, and after another start', async () => {
    const disk = new MemoryDisk()
    const queues = await openQueues(disk)
    const queue = queues.getOrCreate('T|%1', 3)
    fillQueue(queue, 0, 930)
    expect(await readPositions(queue)).toEqual(thousands(0, 930))
    expect(await disk.list(folder)).toEqual([])
    expect(await queues.flush({ thorough: true, sync: true, dispatched: 930_000 })).toBe(930_000)
    expect(await readPositions(queue)).toEqual(thousands(0, 930))
    await queues.close()
    for (const clean of [true, false]) {
      const again = await openQueues(disk, { clean })
      const found = again.get('T|%1', 3)!
      expect([found.min, found.max, found.next, found.maxPhysical]).toEqual([0, 930, 930, 929_100])
      expect(await readPositions(found, 7)).toEqual(thousands(0, 930))
      const rows = await found.readRows(300, 1)
      expect([rows.size(0), rows.tagsHigh(0), rows.tagsLow(0)]).toEqual([100, -1, 250])
      await again.close()
    }
  })

  it('are 20 bytes each, big-endian, in files of full size', async () => {
    const disk = new MemoryDisk()
    const queues = await openQueues(disk)
    const queue = queues.getOrCreate('T', 0)
    queue.append(0, 0x12_3456_789a, 0x72, 0, 0x41)
    queue.append(1, 2 ** 52 + 5, 1000, -1, -2)
    await queues.flush(everything)
    const bytes = await fileBytes(disk, 'T/0/00000000000000000000')
    expect(bytes.length).toBe(2000)
    expect(bytes.subarray(0, 20).toString('hex')).toBe('000000123456789a' + '00000072' + '0000000000000041')
    expect(bytes.subarray(20, 40).toString('hex')).toBe('0010000000000005' + '000003e8' + 'fffffffffffffffe')
    expect(bytes.subarray(40).every(byte => byte === 0)).toBe(true)
    const rows = await queue.readRows(0, 10)
    expect([rows.position(0), rows.position(1), rows.tagsLow(1)]).toEqual([0x12_3456_789a, 2 ** 52 + 5, -2])
  })

  it('come at once while they are in memory, also right after they were written', async () => {
    const queues = await openQueues(new MemoryDisk(), { fileBytes: 200_000 })
    const queue = queues.getOrCreate('T', 0)
    fillQueue(queue, 0, 5000)
    for (const offset of [0, 20, 419, 4999]) expect(queue.readRows(offset, 1)).not.toBeInstanceOf(Promise)
    await queues.flush(everything)
    for (const offset of [0, 4999]) expect(queue.readRows(offset, 1)).not.toBeInstanceOf(Promise)
    await queues.flush(everything)
    expect(queue.readRows(4999, 1)).not.toBeInstanceOf(Promise)
    const old = queue.readRows(10, 3)
    expect(old).toBeInstanceOf(Promise)
    expect((await old).position(2)).toBe(12_000)
    expect(queue.readRows(1000, 3)).not.toBeInstanceOf(Promise) // the block is cached now
  })

  it('are none outside of min and max, and never of two files', async () => {
    const queues = await openQueues(new MemoryDisk())
    const queue = queues.getOrCreate('T', 0)
    fillQueue(queue, 0, 250)
    for (const offset of [-1, 250, 251]) expect((await queue.readRows(offset, 5)).count).toBe(0)
    expect((await queue.readRows(5, 0)).count).toBe(0)
    expect((await queue.readRows(95, 100)).count).toBe(5)
    expect(queue.offsetAfterGap(95)).toBe(100)
    expect(queue.offsetAfterGap(230)).toBe(250)
  })
})

describe('append', () => {
  it('skips what is there already and what would go back', async () => {
    const logger = listeningLogger()
    const queue = (await openQueues(new MemoryDisk(), { logger })).getOrCreate('T', 0)
    fillQueue(queue, 0, 10)
    fillQueue(queue, 0, 10)
    expect([queue.max, logger.warnings.length]).toEqual([10, 0])
    queue.append(4, 50_000, 100, 0, 0)
    expect([queue.max, logger.warnings.length]).toEqual([10, 1])
    queue.append(5, 60_000, 100, 0, 0)
    expect(logger.warnings.length).toBe(1)
  })

  it('closes gaps, as Java does', async () => {
    const logger = listeningLogger()
    const queue = (await openQueues(new MemoryDisk(), { logger })).getOrCreate('T', 0)
    fillQueue(queue, 0, 10)
    queue.append(15, 50_000, 100, 0, 0)
    expect([queue.max, queue.next, logger.warnings.length]).toEqual([11, 11, 1])
    queue.append(0, 60_000, 100, 0, 0)
    expect(await readPositions(queue)).toEqual([...thousands(0, 10), 50_000, 60_000])
  })

  it('fills the file before a first row that is not at its start', async () => {
    const disk = new MemoryDisk()
    const queues = await openQueues(disk)
    const queue = queues.getOrCreate('T', 0)
    fillQueue(queue, 250, 60)
    expect([queue.min, queue.max, queues.dirtyBytes]).toEqual([250, 310, 1200])
    await queues.flush(everything)
    expect(queues.dirtyBytes).toBe(0)
    expect(await namesIn(disk, 'T/0')).toEqual(['00000000000000004000', '00000000000000006000'])
    const bytes = await fileBytes(disk, 'T/0/00000000000000004000')
    for (let row = 0; row < 50; row++)
      expect(bytes.subarray(row * 20, row * 20 + 20).toString('hex')).toBe('0'.repeat(16) + '7fffffff' + '0'.repeat(16))
    const again = (await openQueues(disk, { clean: false })).get('T', 0)!
    expect([again.min, again.max]).toEqual([200, 310])
    await again.correctMin(0)
    expect([again.min, await readPositions(again)]).toEqual([250, thousands(250, 60)])
  })

  it('begins again further ahead when nothing readable is left', async () => {
    const disk = new MemoryDisk()
    const queues = await openQueues(disk)
    const queue = queues.getOrCreate('T', 0)
    fillQueue(queue, 0, 150)
    await queues.flush(everything)
    await queues.correctMin(1_000_000)
    fillQueue(queue, 1005, 3)
    expect([queue.min, queue.max]).toEqual([1005, 1008])
    await queues.flush(everything)
    expect(await namesIn(disk, 'T/0')).toEqual(['00000000000000020000'])
    expect(await readPositions(queue)).toEqual(thousands(1005, 3))
  })
})

describe('flush', () => {
  it('leaves queues alone that have little, until it is thorough or memory is short', async () => {
    const disk = new MemoryDisk()
    const queues = await openQueues(disk, { dirtyBytesMax: 15_000, fileBytes: 200_000 })
    fillQueue(queues.getOrCreate('T', 0), 0, 100)
    fillQueue(queues.getOrCreate('T', 1), 0, 500)
    expect(await queues.flush({ thorough: false, sync: true, dispatched: 1000 })).toBe(0)
    expect((await disk.list(`${folder}/T`)).map(entry => entry.name)).toEqual(['1'])
    expect(queues.dirtyBytes).toBe(2000)
    expect(await queues.flush({ thorough: true, sync: true, dispatched: 1500 })).toBe(1500)
    expect(await queues.flush({ thorough: false, sync: true, dispatched: 1800 })).toBe(1500)
    for (let i = 2; i < 4; i++) fillQueue(queues.getOrCreate('T', i), 0, 400)
    expect(await queues.flush({ thorough: false, sync: true, dispatched: 2000 })).toBe(2000)
    expect(queues.dirtyBytes).toBe(0)
  })

  it('begins by itself when memory is short', async () => {
    const disk = new MemoryDisk()
    const queues = await openQueues(disk, { dirtyBytesMax: 8000, fileBytes: 200_000 })
    const gate = disk.faults.hold({ operation: 'write', path: /T\/0/ })
    const queue = queues.getOrCreate('T', 0)
    fillQueue(queue, 0, 400)
    fillQueue(queue, 400, 3000)
    await gate.arrived()
    gate.open()
    fillQueue(queues.getOrCreate('T', 1), 0, 5)
    await queues.correctMin(0) // its turn comes after
    expect(queues.dirtyBytes).toBe(100)
  })

  it('goes on with the other queues when one fails, and tries that one again', async () => {
    const disk = new MemoryDisk()
    const queues = await openQueues(disk)
    for (let i = 0; i < 5; i++) fillQueue(queues.getOrCreate('T', i), 0, 130)
    disk.faults.fail({ operation: 'write', path: /T\/2/, nth: 2, code: 'ENOSPC', bytes: 7 })
    await expect(queues.flush({ ...everything, dispatched: 100 })).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(queues.dirtyBytes).toBe(600)
    expect(await queues.flush({ ...everything, dispatched: 200 })).toBe(200)
    const again = await openQueues(disk.crash(), { clean: false })
    for (let i = 0; i < 5; i++) expect(await readPositions(again.get('T', i)!)).toEqual(thousands(0, 130))
  })

  it('does not take an unsynced file for a synced one after an error', async () => {
    const disk = new MemoryDisk({ seed: 3 })
    const queues = await openQueues(disk)
    fillQueue(queues.getOrCreate('T', 0), 0, 30)
    disk.faults.fail({ operation: 'sync', path: /T\/0/, code: 'EIO' })
    await expect(queues.flush({ ...everything, dispatched: 100 })).rejects.toMatchObject({ code: 'EIO' })
    disk.faults.fail({ operation: 'syncFolder', path: `${folder}/T`, code: 'EIO' })
    await expect(queues.flush({ ...everything, dispatched: 100 })).rejects.toMatchObject({ code: 'EIO' })
    expect(await queues.flush({ ...everything, dispatched: 100 })).toBe(100)
    for (let outcome = 0; outcome < 10; outcome++) {
      expect(await readPositions((await openQueues(disk.crash(), { clean: false })).get('T', 0)!)).toEqual(thousands(0, 30))
    }
  })

  it('leaves no file of a wrong size when there is no room to make one', async () => {
    const disk = new MemoryDisk()
    const queues = await openQueues(disk)
    fillQueue(queues.getOrCreate('T', 0), 0, 30)
    disk.faults.fail({ operation: 'truncate', path: /T\/0/, code: 'ENOSPC' })
    await expect(queues.flush(everything)).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(await namesIn(disk, 'T/0')).toEqual([])
    await queues.flush(everything)
    expect(await namesIn(disk, 'T/0')).toEqual(['00000000000000000000'])
  })

  it('takes rows that are appended while it runs', async () => {
    const disk = new MemoryDisk()
    const queues = await openQueues(disk)
    const queue = queues.getOrCreate('T', 0)
    fillQueue(queue, 0, 15)
    const gate = disk.faults.hold({ operation: 'write', path: /T\/0/ })
    const flushed = queues.flush(everything)
    await gate.arrived()
    fillQueue(queue, 15, 500)
    gate.open()
    await flushed
    expect(queues.dirtyBytes).toBe(10_000)
    await queues.flush(everything)
    await queues.close()
    expect(await readPositions((await openQueues(disk)).get('T', 0)!)).toEqual(thousands(0, 515))
  })

  it('gives memory back when there are many queues, and keeps few files open', async () => {
    let open = 0
    let openMost = 0
    class CountingDisk extends MemoryDisk {
      override async open(path: string, options: { create: boolean }): Promise<DiskFile> {
        const file = await super.open(path, options)
        openMost = Math.max(openMost, ++open)
        const close = file.close.bind(file)
        file.close = async () => {
          open--
          await close()
        }
        return file
      }
    }
    const queues = await openQueues(new CountingDisk(), { pageBytesMax: 10_000, openFilesMax: 10 })
    for (let i = 0; i < 300; i++) fillQueue(queues.getOrCreate('T', i), 0, 25)
    expect(queues.pageBytes).toBe(300 * 1600)
    await queues.flush(everything)
    expect(queues.pageBytes).toBeLessThanOrEqual(10_000)
    for (let i = 0; i < 300; i++) {
      const queue = queues.get('T', i)!
      fillQueue(queue, 25, 5)
      expect(await readPositions(queue)).toEqual(thousands(0, 30))
    }
    expect(openMost).toBeLessThanOrEqual(13)
    await queues.close()
    expect(open).toBe(0)
  })
})

describe('both ends', () => {
  const flushed = async (
    disk: Disk,
    rows: number,
  ): Promise<{ queue: ConsumeQueue; queues: Awaited<ReturnType<typeof openQueues>> }> => {
    const queues = await openQueues(disk)
    const queue = queues.getOrCreate('T', 0)
    fillQueue(queue, 0, rows)
    await queues.flush(everything)
    return { queue, queues }
  }

  it('deletes files below the log, but never the last one', async () => {
    const disk = new MemoryDisk()
    const { queue, queues } = await flushed(disk, 350)
    await queues.deleteBefore(199_000)
    expect([queue.min, (await namesIn(disk, 'T/0'))[0]]).toEqual([199, '00000000000000002000'])
    await queues.deleteBefore(199_001)
    expect([queue.min, (await namesIn(disk, 'T/0'))[0]]).toEqual([200, '00000000000000004000'])
    await queues.deleteBefore(9_000_000)
    expect([queue.min, queue.max, await namesIn(disk, 'T/0')]).toEqual([350, 350, ['00000000000000006000']])
    fillQueue(queue, 350, 10)
    await queues.flush(everything)
    await queues.close()
    const again = await openQueues(disk)
    await again.correctMin(355_000)
    expect([again.get('T', 0)!.min, again.get('T', 0)!.max]).toEqual([355, 360])
  })

  it('truncates rows in memory and in files, and goes on from there', async () => {
    for (const [rows, cut] of [
      [350, 349],
      [350, 300],
      [350, 299],
      [350, 150],
      [350, 0],
      [30, 7],
    ] as const) {
      const disk = new MemoryDisk()
      const { queue, queues } = await flushed(disk, rows - 20)
      fillQueue(queue, rows - 20, 20)
      await queues.truncate(cut * 1000)
      expect([queue.max, queue.next, queue.maxPhysical]).toEqual([cut, cut, cut === 0 ? 0 : cut * 1000 - 900])
      expect(await readPositions(queue)).toEqual(thousands(0, cut))
      const crashed = await openQueues(disk.kill(), { clean: false })
      expect(crashed.get('T', 0)?.max ?? 0).toBe(Math.min(cut, rows - 20))
    }
  })

  it('keeps an only file that is cut empty, so that offsets do not start again', async () => {
    const disk = new MemoryDisk()
    const { queue, queues } = await flushed(disk, 350)
    await queues.deleteBefore(9_000_000)
    await queues.truncate(0)
    expect(await namesIn(disk, 'T/0')).toEqual(['00000000000000006000'])
    expect(queue.max).toBe(350)
    const { queue: other, queues: others } = await flushed(disk.kill(), 0)
    expect([other.max, others.count]).toEqual([350, 1])
  })

  it('answers a reader whose rows are cut meanwhile with none', async () => {
    const disk = new MemoryDisk()
    const first = await flushed(disk, 350)
    await first.queues.close()
    const queues = await openQueues(disk)
    const queue = queues.get('T', 0)!
    const gate = disk.faults.hold({ operation: 'read', path: /T\/0/, times: 1 })
    const reading = queue.readRows(20, 5)
    await gate.arrived()
    await queues.truncate(10_000)
    gate.open()
    expect((await reading).count).toBe(0)
  })

  it('forgets a topic and its files, and starts at 0 when it comes again', async () => {
    const disk = new MemoryDisk()
    const { queue, queues } = await flushed(disk, 350)
    fillQueue(queue, 350, 30)
    fillQueue(queues.getOrCreate('T2', 0), 0, 5)
    await queues.remove('T')
    expect([queues.get('T', 0), queues.dirtyBytes, await disk.stat(`${folder}/T`)]).toEqual([undefined, 100, null])
    fillQueue(queue, 380, 3) // by somebody who still holds it
    fillQueue(queues.getOrCreate('T', 0), 0, 3)
    await queues.flush(everything)
    expect(await readPositions(queues.get('T', 0)!)).toEqual(thousands(0, 3))
    expect(queues.dirtyBytes).toBe(0)
    await queues.removeAll()
    expect([queues.count, await disk.list(folder)]).toEqual([0, []])
  })
})
