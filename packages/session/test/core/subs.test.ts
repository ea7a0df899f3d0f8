import { Kind, type SubSpec } from '@cometmq/protocol'
import { describe, expect, it } from 'vitest'
import { RefusedError, type SessionLimits } from '../../src/index.ts'
import { bench, clusterError, may, turn } from '../support/fakes.ts'
import { ScriptedClient } from '../support/scripted-client.ts'

const group: SubSpec = { mode: 'group', group: 'g', topics: [['orders', 0, '']], limit: [10, 1000] }
const broadcast: SubSpec = { mode: 'broadcast', topics: [['news', 1, 'A || B']], limit: [10, 1000] }

async function opened(limits: Partial<SessionLimits> = {}, scopes = {}) {
  const parts = bench({ limits, authenticate: () => may(scopes) })
  const client = new ScriptedClient(parts.sessions)
  await client.hello()
  const sub = async (sid: number, spec: SubSpec = group) => {
    const answer = await client.request(rid => [Kind.SUB, rid, sid, spec])
    return answer[0] === Kind.ERR ? answer[2] : 0
  }
  return { ...parts, client, sub }
}
const bodies = (client: ScriptedClient) => client.all(Kind.DELIVER).map(([, sid, , entries]) => [sid, entries[0]![8].length])

describe('SUB', () => {
  it('the answer goes before anything the subscription says', async () => {
    const { client, sub, subs } = await opened()
    subs.result = { leaseMs: 30_000 }
    await sub(1)
    await client.next(Kind.SUBINFO)
    expect(client.received.slice(1)).toEqual([
      [Kind.OK, 2, { leaseMs: 30_000 }],
      [Kind.SUBINFO, 1, { state: 'running' }],
    ])
  })

  it('what is ready before the answer is delivered behind it', async () => {
    const { client, subs } = await opened()
    let release = (): void => undefined
    subs.afterwards = new Promise<void>(resolve => (release = resolve))
    subs.ready = [100]
    const rid = client.rid()
    client.send([Kind.SUB, rid, 1, group])
    await turn()
    expect(client.received).toHaveLength(1)
    release()
    await client.next(Kind.DELIVER)
    expect(client.received.slice(1).map(frame => frame[0])).toEqual([Kind.OK, Kind.SUBINFO, Kind.DELIVER])
  })

  it.each([
    ['no topics', { ...group, topics: [] }, 40000],
    ['33 topics', { ...group, topics: Array.from({ length: 33 }, (_, n) => [`t-${n}`, 0, ''] as const) }, 40000],
    ['a topic twice', { ...group, topics: [...group.topics, ...group.topics] }, 40000],
    ['a bad topic', { ...group, topics: [['a b', 0, '']] }, 40002],
    ['a retry topic', { ...group, topics: [['%RETRY%g', 0, '']] }, 40390],
    ['a dead letter topic', { ...broadcast, topics: [['%DLQ%g', 0, '']] }, 40390],
    ['SQL92', { ...group, topics: [['orders', 2, 'a = 1']] }, 50101],
    ['no group', { mode: 'group', topics: group.topics, limit: group.limit }, 40000],
    ['a bad group', { ...group, group: 'a b' }, 40000],
    ['a system group', { ...group, group: 'CID_RMQ_SYS_TRANS' }, 40390],
    ['a lease too short', { ...group, leaseMs: 999 }, 40015],
    ['a lease too long', { ...group, leaseMs: 12 * 3_600_000 + 1 }, 40015],
    ['another group', { ...group, group: 'h' }, 40390],
    ['broadcast with a right for one group', { ...broadcast, topics: [['orders', 0, '']] }, 40390],
  ] as [string, SubSpec, number][])('%s is refused', async (_, spec, code) => {
    const { sub, subs } = await opened({}, { subscribe: [{ topic: 'orders', group: 'g' }] })
    expect(await sub(1, spec)).toBe(code)
    expect(subs.opened).toEqual([])
    expect(await sub(1)).toBe(0)
  })

  it('a number that is open, and one too many', async () => {
    const { sub } = await opened({ maxSubs: 2 })
    expect([await sub(1), await sub(1), await sub(2, broadcast), await sub(3)]).toEqual([0, 40000, 0, 42993])
  })

  it('what the cluster refuses leaves nothing', async () => {
    const { sub, subs } = await opened({ maxSubs: 1 })
    subs.error = new RefusedError(40402, 'no such topic')
    expect(await sub(1)).toBe(40402)
    subs.error = undefined
    expect(await sub(1)).toBe(0)
  })

  it('CANCEL, UNSUB or the end while it opens: it is closed as soon as it is there', async () => {
    for (const how of ['cancel', 'unsub', 'bye'] as const) {
      const { client, subs } = await opened()
      let release = (): void => undefined
      subs.gate = new Promise<void>(resolve => (release = resolve))
      const rid = client.rid()
      client.send([Kind.SUB, rid, 1, group])
      if (how === 'cancel') client.send([Kind.CANCEL, rid])
      if (how === 'unsub') client.send([Kind.UNSUB, client.rid(), 1, 0])
      if (how === 'bye') client.send([Kind.BYE, 0])
      release()
      await turn()
      expect(subs.opened.map(sub => sub.closed)).toEqual([true])
      if (how !== 'bye') expect((await client.answer(rid))[2]).toBe(49990)
      expect(client.all(Kind.SUBINFO)).toEqual([])
    }
  })

  it('a LIMIT that comes while it opens is not lost', async () => {
    const { client, subs } = await opened()
    const rid = client.rid()
    client.send([Kind.SUB, rid, 1, group], [Kind.LIMIT, 1, 20, 2000])
    await client.answer(rid)
    expect(subs.opened[0]!.calls).toEqual([['limit', 20, 2000]])
  })
})

