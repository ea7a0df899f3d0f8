import {
  ackMessageRequest,
  decodeRecords,
  encodePopCheckPoint,
  parsePoppedQueues,
  popMessageRequest,
  popMessageResponse,
  RequestCode,
  ResponseCode,
  type InputOf,
  type MessageRecord,
  type ValueOf,
} from '@cometmq/remoting'
import { afterEach, describe, expect, it } from 'vitest'
import { startTestBroker, type HarnessOptions, type TestBroker } from './harness.ts'

interface PopAnswer {
  code: number
  remark: string | null
  header: ValueOf<typeof popMessageResponse>
  messages: MessageRecord[]
  texts: string[]
}

let broker: TestBroker | null = null
afterEach(async () => {
  await broker?.close()
  broker = null
})

async function start(options: HarnessOptions = {}): Promise<TestBroker> {
  return (broker = await startTestBroker(options))
}

async function pop(on: TestBroker, more: Partial<InputOf<typeof popMessageRequest>> = {}): Promise<PopAnswer> {
  const ext = popMessageRequest.encode({
    consumerGroup: 'G',
    topic: 'T',
    queueId: -1,
    maxMsgNums: 32,
    invisibleTime: 60_000,
    pollTime: 0,
    bornTime: 0,
    initMode: 0,
    expType: 'TAG',
    exp: '*',
    ...more,
  })
  const { code, remark, ext: answered, body } = await on.call(RequestCode.POP_MESSAGE, ext)
  const messages = body === null ? [] : decodeRecords(Buffer.from(body))
  return {
    code,
    remark,
    header: popMessageResponse.decode(answered),
    messages,
    texts: messages.map(each => each.body.toString()),
  }
}

function receipts(answer: PopAnswer): { offset: number; queueId: number; extraInfo: string }[] {
  const starts = parsePoppedQueues(answer.header.startOffsetInfo ?? '')
  return parsePoppedQueues(answer.header.msgOffsetInfo ?? '').flatMap(({ retry, queueId, offsets }, i) =>
    offsets.map(offset => ({
      offset,
      queueId,
      extraInfo: encodePopCheckPoint({
        startOffset: starts[i]!.offsets[0]!,
        popTime: answer.header.popTime,
        invisibleTime: answer.header.invisibleTime,
        reviveQueueId: answer.header.reviveQid,
        retry,
        brokerName: 'broker-a',
        queueId,
        offset,
      }),
    })),
  )
}

const ack = (on: TestBroker, receipt: { offset: number; queueId: number; extraInfo: string }, topic = 'T') =>
  on.call(RequestCode.ACK_MESSAGE, ackMessageRequest.encode({ consumerGroup: 'G', topic, ...receipt }))

async function sendAll(on: TestBroker, count: number): Promise<void> {
  for (let i = 0; i < count; i++) expect((await on.send('T', `m${i}`)).code).toBe(ResponseCode.SUCCESS)
}

describe('pop', () => {
  it('hands out each message once', async () => {
    const on = await start()
    await sendAll(on, 5)
    const first = await pop(on, { maxMsgNums: 3 })
    expect(first.code).toBe(ResponseCode.SUCCESS)
    expect(first.texts).toEqual(['m0', 'm1', 'm2'])
    expect(first.header).toMatchObject({
      startOffsetInfo: '0 0 0',
      msgOffsetInfo: '0 0 0,1,2',
      restNum: 2,
      invisibleTime: 60_000,
    })
    const second = await pop(on)
    expect(second.texts).toEqual(['m3', 'm4'])
    expect((await pop(on)).code).toBe(ResponseCode.POLLING_TIMEOUT)
    for (const receipt of [...receipts(first), ...receipts(second)])
      expect((await ack(on, receipt)).code).toBe(ResponseCode.SUCCESS)
  })
})
