import {
  getProperty,
  notificationRequest,
  peekMessageRequest,
  popMessageResponse,
  RequestCode,
  ResponseCode,
  SysFlag,
  systemClock,
} from '@cometmq/remoting'
import { FakeClock } from '@cometmq/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { properties, startTestBroker, type HarnessOptions, type TestBroker } from './harness.ts'
import { ack, ackBatch, changeTime, committed, pop, popAnswer, type PopAnswer, type PopAsk } from './pop-client.ts'

let broker: TestBroker | null = null
let clock = new FakeClock()
afterEach(async () => {
  await broker?.close()
  broker = null
})

/** The retry topic is not looked into first, so that tests know what comes. */
async function start(options: HarnessOptions = {}): Promise<TestBroker> {
  clock = new FakeClock()
  const sets = ['popFromRetryProbability=0', ...(options.sets ?? [])]
  return (broker = await startTestBroker({ clock, ...options, sets }))
}

async function sendAll(on: TestBroker, count: number, topic = 'T', more = {}): Promise<void> {
  for (let i = 0; i < count; i++) expect((await on.send(topic, `m${i}`, more)).code).toBe(ResponseCode.SUCCESS)
}

/** Pops until something is there: what comes back is stored and dispatched in its own time. */
async function popSome(on: TestBroker, more: PopAsk = {}): Promise<PopAnswer> {
  for (;;) {
    const answer = await pop(on, more)
    if (answer.code !== ResponseCode.POLLING_TIMEOUT) return answer
  }
}

