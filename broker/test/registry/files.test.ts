import { describe, expect, it } from 'vitest'
import type { MemoryDisk } from '@cometmq/testkit'
import * as fc from 'fast-check'
import { GroupTable, OffsetTable, TopicTable } from '../../src/registry/index.ts'
import { ConfigFileError } from '../../src/store/config-file.ts'
import { readWholeFile, replaceWholeFile, type Disk } from '../../src/store/disk.ts'
import { world } from './tools.ts'

const FILE = '/store/config/topics.json'

const textOf = async (disk: Disk, path: string): Promise<string | null> => (await readWholeFile(disk, path))?.toString() ?? null

async function write(disk: Disk, path: string, text: string): Promise<void> {
  await disk.makeFolder('/store/config')
  const file = await disk.open(path, { create: true })
  await file.truncate(0)
  await file.write([Buffer.from(text)], 0)
  await file.sync()
  await file.close()
  await disk.syncFolder('/store/config')
}

const topicsText = (...names: string[]): string =>
  JSON.stringify({
    dataVersion: { counter: 7, stateVersion: 0, timestamp: 1 },
    topicConfigTable: Object.fromEntries(names.map(name => [name, { topicName: name }])),
  })

describe('loading a state file', () => {
  it('starts empty when there is none, with the system topics', async () => {
    const options = world()
    const topics = await TopicTable.load(options)
    await topics.saved()
    expect(topics.get('TBW102')).toMatchObject({ perm: 7, writeQueueNums: 8 })
    expect(await textOf(options.disk, FILE)).toContain('"TBW102"')
  })

  it.each([
    ['broken', '{"topicConfigTable":{"New":'],
    ['empty', ''],
  ])('uses the backup of a file that is %s, says so, and keeps it through the next save', async (state, content) => {
    const options = world()
    await write(options.disk, FILE, content)
    await write(options.disk, `${FILE}.bak`, topicsText('Old'))
    const topics = await TopicTable.load(options)
    expect(topics.get('Old')).toBeDefined()
    expect(options.logger.lines).toEqual([
      { level: 'warn', message: `${FILE} is ${state}, its backup ${FILE}.bak is used instead` },
    ])
    expect(await textOf(options.disk, `${FILE}.broken`)).toBe(content === '' ? '' : content)
    await topics.saved()
    expect(await textOf(options.disk, `${FILE}.bak`)).toBe(topicsText('Old'))
    expect((await TopicTable.load(options)).get('Old')).toBeDefined()
  })

  it.each([
    ['a broken backup', 'not JSON'],
    ['an empty backup', ''],
    ['no backup', null],
  ])('refuses to start with a broken file and %s, and changes nothing', async (_, backup) => {
    const options = world()
    await write(options.disk, FILE, 'also not JSON')
    if (backup !== null) await write(options.disk, `${FILE}.bak`, backup)
    const load = TopicTable.load(options)
    await expect(load).rejects.toThrow(ConfigFileError)
    await expect(load).rejects.toThrow(/\/store\/config\/topics\.json is broken.*Repair one/)
    expect(await textOf(options.disk, FILE)).toBe('also not JSON')
    expect(await textOf(options.disk, `${FILE}.bak`)).toBe(backup)
  })

  it('refuses a member of a wrong kind by name', async () => {
    const options = world()
    await write(options.disk, FILE, '{"topicConfigTable":{"T":{"perm":[]}}}')
    await expect(TopicTable.load(options)).rejects.toThrow(/topic T.*perm/)
  })

  it('keeps members, entries and names it does not know', async () => {
    const options = world()
    await write(
      options.disk,
      FILE,
      '{"future":{1:2},"topicConfigTable":{"T":{"topicName":"T","later":9007199254740993},"a/b":{"perm":6},"__proto__":{"perm":4}}}',
    )
    const topics = await TopicTable.load(options)
    expect(topics.get('a/b')).toBeUndefined()
    expect(topics.get('__proto__')).toMatchObject({ topicName: '__proto__', perm: 4 })
    expect(options.logger.lines.map(line => line.level)).toEqual(['error'])
    await topics.saved()
    const saved = JSON.parse((await textOf(options.disk, FILE))!) as { future: unknown; topicConfigTable: Record<string, object> }
    expect(saved.future).toEqual({ 1: 2 })
    expect(saved.topicConfigTable['T']).toMatchObject({ later: '9007199254740993', writeQueueNums: 16 })
    expect(saved.topicConfigTable['a/b']).toEqual({ perm: 6 })
    expect((await TopicTable.load(options)).get('__proto__')).toMatchObject({ perm: 4 })
  })
})