describe('frames of a subscription', () => {
  it('reach it as they are', async () => {
    const { client, sub, subs } = await opened({}, { inspect: true })
    await sub(1)
    client.send(
      [Kind.ACK, 1, [1, 3, 5, 5]],
      [Kind.ACK, 1, [6, 6], true],
      [Kind.NACK, 1, [7, 7], null],
      [Kind.NACK, 1, [8, 8], 500, 'later'],
      [Kind.EXTEND, 1, [9, 9], 60_000],
      [Kind.DEAD, 1, [10, 10], 'broken'],
      [Kind.LIMIT, 1, 99, 9_999],
    )
    expect((await client.request(rid => [Kind.SEEK, rid, 1, { at: 5 }]))[0]).toBe(Kind.OK)
    expect(await client.request(rid => [Kind.QUERY, rid, 'lag', { sid: 1 }])).toMatchObject([
      Kind.OK,
      4,
      { messages: 7, ageMs: 70 },
    ])
    expect((await client.request(rid => [Kind.UNSUB, rid, 1, 1]))[0]).toBe(Kind.OK)
    client.send([Kind.ACK, 1, [11, 11]])
    expect(subs.opened[0]!.calls).toEqual([
      ['ack', [1, 3, 5, 5], false],
      ['ack', [6, 6], true],
      ['nack', [7, 7], null, undefined],
      ['nack', [8, 8], 500, 'later'],
      ['extend', [9, 9], 60_000],
      ['dead', [10, 10], 'broken'],
      ['limit', 99, 9_999],
      ['seek', { at: 5 }],
      ['stop'],
      ['ack', [11, 11], false],
    ])
  })

  it('of one that was closed are nothing; of one that never was are told', async () => {
    const { client, sub } = await opened()
    await sub(1)
    await client.request(rid => [Kind.UNSUB, rid, 1, 0])
    client.send([Kind.ACK, 1, [1, 1]])
    expect(client.all(Kind.ERR)).toEqual([])
    client.send([Kind.ACK, 2, [1, 1]])
    expect(client.all(Kind.ERR)).toMatchObject([[Kind.ERR, 0, 40091, expect.anything(), { sid: 2 }]])
    expect((await client.request(rid => [Kind.UNSUB, rid, 77, 0]))[0]).toBe(Kind.OK)
    expect((await client.request(rid => [Kind.SEEK, rid, 77, 'latest']))[2]).toBe(40091)
    expect((await client.request(rid => [Kind.QUERY, rid, 'lag', { sid: 77 }]))[2]).toBe(40091)
  })

  it('moving a group needs inspect; moving a broadcast does not', async () => {
    const { client, sub } = await opened({}, { inspect: false })
    await sub(1)
    await sub(2, broadcast)
    expect((await client.request(rid => [Kind.SEEK, rid, 1, 'latest']))[2]).toBe(40390)
    expect((await client.request(rid => [Kind.SEEK, rid, 2, 'latest']))[0]).toBe(Kind.OK)
  })

  it('UNSUB is answered when its messages are released', async () => {
    const { client, sub, subs } = await opened()
    await sub(1)
    let release = (): void => undefined
    subs.opened[0]!.closing = new Promise<void>(resolve => (release = resolve))
    const rid = client.rid()
    client.send([Kind.UNSUB, rid, 1, 0])
    await turn()
    expect(client.all(Kind.OK).some(frame => frame[1] === rid)).toBe(false)
    release()
    expect((await client.answer(rid))[0]).toBe(Kind.OK)
  })

  it('one that fails is told with its number, closed, and takes nothing with it', async () => {
    const { client, sub, subs } = await opened()
    await sub(1)
    await sub(2)
    const [one, two] = subs.opened
    one!.host.failed(one!, clusterError('E_TOPIC_NOT_FOUND', 'not-executed'))
    one!.host.failed(one!, new Error('again'))
    one!.arrive(10)
    two!.arrive(20)
    await client.next(Kind.DELIVER)
    expect(client.all(Kind.ERR)).toMatchObject([[Kind.ERR, 0, 40402, expect.anything(), { sid: 1 }]])
    expect(one!.closed).toBe(true)
    expect(bodies(client)).toEqual([[2, 20]])
  })

  it('one that is too slow ends the socket with 4406; the session waits', async () => {
    const { client, sub, subs, sessions } = await opened()
    await sub(1)
    subs.opened[0]!.host.tooSlow(subs.opened[0]!)
    expect(client.closed?.code).toBe(4406)
    expect(sessions.stats().detached).toBe(1)
  })

  it('sees the restriction of the token as it is now', async () => {
    const where = { tenant: ['a'] }
    const { sessions, subs } = bench({
      authenticate: token => ({ ...may({}), where: token === 'b' ? { tenant: ['b'] } : where }),
    })
    const client = new ScriptedClient(sessions)
    await client.hello({ subs: [[2, 1, group]] })
    expect(subs.opened[0]!.host.where).toEqual(where)
    await client.request(rid => [Kind.AUTH, rid, 'b'])
    expect(subs.opened[0]!.host.where).toEqual({ tenant: ['b'] })
  })
})

