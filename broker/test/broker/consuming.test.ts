import {
  decodeConsumerConnection,
  decodeConsumerIdList,
  decodeLockedQueues,
  decodeRecords,
  encodeLockBatch,
  getProperty,
  parseOffsetMessageId,
  RequestCode,
  ResponseCode,
  type Command,
  type MessageRecord,
} from '@cometmq/remoting'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { heartbeatBody, properties, pullExt, startTestBroker, TIMEOUT_MS, type TestBroker } from './harness.ts'

const SUSPEND_AND_INLINE = 6

describe('consuming', () => {
  let broker: TestBroker
  beforeAll(async () => {
    broker = await startTestBroker({ sets: ['messageDelayLevel=1s 2s 1s 1s'] })
  })
  afterAll(() => broker.close())

  /** Pulls over all queues until a message is there; held by the broker meanwhile. */
  const next = async (topic: string, offset = 0): Promise<MessageRecord> => {
    const answer = await broker.pull({
      topic,
      queueOffset: offset,
      sysFlag: SUSPEND_AND_INLINE,
      suspendTimeoutMillis: TIMEOUT_MS - 1000,
    })
    expect(answer.code).toBe(ResponseCode.SUCCESS)
    return decodeRecords(answer.body!)[0]!
  }

  it('keeps committed offsets, from 15 and from pulls', async () => {
    await broker.send('Offsets', 'x')
    const where = { consumerGroup: 'OG', topic: 'Offsets', queueId: '0' }
    const query = (more: Record<string, string> = {}): Promise<Command> =>
      broker.call(RequestCode.QUERY_CONSUMER_OFFSET, { ...where, ...more })
    // A young queue starts at 0.
    expect(await query()).toMatchObject({ code: ResponseCode.SUCCESS, ext: { offset: '0' } })
    expect((await query({ setZeroIfNotFound: 'false' })).code).toBe(ResponseCode.QUERY_NOT_FOUND)
    expect((await broker.call(RequestCode.UPDATE_CONSUMER_OFFSET, { ...where, commitOffset: '7' })).code).toBe(
      ResponseCode.SUCCESS,
    )
    expect((await query()).ext).toMatchObject({ offset: '7' })
    await broker.pull({ topic: 'Offsets', consumerGroup: 'OG', sysFlag: 5, commitOffset: 1 })
    expect((await query()).ext).toMatchObject({ offset: '1' })
    const noTopic = await broker.call(RequestCode.UPDATE_CONSUMER_OFFSET, { ...where, topic: 'None', commitOffset: '1' })
    expect(noTopic.code).toBe(ResponseCode.TOPIC_NOT_EXIST)
    const noQueue = await broker.call(RequestCode.UPDATE_CONSUMER_OFFSET, {
      consumerGroup: 'OG',
      topic: 'Offsets',
      commitOffset: '1',
    })
    expect(noQueue.code).toBe(ResponseCode.INVALID_PARAMETER)
  })

  it('tells the bounds of a queue', async () => {
    await broker.send('Bounds', 'x')
    await broker.send('Bounds', 'y')
    const queue = { topic: 'Bounds', queueId: '0' }
    expect((await broker.call(RequestCode.GET_MAX_OFFSET, queue)).ext).toMatchObject({ offset: '2' })
    expect((await broker.call(RequestCode.GET_MIN_OFFSET, queue)).ext).toMatchObject({ offset: '0' })
    expect((await broker.call(RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, { ...queue, timestamp: '0' })).ext).toMatchObject({
      offset: '0',
    })
    const earliest = await broker.call(RequestCode.GET_EARLIEST_MSG_STORETIME, queue)
    expect(Number(earliest.ext?.['timestamp'])).toBeGreaterThan(1_700_000_000_000)
  })

  it('survives a restart with its offsets', async () => {
    const first = await startTestBroker()
    await first.send('T', 'x')
    await first.call(RequestCode.UPDATE_CONSUMER_OFFSET, { consumerGroup: 'G', topic: 'T', queueId: '0', commitOffset: '1' })
    const second = await first.restart()
    try {
      const answer = await second.call(RequestCode.QUERY_CONSUMER_OFFSET, { consumerGroup: 'G', topic: 'T', queueId: '0' })
      expect(answer.ext).toMatchObject({ offset: '1' })
    } finally {
      await second.close()
    }
  })

  it('registers consumers, makes their retry topic, and tells all members of changes', async () => {
    const told: string[] = []
    let onTold = (): void => {}
    const handlers = new Map([
      [
        RequestCode.NOTIFY_CONSUMER_IDS_CHANGED,
        (request: Command) => {
          told.push(request.ext!['consumerGroup']!)
          onTold()
          return undefined
        },
      ],
    ])
    const toldTimes = (times: number): Promise<void> =>
      new Promise(resolve => {
        onTold = () => told.length >= times && resolve()
        onTold()
      })
    const one = broker.newCaller(handlers)
    const two = broker.newCaller()
    const beat = (caller: typeof one, id: string): Promise<Command> =>
      caller.call(broker.address, { code: RequestCode.HEART_BEAT, body: heartbeatBody('Members', ['T'], {}, id) }, TIMEOUT_MS)
    const answer = await beat(one, 'c1')
    expect(answer).toMatchObject({ code: ResponseCode.SUCCESS, ext: { IS_SUPPORT_HEART_BEAT_V2: 'true', IS_SUB_CHANGE: 'true' } })
    await toldTimes(1)
    await beat(two, 'c2')
    await toldTimes(2)
    const list = await broker.call(RequestCode.GET_CONSUMER_LIST_BY_GROUP, { consumerGroup: 'Members' })
    expect(decodeConsumerIdList(list.body).sort()).toEqual(['c1', 'c2'])
    expect((await broker.call(RequestCode.GET_TOPIC_CONFIG, { topic: '%RETRY%Members' })).code).toBe(ResponseCode.SUCCESS)
    await two.close()
    await toldTimes(3)
    const connection = await broker.call(RequestCode.GET_CONSUMER_CONNECTION_LIST, { consumerGroup: 'Members' })
    expect(decodeConsumerConnection(connection.body).connectionSet.map(each => each.clientId)).toEqual(['c1'])
    await one.call(
      broker.address,
      { code: RequestCode.UNREGISTER_CLIENT, ext: { clientID: 'c1', consumerGroup: 'Members' } },
      TIMEOUT_MS,
    )
    const empty = await broker.call(RequestCode.GET_CONSUMER_LIST_BY_GROUP, { consumerGroup: 'Members' })
    expect(empty).toMatchObject({ code: ResponseCode.SYSTEM_ERROR, remark: expect.stringContaining('Members') as string })
    expect((await broker.call(RequestCode.GET_CONSUMER_CONNECTION_LIST, { consumerGroup: 'Members' })).code).toBe(
      ResponseCode.CONSUMER_NOT_ONLINE,
    )
  })

  it('locks queues for one client at a time', async () => {
    const mqSet = [0, 1].map(queueId => ({ brokerName: 'broker-a', topic: 'T', queueId }))
    const body = (clientId: string): Buffer => encodeLockBatch({ consumerGroup: 'LG', clientId, mqSet, onlyThisBroker: false })
    expect(decodeLockedQueues((await broker.call(RequestCode.LOCK_BATCH_MQ, undefined, body('a'))).body)).toHaveLength(2)
    expect(decodeLockedQueues((await broker.call(RequestCode.LOCK_BATCH_MQ, undefined, body('b'))).body)).toHaveLength(0)
    expect((await broker.call(RequestCode.UNLOCK_BATCH_MQ, undefined, body('a'))).code).toBe(ResponseCode.SUCCESS)
    expect(decodeLockedQueues((await broker.call(RequestCode.LOCK_BATCH_MQ, undefined, body('b'))).body)).toHaveLength(2)
  })

  it('delivers a delayed message when it is due', async () => {
    const before = Date.now()
    const sent = await broker.send('Delayed', 'later', {
      queueId: 2,
      properties: properties({ DELAY: '1', TAGS: 'A', UNIQ_KEY: 'D1' }),
    })
    expect(sent).toMatchObject({ code: ResponseCode.SUCCESS, ext: { queueId: '2', transactionId: 'D1' } })
    const answer = await broker.pull({
      topic: 'Delayed',
      queueId: 2,
      subscription: 'A',
      sysFlag: SUSPEND_AND_INLINE,
      suspendTimeoutMillis: TIMEOUT_MS - 1000,
    })
    const [record] = decodeRecords(answer.body!)
    expect(Date.now() - before).toBeGreaterThanOrEqual(990)
    expect(record!.body.toString()).toBe('later')
    expect(getProperty(record!.properties, 'REAL_TOPIC')).toBe('Delayed')
    expect(getProperty(record!.properties, 'DELAY')).toBe('1')
    const offsets = (await broker.call(RequestCode.GET_ALL_DELAY_OFFSET)).body!.toString()
    expect(offsets).toMatch(/"offsetTable":\{1:1\}|"offsetTable":\{\}/)
  })

  it('delivers what was delayed before a restart, once', async () => {
    const first = await startTestBroker({ sets: ['messageDelayLevel=1s 2s'] })
    await first.send('Again', 'x', { properties: properties({ DELAY: '1' }) })
    const second = await first.restart()
    const held = { topic: 'Again', sysFlag: SUSPEND_AND_INLINE, suspendTimeoutMillis: TIMEOUT_MS - 1000 }
    expect((await second.pull(held)).nextBeginOffset).toBe(1)
    const third = await second.restart()
    try {
      expect(await third.pull({ ...held, queueOffset: 1, suspendTimeoutMillis: 200 })).toMatchObject({
        code: ResponseCode.PULL_NOT_FOUND,
        maxOffset: 1,
      })
    } finally {
      await third.close()
    }
  })

  it('brings back what a consumer sent back, and gives up after its last try', async () => {
    const sent = await broker.send('Work', 'job', { properties: properties({ UNIQ_KEY: 'W1', TAGS: 'A' }) })
    await broker.heartbeat('Workers', ['Work'])
    const offset = String(parseOffsetMessageId(sent.ext!['msgId']!).physicalOffset)
    const back = (at: string, more: Record<string, string> = {}): Promise<Command> =>
      broker.call(RequestCode.CONSUMER_SEND_MSG_BACK, {
        group: 'Workers',
        offset: at,
        delayLevel: '0',
        originMsgId: 'W1',
        originTopic: 'Work',
        ...more,
      })
    expect(await back(offset)).toMatchObject({ code: ResponseCode.SUCCESS })
    const retried = await next('%RETRY%Workers')
    expect(retried).toMatchObject({ topic: '%RETRY%Workers', reconsumeTimes: 1 })
    expect(retried.body.toString()).toBe('job')
    expect(getProperty(retried.properties, 'RETRY_TOPIC')).toBe('Work')
    expect(getProperty(retried.properties, 'ORIGIN_MESSAGE_ID')).toBe(sent.ext!['msgId'])
    expect(getProperty(retried.properties, 'DELAY')).toBe('3')
    expect(getProperty(retried.properties, 'UNIQ_KEY')).toBe('W1')

    expect((await back(String(retried.physicalOffset), { maxReconsumeTimes: '1' })).code).toBe(ResponseCode.SUCCESS)
    const dead = await next('%DLQ%Workers')
    expect(dead).toMatchObject({ topic: '%DLQ%Workers', reconsumeTimes: 2 })
    expect(getProperty(dead.properties, 'DELAY')).toBe('0')
    expect(getProperty(dead.properties, 'ORIGIN_MESSAGE_ID')).toBe(sent.ext!['msgId'])

    expect(await back('123456789')).toMatchObject({
      code: ResponseCode.SYSTEM_ERROR,
      remark: expect.stringContaining('123456789') as string,
    })
  })

  it('sends to a retry topic go to the dead letters when the tries are used up', async () => {
    await broker.heartbeat('Fallback', ['T'])
    const retry = (reconsumeTimes: number): Promise<Command> =>
      broker.send('%RETRY%Fallback', `try ${reconsumeTimes}`, {
        reconsumeTimes,
        maxReconsumeTimes: 3,
        properties: properties({ DELAY: '1', RETRY_TOPIC: 'T' }),
      })
    expect((await retry(4)).code).toBe(ResponseCode.SUCCESS)
    const dead = await next('%DLQ%Fallback')
    expect(dead.body.toString()).toBe('try 4')
    expect(getProperty(dead.properties, 'DELAY')).toBe('-1')
    expect((await retry(3)).code).toBe(ResponseCode.SUCCESS)
    expect((await next('%RETRY%Fallback')).body.toString()).toBe('try 3')
  })

  it('resets offsets: the next pull is told, and commits until then do not count', async () => {
    for (let i = 0; i < 3; i++) await broker.send('Reset', String(i))
    const where = { consumerGroup: 'RG', topic: 'Reset', queueId: '0' }
    await broker.call(RequestCode.UPDATE_CONSUMER_OFFSET, { ...where, commitOffset: '3' })
    const held = broker.pull({
      topic: 'Reset',
      consumerGroup: 'RG',
      queueOffset: 3,
      sysFlag: SUSPEND_AND_INLINE,
      suspendTimeoutMillis: TIMEOUT_MS,
    })
    await broker.send('Sync', 'the pull above is parked when this is answered')
    const reset = await broker.call(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, {
      topic: 'Reset',
      group: 'RG',
      timestamp: '0',
      isForce: 'true',
      queueId: '0',
      offset: '1',
    })
    expect(reset.body?.toString()).toContain('{"brokerName":"broker-a","queueId":0,"topic":"Reset"}:1')
    expect(await held).toMatchObject({ code: ResponseCode.PULL_OFFSET_MOVED, remark: 'OFFSET_RESET', nextBeginOffset: 1 })
    await broker.call(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, {
      topic: 'Reset',
      group: 'RG',
      timestamp: '-1',
      isForce: 'true',
    })
    const commit = await broker.call(RequestCode.UPDATE_CONSUMER_OFFSET, { ...where, commitOffset: '2' })
    expect(commit).toMatchObject({ code: ResponseCode.SUCCESS, remark: 'Offset has been previously reset' })
    expect((await broker.call(RequestCode.QUERY_CONSUMER_OFFSET, where)).ext).toMatchObject({ offset: '3' })
    const outside = await broker.call(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, {
      topic: 'Reset',
      group: 'RG',
      timestamp: '0',
      isForce: 'true',
      queueId: '0',
      offset: '99',
    })
    expect(outside.code).toBe(ResponseCode.SYSTEM_ERROR)
  })

  it('passes requests on to a client', async () => {
    const handlers = new Map([
      [
        RequestCode.GET_CONSUMER_RUNNING_INFO,
        (request: Command) => ({ code: 0, body: Buffer.from(`info of ${request.ext!['clientId']}`) }),
      ],
      [
        RequestCode.CONSUME_MESSAGE_DIRECTLY,
        (request: Command) => ({ code: 0, body: Buffer.from(decodeRecords(request.body!)[0]!.body) }),
      ],
    ])
    const client = broker.newCaller(handlers)
    await client.call(broker.address, { code: RequestCode.HEART_BEAT, body: heartbeatBody('Relay', ['T'], {}, 'r1') }, TIMEOUT_MS)
    const asked = { consumerGroup: 'Relay', clientId: 'r1', jstackEnable: 'false' }
    expect((await broker.call(RequestCode.GET_CONSUMER_RUNNING_INFO, asked)).body?.toString()).toBe('info of r1')
    expect((await broker.call(RequestCode.GET_CONSUMER_RUNNING_INFO, { ...asked, clientId: 'nobody' })).code).toBe(
      ResponseCode.SYSTEM_ERROR,
    )
    const msgId = (await broker.send('T', 'direct')).ext!['msgId']!
    expect((await broker.call(RequestCode.CONSUME_MESSAGE_DIRECTLY, { ...asked, msgId, topic: 'T' })).body?.toString()).toBe(
      'direct',
    )
  })

  it('answers pulls over the limit at once', async () => {
    const small = await startTestBroker({ limits: { maxParkedPulls: 1, maxParkedPullsPerQueue: 1 } })
    try {
      await small.send('T', 'x')
      const ext = pullExt({ topic: 'T', queueOffset: 1, sysFlag: SUSPEND_AND_INLINE, suspendTimeoutMillis: TIMEOUT_MS })
      const held = small.call(RequestCode.PULL_MESSAGE, ext)
      expect((await small.call(RequestCode.PULL_MESSAGE, ext)).code).toBe(ResponseCode.PULL_NOT_FOUND)
      await small.send('T', 'y')
      expect((await held).code).toBe(ResponseCode.SUCCESS)
    } finally {
      await small.close()
    }
  })
})
