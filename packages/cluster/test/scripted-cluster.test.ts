import { type Caller, type Command, encodeProperties, encodeRecord, RequestCode, silentLogger } from '@cometmq/remoting'
import { FakeClock } from '@cometmq/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { type Cluster, ClusterError, createCluster } from '../src/index.ts'
import {
  brokerAnswering,
  connect,
  deadAddress,
  nameServerFor,
  routeBody,
  type Scripted,
  scripted,
  sendAnswer,
} from './scripted.ts'

const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const item of opened.splice(0).reverse()) await item.close()
})
async function open<T extends { close(): Promise<void> }>(item: T | Promise<T>): Promise<T> {
  const ready = await item
  opened.push(ready)
  return ready
}
const connected = (...nameServers: string[]): Promise<Cluster> => open(connect(...nameServers))
const failure = (promise: Promise<unknown>): Promise<ClusterError> =>
  promise.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: unknown) => (error instanceof ClusterError ? error : Promise.reject(error as Error)),
  )
const answerOf = (body: Buffer): Command => ({
  code: 0,
  opaque: 0,
  flag: 1,
  version: 0,
  language: 'JAVA',
  remark: null,
  ext: null,
  body,
})
const message = { topic: 'T', body: 'x' }
const sends = (broker: Scripted): number => broker.count(RequestCode.SEND_MESSAGE_V2)

describe('routes', () => {
  it('come from the first name server that answers, which is asked first from then on', async () => {
    const dead = await deadAddress()
    const broker = await open(brokerAnswering(0))
    const ns = await open(nameServerFor({ a: broker.address }))
    const cluster = await connected(dead, ns.address)
    expect((await cluster.routes.forReading('T')).read).toHaveLength(1)
    await cluster.routes.refresh('T')
    expect(ns.count(RequestCode.GET_ROUTEINFO_BY_TOPIC)).toBe(2)
  })

  it('are an error that names every name server when none answers', async () => {
    const [one, two] = [await deadAddress(), await deadAddress()]
    const cluster = await connected(one, two)
    const error = await failure(cluster.routes.forReading('T'))
    expect(error).toMatchObject({ code: 'E_NO_NAME_SERVER', outcome: 'not-executed' })
    expect(error.why).toContain(one)
    expect(error.why).toContain(two)
  })

  it('are waited for no longer than allowed, and nothing was executed then', async () => {
    const silent = await open(scripted({ [RequestCode.GET_ROUTEINFO_BY_TOPIC]: () => undefined }))
    const cluster = await connected(silent.address)
    const error = await failure(cluster.producer({ group: 'P' }).send(message, { timeoutMs: 50 }))
    expect(error).toMatchObject({ code: 'E_TIMEOUT', outcome: 'not-executed' })
  })

  it('are refreshed every 30 seconds while in use, and forgotten 10 minutes after', async () => {
    const clock = new FakeClock()
    let asked: () => void = () => {}
    const asks = { count: 0 }
    const caller: Caller = {
      call: async () => {
        asks.count++
        asked()
        return answerOf(routeBody({ a: '127.0.0.1:1' }))
      },
      oneway: async () => {},
      close: async () => {},
    }
    const cluster = await open(createCluster({ nameServers: ['ns:1'], clock, logger: silentLogger, caller }))
    await cluster.routes.forReading('T')
    for (let round = 2; round <= 21; round++) {
      const refreshed = new Promise<void>(resolve => (asked = resolve))
      clock.advance(30_000)
      await refreshed
      expect(asks.count).toBe(round)
      await new Promise(resolve => setImmediate(resolve))
    }
    clock.advance(30_000)
    await new Promise(resolve => setImmediate(resolve))
    expect(asks.count).toBe(21)
    expect(cluster.routes.known()).toEqual([])
  })

  it('are asked for once by many at the same time', async () => {
    const ns = await open(nameServerFor({ a: '127.0.0.1:1' }))
    const cluster = await connected(ns.address)
    await Promise.all(Array.from({ length: 50 }, () => cluster.routes.forReading('T')))
    expect(ns.asked).toHaveLength(1)
  })

  it('fall back to the template for producers only, with four queues', async () => {
    const ns = await open(
      scripted({
        [RequestCode.GET_ROUTEINFO_BY_TOPIC]: request =>
          request.ext?.['topic'] === 'TBW102' ? { code: 0, body: routeBody({ a: '127.0.0.1:1' }, 8) } : { code: 17 },
      }),
    )
    const cluster = await connected(ns.address)
    const route = await cluster.routes.forPublishing('New')
    expect(route).toMatchObject({ topic: 'New', fromTemplate: true })
    expect(route.publish).toHaveLength(4)
    expect(await failure(cluster.routes.forReading('New'))).toMatchObject({ code: 'E_NO_ROUTE' })
  })

  it('without topic and template are E_NO_ROUTE', async () => {
    const cluster = await connected((await open(nameServerFor({}))).address)
    expect(await failure(cluster.producer({ group: 'P' }).send({ topic: 'Unknown', body: 'x' }))).toMatchObject({
      code: 'E_NO_ROUTE',
      outcome: 'not-executed',
    })
  })
})

