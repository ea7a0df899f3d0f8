import { encodeBatch, RequestCode, ResponseCode, type Command } from '@cometmq/remoting'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { properties, sendExt, startTestBroker, type TestBroker } from './harness.ts'

describe('what is refused, with code and reason', () => {
  let broker: TestBroker
  beforeAll(async () => {
    broker = await startTestBroker({ sets: ['maxMessageSize=65536'] })
  })
  afterAll(() => broker.close())

  const sendBatch = (topic: string, body: Buffer, header = ''): Promise<Command> =>
    broker.call(RequestCode.SEND_BATCH_MESSAGE, sendExt(topic, { batch: true, properties: header }), body)

  it.each([
    ['..', /\.\./],
    ['a/b', /a\/b/],
    ['', /blank/],
    ['name with space', /' '|" "/],
    ['x'.repeat(300), /300/],
    ['%RETRY%' + 'x'.repeat(300), /307/],
  ])('topic name %s', async (topic, reason) => {
    const answer = await broker.send(topic, 'x')
    expect(answer.code).toBe(ResponseCode.INVALID_PARAMETER)
    expect(answer.remark).toMatch(reason)
    expect(answer.ext).toMatchObject({ MSG_REGION: 'DefaultRegion', TRACE_ON: 'true' })
  })

  it('a name for administration', async () => {
    const ext = {
      topic: '../x',
      defaultTopic: 'TBW102',
      readQueueNums: '1',
      writeQueueNums: '1',
      perm: '6',
      topicFilterType: 'SINGLE_TAG',
      order: 'false',
    }
    expect(await broker.call(RequestCode.UPDATE_AND_CREATE_TOPIC, ext)).toMatchObject({ code: ResponseCode.INVALID_PARAMETER })
    const system = await broker.call(RequestCode.UPDATE_AND_CREATE_TOPIC, { ...ext, topic: 'SELF_TEST_TOPIC' })
    expect(system).toMatchObject({
      code: ResponseCode.INVALID_PARAMETER,
      remark: expect.stringContaining('system topic') as string,
    })
    expect((await broker.call(RequestCode.DELETE_TOPIC_IN_BROKER, { topic: 'TBW102' })).code).toBe(ResponseCode.INVALID_PARAMETER)
    const attribute = await broker.call(RequestCode.UPDATE_AND_CREATE_TOPIC, { ...ext, topic: 'Attr', attributes: '+foo=bar' })
    expect(attribute).toMatchObject({ code: ResponseCode.SYSTEM_ERROR, remark: 'unsupported key: foo' })
    const mixed = await broker.call(RequestCode.UPDATE_AND_CREATE_TOPIC, {
      ...ext,
      topic: 'Attr',
      attributes: '+message.type=MIXED',
    })
    expect(mixed.code).toBe(ResponseCode.INVALID_PARAMETER)
  })

  it.each(['SCHEDULE_TOPIC_XXXX', 'RMQ_SYS_TRANS_HALF_TOPIC', 'SELF_TEST_TOPIC', 'OFFSET_MOVED_EVENT'])(
    'a send to %s',
    async topic => {
      expect(await broker.send(topic, 'x')).toMatchObject({
        code: ResponseCode.NO_PERMISSION,
        remark: expect.stringContaining('forbidden') as string,
      })
    },
  )

  it('a send to an unknown topic without a usable template', async () => {
    const answer = await broker.send('Nowhere', 'x', { defaultTopic: 'NoTemplate' })
    expect(answer.code).toBe(ResponseCode.TOPIC_NOT_EXIST)
    expect(answer.remark).toMatch(/^topic\[Nowhere\] not exist, apply first please!/)
  })

  it('a queue that does not exist', async () => {
    await broker.send('Queues', 'x')
    expect(await broker.send('Queues', 'x', { queueId: 4 })).toMatchObject({
      code: ResponseCode.INVALID_PARAMETER,
      remark: expect.stringContaining('0 to 3') as string,
    })
    const any = await broker.send('Queues', 'x', { queueId: -1 })
    expect(Number(any.ext?.['queueId'])).toBeLessThan(4)
  })

  it('bodies that are too large or empty', async () => {
    expect(await broker.send('Sizes', 'x'.repeat(65_536))).toMatchObject({ code: ResponseCode.SUCCESS })
    expect(await broker.send('Sizes', 'x'.repeat(65_537))).toMatchObject({
      code: ResponseCode.MESSAGE_ILLEGAL,
      remark: expect.stringContaining('65537') as string,
    })
    expect(await broker.send('Sizes', '')).toMatchObject({
      code: ResponseCode.MESSAGE_ILLEGAL,
      remark: expect.stringContaining('empty') as string,
    })
    const batch = encodeBatch(Array.from({ length: 70 }, () => ({ flag: 0, body: Buffer.alloc(1000), properties: '' })))
    expect(await sendBatch('Sizes', batch)).toMatchObject({ code: ResponseCode.MESSAGE_ILLEGAL })
    expect(await broker.send('Sizes', 'x', { properties: properties({ a: 'y'.repeat(33_000) }) })).toMatchObject({
      code: ResponseCode.MESSAGE_ILLEGAL,
    })
  })

  it('batches that are damaged, delayed, or for a retry topic', async () => {
    const good = encodeBatch([{ flag: 0, body: Buffer.from('a'), properties: '' }])
    for (const [body, header] of [
      [good.subarray(0, good.length - 1), ''],
      [Buffer.from('rubbish that is long enough to be read'), ''],
      [good, properties({ DELAY: '3' })],
    ] as const) {
      expect(await sendBatch('BadBatch', body, header)).toMatchObject({ code: ResponseCode.MESSAGE_ILLEGAL })
    }
    expect(await sendBatch('%RETRY%SomeGroup', good)).toMatchObject({ code: ResponseCode.MESSAGE_ILLEGAL })
  })

  it('transactions and timers, which must not be stored as ordinary messages', async () => {
    const half = await broker.send('Tx', 'x', { sysFlag: 4, properties: properties({ TRAN_MSG: 'true', PGROUP: 'PG' }) })
    expect(half).toMatchObject({ code: ResponseCode.MESSAGE_ILLEGAL, remark: expect.stringContaining('not supported') as string })
    for (const timer of ['TIMER_DELAY_SEC', 'TIMER_DELAY_MS', 'TIMER_DELIVER_MS']) {
      const answer = await broker.send('Tx', 'x', { properties: properties({ [timer]: '10' }) })
      expect(answer).toMatchObject({ code: ResponseCode.MESSAGE_ILLEGAL, remark: expect.stringContaining(timer) as string })
    }
    expect((await broker.pull({ topic: 'Tx' })).code).toBe(ResponseCode.PULL_NOT_FOUND)
  })

  it('header fields that are missing or no numbers', async () => {
    const missing = sendExt('Fields')
    delete missing['e']
    expect(await broker.call(RequestCode.SEND_MESSAGE_V2, missing, Buffer.from('x'))).toMatchObject({
      code: ResponseCode.SYSTEM_ERROR,
      remark: expect.stringContaining('e (queueId)') as string,
    })
    const wrong = { ...sendExt('Fields'), f: 'one' }
    expect(await broker.call(RequestCode.SEND_MESSAGE_V2, wrong, Buffer.from('x'))).toMatchObject({
      code: ResponseCode.SYSTEM_ERROR,
    })
    expect(await broker.call(RequestCode.PULL_MESSAGE, { topic: 'T' })).toMatchObject({ code: ResponseCode.SYSTEM_ERROR })
    expect(await broker.call(RequestCode.HEART_BEAT, undefined, Buffer.from('{'))).toMatchObject({
      code: ResponseCode.SYSTEM_ERROR,
    })
  })

  it('pulls of what is not there or not allowed', async () => {
    await broker.send('Pulls', 'x')
    expect((await broker.pull({ topic: 'NoSuchTopic' })).code).toBe(ResponseCode.TOPIC_NOT_EXIST)
    expect((await broker.pull({ topic: 'Pulls', queueId: 8 })).code).toBe(ResponseCode.INVALID_PARAMETER)
    expect((await broker.pull({ topic: 'Pulls', subscription: '||' })).code).toBe(ResponseCode.SUBSCRIPTION_PARSE_FAILED)
    expect((await broker.pull({ topic: 'Pulls', subscription: 'a > 1', expressionType: 'SQL92' })).code).toBe(
      ResponseCode.SYSTEM_ERROR,
    )
    await broker.call(
      RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
      undefined,
      Buffer.from('{"groupName":"Off","consumeEnable":false}'),
    )
    expect(await broker.pull({ topic: 'Pulls', consumerGroup: 'Off' })).toMatchObject({
      code: ResponseCode.NO_PERMISSION,
      forbiddenType: 2,
    })
    await broker.call(RequestCode.UPDATE_AND_GET_GROUP_FORBIDDEN, { group: 'CG', topic: 'Pulls', readable: 'false' })
    expect(await broker.pull({ topic: 'Pulls' })).toMatchObject({ code: ResponseCode.NO_PERMISSION, forbiddenType: 5 })
  })

  it('group names that would leave their folder', async () => {
    for (const group of ['../evil', 'a/b', 'x'.repeat(300)]) {
      const pulled = await broker.pull({ topic: 'TBW102', consumerGroup: group })
      expect([ResponseCode.SYSTEM_ERROR, ResponseCode.INVALID_PARAMETER, ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST]).toContain(
        pulled.code,
      )
      await broker.heartbeat(group, ['T'])
      expect((await broker.call(RequestCode.GET_TOPIC_CONFIG, { topic: `%RETRY%${group}` })).code).toBe(
        ResponseCode.TOPIC_NOT_EXIST,
      )
      const sentBack = await broker.call(RequestCode.CONSUMER_SEND_MSG_BACK, { group, offset: '0', delayLevel: '0' })
      expect(sentBack.code).not.toBe(ResponseCode.SUCCESS)
      const created = await broker.call(
        RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
        undefined,
        Buffer.from(JSON.stringify({ groupName: group })),
      )
      expect(created).toMatchObject({ code: ResponseCode.INVALID_PARAMETER })
    }
  })

  it('unknown codes and transactions, without closing the connection', async () => {
    for (const code of [999, RequestCode.POP_ROLLBACK, RequestCode.END_TRANSACTION]) {
      expect((await broker.call(code)).code).toBe(ResponseCode.REQUEST_CODE_NOT_SUPPORTED)
    }
    expect((await broker.send('After', 'x')).code).toBe(ResponseCode.SUCCESS)
  })

  it('separators inside properties stay where they are', async () => {
    // A value with 0x01 in it, an empty value, an empty name and no last separator: all stored, none changes another one.
    const odd = 'A\u00011\u0001x\u0002B\u0001\u0002\u0001c\u0002TAGS\u0001TagZ'
    expect((await broker.send('Odd', 'x', { properties: odd })).code).toBe(ResponseCode.SUCCESS)
    const answer = await broker.pull({ topic: 'Odd', subscription: 'TagZ' })
    expect(answer.code).toBe(ResponseCode.SUCCESS)
    expect(answer.body!.includes(Buffer.from(odd + '\u0002UNIQ_KEY\u0001'))).toBe(true)
  })
})
