import { build } from 'hdr-histogram-js'
import {
  type Caller,
  createCaller,
  encodeBatch,
  encodeSendHeader,
  type Request,
  RequestCode,
  ResponseCode,
  type Serialize,
  silentLogger,
  systemClock,
  tcpTransport,
} from '@cometmq/remoting'
import { latencyOf, type Row } from './report.ts'

export interface LoadResult {
  messages: number
  seconds: number
  failed: number
  latency: NonNullable<Row['latency']>
}

export const connectLoad = (serialize: Serialize): Caller =>
  createCaller({ transport: tcpTransport, clock: systemClock, logger: silentLogger, serialize, limits: {} })

const PROPERTIES = 'TAGS\x01TagA\x02WAIT\x01true\x02'
const pad = (n: number): string => n.toString(16).padStart(20, '0').toUpperCase()

/** The n-th send request, single (310) or a batch of `batch` (320), to queue n modulo `queues` of the topic. */
export function sendRequests(
  topic: string,
  queues: number,
  bodyBytes: number,
  batch: number,
  queuesPerTopic = queues,
): (n: number) => Request {
  const body = Buffer.alloc(bodyBytes, 0x61)
  const code = batch === 1 ? RequestCode.SEND_MESSAGE_V2 : RequestCode.SEND_BATCH_MESSAGE
  const header = {
    producerGroup: 'bench',
    topic,
    defaultTopic: 'TBW102',
    defaultTopicQueueNums: 4,
    queueId: 0,
    sysFlag: 0,
    bornTimestamp: Date.now(),
    flag: 0,
    reconsumeTimes: 0,
    unitMode: false,
    batch: batch > 1,
  }
  return n => {
    const queue = n % queues
    const ext = encodeSendHeader(code, {
      ...header,
      topic: queues === queuesPerTopic ? topic : topic + Math.floor(queue / queuesPerTopic),
      queueId: queue % queuesPerTopic,
      properties: `UNIQ_KEY\x017F0000010000${pad(n)}\x02${PROPERTIES}`,
    })
    if (batch === 1) return { code, ext, body }
    const elements = Array.from({ length: batch }, (_, i) => ({
      flag: 0,
      body,
      properties: `UNIQ_KEY\x017F0000020000${pad(n * batch + i)}\x02${PROPERTIES}`,
    }))
    return { code, ext, body: encodeBatch(elements) }
  }
}

/** Keeps `window` requests unanswered for some seconds; latency is from call to answer. */
export async function drive(
  caller: Caller,
  address: string,
  next: (n: number) => Request,
  options: { window: number; seconds: number; messagesPerRequest: number },
): Promise<LoadResult> {
  const histogram = build({ highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 })
  const startedAt = performance.now()
  const until = startedAt + options.seconds * 1000
  let n = 0
  let answered = 0
  let failed = 0
  const one = async (): Promise<void> => {
    for (let now = performance.now(); now < until;) {
      const answer = await caller.call(address, next(n++), 10_000)
      const then = performance.now()
      if (answer.code === ResponseCode.SUCCESS) answered++
      else failed++
      histogram.recordValue(Math.max(1, Math.round((then - now) * 1000)))
      now = then
    }
  }
  await Promise.all(Array.from({ length: options.window }, one))
  return {
    messages: answered * options.messagesPerRequest,
    seconds: (performance.now() - startedAt) / 1000,
    failed,
    latency: latencyOf(histogram),
  }
}
