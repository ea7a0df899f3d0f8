import { type Command, decodeBatchAck, encodeProperties, encodeRecord, type Reply, RequestCode } from '@cometmq/remoting'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { type PopOptions, type Popper, type PopReceipt } from '../src/index.ts'
import { AckBody, maxBits } from '../src/popper/ack-body.ts'
import { connect, nameServerFor, type Scripted, scripted } from './scripted.ts'

const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const item of opened.splice(0).reverse()) await item.close()
})
async function open<T extends { close(): Promise<void> }>(item: T | Promise<T>): Promise<T> {
  const ready = await item
  opened.push(ready)
  return ready
}
async function popperOf(broker: Scripted): Promise<Popper> {
  const ns = await open(nameServerFor({ a: broker.address }))
  return (await open(connect(ns.address))).popper()
}

interface Stored {
  queueId: number
  offset: number
  reconsumeTimes?: number
  properties?: [string, string][]
}
const recordOf = ({ queueId, offset, reconsumeTimes = 0, properties = [] }: Stored): Buffer =>
  encodeRecord({
    topic: 'T',
    queueId,
    queueOffset: offset,
    reconsumeTimes,
    physicalOffset: 0,
    flag: 0,
    sysFlag: 0,
    bornTimestamp: 1,
    storeTimestamp: 2,
    bornHost: Buffer.alloc(8),
    storeHost: Buffer.from([127, 0, 0, 1, 0, 0, 0, 9]),
    preparedTransactionOffset: 0,
    body: Buffer.from('b'),
    properties: encodeProperties(properties),
  })
const popAnswer = (messages: readonly Stored[], ext: Record<string, string> = {}): Reply => ({
  code: 0,
  ext: { popTime: '1000', invisibleTime: '60000', reviveQid: '3', restNum: '0', ...ext },
  body: Buffer.concat(messages.map(recordOf)),
})
const options: PopOptions = {
  topic: 'T',
  group: 'G',
  brokerName: 'a',
  maxMessages: 32,
  invisibleMs: 60_000,
  holdMs: 0,
  from: 'latest',
}
const receiptOf = (extra: Partial<PopReceipt> = {}): PopReceipt => ({
  group: 'G',
  topic: 'T',
  brokerName: 'a',
  queueId: 0,
  offset: 5,
  startOffset: 0,
  popTime: 1_000,
  invisibleMs: 60_000,
  reviveQueueId: 3,
  retry: 0,
  ...extra,
})

