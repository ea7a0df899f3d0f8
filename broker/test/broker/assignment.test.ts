import {
  decodeAssignments,
  decodeMessageRequestModes,
  encodeMessageRequestMode,
  encodeQueryAssignment,
  RequestCode,
  ResponseCode,
  type MessageRequestModeBody,
} from '@cometmq/remoting'
import { afterEach, describe, expect, it } from 'vitest'
import { heartbeatBody, startTestBroker, TIMEOUT_MS, type TestBroker } from './harness.ts'

let broker: TestBroker
afterEach(() => broker.close())

async function start(queues: number, members: number): Promise<void> {
  broker = await startTestBroker()
  const ext = {
    topic: 'T',
    defaultTopic: 'TBW102',
    readQueueNums: String(queues),
    writeQueueNums: String(queues),
    perm: '6',
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: '0',
    order: 'false',
  }
  expect((await broker.call(RequestCode.UPDATE_AND_CREATE_TOPIC, ext)).code).toBe(ResponseCode.SUCCESS)
  for (let i = 0; i < members; i++) {
    const body = heartbeatBody('G', ['T'], {}, `c${i}`)
    await broker.newCaller().call(broker.address, { code: RequestCode.HEART_BEAT, body }, TIMEOUT_MS)
  }
}

const setMode = async (mode: Partial<MessageRequestModeBody>): Promise<number> => {
  const body = encodeMessageRequestMode({ topic: 'T', consumerGroup: 'G', mode: 'POP', popShareQueueNum: 0, ...mode })
  return (await broker.call(RequestCode.SET_MESSAGE_REQUEST_MODE, undefined, body)).code
}

/** `mode queue,queue` of a member; null when nothing is to change. */
async function assigned(
  clientId: string,
  more: { strategyName?: string; topic?: string; messageModel?: string } = {},
): Promise<string | null> {
  const body = encodeQueryAssignment({
    topic: 'T',
    consumerGroup: 'G',
    clientId,
    strategyName: 'AVG',
    messageModel: 'CLUSTERING',
    ...more,
  })
  const answer = await broker.call(RequestCode.QUERY_ASSIGNMENT, undefined, body)
  if (answer.code !== ResponseCode.SUCCESS) return `code ${answer.code}`
  const assignments = decodeAssignments(answer.body)
  if (assignments === null) return null
  const modes = [...new Set(assignments.map(each => each.mode))].join()
  expect(assignments.every(each => each.messageQueue.brokerName === 'broker-a')).toBe(true)
  return `${modes} ${assignments.map(each => each.messageQueue.queueId).join()}`
}

describe('assignments', () => {
  it('PULL: the same as clients work out themselves', async () => {
    await start(7, 3)
    expect([await assigned('c0'), await assigned('c1'), await assigned('c2')]).toEqual(['PULL 0,1,2', 'PULL 3,4', 'PULL 5,6'])
    const strategyName = 'AVG_BY_CIRCLE'
    expect(await assigned('c0', { strategyName })).toBe('PULL 0,3,6')
    expect(await assigned('c2', { strategyName })).toBe('PULL 2,5')
    expect(await assigned('c1', { messageModel: 'BROADCASTING' })).toBe('PULL 0,1,2,3,4,5,6')
    expect(await assigned('stranger')).toBe(' ')
    expect(await assigned('c0', { strategyName: 'OTHER' })).toBe(`code ${ResponseCode.SYSTEM_ERROR}`)
    expect(await assigned('c0', { topic: 'None' })).toBe(null)
  })

  it('PULL: more members than queues', async () => {
    await start(2, 3)
    expect([await assigned('c0'), await assigned('c1'), await assigned('c2')]).toEqual(['PULL 0', 'PULL 1', ' '])
  })

  it('POP: every member all queues, or its own and those of the next ones', async () => {
    await start(8, 4)
    expect(await setMode({})).toBe(ResponseCode.SUCCESS)
    expect(await assigned('c0')).toBe('POP -1')
    expect(await setMode({ popShareQueueNum: 1 })).toBe(ResponseCode.SUCCESS)
    expect(await assigned('c0')).toBe('POP 0,1,2,3')
    expect(await assigned('c3')).toBe('POP 6,7,0,1')
    expect(await setMode({ popShareQueueNum: 3 })).toBe(ResponseCode.SUCCESS)
    expect(await assigned('c3')).toBe('POP -1')
  })

  it('nothing changes for a group that has no members', async () => {
    await start(2, 0)
    expect(await assigned('c0')).toBe(null)
  })

  it('modes are refused where they cannot be, kept over a restart, and listed', async () => {
    await start(2, 0)
    expect(await setMode({ topic: '%RETRY%G' })).toBe(ResponseCode.NO_PERMISSION)
    expect(await setMode({ topic: 'None' })).toBe(ResponseCode.TOPIC_NOT_EXIST)
    expect(await setMode({ popShareQueueNum: 2 })).toBe(ResponseCode.SUCCESS)
    broker = await broker.restart()
    const answer = await broker.call(RequestCode.GET_ALL_MESSAGE_REQUEST_MODE)
    expect(decodeMessageRequestModes(answer.body)).toEqual({
      T: { G: { topic: 'T', consumerGroup: 'G', mode: 'POP', popShareQueueNum: 2 } },
    })
  })
})