describe('send', () => {
  async function twoBrokers(a: number[], b: number[]) {
    const brokers = { a: await open(brokerAnswering(...a)), b: await open(brokerAnswering(...b)) }
    const ns = await open(nameServerFor({ a: brokers.a.address, b: brokers.b.address }))
    const producer = (await connected(ns.address)).producer({ group: 'P' })
    return { ...brokers, ns, producer }
  }

  it('tells what the broker told', async () => {
    const { producer } = await twoBrokers([0], [0])
    expect(await producer.send(message)).toMatchObject({
      status: 'SEND_OK',
      offsetMsgId: '7F00000100002A9F0000000000000000',
      queueOffset: 5,
      queue: { topic: 'T', queueId: 0 },
    })
  })

  it.each([
    [10, 'FLUSH_DISK_TIMEOUT'],
    [11, 'SLAVE_NOT_AVAILABLE'],
    [12, 'FLUSH_SLAVE_TIMEOUT'],
  ])('takes code %i as the status %s, stored and not sent again', async (code, status) => {
    const { a, b, producer } = await twoBrokers([code], [code])
    expect((await producer.send(message)).status).toBe(status)
    expect(sends(a) + sends(b)).toBe(1)
  })

  it.each([1, 2, 14, 16, 17, 204, 205, 1500])('goes to the other broker after code %i', async code => {
    const { a, b, producer } = await twoBrokers([code], [0])
    for (let n = 0; n < 4; n++) expect((await producer.send(message)).queue.brokerName).toBe('b')
    expect(sends(a)).toBeGreaterThan(0)
    expect(sends(b)).toBe(4)
  })

  it.each([
    [13, 'E_MESSAGE', 'not-executed'],
    [29, 'E_ARGUMENT', 'not-executed'],
    [604, 'E_BROKER', 'unknown'],
  ])('fails at once after code %i', async (code, name, outcome) => {
    const { a, b, producer } = await twoBrokers([code], [code])
    expect(await failure(producer.send(message))).toMatchObject({ code: name, outcome, brokerCode: code })
    expect(sends(a) + sends(b)).toBe(1)
  })

  it('gives up after two more attempts; one that may have been stored makes the outcome unknown', async () => {
    const { a, b, producer } = await twoBrokers([1, 2], [2])
    const errors = [await failure(producer.send(message)), await failure(producer.send(message))]
    expect(sends(a) + sends(b)).toBe(6)
    expect(errors.map(error => error.code)).toEqual(['E_BUSY', 'E_BUSY'])
    // Code 1 of broker a came in exactly one of the two sends.
    expect(errors.map(error => error.outcome).sort()).toEqual(['not-executed', 'unknown'])
  })

  it('asks for a new route when a broker is gone, and finds its successor', async () => {
    const gone = await deadAddress()
    const broker = await open(brokerAnswering(0))
    let address = gone
    const ns = await open(
      scripted({ [RequestCode.GET_ROUTEINFO_BY_TOPIC]: () => ({ code: 0, body: routeBody({ a: address }) }) }),
    )
    const cluster = await connected(ns.address)
    await cluster.routes.forPublishing('T')
    address = broker.address
    expect((await cluster.producer({ group: 'P' }).send(message)).status).toBe('SEND_OK')
    expect(ns.count(RequestCode.GET_ROUTEINFO_BY_TOPIC)).toBe(2)
  })

  it('to a chosen queue or with an order key goes there only', async () => {
    const { a, b, producer } = await twoBrokers([2], [0])
    expect(await failure(producer.send(message, { queue: { brokerName: 'a', queueId: 0 } }))).toMatchObject({ code: 'E_BUSY' })
    expect(sends(b)).toBe(0)
    expect(sends(a)).toBe(1)
    const results = await Promise.allSettled(['k', 'k', 'k'].map(orderKey => producer.send({ ...message, orderKey })))
    expect(new Set(results.map(result => result.status)).size).toBe(1)
  })

  it('without an answer in time is of unknown outcome', async () => {
    const silent = await open(scripted({ [RequestCode.SEND_MESSAGE_V2]: () => undefined }))
    const ns = await open(nameServerFor({ a: silent.address }))
    const producer = (await connected(ns.address)).producer({ group: 'P' })
    expect(await failure(producer.send(message, { timeoutMs: 100 }))).toMatchObject({ code: 'E_TIMEOUT', outcome: 'unknown' })
  })

  it('can be cancelled', async () => {
    let arrived: () => void = () => {}
    const asked = new Promise<void>(resolve => (arrived = resolve))
    const silent = await open(scripted({ [RequestCode.SEND_MESSAGE_V2]: () => void arrived() }))
    const ns = await open(nameServerFor({ a: silent.address }))
    const producer = (await connected(ns.address)).producer({ group: 'P' })
    const stop = new AbortController()
    const sending = failure(producer.send(message, { signal: stop.signal, timeoutMs: 30_000 }))
    await asked
    stop.abort()
    expect(await sending).toMatchObject({ code: 'E_ABORTED', outcome: 'unknown' })
    expect(await failure(producer.send(message, { signal: stop.signal }))).toMatchObject({ code: 'E_ABORTED' })
  })

  it('after close is refused', async () => {
    const { producer } = await twoBrokers([0], [0])
    producer.close()
    expect(await failure(producer.send(message))).toMatchObject({ code: 'E_CLOSED', outcome: 'not-executed' })
  })
})