describe('saving', () => {
  it('writes what gathered during a write in one go, the latest state', async () => {
    const { disk, ...options } = world()
    const topics = await TopicTable.load({ ...options, disk })
    await topics.saved()
    const gate = disk.faults.hold({ operation: 'rename', path: /\.tmp$/, times: 1 })
    topics.ensure('First', 1, 6)
    await gate.arrived()
    for (let i = 0; i < 50; i++) topics.ensure(`T${i}`, 1, 6)
    topics.remove('T7')
    const writes = disk.faults.hold({ operation: 'rename', path: /\.tmp$/, times: 1000 })
    gate.open()
    await writes.arrived()
    writes.releaseOne()
    await topics.saved()
    expect(writes.waiting).toBe(0)
    writes.open()
    const again = await TopicTable.load({ ...options, disk })
    expect([again.get('T49') !== undefined, again.get('T7')]).toEqual([true, undefined])
  })

  it('rejects when the disk fails, keeps the old file, and writes again by itself', async () => {
    const { disk, clock, logger, ...options } = world()
    const topics = await TopicTable.load({ ...options, disk, clock, logger })
    await topics.saved()
    const before = await textOf(disk, FILE)
    disk.faults.fail({ operation: 'write', code: 'ENOSPC', times: 1 })
    topics.ensure('Late', 1, 6)
    await expect(topics.saved()).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(await textOf(disk, FILE)).toBe(before)
    expect(logger.lines.filter(line => line.level === 'error')).toHaveLength(1)
    await clock.advanceAsync(1000)
    await topics.saved()
    expect(await textOf(disk, FILE)).toContain('"Late"')
  })

  it('leaves the old or the new state wherever the disk operations of a save end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 14 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 1000 }),
        async (nth, powerCut, seed) => {
          const { disk, ...options } = world([], seed)
          const tables = await Promise.all([
            TopicTable.load({ ...options, disk }),
            GroupTable.load({ ...options, disk }),
            OffsetTable.load({ ...options, disk }),
          ])
          const [topics, groups, offsets] = tables
          const mark = async (n: number): Promise<void> => {
            topics.put({ ...topics.ensure('Mark', 1, 6), writeQueueNums: n })
            groups.put({ ...groups.find('Mark')!, retryMaxTimes: n })
            offsets.commit('Mark', 'Mark', 0, n)
            await Promise.all([topics.saved(), groups.saved(), offsets.save()])
          }
          await mark(1)
          await mark(2)
          for (const path of [/topics/, /subscriptionGroup/, /consumerOffset/]) {
            disk.faults.fail({
              operation: ['open', 'truncate', 'write', 'sync', 'close', 'stat', 'rename'],
              path,
              nth,
              times: 1000,
              code: 'EIO',
            })
          }
          const wasSaved = await mark(3).then(
            () => true,
            () => false,
          )
          const after: MemoryDisk = powerCut ? disk.crash() : disk.kill()
          const values = [
            (await TopicTable.load({ ...options, disk: after })).get('Mark')?.writeQueueNums,
            (await GroupTable.load({ ...options, disk: after })).get('Mark')?.retryMaxTimes,
            (await OffsetTable.load({ ...options, disk: after })).query('Mark', 'Mark', 0),
          ]
          for (const value of values) expect(wasSaved ? [3] : [2, 3]).toContain(value)
        },
      ),
      { numRuns: 100 },
    )
  })

  it('finds the backup when a save ended between its two renames', async () => {
    const options = world()
    await replaceWholeFile(options.disk, FILE, Buffer.from(topicsText('Kept')))
    await options.disk.rename(FILE, `${FILE}.bak`)
    const topics = await TopicTable.load(options)
    expect(topics.get('Kept')).toBeDefined()
    expect(topics.dataVersion.counter).toBeGreaterThanOrEqual(7)
  })
})
