import {
  decodeBrokerStatsData,
  decodeConsumerOffsets,
  decodeConsumeStats,
  decodeConsumeTimeSpan,
  decodeGroupList,
  decodeKVTable,
  decodeProducerTable,
  decodeQueryConsumeQueueBody,
  decodeRecords,
  decodeSubscriptionGroup,
  decodeSubscriptionGroupWrapper,
  decodeTopicConfig,
  decodeTopicConfigWrapper,
  decodeTopicList,
  decodeTopicStatsTable,
  encodeSubscriptionGroup,
  encodeTopicConfigList,
  defaultSubscriptionGroup,
  defaultTopicConfig,
  parseOffsetMessageId,
  RequestCode,
  ResponseCode,
  type Command,
} from '@cometmq/remoting'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { properties, startTestBroker, type TestBroker } from './harness.ts'

/** What clusterList and brokerStatus read (spec remoting, 3.8). */
const RUNTIME_KEYS =
  `brokerVersionDesc putTps getTransferredTps sendThreadPoolQueueSize pullThreadPoolQueueSize sendThreadPoolQueueHeadWaitTimeMills
  pullThreadPoolQueueHeadWaitTimeMills pageCacheLockTimeMills earliestMessageTimeStamp commitLogDiskRatio brokerActive
  msgPutTotalYesterdayMorning msgPutTotalTodayMorning msgPutTotalTodayNow msgGetTotalYesterdayMorning msgGetTotalTodayMorning
  msgGetTotalTodayNow bootTimestamp runtime getFoundTps getMissTps getTotalTps putMessageTimesTotal putMessageSizeTotal
  putMessageAverageSize putMessageEntireTimeMax putMessageFailedTimes putMessageDistributeTime getMessageEntireTimeMax
  commitLogMinOffset commitLogMaxOffset commitLogDirCapacity consumeQueueDiskRatio remainHowManyDataToFlush
  remainTransientStoreBufferNumbs dispatchBehindBytes dispatchMaxBuffer startAcceptSendRequestTimeStamp queryThreadPoolQueueSize
  EndTransactionQueueSize EndTransactionThreadPoolQueueCapacity`.split(/\s+/)