describe('pop', () => {
  it('asks for what it was told to', async () => {
    const broker = await open(scripted({ [RequestCode.POP_MESSAGE]: () => ({ code: 210 }) }))
    const popper = await popperOf(broker)
    await popper.pop({ ...options, queueId: 2, expression: 'A || B', ordered: true, attemptId: 'x', holdMs: 7 })
    expect(broker.asked.at(-1)!.ext).toMatchObject({
      consumerGroup: 'G',
      queueId: '2',
      maxMsgNums: '32',
      invisibleTime: '60000',
      pollTime: '7',
      bornTime: '0',
      initMode: '1',
      expType: 'TAG',
      exp: 'A || B',
      order: 'true',
      attemptId: 'x',
    })
    await popper.pop({ ...options, from: 'earliest' })
    expect(broker.asked.at(-1)!.ext).toMatchObject({ queueId: '-1', initMode: '0', exp: '*', order: 'false' })
  })

  it.each([19, 209, 210])('is empty when the broker answers %i', async code => {
    const broker = await open(scripted({ [RequestCode.POP_MESSAGE]: () => ({ code, ext: { startOffsetInfo: '' } }) }))
    expect(await (await popperOf(broker)).pop(options)).toEqual([])
  })

  it('asks a broker for no more than it gave the last time', async () => {
    const answer = (request: Command): Reply => (Number(request.ext!['maxMsgNums']) > 32 ? { code: 29 } : { code: 210 })
    const broker = await open(scripted({ [RequestCode.POP_MESSAGE]: answer }))
    const popper = await popperOf(broker)
    for (let n = 0; n < 3; n++) await popper.pop({ ...options, maxMessages: 500 })
    expect(broker.asked.map(request => request.ext!['maxMsgNums'])).toEqual(['500', '32', '32', '32'])
  })

  it('says that the group is missing', async () => {
    const broker = await open(scripted({ [RequestCode.POP_MESSAGE]: () => ({ code: 26, remark: 'no group' }) }))
    await expect((await popperOf(broker)).pop(options)).rejects.toMatchObject({ code: 'E_GROUP_NOT_FOUND' })
  })

  it('derives receipts: from the header, from the message, and from its place when the header is silent', async () => {
    const ck = '7 900 30000 1 1 a 0 9'
    const stored: Stored[] = [
      { queueId: 0, offset: 12 },
      { queueId: 0, offset: 14 },
      { queueId: 1, offset: 3 },
      { queueId: 1, offset: 4 },
      { queueId: 0, offset: 9, reconsumeTimes: 1, properties: [['POP_CK', ck]] },
    ]
    const broker = await open(
      scripted({ [RequestCode.POP_MESSAGE]: () => popAnswer(stored, { startOffsetInfo: '0 0 10;1 0 7' }) }),
    )
    const receipts = (await (await popperOf(broker)).pop(options)).map(({ receipt }) => receipt)
    const batch = { group: 'G', topic: 'T', brokerName: 'a', popTime: 1_000, invisibleMs: 60_000, reviveQueueId: 3, retry: 0 }
    expect(receipts).toMatchObject([
      { ...batch, queueId: 0, offset: 12, startOffset: 10 },
      { ...batch, queueId: 0, offset: 14, startOffset: 10 },
      { ...batch, queueId: 1, offset: 3, startOffset: 3 },
      { ...batch, queueId: 1, offset: 4, startOffset: 3 },
      {
        group: 'G',
        topic: 'T',
        queueId: 0,
        offset: 9,
        startOffset: 7,
        popTime: 900,
        invisibleMs: 30_000,
        reviveQueueId: 1,
        retry: 1,
      },
    ])
  })

  it('takes the count of deliveries in order from the header', async () => {
    const stored: Stored[] = [5, 6].map(offset => ({ queueId: 2, offset }))
    const broker = await open(
      scripted({ [RequestCode.POP_MESSAGE]: () => popAnswer(stored, { orderCountInfo: '0 2 1;0 qo2%6 4' }) }),
    )
    const messages = await (await popperOf(broker)).pop({ ...options, ordered: true })
    expect(messages.map(message => message.reconsumeTimes)).toEqual([1, 4])
  })

  it('rejects an answer that is no list of messages', async () => {
    const body = Buffer.concat([recordOf({ queueId: 0, offset: 0 }), Buffer.alloc(50, 1)])
    const broker = await open(scripted({ [RequestCode.POP_MESSAGE]: () => ({ ...popAnswer([]), body }) }))
    await expect((await popperOf(broker)).pop(options)).rejects.toMatchObject({ code: 'E_PROTOCOL' })
  })
})

