import {
  type Clock,
  decodeBatch,
  decodeSendHeader,
  encodeProperties,
  getProperty,
  type Handler,
  type Peer,
  type Reply,
  RequestCode,
  silentLogger,
  startServer,
  systemClock,
} from '@cometmq/remoting'
import { type ClusterError, type SendItem, type Sender, type SendStatus } from '../src/index.ts'

/** What a broker does with one request that sends. */
export type Fate =
  /** Stores and answers. */
  | 'store'
  /** Stores, answers that a replica did not confirm. */
  | 'store-alone'
  /** Stores and closes the connection without an answer. */
  | 'store-and-close'
  /** Closes the connection, stores nothing. */
  | 'close'
  /** Answers that it is too busy (2); may be tried again. */
  | 'busy'
  /** Answers that it may not write (14); may be tried again. */
  | 'read-only'
  /** Answers with an error of no kind that may be tried again (29). */
  | 'refuse'

/** A broker that keeps what is sent in memory, queue by queue, and treats each request as `fateOf` says. */
export interface StoringBroker {
  address: string
  /** `queueId` → UNIQ_KEYs in order. */
  queues: Map<number, string[]>
  /** Items per request, in order. */
  requests: { code: number; ids: string[]; queueId: number }[]
  /** Sends that were not answered, at most, at one time. */
  maxUnanswered: number
  close(): Promise<void>
}

export async function storingBroker(fateOf: (ids: readonly string[]) => Fate, answerLater = false): Promise<StoringBroker> {
  const broker: Omit<StoringBroker, 'close' | 'address'> = { queues: new Map(), requests: [], maxUnanswered: 0 }
  let unanswered = 0
  const send: Handler = (request, peer) => {
    const header = decodeSendHeader(request.code, request.ext)
    const batch = request.code === RequestCode.SEND_BATCH_MESSAGE
    const texts = batch ? decodeBatch(request.body!).map(item => item.properties) : [header.properties]
    const ids = texts.map(text => getProperty(text, 'UNIQ_KEY')!)
    broker.requests.push({ code: request.code, ids, queueId: header.queueId })
    const answer = (): Reply | undefined => {
      // What has an id like this is illegal, and so is a batch that holds it.
      if (ids.some(id => id.startsWith('BAD'))) return { code: 13, remark: 'illegal' }
      return fate(fateOf(ids), ids, header.queueId, peer)
    }
    broker.maxUnanswered = Math.max(broker.maxUnanswered, ++unanswered)
    const finish = (): Reply | undefined => {
      unanswered--
      return answer()
    }
    if (!answerLater) return finish()
    setImmediate(() => {
      const reply = finish()
      if (reply) peer.respond(request.opaque, reply)
    })
    return undefined
  }
  const store = (ids: readonly string[], queueId: number, code: number): Reply => {
    let queue = broker.queues.get(queueId)
    if (!queue) broker.queues.set(queueId, (queue = []))
    queue.push(...ids)
    return { code, ext: { msgId: 'X', queueId: String(queueId), queueOffset: String(queue.length - ids.length) } }
  }
  const fate = (what: Fate, ids: readonly string[], queueId: number, peer: Peer): Reply | undefined => {
    if (what === 'busy') return { code: 2, remark: 'busy' }
    if (what === 'read-only') return { code: 14, remark: 'read-only' }
    if (what === 'refuse') return { code: 29, remark: 'no' }
    if (what === 'store') return store(ids, queueId, 0)
    if (what === 'store-alone') return store(ids, queueId, 11)
    if (what === 'store-and-close') store(ids, queueId, 0)
    peer.close('scripted')
    return undefined
  }
  const ok: Handler = () => ({ code: 0, ext: {} })
  const server = await startServer({
    host: '127.0.0.1',
    port: 0,
    handlers: new Map([
      [RequestCode.SEND_MESSAGE_V2, send],
      [RequestCode.SEND_BATCH_MESSAGE, send],
      [RequestCode.HEART_BEAT, ok],
      [RequestCode.UNREGISTER_CLIENT, ok],
    ]),
    clock: systemClock,
    logger: silentLogger,
  })
  return Object.assign(broker, { address: `127.0.0.1:${server.port}`, close: () => server.close(0) })
}

/** The real clock, but pauses before another attempt take no time. */
export const impatientClock: Clock = {
  now: () => systemClock.now(),
  monotonic: () => systemClock.monotonic(),
  setTimeout: (run, ms) => systemClock.setTimeout(run, ms === 50 || ms === 250 ? 1 : ms),
}

export const itemOf = (id: string, extra: Partial<SendItem> = {}): SendItem => ({
  topic: 'T',
  body: Buffer.from(`body of ${id}`),
  properties: encodeProperties([['UNIQ_KEY', id]]),
  sysFlag: 0,
  flag: 0,
  bornTimestamp: 1,
  alone: false,
  ...extra,
})

export interface Settled {
  /** How often the item was settled. */
  times: number
  stored?: { brokerName: string; queueId: number; offset: number; status: SendStatus }
  error?: ClusterError
}

/** Submits, and resolves when every item was settled and nothing more can come. */
export async function settle(sender: Sender, items: readonly SendItem[], atomic = false): Promise<Settled[]> {
  const settled: Settled[] = items.map(() => ({ times: 0 }))
  const sink = {
    stored: (index: number, queue: { brokerName: string; queueId: number }, offset: number, status: SendStatus) => {
      settled[index]!.times++
      settled[index]!.stored = { brokerName: queue.brokerName, queueId: queue.queueId, offset, status }
    },
    failed: (index: number, error: ClusterError) => {
      settled[index]!.times++
      settled[index]!.error = error
    },
  }
  if (atomic) sender.submitAtomic(items, sink)
  else sender.submit(items, sink)
  await sender.flush()
  return settled
}
