import { FakeClock, MemoryDisk } from '@cometmq/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeyIndexError } from '../../src/store/key-index/key-index.ts'
import { continueHash, decodeHeader, fileBytes, fileName, keyHashOf, secondsSince } from '../../src/store/key-index/layout.ts'
import { always, bytesOf, folder, hashOf, openIndex, putAt, type Put, queryModel } from './key-index-model.ts'

describe('layout', () => {
  it('hashes as Java does', () => {
    const hash = (text: string): number => continueHash(0, text, 0, text.length)
    expect(keyHashOf(hash('TopicTest#KEY1'))).toBe(1_656_969_516)
    expect(keyHashOf(hash('TopicTest#KEY1')) % 5_000_000).toBe(1_969_516)
    expect(hash('polygenelubricants')).toBe(-2_147_483_648)
    expect(keyHashOf(hash('polygenelubricants'))).toBe(0)
    expect(continueHash(hash('T#'), 'xabcx', 1, 4)).toBe(hash('T#abc'))
    expect(hash('\u{1F600}ä')).toBe(Math.imul(31, Math.imul(31, 0xd83d) + 0xde00) + 0xe4)
  })

  it('counts whole seconds and never back', () => {
    expect(secondsSince(1000, 2999)).toBe(1)
    expect(secondsSince(1000, 500)).toBe(0)
    expect(secondsSince(0, 5000)).toBe(0)
    expect(secondsSince(1, 1e15)).toBe(2_147_483_647)
  })

  it('names files by local time, always later than the one before', () => {
    const time = new Date(2025, 0, 2, 3, 4, 5, 6).getTime()
    expect(fileName(time, '0')).toBe('20250102030405006')
    expect(fileName(time, '20250102030405006')).toBe('20250102030405007')
    expect(fileName(time, '20250102030405999')).toBe('20250102030406000')
  })

  it('writes header, slots and entries byte by byte as specified', async () => {
    const disk = new MemoryDisk()
    const clock = new FakeClock()
    const index = await openIndex(disk, { clock, slots: 4, entries: 6 })
    // Hashes of 'T#a' and 'T#e' differ by 4, so they share a slot.
    index.put(hashOf('T#'), 'a', 0x1_0000_0002, 1_735_689_600_000)
    index.putKeys(hashOf('T#'), 'b e', 0x1_0000_0100, 1_735_689_602_500)
    await index.close()
    const files = await disk.list(folder)
    expect(files).toHaveLength(1)
    const bytes = await bytesOf(disk, `${folder}/${files[0]!.name}`)
    expect(bytes.length).toBe(40 + 4 * 4 + 6 * 20)
    const [a, b, e] = ['T#a', 'T#b', 'T#e'].map(text => hashOf(text))
    const slot = (hash: number): number => hash % 4
    const slots = [0, 0, 0, 0]
    slots[slot(b!)] = 2
    slots[slot(e!)] = 3
    const expected = Buffer.alloc(bytes.length)
    expected.writeBigInt64BE(1_735_689_600_000n, 0)
    expected.writeBigInt64BE(1_735_689_602_500n, 8)
    expected.writeBigInt64BE(0x1_0000_0002n, 16)
    expected.writeBigInt64BE(0x1_0000_0100n, 24)
    expected.writeInt32BE(2, 32)
    expected.writeInt32BE(4, 36)
    slots.forEach((value, number) => expected.writeInt32BE(value, 40 + number * 4))
    const entry = (number: number, hash: number, phy: bigint, seconds: number, previous: number): void => {
      const at = 56 + number * 20
      expected.writeInt32BE(hash, at)
      expected.writeBigInt64BE(phy, at + 4)
      expected.writeInt32BE(seconds, at + 12)
      expected.writeInt32BE(previous, at + 16)
    }
    entry(1, a!, 0x1_0000_0002n, 0, 0)
    entry(2, b!, 0x1_0000_0100n, 2, 0)
    entry(3, e!, 0x1_0000_0100n, 2, 1)
    expect(Buffer.from(bytes).toString('hex')).toBe(expected.toString('hex'))
  })
})

