import type { TopicConfig } from '@cometmq/remoting'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RouteTable, type Registration, type Route } from '../../src/nameserver/route-table.ts'

const topic = (topicName: string, queues = 4, perm = 6, topicSysFlag = 0): TopicConfig => ({
  topicName,
  readQueueNums: queues,
  writeQueueNums: queues,
  perm,
  topicFilterType: 'SINGLE_TAG',
  topicSysFlag,
  order: false,
  attributes: {},
})

const registration = (more: Partial<Registration> = {}): Registration => ({
  clusterName: 'C',
  brokerName: 'b',
  brokerAddr: '10.0.0.1:10911',
  brokerId: 0,
  haServerAddr: '10.0.0.1:10912',
  enableActingMaster: false,
  heartbeatTimeoutMs: undefined,
  dataVersion: { counter: 1, stateVersion: 0, timestamp: 1 },
  topics: [topic('T'), topic('U')],
  peerId: 1,
  ...more,
})

const version = (counter: number, stateVersion = 0) => ({ counter, stateVersion, timestamp: 1 })
const queuesOf = (route: Route) =>
  'missing' in route
    ? route.missing
    : route.queueDatas.map(({ brokerName, writeQueueNums, perm }) => [brokerName, writeQueueNums, perm])

describe('route table', () => {
  it('answers with the queues and brokers of a topic, and says which is missing', () => {
    const table = new RouteTable()
    expect(table.route('T')).toEqual({ missing: 'unknown topic' })
    expect(table.register(registration(), 0)).toEqual({ state: 'registered' })
    expect(table.route('T')).toEqual({
      queueDatas: [{ brokerName: 'b', readQueueNums: 4, writeQueueNums: 4, perm: 6, topicSysFlag: 0 }],
      brokerDatas: [{ cluster: 'C', brokerName: 'b', brokerAddrs: { 0: '10.0.0.1:10911' }, enableActingMaster: false }],
    })
    table.addTopic('V', [{ brokerName: 'gone', readQueueNums: 1, writeQueueNums: 1, perm: 6, topicSysFlag: 0 }])
    expect(table.route('V')).toEqual({ missing: 'unknown topic' })
  })

  it('takes topics of a new broker or a new version, merges them, and forgets them only when asked to', () => {
    const table = new RouteTable()
    table.register(registration(), 0)
    table.register(registration({ topics: [topic('T', 9), topic('New')] }), 0)
    expect([queuesOf(table.route('T')), queuesOf(table.route('New'))]).toEqual([[['b', 4, 6]], [['b', 4, 6]]])
    table.register(registration({ topics: [topic('T', 9)], dataVersion: version(2) }), 0)
    expect([queuesOf(table.route('T')), queuesOf(table.route('U'))]).toEqual([[['b', 9, 6]], [['b', 4, 6]]])
    table.register(registration({ topics: [topic('T', 9)], dataVersion: version(3) }), 0, { deleteMissingTopics: true })
    expect([queuesOf(table.route('T')), queuesOf(table.route('U'))]).toEqual([[['b', 9, 6]], 'unknown topic'])
  })

  it('refuses the registration of one topic from a broker it does not know', () => {
    const table = new RouteTable()
    expect(table.register(registration({ topics: [topic('T')] }), 0)).toMatchObject({
      state: 'refused',
      reason: expect.stringMatching(/^register broker failed/) as string,
    })
    expect(table.clusterInfo()).toEqual({ brokerAddrTable: {}, clusterAddrTable: {} })
    expect(table.register(registration({ topics: [] }), 0)).toEqual({ state: 'registered' })
    expect(table.register(registration({ topics: [topic('T')], dataVersion: version(2) }), 0)).toEqual({ state: 'registered' })
    expect(queuesOf(table.route('T'))).toEqual([['b', 4, 6]])
  })

  it('tells slaves where the master is, and does not take their topics', () => {
    const table = new RouteTable()
    const slave = registration({ brokerId: 1, brokerAddr: '10.0.0.2:10911', topics: [topic('S'), topic('R')] })
    table.register(registration(), 0)
    expect(table.register(slave, 0)).toEqual({
      state: 'registered',
      masterAddr: '10.0.0.1:10911',
      haServerAddr: '10.0.0.1:10912',
    })
    expect(queuesOf(table.route('S'))).toBe('unknown topic')
    expect(table.memberGroup('C', 'b')?.brokerAddrs).toEqual({ 0: '10.0.0.1:10911', 1: '10.0.0.2:10911' })
  })

  it('takes the topics of the lowest slave while there is no master', () => {
    const table = new RouteTable()
    expect(table.register(registration({ brokerId: 1 }), 0)).toEqual({ state: 'registered' })
    expect(queuesOf(table.route('T'))).toEqual([['b', 4, 6]])
    table.register(registration({ brokerId: 2, brokerAddr: '10.0.0.3:1', topics: [topic('S'), topic('R')] }), 0)
    expect(queuesOf(table.route('S'))).toBe('unknown topic')
  })

  it('lets the lowest slave act as master, read only', () => {
    const table = new RouteTable()
    const acting = { enableActingMaster: true }
    table.register(registration(acting), 0)
    table.register(registration({ ...acting, brokerId: 2, brokerAddr: '10.0.0.3:1' }), 0)
    table.unregister(registration())
    expect(queuesOf(table.route('T'))).toEqual([['b', 4, 4]])
    expect(table.route('T', true)).toMatchObject({ brokerDatas: [{ brokerAddrs: { 0: '10.0.0.3:1' } }] })
    expect(table.route('T')).toMatchObject({ brokerDatas: [{ brokerAddrs: { 2: '10.0.0.3:1' } }] })
  })

  it('gives an id to the newer of two addresses unless the holder has a higher state version', () => {
    const table = new RouteTable()
    table.register(registration({ dataVersion: version(1, 5) }), 0)
    const other = registration({ brokerAddr: '10.0.0.9:1', dataVersion: version(9, 4), peerId: 2 })
    expect(table.register(other, 0)).toEqual({ state: 'ignored' })
    expect(table.memberGroup('C', 'b')?.brokerAddrs).toEqual({ 0: '10.0.0.1:10911' })
    table.register({ ...other, dataVersion: version(9, 5) }, 0)
    expect(table.memberGroup('C', 'b')?.brokerAddrs).toEqual({ 0: '10.0.0.9:1' })
    table.peerClosed(1)
    expect(table.memberGroup('C', 'b')?.brokerAddrs).toEqual({ 0: '10.0.0.9:1' })
  })

  it('follows a broker that changes its id, name or cluster', () => {
    const table = new RouteTable()
    table.register(registration({ brokerId: 1 }), 0)
    table.register(registration(), 0)
    expect(table.memberGroup('C', 'b')?.brokerAddrs).toEqual({ 0: '10.0.0.1:10911' })
    table.register(registration({ clusterName: 'D' }), 0)
    table.register(registration({ clusterName: 'D', brokerName: 'c' }), 0)
    expect(table.clusterInfo()).toMatchObject({ clusterAddrTable: { D: ['c'] } })
    expect(queuesOf(table.route('T'))).toEqual([['c', 4, 6]])
    expect(table.expire(1_000_000)).toHaveLength(1)
    expect(table.topics()).toEqual([])
  })

  it('drops brokers that are silent for their time, or whose latest connection closes', () => {
    const table = new RouteTable()
    table.register(registration({ heartbeatTimeoutMs: 1000 }), 0)
    table.register(registration({ brokerName: 'c', brokerAddr: '10.0.0.2:1', peerId: 2 }), 0)
    expect(table.touch('C', '10.0.0.1:10911', 500)).toBe(true)
    expect(table.touch('C', '10.0.0.7:1', 500)).toBe(false)
    expect(table.expire(1500)).toEqual([])
    expect(table.expire(1501)).toEqual([{ clusterName: 'C', brokerName: 'b', brokerAddr: '10.0.0.1:10911', brokerId: 0 }])
    expect(queuesOf(table.route('T'))).toEqual([['c', 4, 6]])
    table.register(registration({ brokerName: 'c', brokerAddr: '10.0.0.2:1', peerId: 3 }), 1600)
    expect(table.peerClosed(2)).toEqual([])
    expect(table.peerClosed(3)).toHaveLength(1)
    expect([table.topics(), table.clusterInfo().clusterAddrTable]).toEqual([[], {}])
  })

  it('wipes and restores the write permission until the next changed registration', () => {
    const table = new RouteTable()
    table.register(registration(), 0)
    expect(table.wipeWritePerm('b')).toBe(2)
    table.register(registration(), 0)
    expect(queuesOf(table.route('T'))).toEqual([['b', 4, 4]])
    table.register(registration({ dataVersion: version(2) }), 0)
    expect(queuesOf(table.route('T'))).toEqual([['b', 4, 6]])
    table.wipeWritePerm('b')
    expect(table.addWritePerm('b')).toBe(2)
    expect(queuesOf(table.route('T'))).toEqual([['b', 4, 6]])
    expect(table.addWritePerm('none')).toBe(0)
  })

  it('lists topics by cluster and unit, cluster and broker names, and deletes by cluster', () => {
    const table = new RouteTable()
    table.register(
      registration({ topics: [topic('T'), topic('Unit', 1, 6, 1), topic('Sub', 1, 6, 2), topic('Both', 1, 6, 3)] }),
      0,
    )
    table.register(registration({ clusterName: 'D', brokerName: 'c', brokerAddr: '10.0.0.2:1' }), 0)
    expect([table.topicsOfCluster('C'), table.topicsOfCluster('D')]).toEqual([
      ['T', 'Unit', 'Sub', 'Both'],
      ['T', 'U'],
    ])
    expect([table.unitTopics('unit'), table.unitTopics('unit-sub'), table.unitTopics('unit-sub-not-unit')]).toEqual([
      ['Unit', 'Both'],
      ['Sub', 'Both'],
      ['Sub'],
    ])
    expect(table.systemTopics()).toEqual({ topicList: ['C', 'b', 'D', 'c'], brokerAddr: '10.0.0.1:10911' })
    table.deleteTopic('T', 'D')
    expect(queuesOf(table.route('T'))).toEqual([['b', 4, 6]])
    table.deleteTopic('T')
    expect(queuesOf(table.route('T'))).toBe('unknown topic')
  })

  it('refuses what is beyond its limits and leaves the rest as it was', () => {
    const table = new RouteTable({ topicsMax: 3, brokersMax: 2, brokersPerNameMax: 1 })
    table.register(registration(), 0)
    const refused = (more: Partial<Registration>) =>
      expect(table.register(registration(more), 0)).toMatchObject({ state: 'refused' })
    refused({ brokerId: 1, brokerAddr: '10.0.0.2:1' })
    refused({ topics: [topic('X'), topic('Y')], dataVersion: version(2) })
    expect(table.register(registration({ topics: [topic('T'), topic('X')], dataVersion: version(2) }), 0)).toEqual({
      state: 'registered',
    })
    table.register(registration({ brokerName: 'c', brokerAddr: '10.0.0.3:1', topics: [] }), 0)
    refused({ brokerName: 'd', brokerAddr: '10.0.0.4:1', topics: [] })
    expect(table.addTopic('Z', [{ brokerName: 'b', readQueueNums: 1, writeQueueNums: 1, perm: 6, topicSysFlag: 0 }])).toMatch(
      /3 topics/,
    )
    expect(table.topics()).toEqual(['T', 'U', 'X'])
  })

  /** Any order of registrations (complete ones of masters), leaves and expiries gives what a list of who is alive gives. */
  it('has exactly the queues of the brokers that are alive', () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('register' as const),
        broker: fc.nat(3),
        topics: fc.uniqueArray(fc.constantFrom('A', 'B', 'C', 'D'), { minLength: 2 }),
        queues: fc.integer({ min: 1, max: 9 }),
      }),
      fc.record({ kind: fc.constantFrom('unregister' as const, 'close' as const), broker: fc.nat(3) }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(90_000) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const table = new RouteTable()
        const alive = new Map<number, { seenAt: number; topics: Map<string, number> }>()
        let now = 0
        let counter = 0
        for (const action of steps) {
          if (action.kind === 'wait') {
            now += action.ms
            const gone = [...alive].filter(([, broker]) => now - broker.seenAt > 120_000).map(([id]) => id)
            expect(
              table
                .expire(now)
                .map(broker => broker.brokerName)
                .sort(),
            ).toEqual(gone.map(id => `b${id}`).sort())
            for (const id of gone) alive.delete(id)
            continue
          }
          const id = action.broker
          const identity = { brokerName: `b${id}`, brokerAddr: `10.0.0.${id}:1`, clusterName: `C${id % 2}`, peerId: id }
          if (action.kind === 'register') {
            const topics = alive.get(id)?.topics ?? new Map<string, number>()
            for (const name of action.topics) topics.set(name, action.queues)
            alive.set(id, { seenAt: now, topics })
            table.register(
              registration({
                ...identity,
                dataVersion: version(++counter),
                topics: action.topics.map(name => topic(name, action.queues)),
              }),
              now,
            )
          } else {
            if (action.kind === 'close') table.peerClosed(id)
            else table.unregister(registration(identity))
            alive.delete(id)
          }
          for (const name of ['A', 'B', 'C', 'D']) {
            const expected = [...alive]
              .filter(([, broker]) => broker.topics.has(name))
              .map(([other, broker]) => [`b${other}`, broker.topics.get(name), 6])
            const found = queuesOf(table.route(name))
            expect(expected.length === 0 ? found : [...found].sort()).toEqual(
              expected.length === 0 ? 'unknown topic' : expected.sort(),
            )
          }
          expect(Object.keys(table.clusterInfo().brokerAddrTable).sort()).toEqual(
            [...alive.keys()].map(other => `b${other}`).sort(),
          )
        }
      }),
      { numRuns: 150 },
    )
  })
})
