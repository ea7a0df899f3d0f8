import { Flag, Kind, type Meta, type ProducerSpec } from '@cometmq/protocol'
import { parseProperties } from '@cometmq/remoting'
import { describe, expect, it } from 'vitest'
import { everything, type SessionLimits } from '../../src/index.ts'
import { bench, bytes, clusterError, holding, like, may, turn } from '../support/fakes.ts'
import { ScriptedClient } from '../support/scripted-client.ts'

/** A client with producer 1 of topic orders. */
async function opened(limits: Partial<SessionLimits> = {}, spec: ProducerSpec = { kind: 'normal' }) {
  const parts = bench({ limits })
  const client = new ScriptedClient(parts.sessions)
  await client.hello({ producers: [[client.rid(), 1, 'orders', spec]] })
  return { ...parts, client }
}
const entries = (...bodies: string[]) => bodies.map(body => [{}, bytes(body)] as const)

describe('POPEN', () => {
  it.each([
    ['no valid name', 'a b', { kind: 'normal' }, 40002],
    ['a system topic', 'SCHEDULE_TOPIC_XXXX', { kind: 'normal' }, 40390],
    ['a topic the token does not have', 'news', { kind: 'normal' }, 40390],
    ['a topic the cluster does not have', 'orders-x', { kind: 'normal' }, 40402],
    ['transactions', 'orders', { kind: 'transaction' }, 50101],
    ['priorities', 'orders', { kind: 'priority' }, 50101],
    ['a bad group', 'orders', { kind: 'normal', group: 'a b' }, 40000],
    ['a system group', 'orders', { kind: 'normal', group: 'CID_RMQ_X' }, 40390],
  ])('%s is refused', async (_, topic, spec, code) => {
    const { sessions } = bench({ authenticate: () => may({ publish: ['orders*'] }) })
    const client = new ScriptedClient(sessions)
    await client.hello()
    const answer = await client.request(rid => [Kind.POPEN, rid, 1, topic, spec])
    expect(answer.slice(0, 3)).toEqual([Kind.ERR, client.nextRid - 1, code])
    expect(answer[4]).toMatchObject({ outcome: 'not-executed' })
    // Nothing stays of it: the number can be used.
    expect((await client.request(rid => [Kind.POPEN, rid, 1, 'orders', { kind: 'normal' }]))[0]).toBe(Kind.OK)
  })

  it('a number that is open, and one too many', async () => {
    const { client } = await opened({ maxProducers: 2 })
    const answers = []
    for (const pid of [1, 2, 3]) answers.push(await client.request(rid => [Kind.POPEN, rid, pid, 'orders', { kind: 'fifo' }]))
    expect(answers.map(answer => (answer[0] === Kind.ERR ? answer[2] : 0))).toEqual([40000, 0, 42993])
  })

  it('the same request again is answered again, not executed again, also while it runs', async () => {
    const { client, cluster } = await opened()
    let release = (): void => undefined
    cluster.gate = new Promise<void>(resolve => (release = resolve))
    const rid = client.rid()
    const frame = [Kind.POPEN, rid, 2, 'orders', { kind: 'normal' }] as const
    client.send(frame, frame)
    release()
    await turn()
    client.send(frame)
    await turn()
    expect(client.all(Kind.OK)).toEqual(Array.from({ length: 2 }, () => [Kind.OK, rid, { limit: [256, 4_194_304] }]))
    expect(client.all(Kind.ERR)).toEqual([])
  })

  it('CANCEL while it runs: answered, and nothing is open', async () => {
    const { client, cluster } = await opened()
    let release = (): void => undefined
    cluster.gate = new Promise<void>(resolve => (release = resolve))
    const rid = client.rid()
    client.send([Kind.POPEN, rid, 2, 'orders', { kind: 'normal' }], [Kind.CANCEL, rid])
    expect((await client.answer(rid)).slice(0, 3)).toEqual([Kind.ERR, rid, 49990])
    release()
    await turn()
    const send = client.rid()
    client.send([Kind.SEND, send, 2, 0, {}, bytes('x')])
    expect((await client.receipts(1)).get(send)![1]).toBe(40091)
    expect(client.all(Kind.ERR)).toHaveLength(1)
  })
})