describe('put and query', () => {
  it('finds keys written, unwritten and in older files, newest first when there are too many', async () => {
    const disk = new MemoryDisk()
    const index = await openIndex(disk, { slots: 3, entries: 11 })
    for (let number = 0; number < 200; number++) {
      index.put(hashOf('T#'), number % 2 === 0 ? 'even' : 'odd', number * 10, 1000 + number)
      if (number === 100) await index.flush()
    }
    const positions = await index.query('T', 'even', 64, ...always)
    expect(positions).toEqual(Array.from({ length: 64 }, (_, at) => (36 + at) * 20))
    expect(await index.query('T', 'odd', 2, ...always)).toEqual([1970, 1990])
    expect(await index.query('T', 'odd', 1000, ...always)).toHaveLength(64)
    expect(await index.query('T', 'odd', 0, ...always)).toEqual([])
    expect(await index.query('T', 'none', 64, ...always)).toEqual([])
    expect(await index.query('S', 'odd', 64, ...always)).toEqual([])
    expect(index.endPhy).toBe(1990)
    expect(index.lastTimestamp).toBe(1199)
    expect(index.fileCount).toBe(20)
    await index.close()
  })

  it('splits KEYS on single spaces and skips empty ones', async () => {
    const index = await openIndex(new MemoryDisk())
    index.putKeys(hashOf('T#'), '  a b  \tc  ', 5, 1000)
    index.putKeys(hashOf('T#'), '   ', 6, 1000)
    for (const key of ['a', 'b', '\tc']) expect(await index.query('T', key, 9, ...always)).toEqual([5])
    expect(await index.query('T', '', 9, ...always)).toEqual([])
    expect(index.unwrittenBytes).toBe(60)
    expect(index.endPhy).toBe(5)
  })

  it('skips what it has, takes an equal position again but finds it once', async () => {
    const index = await openIndex(new MemoryDisk())
    index.put(hashOf('T#'), 'a', 100, 1000)
    index.put(hashOf('T#'), 'a', 99, 1000)
    index.putKeys(hashOf('T#'), 'a', 99, 1000)
    index.put(hashOf('T#'), 'a', 100, 1000)
    expect(await index.query('T', 'a', 9, ...always)).toEqual([100])
    expect(index.unwrittenBytes).toBe(40)
  })

  it('keeps to the asked times, to the second', async () => {
    const index = await openIndex(new MemoryDisk(), { slots: 2, entries: 4 })
    for (let number = 0; number < 9; number++) index.put(hashOf('T#'), 'a', number, 10_000 + number * 1000)
    expect(await index.query('T', 'a', 64, 12_000, 15_000)).toEqual([2, 3, 4, 5])
    expect(await index.query('T', 'a', 64, 0, 9_999)).toEqual([])
    expect(await index.query('T', 'a', 64, 18_001, 1e15)).toEqual([])
  })

  it('a first entry after a long pause has its own time', async () => {
    const index = await openIndex(new MemoryDisk(), { slots: 2, entries: 3 })
    for (const [phy, time] of [
      [1, 1000],
      [2, 1000],
      [3, 90_000_000],
    ] as const)
      index.put(hashOf('T#'), 'a', phy, time)
    expect(await index.query('T', 'a', 64, 89_000_000, 90_000_000)).toEqual([3])
  })

  it('follows the long chain of a common key on disk back to an old time', async () => {
    const disk = new MemoryDisk()
    const index = await openIndex(disk, { slots: 3, entries: 100_000 })
    for (let number = 0; number < 50_000; number++) index.put(hashOf('T#'), 'a', number, 1_000_000 + number * 1000)
    await index.close()
    const again = await openIndex(disk, { slots: 3, entries: 100_000 })
    expect(await again.query('T', 'a', 64, 1_002_000, 1_004_000)).toEqual([2, 3, 4])
  })

  it('agrees with a plain map through roll-overs, flushes and reopening', async () => {
    const operation = fc.oneof(
      {
        weight: 20,
        arbitrary: fc.record({
          kind: fc.constant('put' as const),
          keys: fc.array(fc.constantFrom('a', 'b', 'c', 'Aa', 'BB', 'ä\u{1F600}')),
          gap: fc.nat(5000),
        }),
      },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('flush' as const), sync: fc.boolean() }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('expire' as const), back: fc.nat(2000) }) },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 80 }), fc.integer({ min: 2, max: 40 }), async (operations, entries) => {
        const disk = new MemoryDisk()
        const clock = new FakeClock()
        let index = await openIndex(disk, { clock, slots: 7, entries })
        let model: Put[] = []
        let phy = 0
        let time = clock.now()
        for (const step of operations) {
          if (step.kind === 'put') {
            phy += 100
            time += step.gap
            putAt(index, model, step.keys, phy, time)
          } else if (step.kind === 'flush') {
            await index.flush(step)
          } else if (step.kind === 'reopen') {
            await index.close()
            index = await openIndex(disk, { clock, slots: 7, entries })
          } else {
            const minPhy = phy - step.back
            await index.expire(minPhy)
            // Whole files go, so older messages may still be found.
            model = model.filter(put => put.phy >= minPhy)
          }
        }
        expect(await index.query('T', 'none', 64, ...always)).toEqual([])
        for (const key of ['a', 'b', 'c', 'Aa', 'BB', 'ä\u{1F600}']) {
          const found = await index.query('T', key, 64, ...always)
          const expected = queryModel(model, key)
          expect(found.slice(-expected.length || found.length)).toEqual(expected)
        }
        await index.close()
        for (const entry of await disk.list(folder)) expect(entry.size).toBe(fileBytes({ slots: 7, entries }))
      }),
      { numRuns: 200 },
    )
  })
})