describe('who delivers next', () => {
  it('by turns, 16 kB each; a heavy one does not hold up a light one', async () => {
    const { client, sub, subs } = await opened()
    for (const sid of [1, 2, 3]) await sub(sid)
    const [one, two, three] = subs.opened
    one!.arrive(...Array<number>(10).fill(8_000))
    two!.arrive(100)
    three!.arrive(20_000, 20_000)
    await turn()
    expect(bodies(client).map(([sid]) => sid)).toEqual([1, 1, 1, 2, 3, 1, 1, 1, 3, 1, 1, 1, 1])
  })

  it('nothing while the link is full; goes on where it was when it drains', async () => {
    const { client, sub, subs } = await opened()
    await sub(1)
    await sub(2)
    client.writable = false
    subs.opened[0]!.arrive(100)
    subs.opened[1]!.arrive(200)
    await turn()
    expect(bodies(client)).toEqual([])
    client.send([Kind.PING, 1])
    expect(client.all(Kind.PONG)).toHaveLength(1)
    client.drained()
    expect(bodies(client)).toEqual([
      [1, 100],
      [2, 200],
    ])
  })

  it('a session that could go on for ever lets others have their turn', async () => {
    const { client, sub, subs } = await opened()
    await sub(1)
    subs.opened[0]!.arrive(...Array<number>(40).fill(16_384))
    await new Promise<void>(resolve => setImmediate(resolve))
    expect(client.all(Kind.DELIVER)).toHaveLength(16)
    await turn()
    await turn()
    expect(client.all(Kind.DELIVER)).toHaveLength(40)
  })

  it('one that is closed while it waits for its turn does not get it', async () => {
    const { client, sub, subs } = await opened()
    await sub(1)
    subs.opened[0]!.arrive(100)
    client.send([Kind.UNSUB, client.rid(), 1, 0])
    await turn()
    expect(bodies(client)).toEqual([])
  })

  it('what arrives while the client is away is delivered after the resume', async () => {
    const { client, sub, subs, sessions } = await opened()
    await sub(1)
    const { resumeToken } = client.all(Kind.WELCOME)[0]![2]
    client.cut()
    subs.opened[0]!.arrive(100)
    await turn()
    const again = new ScriptedClient(sessions).continueFrom(client)
    await again.hello({ resume: { token: resumeToken, subs: [[1, 0]] }, subs: [[again.rid(), 1, group]] })
    await again.next(Kind.DELIVER)
    expect(bodies(again)).toEqual([[1, 100]])
  })
})

describe('QUERY', () => {
  it.each([
    ['a message without the scope', 'message', { topic: 'orders', id: 'x' }, { inspect: false }, 40390],
    [
      'a topic that one may not read',
      'key',
      { topic: 'news', key: 'x' },
      { inspect: true, subscribe: [{ topic: 'orders', group: 'g' }] },
      40390,
    ],
    ['a system topic', 'key', { topic: '%DLQ%g', key: 'x' }, {}, 40390],
    ['nothing to look for', 'key', { topic: 'orders' }, {}, 40000],
    ['something unknown', 'everything', {}, {}, 40000],
    ['dead letters', 'dead', { group: 'g' }, {}, 50101],
  ])('%s is refused', async (_, what, args, scopes, code) => {
    const { client } = await opened({}, scopes)
    expect((await client.request(rid => [Kind.QUERY, rid, what, args]))[2]).toBe(code)
  })

  it('hides what the token hides', async () => {
    const { sessions, cluster } = bench({ authenticate: () => ({ ...may({}), where: { tenant: ['a'] } }) })
    const message = (tenant: string) => ({
      topic: 'orders',
      brokerName: 'b',
      queueId: 1,
      queueOffset: 2,
      msgId: tenant,
      bornTimestamp: 3,
      storeTimestamp: 4,
      reconsumeTimes: 0,
      properties: new Map([['tenant', tenant]]),
      body: Buffer.from(tenant),
    })
    cluster.found = [message('a'), message('b')] as never
    const client = new ScriptedClient(sessions)
    await client.hello()
    const answer = await client.request(rid => [Kind.QUERY, rid, 'key', { topic: 'orders', key: 'x' }])
    expect(answer[2]).toMatchObject([{ id: 'a', attempt: 1, offset: 2, bytes: 1 }])
  })
})