describe('pop', () => {
  it('hands out each message once, and commits up to the first that is not acknowledged', async () => {
    const on = await start()
    await sendAll(on, 5)
    const first = await pop(on, { maxMsgNums: 3 })
    expect(first.code).toBe(ResponseCode.SUCCESS)
    expect(first.texts).toEqual(['m0', 'm1', 'm2'])
    expect(first.header).toMatchObject({
      popTime: clock.now(),
      invisibleTime: 60_000,
      restNum: 2,
      startOffsetInfo: '0 0 0',
      msgOffsetInfo: '0 0 0,1,2',
    })
    const second = await pop(on)
    expect(second.texts).toEqual(['m3', 'm4'])
    expect(second.header).toMatchObject({ startOffsetInfo: '0 0 3', msgOffsetInfo: '0 0 3,4', restNum: 0 })
    const nothing = await pop(on)
    expect(nothing.code).toBe(ResponseCode.POLLING_TIMEOUT)
    expect(nothing.header).toMatchObject({ startOffsetInfo: '', msgOffsetInfo: '', restNum: 0, invisibleTime: 60_000 })
    expect(await committed(on)).toBe(0)
    for (const i of [1, 0]) expect(await ack(on, first.receipts[i]!)).toBe(ResponseCode.SUCCESS)
    expect(await committed(on)).toBe(2)
    expect(await ackBatch(on, [...second.receipts, first.receipts[2]!])).toBe(ResponseCode.SUCCESS)
    expect(await committed(on)).toBe(5)
  })

  it('over all queues, with one answer for several', async () => {
    const on = await start()
    for (let i = 0; i < 8; i++) await on.send('T', `m${i}`, { queueId: i % 4, defaultTopicQueueNums: 4 })
    const all = await pop(on, { maxMsgNums: 7 })
    expect(all.messages).toHaveLength(7)
    expect(all.header.restNum).toBe(1)
    expect(all.header.msgOffsetInfo!.split(';')).toHaveLength(4)
    const last = await pop(on, { maxMsgNums: 7 })
    expect([...all.texts, ...last.texts].sort()).toEqual(['m0', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7'])
    for (const receipt of [...all.receipts, ...last.receipts]) expect(await ack(on, receipt)).toBe(ResponseCode.SUCCESS)
    for (let queueId = 0; queueId < 4; queueId++) expect(await committed(on, queueId)).toBe(2)
  })

  it('more than a pull may fetch at once, up to popMaxMsgNums', async () => {
    const on = await start({ sets: ['popMaxMsgNums=100'] })
    await sendAll(on, 130)
    const many = await pop(on, { maxMsgNums: 100 })
    expect(many.texts).toEqual(Array.from({ length: 100 }, (_, i) => `m${i}`))
    expect(many.header.restNum).toBe(30)
    expect(await ackBatch(on, many.receipts)).toBe(ResponseCode.SUCCESS)
    expect(await committed(on)).toBe(100)
    expect(await pop(on, { maxMsgNums: 101 })).toMatchObject({
      code: ResponseCode.INVALID_PARAMETER,
      remark: expect.stringContaining('100') as string,
    })
  })

  it('by tag: others are passed over for the whole group', async () => {
    const on = await start()
    for (let i = 0; i < 6; i++) await on.send('T', `m${i}`, { properties: properties({ TAGS: i % 3 === 0 ? 'A' : 'B' }) })
    const found = await pop(on, { exp: 'A' })
    expect(found.texts).toEqual(['m0', 'm3'])
    expect(found.header).toMatchObject({ startOffsetInfo: '0 0 0', msgOffsetInfo: '0 0 0,3' })
    expect(await ack(on, found.receipts[0]!)).toBe(ResponseCode.SUCCESS)
    expect(await committed(on)).toBe(3)
    expect(await ack(on, found.receipts[1]!)).toBe(ResponseCode.SUCCESS)
    expect(await committed(on)).toBe(6)
    expect((await pop(on, { exp: 'B' })).code).toBe(ResponseCode.POLLING_TIMEOUT)
    await sendAll(on, 3)
    expect((await pop(on, { exp: 'A' })).code).toBe(ResponseCode.POLLING_TIMEOUT)
    expect(await committed(on)).toBe(9)
  })

  it('a new group begins where it asks to', async () => {
    const on = await start({ sets: ['accessMessageInMemoryMaxRatio=1'] })
    await sendAll(on, 3)
    expect((await pop(on, { consumerGroup: 'Young', initMode: 1 })).texts).toEqual(['m0', 'm1', 'm2'])
    expect((await pop(on, { consumerGroup: 'First', initMode: 0 })).texts).toEqual(['m0', 'm1', 'm2'])
  })

  it('refuses what cannot be, with the codes of RocketMQ and all header fields', async () => {
    const on = await start({ sets: ['autoCreateSubscriptionGroup=false'] })
    await sendAll(on, 1)
    const refused = async (more: PopAsk): Promise<number> => {
      const answer = await pop(on, more)
      expect(answer.header).toMatchObject({ popTime: 0, invisibleTime: 0, reviveQid: 0, restNum: 0 })
      return answer.code
    }
    const consumerGroup = 'TOOLS_CONSUMER'
    expect(await refused({})).toBe(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST)
    expect(await refused({ consumerGroup, topic: 'None' })).toBe(ResponseCode.TOPIC_NOT_EXIST)
    expect(await refused({ consumerGroup, queueId: 4 })).toBe(ResponseCode.INVALID_PARAMETER)
    expect(await refused({ consumerGroup, maxMsgNums: 0 })).toBe(ResponseCode.INVALID_PARAMETER)
    expect(await refused({ consumerGroup, maxMsgNums: 1025 })).toBe(ResponseCode.INVALID_PARAMETER)
    expect(await refused({ consumerGroup, invisibleTime: -1 })).toBe(ResponseCode.INVALID_PARAMETER)
    expect(await refused({ consumerGroup, expType: 'SQL92', exp: 'a > 1' })).toBe(ResponseCode.SYSTEM_ERROR)
    expect(await refused({ consumerGroup, exp: ' || ' })).toBe(ResponseCode.SUBSCRIPTION_PARSE_FAILED)
    expect(await refused({ consumerGroup, bornTime: clock.now() - 5000, pollTime: 1000 })).toBe(ResponseCode.POLLING_TIMEOUT)
    const receipt = { topic: 'T', queueId: 0, offset: 0, extraInfo: `0 ${clock.now()} 60000 0 0 broker-a 0 0` }
    expect(await ack(on, { ...receipt, topic: 'None' })).toBe(ResponseCode.TOPIC_NOT_EXIST)
    expect(await ack(on, { ...receipt, queueId: 4 })).toBe(ResponseCode.MESSAGE_ILLEGAL)
    expect(await ack(on, { ...receipt, offset: 2 })).toBe(ResponseCode.NO_MESSAGE)
    expect(await ack(on, { ...receipt, extraInfo: 'x' })).toBe(ResponseCode.SYSTEM_ERROR)
    expect((await changeTime(on, { ...receipt, offset: 1 }, 1000)).code).toBe(ResponseCode.NO_MESSAGE)
    expect(await ackBatch(on, [])).toBe(ResponseCode.NO_MESSAGE)
    // A lease that nobody holds: success, and nothing happens.
    expect(await ack(on, receipt)).toBe(ResponseCode.SUCCESS)
  })

  it('at the limit of messages in flight pops find nothing until some are settled', async () => {
    const on = await start({ sets: ['popInflightMessagesPerQueueMax=3'] })
    await sendAll(on, 5)
    const first = await pop(on)
    expect(first.texts).toEqual(['m0', 'm1', 'm2'])
    expect(await pop(on)).toMatchObject({ code: ResponseCode.POLLING_TIMEOUT, header: { restNum: 2 } })
    const waiting = pop(on, { pollTime: 15_000 })
    expect(await ack(on, first.receipts[1]!)).toBe(ResponseCode.SUCCESS)
    expect((await waiting).texts).toEqual(['m3'])
  })

  it('another offset set from outside: a reset, one further on, one further back', async () => {
    const on = await start()
    await sendAll(on, 6)
    const first = await pop(on, { maxMsgNums: 4 })
    const set = (commitOffset: number): Promise<unknown> =>
      on.call(RequestCode.UPDATE_CONSUMER_OFFSET, {
        consumerGroup: 'G',
        topic: 'T',
        queueId: '0',
        commitOffset: String(commitOffset),
      })
    // Somebody who pulls has settled two of them.
    await set(2)
    expect((await pop(on, { maxMsgNums: 1 })).texts).toEqual(['m4'])
    expect(await ack(on, first.receipts[2]!)).toBe(ResponseCode.SUCCESS)
    expect(await committed(on)).toBe(3)
    await set(1)
    const again = await pop(on, { maxMsgNums: 1 })
    expect(again.texts).toEqual(['m1'])
    // The lease of before is void.
    expect(await ack(on, first.receipts[3]!)).toBe(ResponseCode.SUCCESS)
    expect(await committed(on)).toBe(1)
    await set(6)
    expect((await pop(on)).code).toBe(ResponseCode.POLLING_TIMEOUT)
    expect(await committed(on)).toBe(6)
  })

  it('peeks without taking', async () => {
    const on = await start()
    await sendAll(on, 3)
    const peek = async (): Promise<PopAnswer> =>
      popAnswer(
        await on.call(
          RequestCode.PEEK_MESSAGE,
          peekMessageRequest.encode({ consumerGroup: 'G', topic: 'T', queueId: 0, maxMsgNums: 2 }),
        ),
        {},
      )
    const answer = await on.call(RequestCode.PEEK_MESSAGE, { consumerGroup: 'G', topic: 'T', queueId: '0', maxMsgNums: '2' })
    expect(popMessageResponse.decode(answer.ext)).toMatchObject({ popTime: 0, invisibleTime: 0, restNum: 3 })
    await pop(on)
    await expect(peek()).resolves.toMatchObject({ code: ResponseCode.PULL_NOT_FOUND, texts: [] })
  })
})

describe('a lease that ends', () => {
  it('brings the message back through the retry topic, once more tried', async () => {
    const on = await start()
    await sendAll(on, 3, 'T', { properties: properties({ TAGS: 'A', KEYS: 'k' }) })
    const first = await pop(on, { invisibleTime: 10_000 })
    const popTime = clock.now()
    expect(await ack(on, first.receipts[1]!)).toBe(ResponseCode.SUCCESS)
    await clock.advanceAsync(9_000)
    expect((await pop(on)).code).toBe(ResponseCode.POLLING_TIMEOUT)
    await clock.advanceAsync(1_100)
    const back = await popSome(on, { exp: 'A' })
    expect(back.texts).toEqual(['m0', 'm2'])
    expect(back.header).toMatchObject({ startOffsetInfo: '1 0 0', msgOffsetInfo: '1 0 0,1' })
    for (const message of back.messages) {
      expect(message).toMatchObject({ topic: 'T', reconsumeTimes: 1, queueId: 0 })
      expect(getProperty(message.properties, '1ST_POP_TIME')).toBe(String(popTime))
      expect(getProperty(message.properties, 'KEYS')).toBe('k')
    }
    expect(await committed(on)).toBe(3)
    // The old receipt is void; the new one settles.
    expect(await ack(on, first.receipts[0]!)).toBe(ResponseCode.SUCCESS)
    expect(await committed(on, 0, '%RETRY%G_T')).toBe(0)
    expect(await ack(on, back.receipts[0]!)).toBe(ResponseCode.SUCCESS)
    expect(await committed(on, 0, '%RETRY%G_T')).toBe(1)
    // What fails again goes into the same topic.
    await clock.advanceAsync(61_000)
    const third = await popSome(on)
    expect(third.messages.map(each => [each.body.toString(), each.reconsumeTimes, each.queueOffset])).toEqual([['m2', 2, 2]])
    expect(getProperty(third.messages[0]!.properties, '1ST_POP_TIME')).toBe(String(popTime))
    expect(await ackBatch(on, third.receipts)).toBe(ResponseCode.SUCCESS)
    expect(await committed(on, 0, '%RETRY%G_T')).toBe(3)
    expect((await pop(on)).code).toBe(ResponseCode.POLLING_TIMEOUT)
  })

  it('a compressed body stays as it is', async () => {
    const on = await start()
    await on.send('T', 'not really zlib', { sysFlag: SysFlag.COMPRESSED })
    await pop(on, { invisibleTime: 1000 })
    await clock.advanceAsync(1100)
    const [message] = (await popSome(on)).messages
    expect(message!.sysFlag & SysFlag.COMPRESSED).toBe(SysFlag.COMPRESSED)
    expect(message!.body.toString()).toBe('not really zlib')
  })

  it('its time can be changed, for one message and again and again', async () => {
    const on = await start()
    await sendAll(on, 2)
    const first = await pop(on, { invisibleTime: 10_000 })
    await clock.advanceAsync(5000)
    const longer = await changeTime(on, first.receipts[0]!, 30_000)
    expect(longer.code).toBe(ResponseCode.SUCCESS)
    expect(longer.extraInfo.split(' ').slice(0, 3)).toEqual(['0', String(clock.now()), '30000'])
    await clock.advanceAsync(5100)
    expect((await popSome(on)).texts).toEqual(['m1'])
    await clock.advanceAsync(20_000)
    const longest = await changeTime(on, longer, 30_000)
    // The receipts before it are void.
    expect(await ack(on, first.receipts[0]!)).toBe(ResponseCode.SUCCESS)
    expect(await ack(on, longer)).toBe(ResponseCode.SUCCESS)
    expect(await committed(on)).toBe(0)
    await clock.advanceAsync(29_000)
    expect(await ack(on, longest)).toBe(ResponseCode.SUCCESS)
    expect(await committed(on)).toBe(2)
    await clock.advanceAsync(120_000)
    expect((await popSome(on)).texts).toEqual(['m1'])
    expect((await pop(on)).code).toBe(ResponseCode.POLLING_TIMEOUT)
  })

  it('changed to nothing it ends at once; put aside on purpose it is no further try', async () => {
    const on = await start()
    await sendAll(on, 2)
    const [a, b] = (await pop(on)).receipts
    expect((await changeTime(on, a!, 0)).code).toBe(ResponseCode.SUCCESS)
    const back = await popSome(on)
    expect(back.messages.map(each => [each.body.toString(), each.reconsumeTimes])).toEqual([['m0', 1]])
    expect((await changeTime(on, b!, 0, true)).code).toBe(ResponseCode.SUCCESS)
    const aside = await popSome(on)
    expect(aside.messages.map(each => [each.body.toString(), each.reconsumeTimes])).toEqual([['m1', 0]])
    // A lease that has ended cannot be made longer.
    expect((await changeTime(on, a!, 60_000)).code).toBe(ResponseCode.SUCCESS)
    expect((await pop(on)).code).toBe(ResponseCode.POLLING_TIMEOUT)
    expect(await committed(on)).toBe(2)
  })

  it('whatever the wall clock does', async () => {
    const on = await start()
    await sendAll(on, 2)
    const [, b] = (await pop(on, { invisibleTime: 10_000 })).receipts
    clock.jump(3_600_000)
    expect((await pop(on)).code).toBe(ResponseCode.POLLING_TIMEOUT)
    clock.jump(-7_200_000)
    expect(await ack(on, b!)).toBe(ResponseCode.SUCCESS)
    await clock.advanceAsync(10_100)
    expect((await popSome(on)).texts).toEqual(['m0'])
  })
})

describe('waiting pops', () => {
  it('are woken by a message, one of them at a time', async () => {
    const on = await start()
    await sendAll(on, 1)
    await pop(on)
    const waiting = [1, 2].map(() => pop(on, { pollTime: 15_000 }))
    while ((await polling(on)) < 2) await Promise.resolve()
    await on.send('T', 'news')
    const first = await Promise.race(waiting)
    expect(first.texts).toEqual(['news'])
    expect(await polling(on)).toBe(1)
    await on.send('T', 'more')
    expect((await Promise.all(waiting)).flatMap(answer => answer.texts).sort()).toEqual(['more', 'news'])
  })

  it('are woken by what comes back', async () => {
    const on = await start()
    await sendAll(on, 1)
    await pop(on, { invisibleTime: 5000 })
    const waiting = pop(on, { pollTime: 15_000, queueId: 0 })
    while ((await polling(on, 0)) === 0) await Promise.resolve()
    await clock.advanceAsync(5100)
    expect((await waiting).texts).toEqual(['m0'])
  })

  it('and are answered 210 when their time is up, 209 when too many wait', async () => {
    const on = await start({ sets: ['popPollingSize=1'] })
    await sendAll(on, 1)
    await pop(on)
    const waiting = pop(on, { pollTime: 1500 })
    while ((await polling(on)) === 0) await Promise.resolve()
    expect((await pop(on, { pollTime: 1500 })).code).toBe(ResponseCode.POLLING_FULL)
    await clock.advanceAsync(1400)
    expect(await polling(on)).toBe(1)
    await clock.advanceAsync(100)
    expect(await waiting).toMatchObject({ code: ResponseCode.POLLING_TIMEOUT, header: { startOffsetInfo: '' } })
  })

  it('are woken when the offsets of their group are reset', async () => {
    const on = await start()
    await sendAll(on, 2)
    await ackBatch(on, (await pop(on)).receipts)
    const waiting = pop(on, { pollTime: 15_000 })
    while ((await polling(on)) === 0) await Promise.resolve()
    const reset = { topic: 'T', group: 'G', timestamp: '0', isForce: 'true' }
    expect((await on.call(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, reset)).code).toBe(ResponseCode.SUCCESS)
    expect((await waiting).texts).toEqual(['m0', 'm1'])
    expect(await committed(on)).toBe(0)
  })

  it('are answered when the broker stops', async () => {
    const on = await start({ clock: systemClock })
    await sendAll(on, 1)
    await pop(on)
    const waiting = pop(on, { pollTime: 15_000 })
    while ((await polling(on)) === 0) await Promise.resolve()
    const stopping = on.broker.close()
    expect((await waiting).code).toBe(ResponseCode.POLLING_TIMEOUT)
    await on.caller.close()
    await stopping
  })

  it('notifications tell that there is something, and take nothing', async () => {
    const on = await start()
    await sendAll(on, 1)
    const notified = async (pollTime: number): Promise<unknown> =>
      (
        await on.call(
          RequestCode.NOTIFICATION,
          notificationRequest.encode({ consumerGroup: 'G', topic: 'T', queueId: -1, pollTime, bornTime: 0 }),
        )
      ).ext
    expect(await notified(0)).toEqual({ hasMsg: 'true', pollingFull: 'false' })
    await pop(on)
    expect(await notified(0)).toEqual({ hasMsg: 'false', pollingFull: 'false' })
    const waiting = [notified(15_000), notified(15_000)]
    while ((await polling(on)) < 2) await Promise.resolve()
    await on.send('T', 'news')
    expect(await Promise.all(waiting)).toEqual([1, 2].map(() => ({ hasMsg: 'true', pollingFull: 'false' })))
    expect((await pop(on)).texts).toEqual(['news'])
  })

  const polling = async (on: TestBroker, queueId = -1): Promise<number> =>
    Number(
      (await on.call(RequestCode.POLLING_INFO, { consumerGroup: 'G', topic: 'T', queueId: String(queueId) })).ext!['pollingNum'],
    )
})

describe('a restart', () => {
  it('keeps leases and what was acknowledged', async () => {
    let on = await start()
    await sendAll(on, 4)
    const first = await pop(on, { invisibleTime: 30_000 })
    expect(await ack(on, first.receipts[0]!)).toBe(ResponseCode.SUCCESS)
    expect(await ack(on, first.receipts[2]!)).toBe(ResponseCode.SUCCESS)
    const moved = await changeTime(on, first.receipts[1]!, 100_000)
    broker = on = await on.restart()
    expect(await committed(on)).toBe(1)
    expect((await pop(on)).code).toBe(ResponseCode.POLLING_TIMEOUT)
    // Receipts are good across it.
    await clock.advanceAsync(30_100)
    expect((await popSome(on)).texts).toEqual(['m3'])
    expect(await ack(on, moved)).toBe(ResponseCode.SUCCESS)
    expect(await committed(on)).toBe(4)
    await clock.advanceAsync(100_000)
    expect((await popSome(on)).texts).toEqual(['m3'])
    expect((await pop(on)).code).toBe(ResponseCode.POLLING_TIMEOUT)
  })

  it('a topic that was deleted and made again is read from its start', async () => {
    const on = await start()
    await sendAll(on, 4)
    const first = await pop(on)
    expect((await on.call(RequestCode.DELETE_TOPIC_IN_BROKER, { topic: 'T' })).code).toBe(ResponseCode.SUCCESS)
    await clock.advanceAsync(120_000)
    await sendAll(on, 1)
    expect((await pop(on)).texts).toEqual(['m0'])
    expect(await ack(on, first.receipts[0]!)).toBe(ResponseCode.SUCCESS)
    expect(await committed(on)).toBe(0)
  })
})