describe('ack', () => {
  it('is one request for all of a turn', async () => {
    const broker = await open(scripted({ [RequestCode.BATCH_ACK_MESSAGE]: () => ({ code: 0 }) }))
    const popper = await popperOf(broker)
    const receipts = [receiptOf(), receiptOf({ offset: 6 }), receiptOf({ queueId: 1, retry: 2 })]
    expect(await Promise.all(receipts.map(receipt => popper.ack([receipt])))).toEqual([[], [], []])
    expect(broker.asked).toHaveLength(1)
    const { acks, brokerName } = decodeBatchAck(broker.asked[0]!.body)
    expect(brokerName).toBe('a')
    expect(acks).toMatchObject([
      {
        consumerGroup: 'G',
        topic: 'T',
        retry: 0,
        queueId: 0,
        startOffset: 0,
        popTime: 1_000,
        invisibleTime: 60_000,
        reviveQueueId: 3,
      },
      { retry: 2, queueId: 1 },
    ])
    expect(acks.map(ack => [...ack.bits])).toEqual([[0b110_0000], [0b10_0000]])
  })

  it('goes singly to a broker that does not know batches, and for a message far behind the start', async () => {
    const single = (request: Command): Reply => ({ code: request.ext!['offset'] === '6' ? 208 : 0 })
    const broker = await open(scripted({ [RequestCode.ACK_MESSAGE]: single }))
    const popper = await popperOf(broker)
    const receipts = [receiptOf({ retry: 1 }), receiptOf({ offset: 6, retry: 2 }), receiptOf({ offset: maxBits })]
    expect(await popper.ack(receipts)).toMatchObject([{ receipt: receipts[1], error: { brokerCode: 208 } }])
    expect(broker.asked.map(request => request.ext)).toMatchObject([
      { topic: '%RETRY%G_T', extraInfo: '0 1000 60000 3 1 a 0 5', offset: '5' },
      { topic: '%RETRY%G+T', extraInfo: '0 1000 60000 3 2 a 0 6', offset: '6' },
      { topic: 'T', offset: String(maxBits) },
    ])
  })

  it('tells which receipts failed, and why', async () => {
    const broker = await open(scripted({ [RequestCode.BATCH_ACK_MESSAGE]: () => ({ code: 1, remark: 'no disk' }) }))
    const popper = await popperOf(broker)
    const receipts = [receiptOf(), receiptOf({ offset: 6 })]
    const [mine, other] = await Promise.all([popper.ack(receipts), popper.ack([receiptOf({ brokerName: 'gone' })])])
    expect(mine.map(({ receipt }) => receipt)).toEqual(receipts)
    expect(mine[0]!.error).toMatchObject({ code: 'E_BROKER', outcome: 'unknown' })
    expect(other).toMatchObject([{ error: { code: 'E_NO_BROKER', outcome: 'not-executed' } }])
  })

  it('sets exactly the bits of what was acknowledged', () => {
    const receipts = fc.array(
      fc.record({
        topic: fc.constantFrom('T', 'U"'),
        queueId: fc.nat(2),
        retry: fc.constantFrom<0 | 1 | 2>(0, 1),
        popTime: fc.constantFrom(1, 2 ** 41),
        offset: fc.oneof(fc.nat(70), fc.nat(maxBits - 1)),
      }),
      { minLength: 1, maxLength: 60 },
    )
    fc.assert(
      fc.property(receipts, list => {
        const body = new AckBody()
        for (const extra of list) body.add(receiptOf({ ...extra, offset: extra.offset + 1_000, startOffset: 1_000 }))
        const { acks } = decodeBatchAck(body.encode('a'))
        const seen = acks.flatMap(({ bits, popTime, queueId, retry, startOffset, topic }) =>
          [...bits].flatMap((byte, at) =>
            [0, 1, 2, 3, 4, 5, 6, 7]
              .filter(bit => (byte >> bit) & 1)
              .map(bit => `${topic} ${queueId} ${retry} ${popTime} ${startOffset + at * 8 + bit}`),
          ),
        )
        const sent = list.map(
          ({ offset, popTime, queueId, retry, topic }) => `${topic} ${queueId} ${retry} ${popTime} ${offset + 1_000}`,
        )
        expect(seen.sort()).toEqual([...new Set(sent)].sort())
      }),
    )
  })
})

describe('lag', () => {
  it('counts the retry topics too, from the start of what was never committed', async () => {
    const topics = ['T', '%RETRY%G_T']
    const route = (request: Command): Reply =>
      topics.includes(request.ext!['topic']!)
        ? { code: 0, body: Buffer.from(JSON.stringify(routeTo(broker.address))) }
        : { code: 17, remark: 'none' }
    const broker = await open(
      scripted({
        [RequestCode.QUERY_CONSUMER_OFFSET]: request =>
          request.ext!['topic'] === 'T' ? { code: 0, ext: { offset: '40' } } : { code: 22, remark: 'none' },
        [RequestCode.GET_MIN_OFFSET]: () => ({ code: 0, ext: { offset: '10' } }),
        [RequestCode.GET_MAX_OFFSET]: () => ({ code: 0, ext: { offset: '50' } }),
        [RequestCode.PULL_MESSAGE]: request => ({
          code: 0,
          ext: { suggestWhichBrokerId: '0', nextBeginOffset: '50', minOffset: '10', maxOffset: '50' },
          body: recordOf({ queueId: 0, offset: Number(request.ext!['queueOffset']) }),
        }),
      }),
    )
    const ns = await open(scripted({ [RequestCode.GET_ROUTEINFO_BY_TOPIC]: route }))
    const popper = (await open(connect(ns.address))).popper()
    expect(await popper.lag('T', 'G')).toEqual({ messages: 10 + 40, oldest: 2 })
    const pulls = broker.asked.filter(request => request.code === RequestCode.PULL_MESSAGE)
    expect(pulls.map(request => request.ext!['queueOffset']).sort()).toEqual(['10', '40'])
  })

  const routeTo = (address: string): object => ({
    brokerDatas: [{ brokerName: 'a', cluster: 'c', brokerAddrs: { 0: address } }],
    queueDatas: [{ brokerName: 'a', readQueueNums: 1, writeQueueNums: 1, perm: 6, topicSysFlag: 0 }],
  })
})