describe('files', () => {
  it('are made at full size and sparse', async () => {
    const disk = new MemoryDisk()
    const index = await openIndex(disk, { slots: 5_000_000, entries: 20_000_000 })
    index.put(hashOf('T#'), 'a', 1, 1000)
    await index.close()
    const [file] = await disk.list(folder)
    expect(file!.size).toBe(420_000_040)
    expect(disk.usedBytes).toBeLessThan(20_000)
    const again = await openIndex(disk, { slots: 5_000_000, entries: 20_000_000 })
    expect(await again.query('T', 'a', 9, ...always)).toEqual([1])
  })

  it('of another geometry are refused with both values named', async () => {
    const disk = new MemoryDisk()
    const index = await openIndex(disk, { slots: 8, entries: 10 })
    index.put(hashOf('T#'), 'a', 1, 1000)
    await index.close()
    await expect(openIndex(disk, { slots: 9, entries: 10 })).rejects.toThrow(KeyIndexError)
    await expect(openIndex(disk, { slots: 9, entries: 10 })).rejects.toThrow(/maxHashSlotNum=9 and maxIndexNum=10/)
    await expect(openIndex(disk, { slots: 0, entries: 10 })).rejects.toThrow(RangeError)
  })

  it('with other names are left alone', async () => {
    const disk = new MemoryDisk()
    await disk.makeFolder(folder)
    await (await disk.open(`${folder}/README`, { create: true })).close()
    const index = await openIndex(disk)
    expect(index.fileCount).toBe(0)
    await index.close()
  })

  it('expire never takes the newest', async () => {
    const disk = new MemoryDisk()
    const index = await openIndex(disk, { slots: 2, entries: 3 })
    for (let phy = 1; phy <= 6; phy++) index.put(hashOf('T#'), 'a', phy, 1000)
    await index.flush()
    expect(await index.expire(5)).toBe(2)
    expect(await index.expire(1000)).toBe(0)
    expect(await index.query('T', 'a', 9, ...always)).toEqual([5, 6])
    expect(await disk.list(folder)).toHaveLength(1)
  })

  it('a new file starts with the end of the one before', async () => {
    const disk = new MemoryDisk()
    const index = await openIndex(disk, { slots: 2, entries: 2 })
    index.put(hashOf('T#'), 'a', 7, 5000)
    index.put(hashOf('T#'), 'a', 9, 8000)
    await index.close()
    const [, second] = await disk.list(folder)
    const header = decodeHeader((await bytesOf(disk, `${folder}/${second!.name}`)).subarray(0, 40))
    expect(header).toEqual({ beginTimestamp: 8000, endTimestamp: 8000, beginPhy: 9, endPhy: 9, usedSlots: 1, count: 2 })
  })

  it('completeTimestamp is that of the newest file with slots on disk', async () => {
    const disk = new MemoryDisk()
    const index = await openIndex(disk, { slots: 4, entries: 3 })
    index.put(hashOf('T#'), 'a', 1, 1000)
    await index.flush({ sync: true })
    expect(index.completeTimestamp).toBe(0)
    for (let phy = 2; phy <= 5; phy++) index.put(hashOf('T#'), 'a', phy, 1000 * phy)
    expect(index.completeTimestamp).toBe(0)
    await index.flush()
    expect(index.completeTimestamp).toBe(4000)
    expect(index.lastTimestamp).toBe(5000)
    await index.close()
    expect(index.completeTimestamp).toBe(5000)
    expect((await openIndex(disk, { slots: 4, entries: 3 })).completeTimestamp).toBe(5000)
  })

  it('a failed write loses nothing: the next flush tries again', async () => {
    const disk = new MemoryDisk()
    const index = await openIndex(disk, { slots: 4, entries: 5 })
    for (let phy = 1; phy <= 7; phy++) index.put(hashOf('T#'), 'a', phy, 1000)
    for (const operation of ['open', 'truncate', 'write', 'write', 'sync'] as const) {
      const fault = disk.faults.fail({ operation, code: 'ENOSPC', bytes: 30 })
      await expect(index.flush()).rejects.toMatchObject({ code: 'ENOSPC' })
      expect(fault.hits).toBe(1)
    }
    expect(await index.query('T', 'a', 9, ...always)).toEqual([1, 2, 3, 4, 5, 6, 7])
    await index.close()
    const again = await openIndex(disk, { slots: 4, entries: 5 })
    expect(await again.query('T', 'a', 9, ...always)).toEqual([1, 2, 3, 4, 5, 6, 7])
  })

  it('a query that is under way survives expire', async () => {
    const disk = new MemoryDisk()
    const index = await openIndex(disk, { slots: 2, entries: 3 })
    for (let phy = 1; phy <= 6; phy++) index.put(hashOf('T#'), 'a', phy, 1000)
    await index.flush()
    const gate = disk.faults.hold({ operation: 'read' })
    const hits = index.query('T', 'a', 9, ...always)
    await gate.arrived()
    await index.expire(5)
    gate.open()
    expect(await hits).toEqual([5, 6])
  })
})
