import { CommandError } from '@cometmq/remoting'
import { describe, expect, it } from 'vitest'
import { GroupTable, TopicTable } from '../../src/registry/index.ts'
import { world } from './tools.ts'

describe('topics', () => {
  it('has the system topics of a fresh broker', async () => {
    const topics = await TopicTable.load(world())
    const found = Object.fromEntries(
      [...topics.all()].map(({ topicName, writeQueueNums, perm }) => [topicName, [writeQueueNums, perm]]),
    )
    expect(found).toEqual({
      SELF_TEST_TOPIC: [1, 6],
      TBW102: [8, 7],
      BenchmarkTest: [1024, 6],
      golden: [16, 7],
      'broker-a': [1, 7],
      OFFSET_MOVED_EVENT: [1, 6],
      SCHEDULE_TOPIC_XXXX: [18, 6],
      golden_REPLY_TOPIC: [1, 6],
      rmq_sys_REVIVE_LOG_golden: [8, 6],
      'rmq_sys_SYNC_BROKER_MEMBER_broker-a': [1, 1],
      RMQ_SYS_TRANS_HALF_TOPIC: [1, 6],
      RMQ_SYS_TRANS_OP_HALF_TOPIC: [1, 6],
      rmq_sys_wheel_timer: [1, 6],
    })
    for (const name of [...Object.keys(found), 'rmq_sys_x', 'RMQ_SYS_TRACE_TOPIC', 'TRANS_CHECK_MAX_TIME_TOPIC'])
      expect(topics.isSystem(name), name).toBe(true)
    expect(topics.isSystem('%RETRY%g')).toBe(false)
  })

  it('counts and announces changes, and only those', async () => {
    const { clock, ...options } = world()
    const topics = await TopicTable.load({ ...options, clock })
    const heard: (string | undefined)[] = []
    topics.onChange(changed => heard.push(changed?.topicName))
    const { counter } = topics.dataVersion
    const created = topics.ensure('T', 4, 6)
    clock.advance(5)
    topics.put({ ...created, attributes: { 'message.type': 'FIFO' } })
    topics.put({ ...created, attributes: { 'message.type': 'FIFO' } })
    expect(topics.ensure('T', 9, 4).writeQueueNums).toBe(4)
    expect(topics.remove('T')).toBe(true)
    expect(topics.remove('T')).toBe(false)
    expect(heard).toEqual(['T', 'T', undefined])
    expect(topics.dataVersion).toEqual({ counter: counter + 3, stateVersion: 0, timestamp: clock.now() })
  })

  it('creates after a template: least queues, no inherit bit, its filter type', async () => {
    const topics = await TopicTable.load(world())
    expect(topics.autoCreate('A', 'TBW102', 4, 1)).toMatchObject({
      topicName: 'A',
      readQueueNums: 4,
      writeQueueNums: 4,
      perm: 6,
      topicSysFlag: 1,
    })
    expect(topics.autoCreate('B', 'TBW102', 100, 0)).toMatchObject({ writeQueueNums: 8 })
    expect(topics.autoCreate('A', 'none', 1, 0)).toMatchObject({ writeQueueNums: 4 })
    expect(topics.autoCreate('C', 'none', 4, 0)).toMatchObject({ refused: expect.stringContaining('none') as string })
    expect(topics.autoCreate('C', 'A', 4, 0)).toMatchObject({ refused: expect.stringContaining('perm 6') as string })
    expect(topics.autoCreate('a/../b', 'TBW102', 4, 0)).toMatchObject({
      refused: expect.stringContaining('not allowed') as string,
    })
    expect(topics.get('C')).toBeUndefined()
  })

  it('does not take TBW102 as a template when autoCreateTopicEnable=false, though the file has it', async () => {
    const options = world()
    await (await TopicTable.load(options)).saved()
    const later = await TopicTable.load({ ...options, config: world(['autoCreateTopicEnable=false']).config })
    expect(later.get('TBW102')).toMatchObject({ perm: 7 })
    expect(later.autoCreate('T', 'TBW102', 4, 0)).toMatchObject({
      refused: expect.stringContaining('autoCreateTopicEnable=false') as string,
    })
  })

  it('refuses names that are no folder names, and more topics than its limit', async () => {
    const topics = await TopicTable.load({ ...world(), topicsMax: 15 })
    for (const name of ['', '..', 'a/b', 'a\0', 'é', 'x'.repeat(256)])
      expect(() => topics.ensure(name, 1, 6), name).toThrow(CommandError)
    expect(topics.ensure('%RETRY%g+T', 1, 6).perm).toBe(6)
    topics.ensure('last', 1, 6)
    expect(() => topics.ensure('more', 1, 6)).toThrow(/15 topics, the most/)
    expect(topics.autoCreate('more', 'TBW102', 1, 0)).toMatchObject({ refused: expect.stringContaining('15 topics') as string })
  })
})

describe('groups', () => {
  it('has the system groups, creates others when looked for, and never by get', async () => {
    const options = world()
    const groups = await GroupTable.load(options)
    expect([...groups.all()].map(group => group.groupName).sort()).toEqual([
      'CID_ONS-HTTP-PROXY',
      'CID_ONSAPI_OWNER',
      'CID_ONSAPI_PERMISSION',
      'CID_ONSAPI_PULL',
      'CID_RMQ_SYS_TRANS',
      'FILTERSRV_CONSUMER',
      'SELF_TEST_C_GROUP',
      'TOOLS_CONSUMER',
    ])
    expect(groups.get('G')).toBeUndefined()
    expect(groups.find('G')).toMatchObject({ groupName: 'G', retryMaxTimes: 16, retryQueueNums: 1 })
    expect(groups.find('not a name')).toBeUndefined()
    await groups.saved()
    expect((await GroupTable.load(options)).get('G')).toBeDefined()
  })

  it('creates only system groups when autoCreateSubscriptionGroup=false, and follows a change of it', async () => {
    const options = world(['autoCreateSubscriptionGroup=false'])
    const groups = await GroupTable.load(options)
    expect(groups.find('G')).toBeUndefined()
    expect(groups.find('CID_RMQ_SYS_X')).toBeDefined()
    options.config.update('autoCreateSubscriptionGroup=true')
    expect(groups.find('G')).toBeDefined()
  })

  it('keeps what is forbidden', async () => {
    const options = world()
    const groups = await GroupTable.load(options)
    const { counter } = groups.dataVersion
    groups.setForbidden('G', 'T', true)
    groups.setForbidden('G', 'T', true)
    expect(groups.dataVersion.counter).toBe(counter + 1)
    expect([groups.isForbidden('G', 'T'), groups.isForbidden('G', 'U')]).toEqual([true, false])
    await groups.saved()
    const again = await GroupTable.load(options)
    expect(again.forbiddenTable()).toEqual({ G: { T: 1 } })
    again.setForbidden('G', 'T', false)
    expect(again.forbiddenTable()).toEqual({})
  })

  it('refuses more groups than its limit, and says so once', async () => {
    const options = { ...world(), groupsMax: 9 }
    const groups = await GroupTable.load(options)
    const one = groups.find('one')!
    expect([groups.find('two'), groups.find('three')]).toEqual([undefined, undefined])
    expect(options.logger.lines.filter(line => line.level === 'warn')).toHaveLength(1)
    expect(() => groups.put({ ...one, groupName: 'two' })).toThrow(/9 groups, the most/)
    groups.put({ ...one, retryMaxTimes: 3 })
    expect(groups.remove('one')).toBe(true)
    expect(groups.find('two')).toBeDefined()
  })
})