describe('SEND and SENDB', () => {
  it('receipts of one turn go in one frame, in the order of the answers', async () => {
    const { client, sender } = await opened()
    const first = client.rid(3)
    client.send([Kind.SEND, first, 1, 0, {}, bytes('a')], [Kind.SENDB, first + 1, 1, 0, entries('b', 'c')])
    expect(sender.items.map(item => Buffer.from(item.body).toString())).toEqual(['a', 'b', 'c'])
    expect(sender.items.map(item => parseProperties(item.properties).get('UNIQ_KEY'))).toEqual(
      [0, 1, 2].map(n => client.messageId(first + n)),
    )
    sender.store()
    const [, receipts] = await client.next(Kind.RECEIPT)
    expect(receipts).toEqual([0, 1, 2].map(n => [first + n, 0, null, 3, n]))
    expect(client.all(Kind.RECEIPT)).toHaveLength(1)
  })

  it('bad entries get their reason, the others are stored', async () => {
    const { client, sender } = await opened()
    const rid = client.rid(4)
    const long = 'x'.repeat(20_000)
    client.send([
      Kind.SENDB,
      rid,
      1,
      0,
      [
        [{ 1: '' }, bytes('a')],
        [{}, bytes('b')],
        [{ 3: { long } }, bytes('c')],
        [{}, bytes('d')],
      ],
    ])
    sender.store()
    const receipts = await client.receipts(4)
    expect([0, 1, 2, 3].map(n => receipts.get(rid + n)![1])).toEqual([40003, 0, 41302, 0])
    expect(receipts.get(rid)![5]).toMatchObject({ outcome: 'not-executed' })
  })

  it('an atomic batch with one bad entry stores nothing', async () => {
    const { client, sender } = await opened()
    const rid = client.rid(2)
    client.send([Kind.SENDB, rid, 1, Flag.atomic, [...entries('a'), [{ 2: [''] }, bytes('b')]]])
    const receipts = await client.receipts(2)
    expect([receipts.get(rid)![1], receipts.get(rid + 1)![1]]).toEqual([40000, 40004])
    expect(sender.submissions).toEqual([])
  })

  it.each([
    ['different groups', [{ 4: 'a' }, { 4: 'b' }], 0, 40005],
    ['compressed bodies', [{ 4: 'a' }, { 4: 'a' }], Flag.compressed, 40000],
  ])('an atomic batch with %s is refused', async (_, metas: Meta[], flags, code) => {
    const { client } = await opened({}, { kind: 'fifo' })
    const rid = client.rid(2)
    client.send([Kind.SENDB, rid, 1, Flag.atomic | flags, metas.map(meta => [meta, bytes('x')] as const)])
    expect([...(await client.receipts(2)).values()].map(receipt => receipt[1])).toEqual([code, code])
  })

  it('flags of an entry are its own', async () => {
    const { client, sender } = await opened()
    client.send([
      Kind.SENDB,
      client.rid(2),
      1,
      0,
      [
        [{}, bytes('a'), Flag.compressed],
        [{}, bytes('b'), Flag.resent],
      ],
    ])
    expect(sender.items.map(item => item.sysFlag)).toEqual([0x301, 0])
    expect(sender.items.map(item => parseProperties(item.properties).has('CMQ_RESENT'))).toEqual([false, true])
  })

  it('oneway gets no receipt, even when it fails or has no producer', async () => {
    const { client, sender } = await opened()
    client.send(
      [Kind.SEND, client.rid(), 1, Flag.oneway, {}, bytes('a')],
      [Kind.SEND, client.rid(), 9, Flag.oneway, {}, bytes('a')],
    )
    client.send([Kind.SENDB, client.rid(2), 1, Flag.oneway, [...entries('b'), [{ 1: '' }, bytes('c')]]])
    sender.fail(clusterError('E_TIMEOUT'))
    await turn()
    expect(client.all(Kind.RECEIPT)).toEqual([])
  })

  it.each([
    ['E_NO_ROUTE', 'not-executed', 40402],
    ['E_TIMEOUT', 'unknown', 50400],
    ['E_CONNECT', 'not-executed', 50391],
    ['E_BUSY', 'not-executed', 42900],
    ['E_OVERLOADED', 'not-executed', 42900],
    ['E_STORE', 'not-executed', 50392],
    ['E_PERMISSION', 'not-executed', 40390],
    ['E_MESSAGE', 'not-executed', 40000],
    ['E_PROTOCOL', 'unknown', 50001],
  ] as const)('%s (%s) becomes %i', async (code, outcome, expected) => {
    const { client, sender } = await opened()
    const rid = client.rid()
    client.send([Kind.SEND, rid, 1, 0, {}, bytes('a')])
    sender.fail(clusterError(code, outcome))
    const receipt = (await client.receipts(1)).get(rid)!
    expect(receipt[1]).toBe(expected)
    expect(receipt[5]).toMatchObject({ outcome, text: holding('because') })
    if (expected === 42900) expect(receipt[5]!.retryAfter).toBeGreaterThan(0)
  })

  it.each([
    ['FLUSH_DISK_TIMEOUT', 50401],
    ['FLUSH_SLAVE_TIMEOUT', 50402],
    ['SLAVE_NOT_AVAILABLE', 50402],
  ] as const)('%s: stored, but not as safely as asked', async (status, code) => {
    const { client, sender } = await opened()
    const rid = client.rid()
    client.send([Kind.SEND, rid, 1, 0, {}, bytes('a')])
    sender.store(status)
    expect((await client.receipts(1)).get(rid)).toMatchObject([rid, code, null, 3, 0, { outcome: 'unknown' }])
  })

  it('a producer that is not open', async () => {
    const { client } = await opened()
    const rid = client.rid(3)
    client.send([Kind.SEND, rid, 7, 0, {}, bytes('a')], [Kind.SENDB, rid + 1, 7, 0, entries('b', 'c')])
    expect([...(await client.receipts(3)).values()].map(receipt => receipt[1])).toEqual([40091, 40091, 40091])
  })

  it('a fifo producer hands on the group as order key', async () => {
    const { client, sender } = await opened({}, { kind: 'fifo' })
    client.send([Kind.SEND, client.rid(), 1, 0, { 4: 'g-1' }, bytes('a')])
    expect(sender.items[0]).toMatchObject({ orderKey: 'g-1', alone: false })
  })

  it('what this bridge does not have says so', async () => {
    const { client } = await opened()
    const answers = [
      await client.request(rid => [Kind.TXEND, rid, 'tx', 1]),
      await client.request(rid => [Kind.RECALL, rid, 1, 'h']),
      await client.request(rid => [Kind.REQ, rid, 1, 1000, {}, bytes('a')]),
    ]
    expect(answers.map(answer => answer[2])).toEqual([50101, 50101, 50101])
  })
})

