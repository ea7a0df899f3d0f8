import { RequestCode, ResponseCode } from '@cometmq/remoting'
import { FakeClock } from '@cometmq/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { startTestBroker, type TestBroker } from './harness.ts'
import { ack, ackBatch, changeTime, committed, pop, type PopAnswer, type PopAsk } from './pop-client.ts'

let broker: TestBroker | null = null
let clock = new FakeClock()
afterEach(async () => {
  await broker?.close()
  broker = null
})

async function start(messages: number): Promise<TestBroker> {
  clock = new FakeClock()
  broker = await startTestBroker({ clock })
  for (let i = 0; i < messages; i++) await broker.send('T', `m${i}`)
  return broker
}

const popInOrder = (on: TestBroker, more: PopAsk = {}): Promise<PopAnswer> => pop(on, { order: true, queueId: 0, ...more })

describe('orderly pop', () => {
  it('waits until the batch before is acknowledged, and commits in order', async () => {
    const on = await start(4)
    const first = await popInOrder(on, { maxMsgNums: 2 })
    expect(first.texts).toEqual(['m0', 'm1'])
    expect(first.header).toMatchObject({
      reviveQid: 999,
      restNum: 2,
      startOffsetInfo: '0 0 0',
      msgOffsetInfo: '0 0 0,1',
      orderCountInfo: '0 0 0',
    })
    expect(await popInOrder(on)).toMatchObject({ code: ResponseCode.POLLING_TIMEOUT, header: { restNum: 4 } })
    expect(await ack(on, first.receipts[1]!)).toBe(ResponseCode.SUCCESS)
    expect(await committed(on)).toBe(0)
    const waiting = popInOrder(on, { pollTime: 15_000 })
    expect(await ack(on, first.receipts[0]!)).toBe(ResponseCode.SUCCESS)
    expect((await waiting).texts).toEqual(['m2', 'm3'])
    expect(await committed(on)).toBe(2)
    expect(await ackBatch(on, (await waiting).receipts)).toBe(ResponseCode.SUCCESS)
    expect(await committed(on)).toBe(4)
  })

  it('brings an expired batch again from its first open message, and counts', async () => {
    const on = await start(4)
    const first = await popInOrder(on, { maxMsgNums: 3, invisibleTime: 10_000 })
    expect(await ack(on, first.receipts[1]!)).toBe(ResponseCode.SUCCESS)
    const waiting = popInOrder(on, { pollTime: 30_000 })
    await clock.advanceAsync(10_100)
    const second = await waiting
    expect(second.texts).toEqual(['m0', 'm2', 'm3'])
    expect(second.header).toMatchObject({ msgOffsetInfo: '0 0 0,2,3', orderCountInfo: '0 qo0%0 1;0 qo0%2 1;0 0 0' })
    // The first batch is void.
    expect(await ack(on, first.receipts[0]!)).toBe(ResponseCode.SUCCESS)
    expect(await committed(on)).toBe(0)
    expect(await ack(on, second.receipts[0]!)).toBe(ResponseCode.SUCCESS)
    expect(await committed(on)).toBe(2)
    expect(await ack(on, { ...second.receipts[0]!, offset: 3, extraInfo: second.receipts[0]!.extraInfo })).toBe(
      ResponseCode.SUCCESS,
    )
    expect(await ack(on, { ...second.receipts[0]!, offset: 1 })).toBe(ResponseCode.SUCCESS)
    expect(await ack(on, { ...second.receipts[0]!, offset: 4 })).toBe(ResponseCode.MESSAGE_ILLEGAL)
    expect(await ack(on, second.receipts[1]!)).toBe(ResponseCode.SUCCESS)
    expect(await committed(on)).toBe(4)
    // Nothing comes back through a retry topic.
    await clock.advanceAsync(60_000)
    expect((await on.call(RequestCode.GET_TOPIC_CONFIG, { topic: '%RETRY%G_T' })).code).toBe(ResponseCode.TOPIC_NOT_EXIST)
  })

  it('a pop tried again with its attempt id gets its batch at once, without counting', async () => {
    const on = await start(3)
    await popInOrder(on, { maxMsgNums: 2, attemptId: 'a' })
    expect((await popInOrder(on, { maxMsgNums: 2, attemptId: 'b' })).code).toBe(ResponseCode.POLLING_TIMEOUT)
    const again = await popInOrder(on, { maxMsgNums: 2, attemptId: 'a' })
    expect(again.texts).toEqual(['m0', 'm1'])
    expect(again.header.orderCountInfo).toBe('0 0 0')
  })

  it('a message whose time was changed holds the queue that long', async () => {
    const on = await start(2)
    const first = await popInOrder(on, { maxMsgNums: 1, invisibleTime: 10_000 })
    const changed = await changeTime(on, first.receipts[0]!, 30_000)
    expect(changed.code).toBe(ResponseCode.SUCCESS)
    // The pop time stays that of the batch.
    expect(changed.extraInfo.split(' ').slice(1, 4)).toEqual([String(first.header.popTime), '30000', '999'])
    await clock.advanceAsync(29_000)
    expect((await popInOrder(on)).code).toBe(ResponseCode.POLLING_TIMEOUT)
    await clock.advanceAsync(1_100)
    expect((await popInOrder(on)).texts).toEqual(['m0', 'm1'])
  })

  it('changed to nothing it may be popped at once', async () => {
    const on = await start(1)
    const first = await popInOrder(on)
    await changeTime(on, first.receipts[0]!, 0)
    const again = await popInOrder(on)
    expect(again.texts).toEqual(['m0'])
    expect(again.header.orderCountInfo).toBe('0 qo0%0 1;0 0 1')
  })

  it('changed to nothing it wakes a pop that waits', async () => {
    const on = await start(1)
    const first = await popInOrder(on)
    const waiting = popInOrder(on, { pollTime: 15_000 })
    await changeTime(on, first.receipts[0]!, 0)
    expect((await waiting).texts).toEqual(['m0'])
  })

  it('keeps its state over a restart', async () => {
    let on = await start(3)
    const first = await popInOrder(on, { maxMsgNums: 2, invisibleTime: 20_000, attemptId: 'a' })
    expect(await ack(on, first.receipts[0]!)).toBe(ResponseCode.SUCCESS)
    broker = on = await on.restart()
    expect(await committed(on)).toBe(1)
    expect((await popInOrder(on)).code).toBe(ResponseCode.POLLING_TIMEOUT)
    await clock.advanceAsync(20_100)
    const second = await popInOrder(on)
    expect(second.texts).toEqual(['m1', 'm2'])
    expect(second.header.orderCountInfo).toBe('0 qo0%1 1;0 0 0')
    expect(await ackBatch(on, second.receipts)).toBe(ResponseCode.SUCCESS)
    expect(await committed(on)).toBe(3)
  })
})
