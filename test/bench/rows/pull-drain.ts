import {
  pullMessageRequest,
  pullMessageResponse,
  RequestCode,
  ResponseCode,
  recordQueueOffset,
  recordSize,
  type Caller,
} from '@cometmq/remoting'
import type { BenchContext } from '../lib/context.ts'
import { startBrokerProcess } from '../lib/broker-process.ts'
import { connectLoad, drive } from '../lib/load.ts'
import { sendTemplate } from '../lib/send-template.ts'
import { createTopic } from '../lib/topics.ts'
import type { Row } from '../lib/report.ts'

const QUEUES = 8
const PULL = {
  consumerGroup: 'BenchDrain',
  maxMsgNums: 32,
  sysFlag: 4,
  commitOffset: 0,
  suspendTimeoutMillis: 0,
  subscription: '*',
  subVersion: 0n,
  expressionType: 'TAG',
}

/** Pulls one queue to its end, one request after the other as a consumer does. Returns the messages read. */
export async function drainQueue(caller: Caller, address: string, topic: string, queueId: number): Promise<number> {
  let offset = 0
  let read = 0
  for (;;) {
    const ext = pullMessageRequest.encode({ ...PULL, topic, queueId, queueOffset: offset })
    const answer = await caller.call(address, { code: RequestCode.PULL_MESSAGE, ext }, 10_000)
    if (answer.code !== ResponseCode.SUCCESS) return read
    // Sizes and offsets of all records are checked, nothing else is decoded: the load shares two cores with the broker.
    const body = answer.body!
    for (let at = 0; at < body.length; at += recordSize(body, at)) {
      const found = recordQueueOffset(body, at)
      if (found !== offset++) throw new Error(`queue ${queueId}: offset ${found} where ${offset - 1} was expected`)
      read++
    }
    offset = pullMessageResponse.decode(answer.ext).nextBeginOffset
  }
}

/** A stored backlog, read by one client over eight queues. */
export async function pullDrainRows(context: BenchContext): Promise<Row[]> {
  return context.withFolder(async folder => {
    const broker = await startBrokerProcess(folder, {
      settings: ['flushDiskType=ASYNC_FLUSH'],
      profile: context.profileOf('pull drain'),
    })
    const address = broker.ready.broker.address
    const caller = connectLoad('JSON')
    const rows: Row[] = []
    try {
      await createTopic(caller, address, 'BenchDrain000', QUEUES)
      const template = sendTemplate({ topic: 'BenchDrain', queues: QUEUES, bodyBytes: 128, batch: 32, serialize: 'JSON' })
      const sent = await drive(address, template, { window: 64, seconds: context.quick ? 2 : 8 })
      for (const name of ['pull drain 128 B, first time', 'pull drain 128 B, again']) {
        const startedAt = performance.now()
        const counts = await Promise.all(
          Array.from({ length: QUEUES }, (_, queueId) => drainQueue(caller, address, 'BenchDrain000', queueId)),
        )
        const read = counts.reduce((sum, count) => sum + count, 0)
        const seconds = (performance.now() - startedAt) / 1000
        if (read < sent.messages) throw new Error(`${sent.messages} messages were acknowledged, ${read} were read`)
        rows.push({ name, unit: 'messages/s', value: read / seconds, goal: { value: 500_000 }, detail: { messages: read } })
      }
      return rows
    } finally {
      await caller.close()
      await broker.stop()
    }
  })
}
