import type { ConsumerData, HeartbeatData } from '@cometmq/remoting'
import { FakeClock } from '@cometmq/testkit'
import { beforeEach, describe, expect, it } from 'vitest'
import { ClientTable } from '../../src/registry/index.ts'
import { keepingLogger, subscription, TestPeer } from './tools.ts'

const info = { language: 'JAVA', version: 479 }

const consumer = (group: string, ...topics: string[]): ConsumerData => ({
  groupName: group,
  consumeType: 'CONSUME_PASSIVELY',
  messageModel: 'CLUSTERING',
  consumeFromWhere: 'CONSUME_FROM_LAST_OFFSET',
  subscriptionDataSet: topics.map(topic => subscription(topic)),
  unitMode: false,
})

const beat = (clientID: string, more: Partial<HeartbeatData> = {}): HeartbeatData => ({
  clientID,
  heartbeatFingerprint: 0,
  withoutSub: false,
  producerDataSet: [],
  consumerDataSet: [],
  ...more,
})

describe('clients', () => {
  let clock: FakeClock
  let clients: ClientTable
  let changes: [string, string[]][]
  const allowed = new Set(['G', 'H'])

  beforeEach(() => {
    clock = new FakeClock()
    clients = new ClientTable({ clock, logger: keepingLogger(), isAllowed: group => allowed.has(group), membersMax: 6 })
    changes = []
    clients.onGroupChange((group, channels) => changes.push([group, channels.map(channel => channel.clientId)]))
  })

  const join = (clientId: string, peer: TestPeer, ...topics: string[]) =>
    clients.heartbeat(beat(clientId, { consumerDataSet: [consumer('G', ...topics)] }), peer, info)

  it('tells a group when a member comes or goes, and not when it stays', () => {
    const [one, two] = [new TestPeer(), new TestPeer()]
    expect(join('c1', one, 'T')).toEqual({ subscriptionChanged: true })
    join('c1', one, 'T')
    join('c2', two, 'T')
    two.close()
    clients.unregister('c1', one, { consumerGroup: 'G' })
    clients.unregister('c1', one, { consumerGroup: 'G' })
    expect(changes).toEqual([
      ['G', ['c1']],
      ['G', ['c1', 'c2']],
      ['G', ['c1']],
      ['G', []],
    ])
    expect(clients.consumers('G')).toBeUndefined()
    expect([...clients.consumerGroups()]).toEqual([])
  })

  it('keeps the newest version of a subscription, drops topics no longer named, keeps the retry topic', () => {
    const peer = new TestPeer()
    join('c1', peer, 'T', '%RETRY%G')
    const again = (subVersion: bigint, subString: string, topic = 'T') =>
      clients.heartbeat(
        beat('c1', {
          consumerDataSet: [{ ...consumer('G'), subscriptionDataSet: [subscription(topic, subVersion, subString)] }],
        }),
        peer,
        info,
      )
    again(2n, '*')
    expect(changes).toHaveLength(1)
    again(3n, 'TagA')
    again(2n, 'TagB')
    expect(clients.consumers('G')!.subscriptions.get('T')).toMatchObject({ subString: 'TagA', subVersion: 3n })
    expect(changes).toHaveLength(2)
    again(1n, '*', 'U')
    expect([...clients.consumers('G')!.subscriptions.keys()].sort()).toEqual(['%RETRY%G', 'U'])
    expect(changes).toHaveLength(3)
    expect([clients.groupsSubscribedTo('U'), clients.groupsSubscribedTo('T')]).toEqual([['G'], []])
  })

  it('skips consumer groups that do not exist', () => {
    clients.heartbeat(beat('c1', { consumerDataSet: [consumer('X', 'T'), consumer('H', 'T')] }), new TestPeer(), info)
    expect([...clients.consumerGroups()]).toEqual(['H'])
  })

  it('answers heartbeat V2: whether the fingerprint or our knowledge differs', () => {
    const peer = new TestPeer()
    const v2 = (heartbeatFingerprint: number, withoutSub: boolean, ...topics: string[]) =>
      clients.heartbeat(beat('c1', { heartbeatFingerprint, withoutSub, consumerDataSet: [consumer('G', ...topics)] }), peer, info)
        .subscriptionChanged
    expect(v2(7, true)).toBe(true)
    expect(v2(7, false, 'T')).toBe(false)
    expect(v2(7, true)).toBe(false)
    expect([...clients.consumers('G')!.subscriptions.keys()]).toEqual(['T'])
    expect(v2(8, false, 'U')).toBe(true)
    expect([...clients.consumers('G')!.subscriptions.keys()]).toEqual(['U'])
  })

  it('finds members, the newest connection of an id first', () => {
    const [old, young] = [new TestPeer(), new TestPeer()]
    for (const peer of [old, young])
      clients.heartbeat(
        beat('c1', { producerDataSet: [{ groupName: 'P' }, { groupName: 'Q' }], consumerDataSet: [consumer('G', 'T')] }),
        peer,
        info,
      )
    expect(clients.findConsumer('G', 'c1')?.peer).toBe(young)
    expect(clients.findProducer('c1')?.peer).toBe(young)
    clients.unregister('c1', young, { producerGroup: 'P' })
    expect(clients.findProducer('c1')?.peer).toBe(young)
    clients.unregister('c1', young, { producerGroup: 'Q' })
    expect(clients.findProducer('c1')?.peer).toBe(old)
    old.close()
    expect(clients.findProducer('c1')).toBeUndefined()
    expect([...clients.producerGroups()]).toEqual([])
    expect(clients.producers('P')).toEqual([])
    expect(clients.findConsumer('G', 'c1')?.peer).toBe(young)
  })

  it('drops who is silent for more than 120 s, by the steady clock', () => {
    const [silent, alive] = [new TestPeer(), new TestPeer()]
    clients.heartbeat(beat('c1', { producerDataSet: [{ groupName: 'P' }], consumerDataSet: [consumer('G', 'T')] }), silent, info)
    clock.advance(60_000)
    join('c2', alive, 'T')
    clock.jump(-3_600_000)
    clock.advance(60_000)
    clients.expire()
    expect(clients.consumers('G')!.channels).toHaveLength(2)
    clock.advance(1)
    clients.expire()
    expect(clients.consumers('G')!.channels.map(channel => channel.clientId)).toEqual(['c2'])
    expect(clients.producers('P')).toEqual([])
    expect(changes.at(-1)).toEqual(['G', ['c2']])
  })

  it('refuses what is beyond its limits and forgets a place that became free', () => {
    const peers = Array.from({ length: 7 }, () => new TestPeer())
    for (const [i, peer] of peers.slice(0, 6).entries()) join(`c${i}`, peer, 'T')
    expect(() => join('c6', peers[6]!, 'T')).toThrow(expect.objectContaining({ code: 2 }) as Error)
    join('c0', peers[0]!, 'T')
    peers[1]!.close()
    join('c6', peers[6]!, 'T')
    expect(clients.consumers('G')!.channels).toHaveLength(6)
    expect(() => clients.heartbeat(beat(''), peers[6]!, info)).toThrow(/clientID/)
    const many = Array.from({ length: 2001 }, (_, i) => ({ groupName: `P${i}` }))
    expect(() => clients.heartbeat(beat('c6', { producerDataSet: many }), peers[6]!, info)).toThrow(/2001 groups/)
  })

  it('does not take a connection that has closed', () => {
    const peer = new TestPeer()
    peer.close()
    join('c1', peer, 'T')
    expect(clients.consumers('G')).toBeUndefined()
  })
})
