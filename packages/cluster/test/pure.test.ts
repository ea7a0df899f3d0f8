import { type QueueData, type TopicRouteData } from '@cometmq/remoting'
import { FakeClock } from '@cometmq/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Avoidance } from '../src/avoidance.ts'
import { parseConsumeStats, parseRoute, parseTopicStats } from '../src/bodies.ts'
import { chooseQueue } from '../src/choose-queue.ts'
import { compressBody } from '../src/compress.ts'
import { adviceFor, ClusterError } from '../src/errors.ts'
import { parseNameServers } from '../src/name-servers.ts'
import { queueForKey } from '../src/order-key.ts'
import { tagSet } from '../src/puller.ts'
import { addressFor, masterAddress, maxQueuesPerRoute, publishQueues, readQueues, routeFromTemplate } from '../src/queues.ts'

const queueData = (brokerName: string, perm: number, read: number, write = read): QueueData => ({
  brokerName,
  perm,
  readQueueNums: read,
  writeQueueNums: write,
  topicSysFlag: 0,
})
const route = (
  queueDatas: QueueData[],
  addresses: Record<string, Record<string, string>>,
  orderTopicConf?: string,
): TopicRouteData => ({
  queueDatas,
  brokerDatas: Object.entries(addresses).map(([brokerName, brokerAddrs]) => ({
    cluster: 'c',
    brokerName,
    brokerAddrs,
    enableActingMaster: false,
  })),
  ...(orderTopicConf === undefined ? {} : { orderTopicConf }),
})
const names = (queues: readonly { brokerName: string; queueId: number }[]) =>
  queues.map(queue => `${queue.brokerName}${queue.queueId}`)

describe('queues of a route', () => {
  const data = route([queueData('b', 6, 2, 1), queueData('a', 4, 2), queueData('c', 2, 1), queueData('d', 6, 1)], {
    a: { 0: 'a:1' },
    b: { 0: 'b:1', 1: 'b:2' },
    c: { 0: 'c:1' },
    d: { 1: 'd:2' },
  })

  it('to write: with write permission and a master, sorted', () => {
    expect(names(publishQueues('t', data))).toEqual(['b0', 'c0'])
  })

  it('to read: with read permission, masters or not, sorted', () => {
    expect(names(readQueues('t', data))).toEqual(['a0', 'a1', 'b0', 'b1', 'd0'])
  })

  it('of an ordered topic: exactly the listed ones', () => {
    expect(names(publishQueues('t', route([], {}, 'x:2;y:1;broken;z:q')))).toEqual(['x0', 'x1', 'y0'])
  })

  it('are limited', () => {
    expect(publishQueues('t', route([], {}, 'x:2000000000'))).toHaveLength(maxQueuesPerRoute)
  })

  it('of the template: at most as many as the default', () => {
    const own = routeFromTemplate(route([queueData('a', 7, 8), queueData('b', 7, 2)], {}), 4)
    expect(own.queueDatas.map(queue => [queue.readQueueNums, queue.writeQueueNums])).toEqual([
      [4, 4],
      [2, 2],
    ])
  })

  it('have the address of the id asked for, else the master, else any', () => {
    expect(addressFor(data, 'b', '1')).toBe('b:2')
    expect(addressFor(data, 'b', '7')).toBe('b:1')
    expect(addressFor(data, 'd', '0')).toBe('d:2')
    expect(masterAddress(data, 'd')).toBeUndefined()
    expect(addressFor(data, 'nobody', '0')).toBeUndefined()
  })
})

describe('order key', () => {
  it("agrees with Java's hash, also for negative ones", () => {
    // "hello".hashCode() = 99162322; "polygenelubricants".hashCode() = -2147483648.
    expect(queueForKey('hello', 7)).toBe(99_162_322 % 7)
    expect(queueForKey('polygenelubricants', 7)).toBe(2_147_483_648 % 7)
  })

  it('is always one of the queues, and always the same', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 1_000 }), (key, count) => {
        const queue = queueForKey(key, count)
        return Number.isInteger(queue) && queue >= 0 && queue < count && Object.is(queueForKey(key, count) + 0, queue + 0)
      }),
    )
  })
})

