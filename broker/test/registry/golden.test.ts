import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { systemClock } from '@cometmq/remoting'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { GroupTable, OffsetTable, TopicTable } from '../../src/registry/index.ts'
import { createNodeDisk } from '../../src/store/node-disk.ts'
import { configOf, keepingLogger } from './tools.ts'

interface Expected {
  topics: Record<string, Record<string, unknown>>
  groups: Record<string, Record<string, unknown>>
  consumerOffsets: Record<string, Record<string, number>>
}

const golden = fileURLToPath(new URL('../../../test/golden/store/', import.meta.url))

/** Files written by Apache RocketMQ, and what its admin library said they hold (test/golden/README.md). */
describe.each(['5.3.3-clean', '5.3.3-killed', '5.5.1-clean', '5.5.1-killed'])('configuration files of %s', name => {
  let root: string
  let expected: Expected

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'registry-golden-'))
    execFileSync('tar', ['xzf', `${golden}store-${name}.tar.gz`, '-C', root, 'store/config'])
    expected = JSON.parse(gunzipSync(readFileSync(`${golden}store-${name}.expected.json.gz`)).toString()) as Expected
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  const load = async () => {
    const options = {
      disk: createNodeDisk(),
      folder: join(root, 'store'),
      clock: systemClock,
      logger: keepingLogger(),
      config: configOf('reviveQueueNum=2'),
    }
    return {
      topics: await TopicTable.load(options),
      groups: await GroupTable.load(options),
      offsets: await OffsetTable.load(options),
      lines: options.logger.lines,
    }
  }

  const check = ({ topics, groups, offsets, lines }: Awaited<ReturnType<typeof load>>): void => {
    expect(lines).toEqual([])
    for (const [topic, { queues: _, ...config }] of Object.entries(expected.topics))
      expect(topics.get(topic), topic).toMatchObject(config)
    expect(Object.keys(expected.topics).filter(topic => topics.get(topic) === undefined)).toEqual([])
    for (const [group, config] of Object.entries(expected.groups)) expect(groups.get(group), group).toMatchObject(config)
    // 5.5 commits two more offsets of CID_RMQ_SYS_TRANS while it stops.
    expect(offsets.table()).toMatchObject(expected.consumerOffsets)
    for (const key of Object.keys(offsets.table()))
      if (!key.endsWith('@CID_RMQ_SYS_TRANS') && key !== 'T_new@G_new') expect(expected.consumerOffsets).toHaveProperty([key])
  }

  it('holds what RocketMQ said, and all system topics and groups exist already', async () => {
    const loaded = await load()
    check(loaded)
    const topics = [...loaded.topics.all()].map(topic => topic.topicName)
    expect(new Set(topics)).toEqual(new Set(JSON.parse(readTable('topics', 'topicConfigTable')) as string[]))
    const version = (JSON.parse(readFileSync(join(root, 'store/config/topics.json'), 'utf8')) as { dataVersion: object })
      .dataVersion
    expect(loaded.topics.dataVersion).toEqual(version)
  })

  it('holds the same after it was changed, saved and loaded again; other files are untouched', async () => {
    const untouched = ['delayOffset.json', 'consumerOrderInfo.json', 'consumerFilter.json', 'timercheck']
    const before = untouched.map(file => readFileSync(join(root, 'store/config', file)))
    const first = await load()
    first.topics.ensure('T_new', 3, 6)
    first.groups.find('G_new')
    first.offsets.commit('G_new', 'T_new', 1, 42)
    await Promise.all([first.topics.saved(), first.groups.saved(), first.offsets.save()])
    const second = await load()
    check(second)
    expect(second.topics.get('T_new')).toMatchObject({ writeQueueNums: 3 })
    expect(second.groups.get('G_new')).toBeDefined()
    expect(second.offsets.query('G_new', 'T_new', 1)).toBe(42)
    expect(untouched.map(file => readFileSync(join(root, 'store/config', file)))).toEqual(before)
  })

  const readTable = (file: string, member: string): string => {
    const content = JSON.parse(readFileSync(join(root, `store/config/${file}.json`), 'utf8')) as Record<string, object>
    return JSON.stringify(Object.keys(content[member] ?? {}))
  }
})
