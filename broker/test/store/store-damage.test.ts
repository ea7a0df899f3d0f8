import { readWholeFile, type StoreDamagedError } from '@cometmq/broker/store'
import { FakeClock, MemoryDisk } from '@cometmq/testkit'
import { describe, expect, it } from 'vitest'
import { Acks, message, openSmall, SMALL } from './tools.ts'

const COUNT = 1500
const second = String(SMALL.mappedFileSizeCommitLog).padStart(20, '0')

/** Bytes in the second commit log file at which a record starts. */
let recordInSecond = 0

/** A store with several files of each kind, closed cleanly, or killed: after a whole checkpoint, or when only the log was noted as synced. */
async function written(end: 'clean' | 'killed' | 'killed early'): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  const clock = new FakeClock()
  const store = await openSmall(disk, {}, clock)
  const acks = new Acks(store)
  let last = 0
  for (let n = 0; n < COUNT; n++) {
    const put = store.append(message(n, { queueId: n % 2 }))
    last = put.endOffset
    if (put.physicalOffset < SMALL.mappedFileSizeCommitLog * 1.5)
      recordInSecond = put.physicalOffset - SMALL.mappedFileSizeCommitLog
    if (n % 100 === 0) await acks.durable(last)
  }
  await acks.durable(last)
  if (end !== 'clean') {
    const isNoted = async (): Promise<boolean> => {
      const checkpoint = (await readWholeFile(disk, '/store/checkpoint'))!
      return checkpoint.readBigInt64BE(end === 'killed' ? 40 : 0) > 0n
    }
    for (let second = 0; !(await isNoted()); second++) {
      if (second > 1000) throw new Error('no checkpoint was made')
      clock.advance(1000)
      await new Promise(resolve => setImmediate(resolve))
    }
    return disk.kill()
  }
  await store.close()
  return disk
}

async function change(disk: MemoryDisk, path: string, edit: (bytes: Buffer) => Buffer): Promise<void> {
  const bytes = edit((await readWholeFile(disk, path))!)
  const file = await disk.open(path, { create: true })
  await file.truncate(bytes.length)
  await file.write([bytes], 0)
  await file.close()
}

const flip = (at: number) => (bytes: Buffer) => {
  bytes[at]! ^= 0x10
  return bytes
}

/** All messages are readable in order. */
async function expectWhole(disk: MemoryDisk): Promise<void> {
  const store = await openSmall(disk)
  expect([store.maxOffset('TopicTest', 0), store.maxOffset('TopicTest', 1)]).toEqual([COUNT / 2, COUNT / 2])
  for (const n of [0, 1, 700, 701, COUNT - 2, COUNT - 1]) {
    const found = await store.get({ topic: 'TopicTest', queueId: n % 2, offset: Math.floor(n / 2), maxCount: 1, maxBytes: 1 })
    expect(found).toMatchObject({ status: 'FOUND', count: 1 })
    expect(await store.query('TopicTest', 'order' + n, 32, 0, Number.MAX_SAFE_INTEGER)).not.toHaveLength(0)
  }
  await store.close()
}

const refusal = async (disk: MemoryDisk): Promise<StoreDamagedError> => {
  try {
    await (await openSmall(disk)).close()
  } catch (error) {
    return error as StoreDamagedError
  }
  throw new Error('the store opened')
}