describe('choice of a queue', () => {
  const queues = publishQueues('t', route([queueData('a', 6, 2), queueData('b', 6, 2)], { a: { 0: 'a:1' }, b: { 0: 'b:1' } }))

  it('goes round', () => {
    const avoidance = new Avoidance(new FakeClock())
    expect(names([0, 1, 2, 3, 4].map(turn => chooseQueue(queues, turn, new Set(), avoidance)))).toEqual([
      'a0',
      'a1',
      'b0',
      'b1',
      'a0',
    ])
  })

  it('prefers brokers that were not tried for this message', () => {
    const avoidance = new Avoidance(new FakeClock())
    expect(chooseQueue(queues, 0, new Set(['a']), avoidance).brokerName).toBe('b')
    expect(chooseQueue(queues, 0, new Set(['a', 'b']), avoidance).brokerName).toBe('a')
  })

  it('leaves slow and failed brokers alone for a while, unless there is no other', () => {
    const clock = new FakeClock()
    const avoidance = new Avoidance(clock)
    const next = () => chooseQueue(queues, 0, new Set(), avoidance).brokerName
    avoidance.answered('a', 10)
    expect(next()).toBe('a')
    avoidance.answered('a', 700)
    expect(next()).toBe('b')
    avoidance.failed('b')
    expect(next()).toBe('a')
    clock.advance(2_500)
    expect(avoidance.isAvoided('a')).toBe(false)
    expect(avoidance.isAvoided('b')).toBe(true)
    avoidance.answered('b', 5)
    expect(avoidance.isAvoided('b')).toBe(false)
  })
})

describe('name server lists', () => {
  it.each([
    ['localhost:9876', ['localhost:9876']],
    ['10.0.0.1:9876;10.0.0.2:9877', ['10.0.0.1:9876', '10.0.0.2:9877']],
    ['a, b:1;;', ['a:9876', 'b:1']],
    ['[::1]:9876', ['[::1]:9876']],
    ['http://ns:80', ['ns:80']],
    ['', []],
  ])('%s', (text, expected) => {
    expect(parseNameServers(text)).toEqual(expected)
  })

  it.each(['a:b', 'a:70000', '::1', 'a:1:2'])('refuses %s', text => {
    expect(() => parseNameServers(text)).toThrow(ClusterError)
  })
})

describe('bodies', () => {
  it("reads fastjson's queue-keyed tables", () => {
    const body = Buffer.from(
      '{"offsetTable":{{"brokerName":"b","queueId":1,"topic":"T"}:{"lastUpdateTimestamp":5,"maxOffset":9,"minOffset":2}},"topicPutTps":0.0}',
    )
    expect(parseTopicStats(body)).toEqual([{ brokerName: 'b', queueId: 1, minOffset: 2, maxOffset: 9, lastUpdate: 5 }])
  })

  it('counts lag and messages in flight', () => {
    const body = Buffer.from(
      '{"consumeTps":1.5,"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:{"brokerOffset":10,"consumerOffset":4,"lastTimestamp":7,"pullOffset":6},{"brokerName":"b","queueId":1,"topic":"T"}:{"brokerOffset":3,"consumerOffset":-1}}}',
    )
    const { queues, consumeTps } = parseConsumeStats(body)
    expect(consumeTps).toBe(1.5)
    expect(queues).toMatchObject([
      { lag: 6, inFlight: 2, lastConsumed: 7 },
      { lag: 3, inFlight: 0, consumerOffset: -1 },
    ])
  })

  it('takes what is there and refuses what is no JSON', () => {
    expect(parseRoute(Buffer.from('{"brokerDatas":[{"brokerAddrs":{0:"a:1"},"brokerName":"a"}]}'))).toEqual({
      queueDatas: [],
      brokerDatas: [{ cluster: '', brokerName: 'a', brokerAddrs: { 0: 'a:1' }, enableActingMaster: false }],
    })
    expect(parseRoute(null).queueDatas).toEqual([])
    expect(() => parseRoute(Buffer.from('{'))).toThrow(ClusterError)
  })
})

describe('small parts', () => {
  it('compresses only what gets smaller', () => {
    expect(compressBody(Buffer.alloc(5_000, 'x')).body.length).toBeLessThan(100)
    const noise = Buffer.from(Array.from({ length: 64 }, (_, index) => (index * 167 + 13) & 0xff))
    expect(compressBody(noise)).toEqual({ body: noise, sysFlag: 0 })
  })

  it('reads tag expressions', () => {
    expect(tagSet('*')).toBeUndefined()
    expect(tagSet(' a || b')).toEqual(new Set(['a', 'b']))
  })

  it('has one line of advice for each code', () => {
    for (const advice of Object.values(adviceFor)) expect(advice).toMatch(/^[^\n]{5,160}$/)
  })
})
