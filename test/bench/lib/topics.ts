import { type Caller, RequestCode, ResponseCode } from '@cometmq/remoting'

/** Creates a topic at a broker (request 17). */
export async function createTopic(caller: Caller, address: string, topic: string, queues: number): Promise<void> {
  const ext = {
    topic,
    defaultTopic: 'TBW102',
    readQueueNums: String(queues),
    writeQueueNums: String(queues),
    perm: '6',
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: '0',
    order: 'false',
  }
  const answer = await caller.call(address, { code: RequestCode.UPDATE_AND_CREATE_TOPIC, ext }, 10_000)
  if (answer.code !== ResponseCode.SUCCESS) throw new Error(`creating topic ${topic} failed: ${answer.code} ${answer.remark}`)
}