describe('a pull', () => {
  it('that finds its broker gone makes the next one use a newer route', async () => {
    const gone = await deadAddress()
    let asked: () => void = () => {}
    const pullAnswer = { suggestWhichBrokerId: '0', nextBeginOffset: '4', minOffset: '0', maxOffset: '4' }
    const broker = await open(scripted({ [RequestCode.PULL_MESSAGE]: () => ({ code: 19, ext: pullAnswer }) }))
    let address = gone
    const ns = await open(
      scripted({
        [RequestCode.GET_ROUTEINFO_BY_TOPIC]: () => {
          asked()
          return { code: 0, body: routeBody({ a: address }) }
        },
      }),
    )
    const cluster = await connected(ns.address)
    const puller = cluster.puller({ group: 'G' })
    const queue = (await cluster.topics.queues('T'))[0]!
    address = broker.address
    const refreshed = new Promise<void>(resolve => (asked = resolve))
    expect(await failure(puller.pull(queue, 4))).toMatchObject({ code: 'E_CONNECT', outcome: 'not-executed' })
    await refreshed
    await cluster.routes.refresh('T')
    expect(await puller.pull(queue, 4)).toMatchObject({ status: 'no-new', nextOffset: 4 })
  })

  it('keeps only messages whose tag is exactly one of those asked for', async () => {
    const record = (tag: string): Buffer =>
      encodeRecord({
        queueId: 0,
        flag: 0,
        queueOffset: 0,
        physicalOffset: 0,
        sysFlag: 0,
        bornTimestamp: 1,
        bornHost: Buffer.from([127, 0, 0, 1, 0, 0, 0, 1]),
        storeTimestamp: 1,
        storeHost: Buffer.from([127, 0, 0, 1, 0, 0, 0, 1]),
        reconsumeTimes: 0,
        preparedTransactionOffset: 0,
        body: Buffer.from(tag),
        topic: 'T',
        properties: encodeProperties([['TAGS', tag]]),
      })
    // 'Aa' and 'BB' have the same hash.
    const body = Buffer.concat([record('Aa'), record('BB')])
    const ext = { suggestWhichBrokerId: '0', nextBeginOffset: '2', minOffset: '0', maxOffset: '2' }
    const broker = await open(scripted({ [RequestCode.PULL_MESSAGE]: () => ({ code: 0, ext, body }) }))
    const cluster = await connected((await open(nameServerFor({ a: broker.address }))).address)
    const queue = (await cluster.topics.queues('T'))[0]!
    const result = await cluster.puller({ group: 'G' }).pull(queue, 0, { tags: 'BB' })
    expect(result.messages.map(received => received.tag)).toEqual(['BB'])
    expect(broker.asked[0]!.ext).toMatchObject({ subscription: 'BB', sysFlag: '4', expressionType: 'TAG' })
  })
})

describe('a producer', () => {
  it('tells the brokers of its routes that it is there, and says good-bye', async () => {
    let heard: (body: string) => void = () => {}
    const beat = new Promise<string>(resolve => (heard = resolve))
    const broker = await open(
      scripted({
        [RequestCode.SEND_MESSAGE_V2]: () => sendAnswer(0),
        [RequestCode.HEART_BEAT]: request => {
          heard(request.body!.toString())
          return { code: 0, ext: {} }
        },
        [RequestCode.UNREGISTER_CLIENT]: () => ({ code: 0, ext: {} }),
      }),
    )
    const ns = await open(nameServerFor({ a: broker.address }))
    const cluster = connect(ns.address)
    await cluster.producer({ group: 'P' }).send(message)
    expect(JSON.parse(await beat)).toEqual({
      clientID: cluster.clientId,
      consumerDataSet: [],
      heartbeatFingerprint: 0,
      producerDataSet: [{ groupName: 'P' }],
      withoutSub: false,
    })
    await cluster.close()
    const goodBye = broker.asked.find(request => request.code === RequestCode.UNREGISTER_CLIENT)
    expect(goodBye?.ext).toMatchObject({ clientID: cluster.clientId, producerGroup: 'P' })
  })
})