describe('commit log', () => {
  it('a truncated file: names the file, the size and what to do', async () => {
    const disk = await written('clean')
    await change(disk, `/store/commitlog/${second}`, bytes => bytes.subarray(0, 1000))
    const error = await refusal(disk)
    expect(error.message).toContain(second)
    expect(error.message).toContain('1000 bytes')
    expect(error.message).toContain('mappedFileSizeCommitLog')
  })

  it('a missing file in the middle: names it', async () => {
    const disk = await written('clean')
    await disk.remove(`/store/commitlog/${second}`)
    expect((await refusal(disk)).message).toMatch(new RegExp(`gap.*${second} is missing`))
  })

  it('a missing last file: not taken for the end', async () => {
    for (const end of ['clean', 'killed'] as const) {
      const disk = await written(end)
      const files = await disk.list('/store/commitlog')
      // After a kill a file made ahead may follow the one that holds the end: remove both.
      for (const file of files.slice(end === 'killed' ? 3 : -1)) await disk.remove('/store/commitlog/' + file.name)
      if (end === 'clean') expect((await refusal(disk)).message).toMatch(/end of the commit log is missing/)
    }
  })

  it('a foreign file: named', async () => {
    const disk = await written('clean')
    await change(disk, `/store/commitlog/${second}`, bytes => bytes)
    await (await disk.open('/store/commitlog/notes.txt', { create: true })).write([Buffer.from('x')], 0)
    expect((await refusal(disk)).message).toContain('notes.txt')
  })

  it('a flipped bit in durable data after a kill: refused with the place, not cut in silence', async () => {
    const disk = await written('killed early')
    await change(disk, '/store/commitlog/' + second, flip(recordInSecond + 5))
    const error = await refusal(disk)
    expect(error.message).toMatch(/damaged at position \d+/)
    expect(error.message).toContain('damagedCommitLog=truncate')
  })

  it('a flipped bit, with damagedCommitLog=truncate: everything before it is there', async () => {
    const disk = await written('killed early')
    await change(disk, '/store/commitlog/' + second, flip(recordInSecond + 5))
    const store = await openSmall(disk, { damagedCommitLog: 'truncate' })
    const max = store.maxOffset('TopicTest', 0)
    expect(max).toBeGreaterThan(50)
    expect(max).toBeLessThan(COUNT / 2)
    await new Acks(store).put(message(0))
    await store.close()
  })
})

describe('a damaged record that recovery does not look at', () => {
  it('is skipped and logged, and consumers go on behind it', async () => {
    const disk = await written('clean')
    await change(disk, '/store/commitlog/' + second, flip(recordInSecond + 5))
    const store = await openSmall(disk)
    let read = 0
    for (const queueId of [0, 1]) {
      for (let offset = 0; offset < COUNT / 2;) {
        const result = await store.get({ topic: 'TopicTest', queueId, offset, maxCount: 32, maxBytes: 1 << 20 })
        read += result.count
        expect(result.nextOffset).toBeGreaterThan(offset)
        offset = result.nextOffset
      }
    }
    expect(read).toBe(COUNT - 1)
    await store.close()
  })
})

describe('what is derived is built again', () => {
  const cases: [string, (disk: MemoryDisk) => Promise<void>][] = [
    ['no consume queues', disk => disk.remove('/store/consumequeue')],
    ['one consume queue missing', disk => disk.remove('/store/consumequeue/TopicTest/1')],
    ['a consume queue file missing', disk => disk.remove('/store/consumequeue/TopicTest/0/00000000000000002000')],
    [
      'a truncated consume queue file',
      disk => change(disk, '/store/consumequeue/TopicTest/0/00000000000000002000', bytes => bytes.subarray(0, 20)),
    ],
    [
      'a foreign consume queue file',
      disk => change(disk, '/store/consumequeue/TopicTest/0/00000000000000002000', bytes => Buffer.concat([bytes, bytes])),
    ],
    ['no index', disk => disk.remove('/store/index')],
    [
      'a truncated index file',
      async disk => {
        const [file] = await disk.list('/store/index')
        await change(disk, '/store/index/' + file!.name, bytes => bytes.subarray(0, 100))
      },
    ],
    ['no checkpoint', disk => disk.remove('/store/checkpoint')],
    ['a truncated checkpoint', disk => change(disk, '/store/checkpoint', bytes => bytes.subarray(0, 10))],
    ['a garbage checkpoint', disk => change(disk, '/store/checkpoint', bytes => bytes.fill(0xff))],
  ]
  for (const [name, damage] of cases) {
    for (const end of ['clean', 'killed'] as const) {
      it(`${name}, ${end}`, async () => {
        const disk = await written(end)
        await damage(disk)
        await expectWhole(disk)
        await expectWhole(disk)
      })
    }
  }
})
