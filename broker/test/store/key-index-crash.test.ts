import { createRandom, FakeClock, MemoryDisk, type Random } from '@cometmq/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { KeyIndex } from '../../src/store/key-index/key-index.ts'
import { entriesStart, entryBytes } from '../../src/store/key-index/layout.ts'
import { always, folder, openIndex, type Put, putAt, queryModel } from './key-index-model.ts'

const keys = ['a', 'b', 'c', 'Aa', 'BB', 'd', 'e', 'f']

/** A message of the log, which the index is made from. */
interface Message {
  keys: string[]
  phy: number
  time: number
}

function nextMessage(random: Random, log: readonly Message[]): Message {
  const last = log.at(-1)
  const count = random.pick([0, 1, 1, 2, 4])
  return {
    keys: Array.from({ length: count }, () => random.pick(keys)),
    phy: last === undefined ? random.pick([0, 7]) : last.phy + 1 + random.int(300),
    time: (last?.time ?? 1_735_689_600_000) + random.int(3000),
  }
}

const endOf = (log: readonly Message[]): number => (log.at(-1)?.phy ?? 0) + 1

async function expectAll(index: KeyIndex, log: readonly Message[]): Promise<void> {
  const model: Put[] = log.flatMap(message => message.keys.map(key => ({ key, phy: message.phy })))
  for (const key of [...keys, 'none']) expect(await index.query('T', key, 64, ...always)).toEqual(queryModel(model, key))
}

async function expectNothingWrong(index: KeyIndex, log: readonly Message[]): Promise<void> {
  for (const key of [...keys, 'none']) {
    const right = new Set(queryModelAll(log, key))
    for (const phy of await index.query('T', key, 64, ...always)) expect(right).toContain(phy)
  }
}

/** 'Aa' and 'BB' have the same Java hash. */
function queryModelAll(log: readonly Message[], key: string): number[] {
  const same = key === 'Aa' || key === 'BB' ? ['Aa', 'BB'] : [key]
  return log.filter(message => message.keys.some(each => same.includes(each))).map(message => message.phy)
}