describe('administration', () => {
  let broker: TestBroker
  beforeAll(async () => {
    broker = await startTestBroker()
  })
  afterAll(() => broker.close())

  const ok = async (code: number, ext?: Record<string, string>, body?: Buffer): Promise<Command> => {
    const answer = await broker.call(code, ext, body)
    expect(answer).toMatchObject({ code: ResponseCode.SUCCESS })
    return answer
  }
  const topicExt = (topic: string, more: Record<string, string> = {}): Record<string, string> => ({
    topic,
    defaultTopic: 'TBW102',
    readQueueNums: '3',
    writeQueueNums: '2',
    perm: '6',
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: '0',
    order: 'true',
    ...more,
  })

  it('creates, changes, lists and deletes topics', async () => {
    await ok(RequestCode.UPDATE_AND_CREATE_TOPIC, topicExt('Admin', { attributes: '+message.type=FIFO' }))
    const config = decodeTopicConfig((await ok(RequestCode.GET_TOPIC_CONFIG, { topic: 'Admin' })).body)
    expect(config).toMatchObject({
      topicName: 'Admin',
      readQueueNums: 3,
      writeQueueNums: 2,
      order: true,
      attributes: { 'message.type': 'FIFO' },
    })
    await ok(RequestCode.UPDATE_AND_CREATE_TOPIC_LIST, undefined, encodeTopicConfigList([defaultTopicConfig('Listed')]))
    const all = decodeTopicConfigWrapper((await ok(RequestCode.GET_ALL_TOPIC_CONFIG)).body)
    expect(Object.keys(all.topicConfigTable)).toEqual(expect.arrayContaining(['Admin', 'Listed', 'TBW102']))
    const system = decodeTopicList((await ok(RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_BROKER)).body)
    expect(system.topicList).toEqual(expect.arrayContaining(['TBW102', 'SCHEDULE_TOPIC_XXXX']))
    expect(system.topicList).not.toContain('Admin')
    await broker.send('Admin', 'x')
    await ok(RequestCode.DELETE_TOPIC_IN_BROKER, { topic: 'Admin' })
    await ok(RequestCode.DELETE_TOPIC_IN_BROKER, { topic: 'NeverThere' })
    expect((await broker.call(RequestCode.GET_TOPIC_CONFIG, { topic: 'Admin' })).code).toBe(ResponseCode.TOPIC_NOT_EXIST)
    expect((await broker.pull({ topic: 'Admin' })).code).toBe(ResponseCode.TOPIC_NOT_EXIST)
  })

  it('creates, reads, forbids and deletes groups', async () => {
    const group = { ...defaultSubscriptionGroup('AdminGroup'), retryMaxTimes: 3 }
    await ok(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, undefined, encodeSubscriptionGroup(group))
    expect(
      decodeSubscriptionGroup((await ok(RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG, { group: 'AdminGroup' })).body),
    ).toMatchObject({ retryMaxTimes: 3 })
    const forbidden = await ok(RequestCode.UPDATE_AND_GET_GROUP_FORBIDDEN, { group: 'AdminGroup', topic: 'T', readable: 'false' })
    expect(JSON.parse(forbidden.body!.toString())).toMatchObject({ readable: false })
    const all = decodeSubscriptionGroupWrapper((await ok(RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG)).body)
    expect(all.subscriptionGroupTable['AdminGroup']).toMatchObject({ retryMaxTimes: 3 })
    await ok(RequestCode.DELETE_SUBSCRIPTIONGROUP, { groupName: 'AdminGroup', cleanOffset: 'true' })
    const left = decodeSubscriptionGroupWrapper((await ok(RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG)).body)
    expect(left.subscriptionGroupTable['AdminGroup']).toBeUndefined()
  })

  it('shows how far topics and groups are', async () => {
    for (let i = 0; i < 4; i++)
      await broker.send('Progress', String(i), { properties: properties({ KEYS: 'key1', UNIQ_KEY: `P${i}` }) })
    await ok(RequestCode.UPDATE_CONSUMER_OFFSET, { consumerGroup: 'PGroup', topic: 'Progress', queueId: '0', commitOffset: '1' })
    const topic = decodeTopicStatsTable((await ok(RequestCode.GET_TOPIC_STATS_INFO, { topic: 'Progress' })).body)
    expect(topic.offsetTable).toHaveLength(4)
    expect(topic.offsetTable[0]![1]).toMatchObject({ minOffset: 0, maxOffset: 4 })
    const stats = decodeConsumeStats((await ok(RequestCode.GET_CONSUME_STATS, { consumerGroup: 'PGroup' })).body)
    const first = stats.offsetTable.find(([queue]) => queue.queueId === 0)!
    expect(first[0]).toEqual({ topic: 'Progress', brokerName: 'broker-a', queueId: 0 })
    expect(first[1]).toMatchObject({ brokerOffset: 4, consumerOffset: 1 })
    expect(decodeConsumeStats((await ok(RequestCode.GET_CONSUME_STATS, { consumerGroup: 'Unknown' })).body).offsetTable).toEqual(
      [],
    )
    const whole = await ok(RequestCode.GET_BROKER_CONSUME_STATS, { isOrder: 'false' })
    expect(whole.body!.toString()).toContain('"totalDiff":3')
    const spans = decodeConsumeTimeSpan(
      (await ok(RequestCode.QUERY_CONSUME_TIME_SPAN, { topic: 'Progress', group: 'PGroup' })).body,
    )
    expect(spans).toHaveLength(4)
    expect(spans.map(span => span.minTimeStamp > 0)).toEqual([true, false, false, false])
    expect(decodeTopicList((await ok(RequestCode.QUERY_TOPICS_BY_CONSUMER, { group: 'PGroup' })).body)).toEqual({
      topicList: ['Progress'],
      brokerAddr: broker.address,
    })
    expect(decodeGroupList((await ok(RequestCode.QUERY_TOPIC_CONSUME_BY_WHO, { topic: 'Progress' })).body)).toContain('PGroup')
    const table = decodeConsumerOffsets((await ok(RequestCode.GET_ALL_CONSUMER_OFFSET)).body)
    expect(table.offsetTable['Progress@PGroup']).toEqual({ '0': 1 })
    await ok(RequestCode.CLONE_GROUP_OFFSET, { srcGroup: 'PGroup', destGroup: 'Clone', offline: 'false' })
    const cloned = await ok(RequestCode.QUERY_CONSUMER_OFFSET, { consumerGroup: 'Clone', topic: 'Progress', queueId: '0' })
    expect(cloned.ext).toMatchObject({ offset: '1' })
  })

  it('finds messages by key, by id and by queue row', async () => {
    const sent = await broker.send('Find', 'here', {
      properties: properties({ KEYS: 'order-7 other', UNIQ_KEY: 'F1', TAGS: 'TagA' }),
    })
    const query = (key: string, unique = false): Promise<Command> =>
      broker.call(RequestCode.QUERY_MESSAGE, {
        topic: 'Find',
        key,
        maxNum: '64',
        beginTimestamp: '0',
        endTimestamp: '9223372036854775807',
        ...(unique ? { _UNIQUE_KEY_QUERY: 'true' } : {}),
      })
    for (const answer of [await query('order-7'), await query('F1', true)]) {
      expect(decodeRecords(answer.body!).map(each => each.body.toString())).toEqual(['here'])
      expect(answer.ext).toHaveProperty('indexLastUpdatePhyoffset')
    }
    expect((await query('nothing')).code).toBe(ResponseCode.QUERY_NOT_FOUND)
    const offset = parseOffsetMessageId(sent.ext!['msgId']!).physicalOffset
    const byId = await ok(RequestCode.VIEW_MESSAGE_BY_ID, { offset: String(offset) })
    expect(decodeRecords(byId.body!)[0]!.body.toString()).toBe('here')
    expect((await broker.call(RequestCode.VIEW_MESSAGE_BY_ID, { offset: '99999999' })).code).toBe(ResponseCode.SYSTEM_ERROR)
    const rows = decodeQueryConsumeQueueBody(
      (await ok(RequestCode.QUERY_CONSUME_QUEUE, { topic: 'Find', queueId: '0', index: '0', count: '10' })).body,
    )
    expect(rows).toMatchObject({ minQueueIndex: 0, maxQueueIndex: 1, queueData: [{ physicOffset: offset, tagsCode: 2598919n }] })
  })

  it('tells its state, and counts', async () => {
    await broker.send('Counted', 'x')
    await broker.pull({ topic: 'Counted' })
    const table = decodeKVTable((await ok(RequestCode.GET_BROKER_RUNTIME_INFO)).body)
    expect(RUNTIME_KEYS.filter(key => table[key] === undefined)).toEqual([])
    expect(Number(table['msgPutTotalTodayNow'])).toBeGreaterThan(0)
    expect(table['commitLogDirCapacity']).toMatch(/^Total : [\d.]+ GiB, Free : [\d.]+ GiB\.$/)
    const stats = decodeBrokerStatsData(
      (await ok(RequestCode.VIEW_BROKER_STATS_DATA, { statsName: 'TOPIC_PUT_NUMS', statsKey: 'Counted' })).body,
    )
    expect(stats.statsMinute).toMatchObject({ sum: 1, avgpt: 1 })
    const got = decodeBrokerStatsData(
      (await ok(RequestCode.VIEW_BROKER_STATS_DATA, { statsName: 'GROUP_GET_NUMS', statsKey: 'Counted@CG' })).body,
    )
    expect(got.statsDay.sum).toBe(1)
    expect((await broker.call(RequestCode.VIEW_BROKER_STATS_DATA, { statsName: 'TOPIC_PUT_NUMS', statsKey: 'none' })).code).toBe(
      ResponseCode.SYSTEM_ERROR,
    )
    expect(JSON.parse((await ok(RequestCode.GET_BROKER_HA_STATUS)).body!.toString())).toMatchObject({
      master: true,
      inSyncSlaveNums: 0,
    })
    expect(JSON.parse((await ok(RequestCode.GET_COLD_DATA_FLOW_CTR_INFO)).body!.toString())).toEqual({
      configTable: {},
      globalColdReadThreshold: 0,
      runtimeTable: {},
    })
    for (const code of [
      RequestCode.CLEAN_EXPIRED_CONSUMEQUEUE,
      RequestCode.CLEAN_UNUSED_TOPIC,
      RequestCode.DELETE_EXPIRED_COMMITLOG,
    ])
      await ok(code)
    await broker.heartbeat('ProducerGroupTest', [])
    expect(Object.keys(decodeProducerTable((await ok(RequestCode.GET_ALL_PRODUCER_INFO)).body))).toContain('PG')
    await ok(RequestCode.GET_PRODUCER_CONNECTION_LIST, { producerGroup: 'PG' })
    expect((await broker.call(RequestCode.GET_PRODUCER_CONNECTION_LIST, { producerGroup: 'none' })).code).toBe(
      ResponseCode.SYSTEM_ERROR,
    )
  })

  it('shows and changes its configuration', async () => {
    const config = await ok(RequestCode.GET_BROKER_CONFIG)
    expect(config.body!.toString()).toContain('brokerName=broker-a\n')
    expect(JSON.parse(config.ext!['version']!)).toHaveProperty('counter')
    await ok(RequestCode.UPDATE_BROKER_CONFIG, undefined, Buffer.from('traceOn=false\n'))
    expect((await broker.send('Traced', 'x')).ext).toMatchObject({ TRACE_ON: 'false' })
    await ok(RequestCode.UPDATE_BROKER_CONFIG, undefined, Buffer.from('traceOn=true\n'))
    const refused = await broker.call(RequestCode.UPDATE_BROKER_CONFIG, undefined, Buffer.from('configBlackList=x\n'))
    expect(refused.code).toBe(ResponseCode.NO_PERMISSION)
    const bad = await broker.call(RequestCode.UPDATE_BROKER_CONFIG, undefined, Buffer.from('brokerPermission=many\n'))
    expect(bad.code).toBe(ResponseCode.SYSTEM_ERROR)
  })
})