describe('repeated request ids on one socket', () => {
  it('of an answered send: the same receipt, no second message', async () => {
    const { client, sender } = await opened()
    const rid = client.rid()
    const frame = [Kind.SEND, rid, 1, 0, {}, bytes('a')] as const
    client.send(frame)
    sender.store()
    const first = (await client.receipts(1)).get(rid)
    client.send(frame)
    expect((await client.receipts(1)).get(rid)).toEqual(first)
    expect(sender.submissions).toEqual([])
  })

  it('of a send that runs: one receipt', async () => {
    const { client, sender } = await opened()
    const rid = client.rid(2)
    const frame = [Kind.SENDB, rid, 1, 0, entries('a', 'b')] as const
    client.send(frame, frame, [Kind.SEND, rid + 1, 1, 0, {}, bytes('b')])
    expect(sender.items).toHaveLength(2)
    sender.store()
    await turn()
    expect(client.all(Kind.RECEIPT).flatMap(frame => frame[1])).toHaveLength(2)
  })

  it('of a send that is long forgotten: unknown, and not executed', async () => {
    const { client, sender, sessions } = await opened({ publishWindowMessages: 4 })
    sender.automatic = true
    const { resumeToken } = client.all(Kind.WELCOME)[0]![2]
    const old = client.nextRid
    for (let n = 0; n < 10; n++) {
      const rid = client.rid()
      client.send([Kind.SEND, rid, 1, 0, {}, bytes('a')])
      await client.receipts(1)
    }
    client.cut()
    const again = new ScriptedClient(sessions).continueFrom(client)
    await again.hello({ resume: { token: resumeToken, subs: [] }, producers: [[again.rid(), 1, 'orders', { kind: 'normal' }]] })
    again.send([Kind.SEND, old, 1, 0, {}, bytes('a')])
    expect((await again.receipts(1)).get(old)).toMatchObject([old, 40991, null, 0, 0, { outcome: 'unknown' }])
    expect(sessions.stats().messagesIn).toBe(10)
  })
})