describe('after a power cut', () => {
  it('nothing synced is lost, nothing wrong is found, and dispatching again completes it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 2, max: 60 }), async (seed, entries) => {
        const random = createRandom(seed)
        const clock = new FakeClock()
        const geometry = { clock, slots: 5 + random.int(300), entries }
        let disk = new MemoryDisk({ seed: random.int(2 ** 31) })
        await disk.makeFolder(folder)
        await disk.syncFolder(folder)
        let log: Message[] = []
        let trustedPosition = 0
        let index = await openIndex(disk, geometry)
        for (let life = 0; life < 4; life++) {
          for (let step = random.int(60); step > 0; step--) {
            const message = nextMessage(random, log)
            log.push(message)
            putAt(index, [], message.keys, message.phy, message.time)
            clock.advance(random.int(10))
            if (random.chance(0.1)) await index.flush()
            if (random.chance(0.1)) {
              await index.flush({ sync: true })
              trustedPosition = endOf(log)
            }
            if (random.chance(0.02)) await index.expire(0)
          }
          disk = random.chance(0.8) ? disk.crash() : disk.kill()
          // The log may have lost what was not synced, and goes on with other messages at other places.
          if (random.chance()) log = log.filter(message => message.phy < trustedPosition || random.chance(0.9))
          const lost = log.findIndex(message => message.phy >= trustedPosition && random.chance(0.1))
          if (lost >= 0) log = log.slice(0, lost)
          index = await openIndex(disk, { ...geometry, clean: false, trustedPosition })
          const trusted = log.filter(message => message.phy < trustedPosition)
          await expectAll(index, trusted)
          expect(index.endPhy).toBeLessThan(Math.max(1, trustedPosition))
          for (const message of log) putAt(index, [], message.keys, message.phy, message.time)
          await expectAll(index, log)
        }
        await index.close()
        await expectAll(await openIndex(disk, geometry), log)
      }),
      { numRuns: 100 },
    )
  })

  it('without trust nothing is kept, whatever stands on disk', async () => {
    const disk = new MemoryDisk()
    const index = await openIndex(disk)
    index.put(0, 'x', 5, 1000)
    await index.close()
    const again = await openIndex(disk, { clean: false, trustedPosition: 0 })
    expect(again.endPhy).toBe(0)
    expect(again.fileCount).toBe(0)
    expect(await disk.list(folder)).toEqual([])
  })

  it('tells from where to dispatch again when a trusted page is gone', async () => {
    const disk = new MemoryDisk()
    const index = await openIndex(disk, { slots: 50, entries: 1000 })
    const log = Array.from({ length: 900 }, (_, number) => ({ keys: [keys[number % 8]!], phy: number * 10, time: 1000 + number }))
    for (const message of log) putAt(index, [], message.keys, message.phy, message.time)
    await index.close()
    const [entry] = await disk.list(folder)
    const file = await disk.open(`${folder}/${entry!.name}`, { create: false })
    await file.write([new Uint8Array(4096)], entriesStart({ slots: 50, entries: 1000 }) + 301 * entryBytes)
    const again = await openIndex(disk, { slots: 50, entries: 1000, clean: false, trustedPosition: 9000 })
    expect(again.missingFrom).toBe(2990)
    expect(again.endPhy).toBe(2990)
    await expectNothingWrong(again, log)
    for (const message of log) putAt(again, [], message.keys, message.phy, message.time)
    await expectAll(again, log)
  })

  it('an entry that cannot follow ends the trusted part', async () => {
    const geometry = { slots: 50, entries: 100 }
    const log = Array.from({ length: 60 }, (_, number) => ({
      keys: [keys[number % 8]!],
      phy: 10 + number * 10,
      time: 1000 + number,
    }))
    const at = entriesStart(geometry) + 31 * entryBytes
    const damages: [string, number, number][] = [
      ['negative hash', at, 0x80],
      ['position before the last', at + 11, 0],
      ['negative seconds', at + 12, 0x80],
      ['wrong previous entry', at + 19, 1],
    ]
    for (const [what, position, value] of damages) {
      const disk = new MemoryDisk()
      const index = await openIndex(disk, geometry)
      for (const message of log) putAt(index, [], message.keys, message.phy, message.time)
      await index.close()
      const file = await disk.open(`${folder}/${(await disk.list(folder))[0]!.name}`, { create: false })
      await file.write([Uint8Array.of(value)], position)
      const again = await openIndex(disk, { ...geometry, clean: false, trustedPosition: 1000 })
      expect([what, again.endPhy, again.missingFrom]).toEqual([what, 300, 300])
      for (const message of log) putAt(again, [], message.keys, message.phy, message.time)
      await expectAll(again, log)
    }
  })

  it('what was given up does not come back after another crash', async () => {
    const disk = new MemoryDisk()
    const index = await openIndex(disk)
    for (const [key, phy] of [
      ['a', 10],
      ['b', 20],
      ['c', 30],
    ] as const)
      putAt(index, [], [key], phy, 1000)
    await index.flush({ sync: true })
    const killed = disk.kill()
    const second = await openIndex(killed, { clean: false, trustedPosition: 25 })
    expect(second.endPhy).toBe(20)
    // The log goes on from 25 with messages without keys, to 100.
    await second.flush({ sync: true })
    const third = await openIndex(killed.kill(), { clean: false, trustedPosition: 100 })
    expect(await third.query('T', 'c', 9, ...always)).toEqual([])
    expect([third.endPhy, third.missingFrom]).toEqual([20, null])
  })

  it('behind a lost file nothing is kept, so that dispatching again fills the gap', async () => {
    const disk = new MemoryDisk()
    const index = await openIndex(disk, { slots: 5, entries: 4 })
    const log = Array.from({ length: 9 }, (_, number) => ({ keys: [keys[number % 8]!], phy: number * 10, time: 1000 + number }))
    for (const message of log) putAt(index, [], message.keys, message.phy, message.time)
    await index.close()
    const [first] = await disk.list(folder)
    await (await disk.open(`${folder}/${first!.name}`, { create: false })).truncate(0)
    const again = await openIndex(disk, { slots: 5, entries: 4, clean: false, trustedPosition: 1000 })
    expect([again.fileCount, again.endPhy, again.missingFrom]).toEqual([0, 0, 0])
    for (const message of log) putAt(again, [], message.keys, message.phy, message.time)
    await expectAll(again, log)
  })

  it('truncate forgets messages of a log that was cut', async () => {
    const disk = new MemoryDisk()
    const index = await openIndex(disk, { slots: 7, entries: 10 })
    const log = Array.from({ length: 50 }, (_, number) => ({ keys: [keys[number % 8]!], phy: number * 10, time: 1000 + number }))
    for (const message of log) putAt(index, [], message.keys, message.phy, message.time)
    await index.truncate(1000)
    await expectAll(index, log)
    await index.truncate(205)
    expect(index.endPhy).toBe(200)
    await expectAll(index, log.slice(0, 21))
    index.put(0, 'unrelated', 201, 2000)
    await index.close()
    await expectAll(await openIndex(disk, { slots: 7, entries: 10 }), log.slice(0, 21))
  })
})
