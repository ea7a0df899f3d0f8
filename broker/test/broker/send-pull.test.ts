import { decodeRecords, encodeBatch, getProperty, RequestCode, ResponseCode } from '@cometmq/remoting'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { properties, pullExt, sendExt, startTestBroker, TIMEOUT_MS, type TestBroker } from './harness.ts'

const SUSPEND_AND_INLINE = 6

describe('sending and pulling', () => {
  let broker: TestBroker
  beforeAll(async () => {
    broker = await startTestBroker()
  })
  afterAll(() => broker.close())

  it('stores a message and hands it out', async () => {
    const answer = await broker.send('T', 'hello', { properties: properties({ TAGS: 'TagA', UNIQ_KEY: 'A1', KEYS: 'k1' }) })
    expect(answer).toMatchObject({ code: ResponseCode.SUCCESS, remark: null })
    expect(answer.ext).toMatchObject({
      queueId: '0',
      queueOffset: '0',
      transactionId: 'A1',
      MSG_REGION: 'DefaultRegion',
      TRACE_ON: 'true',
    })
    expect(answer.ext?.['msgId']).toMatch(/^7F000001[0-9A-F]{24}$/)

    const pulled = await broker.pull({ topic: 'T' })
    expect(pulled).toMatchObject({
      code: ResponseCode.SUCCESS,
      remark: 'FOUND',
      nextBeginOffset: 1,
      minOffset: 0,
      maxOffset: 1,
      suggestWhichBrokerId: 0,
    })
    const [record] = decodeRecords(pulled.body!)
    expect(record!.body.toString()).toBe('hello')
    expect(getProperty(record!.properties, 'CLUSTER')).toBe('DefaultCluster')
    expect(getProperty(record!.properties, 'TAGS')).toBe('TagA')
    expect(getProperty(record!.properties, 'MSG_REGION')).toBe('DefaultRegion')
  })

  it('answers the old send code with long names, and adds a UNIQ_KEY', async () => {
    const ext = sendExt('Long', {}, RequestCode.SEND_MESSAGE)
    const answer = await broker.call(RequestCode.SEND_MESSAGE, ext, Buffer.from('x'))
    expect(answer.code).toBe(ResponseCode.SUCCESS)
    expect(answer.ext?.['transactionId']).toMatch(/^[0-9A-F]{32}$/)
    const [record] = decodeRecords((await broker.pull({ topic: 'Long' })).body!)
    expect(getProperty(record!.properties, 'UNIQ_KEY')).toBe(answer.ext?.['transactionId'])
  })

  it('stores the elements of a batch one behind the other, the header properties appended', async () => {
    const body = encodeBatch([
      { flag: 1, body: Buffer.from('a'), properties: properties({ UNIQ_KEY: 'E1' }) },
      { flag: 2, body: Buffer.from('b'), properties: properties({ UNIQ_KEY: 'E2' }).slice(0, -1) },
    ])
    const ext = sendExt('Batch', { batch: true, properties: properties({ UNIQ_KEY: 'OUTER', WAIT: 'true' }) })
    const answer = await broker.call(RequestCode.SEND_BATCH_MESSAGE, ext, body)
    expect(answer.code).toBe(ResponseCode.SUCCESS)
    expect(answer.ext).toMatchObject({ queueOffset: '0', transactionId: 'OUTER' })
    expect(answer.ext!['msgId']!.split(',')).toHaveLength(2)
    const records = decodeRecords((await broker.pull({ topic: 'Batch' })).body!)
    expect(records.map(each => [each.queueOffset, each.flag, each.body.toString()])).toEqual([
      [0, 1, 'a'],
      [1, 2, 'b'],
    ])
    expect(records.map(each => getProperty(each.properties, 'UNIQ_KEY'))).toEqual(['OUTER', 'OUTER'])
    expect(records[1]!.properties.startsWith(properties({ UNIQ_KEY: 'E2' }))).toBe(true)
  })

  it('takes one-way sends', async () => {
    await broker.caller.oneway(broker.address, {
      code: RequestCode.SEND_MESSAGE_V2,
      ext: sendExt('Oneway'),
      body: Buffer.from('1'),
    })
    // On the same connection, so it is handled after the one-way request.
    await broker.send('Oneway', '2')
    const records = decodeRecords((await broker.pull({ topic: 'Oneway' })).body!)
    expect(records.map(each => each.body.toString())).toEqual(['1', '2'])
  })

  it('filters by tag and tells where to go on', async () => {
    for (const tag of ['A', 'B', 'A', 'C']) await broker.send('Tags', tag, { properties: properties({ TAGS: tag }) })
    const some = await broker.pull({ topic: 'Tags', subscription: 'A || C' })
    expect(decodeRecords(some.body!).map(each => each.body.toString())).toEqual(['A', 'A', 'C'])
    expect(some.nextBeginOffset).toBe(4)
    const none = await broker.pull({ topic: 'Tags', subscription: 'X' })
    expect(none).toMatchObject({
      code: ResponseCode.PULL_RETRY_IMMEDIATELY,
      remark: 'NO_MATCHED_MESSAGE',
      nextBeginOffset: 4,
      body: null,
    })
  })

  it('holds a pull until a message arrives', async () => {
    await broker.send('Wake', 'first')
    const waiting = broker.pull({ topic: 'Wake', queueOffset: 1, sysFlag: SUSPEND_AND_INLINE, suspendTimeoutMillis: TIMEOUT_MS })
    await broker.send('Wake', 'second')
    const answer = await waiting
    expect(answer).toMatchObject({ code: ResponseCode.SUCCESS, nextBeginOffset: 2 })
    expect(decodeRecords(answer.body!).map(each => each.body.toString())).toEqual(['second'])
  })

  it('gives up a held pull when its time is over', async () => {
    await broker.send('Patience', 'x')
    const answer = await broker.pull({
      topic: 'Patience',
      queueOffset: 1,
      sysFlag: SUSPEND_AND_INLINE,
      suspendTimeoutMillis: 100,
    })
    expect(answer).toMatchObject({
      code: ResponseCode.PULL_NOT_FOUND,
      remark: 'OFFSET_OVERFLOW_ONE',
      nextBeginOffset: 1,
      maxOffset: 1,
    })
  })

  it('does not wake for messages that do not match, and remembers them', async () => {
    await broker.send('Filtered', 'x', { properties: properties({ TAGS: 'A' }) })
    const waiting = broker.pull({
      topic: 'Filtered',
      queueOffset: 1,
      sysFlag: SUSPEND_AND_INLINE,
      subscription: 'B',
      suspendTimeoutMillis: TIMEOUT_MS,
    })
    for (let i = 0; i < 3; i++) await broker.send('Filtered', 'no', { properties: properties({ TAGS: 'A' }) })
    await broker.send('Filtered', 'yes', { properties: properties({ TAGS: 'B' }) })
    const answer = await waiting
    expect(decodeRecords(answer.body!).map(each => each.body.toString())).toEqual(['yes'])
    expect(answer.nextBeginOffset).toBe(5)
    const late = await broker.pull({
      topic: 'Filtered',
      queueOffset: 5,
      sysFlag: SUSPEND_AND_INLINE,
      subscription: 'B',
      suspendTimeoutMillis: 50,
    })
    expect(late).toMatchObject({ code: ResponseCode.PULL_NOT_FOUND, nextBeginOffset: 5 })
  })

  it('follows the read status table', async () => {
    await broker.send('Status', 'x')
    expect(await broker.pull({ topic: 'Status', queueOffset: 1 })).toMatchObject({
      code: ResponseCode.PULL_NOT_FOUND,
      remark: 'OFFSET_OVERFLOW_ONE',
      nextBeginOffset: 1,
    })
    expect(await broker.pull({ topic: 'Status', queueOffset: 9 })).toMatchObject({
      code: ResponseCode.PULL_OFFSET_MOVED,
      remark: 'OFFSET_OVERFLOW_BADLY',
      nextBeginOffset: 1,
    })
    expect((await broker.pull({ topic: 'Status', queueId: 1, queueOffset: 0 })).code).toBe(ResponseCode.PULL_NOT_FOUND)
    expect((await broker.pull({ topic: 'Status', queueId: 1, queueOffset: 7 })).code).toBe(ResponseCode.PULL_OFFSET_MOVED)
  })

  it('keeps messages over a restart', async () => {
    const first = await startTestBroker()
    await first.send('Kept', 'one')
    const second = await first.restart()
    try {
      await second.send('Kept', 'two')
      const records = decodeRecords((await second.pull({ topic: 'Kept' })).body!)
      expect(records.map(each => each.body.toString())).toEqual(['one', 'two'])
    } finally {
      await second.close()
    }
  })

  it('answers a pull without subscription from the heartbeat', async () => {
    await broker.send('Beat', 'x')
    const bare = { topic: 'Beat', consumerGroup: 'BeatGroup', sysFlag: 0, subVersion: 1n }
    expect(await broker.pull(bare)).toMatchObject({ code: ResponseCode.SUBSCRIPTION_NOT_EXIST })
    await broker.heartbeat('BeatGroup', ['Beat'])
    expect((await broker.pull(bare)).code).toBe(ResponseCode.SUCCESS)
    expect((await broker.pull({ ...bare, subVersion: 2n })).code).toBe(ResponseCode.SUBSCRIPTION_NOT_LATEST)
    await broker.send('Other', 'x')
    expect((await broker.pull({ ...bare, topic: 'Other' })).code).toBe(ResponseCode.SUBSCRIPTION_NOT_EXIST)
  })

  it('drops parked pulls of a closed connection', async () => {
    await broker.send('Gone', 'x')
    const other = broker.newCaller()
    const ext = pullExt({ topic: 'Gone', queueOffset: 1, sysFlag: SUSPEND_AND_INLINE, suspendTimeoutMillis: TIMEOUT_MS })
    const lost = other.call(broker.address, { code: RequestCode.PULL_MESSAGE, ext }, TIMEOUT_MS).catch((error: unknown) => error)
    await broker.send('Gone', 'y')
    await lost
    const parked = other
      .call(broker.address, { code: RequestCode.PULL_MESSAGE, ext: { ...ext, queueOffset: '2' } }, TIMEOUT_MS)
      .catch((error: unknown) => error)
    await other.close()
    expect(await parked).toBeInstanceOf(Error)
    const info = await broker.call(RequestCode.GET_BROKER_RUNTIME_INFO)
    const table = (JSON.parse(info.body!.toString()) as { table: Record<string, string> }).table
    expect(Number(table['pullRequestHoldSize'])).toBeLessThanOrEqual(1)
  })
})