describe('the window', () => {
  const window = { publishWindowMessages: 8, publishWindowBytes: 1_000 }

  it('a message too many ends the socket with 4506', async () => {
    const { client } = await opened(window)
    client.send([Kind.SENDB, client.rid(8), 1, 0, entries(...'abcdefgh')])
    expect(client.closed).toBeUndefined()
    client.send([Kind.SEND, client.rid(), 1, 0, {}, bytes('i')])
    expect(client.closed).toMatchObject({ code: 4506, reason: like(/^42991 /) })
  })

  it('a batch larger than any window, even of an unknown producer, is not answered one by one', async () => {
    const { client } = await opened(window)
    client.send([Kind.SENDB, client.rid(9), 7, 0, entries(...'abcdefghi')])
    expect(client.closed?.code).toBe(4506)
    expect(client.all(Kind.RECEIPT)).toEqual([])
  })

  it('a byte too many, too', async () => {
    const { client } = await opened(window)
    client.send([Kind.SEND, client.rid(), 1, 0, {}, new Uint8Array(1_000)])
    expect(client.closed).toBeUndefined()
    client.send([Kind.SEND, client.rid(), 1, 0, {}, bytes('x')])
    expect(client.closed?.code).toBe(4506)
  })

  it('oneway and refused messages count as well, and are given back', async () => {
    const { client, sender } = await opened(window)
    client.send([Kind.SENDB, client.rid(4), 1, Flag.oneway, entries(...'abcd')])
    client.send([Kind.SENDB, client.rid(4), 1, 0, [1, 2, 3, 4].map(() => [{ 1: '' }, bytes('x')] as const)])
    sender.store()
    expect(await client.next(Kind.PLIMIT)).toEqual([Kind.PLIMIT, 1, 16, 1_008])
  })

  it('is raised with the receipts, a quarter at a time; a rest is told after 20 ms', async () => {
    const { client, sender, clock } = await opened(window)
    sender.automatic = true
    client.send([Kind.SEND, client.rid(), 1, 0, {}, bytes('a')])
    await turn()
    expect(client.all(Kind.PLIMIT)).toEqual([])
    client.send([Kind.SEND, client.rid(), 1, 0, {}, bytes('b')])
    await turn()
    expect(client.received.slice(-2).map(frame => frame[0])).toEqual([Kind.RECEIPT, Kind.PLIMIT])
    expect(client.all(Kind.PLIMIT)).toEqual([[Kind.PLIMIT, 1, 10, 1_002]])
    client.send([Kind.SEND, client.rid(), 1, 0, {}, bytes('c')])
    await turn()
    expect(client.all(Kind.PLIMIT)).toHaveLength(1)
    clock.advance(20)
    expect(client.all(Kind.PLIMIT)[1]).toEqual([Kind.PLIMIT, 1, 11, 1_003])
  })

  it('never stands still for the largest message', async () => {
    const { client, sender, clock } = await opened(window)
    sender.automatic = true
    let allowed = 1_000
    for (let n = 0; n < 20; n++) {
      client.send([Kind.SEND, client.rid(), 1, 0, {}, new Uint8Array(n % 2 === 0 ? 100 : 1_000)])
      await turn()
      clock.advance(20)
      allowed = client.all(Kind.PLIMIT).at(-1)![3]
      const used = Math.ceil((n + 1) / 2) * 100 + Math.floor((n + 1) / 2) * 1_000
      expect(allowed - used).toBe(1_000)
    }
  })
})

describe('what the session keeps', () => {
  it('nothing runs or waits after the answers', async () => {
    const { client, sender, sessions, clock } = await opened()
    sender.automatic = true
    for (let n = 0; n < 1000; n++) {
      client.send([Kind.SEND, client.rid(), 1, 0, {}, bytes('a')])
      if (n % 100 === 99) await turn()
      clock.advance(5)
    }
    client.send([Kind.BYE, 0])
    expect(clock.pending).toBe(0)
    expect(sessions.stats()).toMatchObject({ connected: 0, detached: 0, messagesIn: 1000 })
  })

  it('results that come after the end go nowhere', async () => {
    const { client, sender } = await opened()
    client.send([Kind.SEND, client.rid(), 1, 0, {}, bytes('a')], [Kind.BYE, 0])
    sender.store()
    await turn()
    expect(client.all(Kind.RECEIPT)).toEqual([])
  })

  it('everything is the default principal’s', () => expect(everything.scopes.maxConnections).toBe(Infinity))
})
