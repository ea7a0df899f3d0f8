import { Kind, type SubSpec } from '@cometmq/protocol'
import { describe, expect, it } from 'vitest'
import type { SessionLimits } from '../../src/index.ts'
import { bench, bytes, like, may, turn } from '../support/fakes.ts'
import { ScriptedClient } from '../support/scripted-client.ts'

const spec: SubSpec = { mode: 'group', group: 'g', topics: [['orders', 0, '']], limit: [10, 1000] }

async function opened(limits: Partial<SessionLimits> = {}, hello = {}, scopes = {}) {
  const parts = bench({ limits, authenticate: () => may(scopes) })
  const client = new ScriptedClient(parts.sessions)
  const welcome = await client.hello({ producers: [[client.rid(), 1, 'orders', { kind: 'normal' }]], ...hello })
  return { ...parts, client, welcome }
}

describe('liveness', () => {
  it('pings after 25 s of silence, and ends with 4005 when nothing comes for 8 s', async () => {
    const { client, clock, sessions } = await opened()
    clock.advance(24_999)
    expect(client.all(Kind.PING)).toEqual([])
    clock.advance(1)
    expect(client.all(Kind.PING)).toEqual([[Kind.PING, 1, 0]])
    clock.advance(7_999)
    expect(client.closed).toBeUndefined()
    clock.advance(1)
    expect(client.closed?.code).toBe(4005)
    expect(sessions.stats()).toMatchObject({ connected: 0, detached: 1 })
  })

  it('any frame counts as life, and what goes out moves the next ping', async () => {
    const { client, clock } = await opened()
    clock.advance(25_000)
    client.send([Kind.LIMIT, 1, 1, 1])
    clock.advance(8_000)
    expect(client.closed).toBeUndefined()
    expect(client.all(Kind.PING)).toHaveLength(1)
    clock.advance(10_000)
    client.send([Kind.PING, 5])
    clock.advance(24_999)
    expect(client.all(Kind.PING)).toHaveLength(1)
    clock.advance(1)
    expect(client.all(Kind.PING)).toHaveLength(2)
    client.send([Kind.PONG, 2])
    clock.advance(20_000)
    expect(client.closed).toBeUndefined()
  })

  it.each([
    [5_000, 5_000],
    [10, 1_000],
    [10_000_000, 120_000],
    [0, 25_000],
  ])('asked for %i ms, the heartbeat is %i ms', async (asked, hb) => {
    const { client, clock, welcome } = await opened({}, { hb: asked })
    expect(welcome.hb).toBe(hb)
    clock.advance(hb)
    expect(client.all(Kind.PING)).toHaveLength(1)
  })

  it('a socket that has ended is not pinged', async () => {
    const { client, clock } = await opened()
    client.cut()
    clock.advance(119_000)
    expect(client.all(Kind.PING)).toEqual([])
    clock.advance(1_000)
    expect(clock.pending).toBe(0)
  })
})

describe('rates', () => {
  const limits = { framesPerSecond: 10, frameBurst: 10 }
  const popen = (client: ScriptedClient) =>
    [Kind.POPEN, client.rid(), client.nextRid + 100, 'orders', { kind: 'normal' }] as const

  it('over the rate: the link is asked to pause; over it by a burst: refused; by four: 4507', async () => {
    const { client, sender } = await opened(limits)
    sender.automatic = true
    const send = () => client.send([Kind.SEND, client.rid(), 1, 0, {}, bytes('a')])
    for (let n = 0; n < 10; n++) send()
    expect(client.pauses).toEqual([])
    send()
    expect(client.pauses).toEqual([100])
    for (let n = 11; n < 20; n++) send()
    await turn()
    expect(
      client
        .all(Kind.RECEIPT)
        .flatMap(([, receipts]) => receipts)
        .every(receipt => receipt[1] === 0),
    ).toBe(true)
    const rid = client.nextRid
    send()
    expect((await client.receipts(21)).get(rid)).toMatchObject([
      rid,
      42990,
      null,
      0,
      0,
      { outcome: 'not-executed', retryAfter: 1_100 },
    ])
    client.send(popen(client))
    expect((await client.next(Kind.ERR))[2]).toBe(42990)
    for (let n = 22; n < 50; n++) client.send([Kind.PING, n])
    expect(client.closed).toBeUndefined()
    client.send([Kind.PING, 50])
    expect(client.closed).toMatchObject({ code: 4507, reason: like(/^42990 /) })
  })

  it('settling is never refused, only counted', async () => {
    const { client, subs } = await opened(limits, { subs: [[5, 1, spec]] })
    for (let n = 1; n <= 40; n++) client.send([Kind.ACK, 1, [n, n]])
    expect(subs.opened[0]!.calls).toHaveLength(40)
  })

  it('whoever waits is forgiven', async () => {
    const { client, clock, sender } = await opened(limits)
    sender.automatic = true
    for (let round = 0; round < 5; round++) {
      for (let n = 0; n < 20; n++) client.send([Kind.SEND, client.rid(), 1, 0, {}, bytes('a')])
      clock.advance(2_000)
    }
    await turn()
    const receipts = client.all(Kind.RECEIPT).flatMap(([, list]) => list)
    expect(receipts).toHaveLength(100)
    expect(receipts.every(receipt => receipt[1] === 0)).toBe(true)
  })

  it('bytes count, too', async () => {
    const { client, clock } = await opened({ inboundBytesPerSecond: 1_000, publishWindowBytes: 1_000_000, maxBodyBytes: 5_000 })
    // A whole window may come at once; twice of it is the burst.
    client.send([Kind.SENDB, client.rid(), 1, 0, [[{}, new Uint8Array(5_000)]]])
    expect(client.pauses).toEqual([])
    clock.advance(1)
    for (let n = 0; n < 100; n++) client.raw([Kind.SEND, client.rid(), 99, 0, {}, new Uint8Array(20_000)])
    expect(client.pauses.at(-1)).toBeGreaterThan(0)
    for (let n = 0; n < 600 && !client.closed; n++) client.raw([Kind.SEND, client.rid(), 99, 0, {}, new Uint8Array(20_000)])
    expect(client.closed?.code).toBe(4507)
  })

  it('frames of kinds that are ignored count as well', async () => {
    const { client } = await opened(limits)
    for (let n = 0; n < 50; n++) client.raw([200, n])
    expect(client.pauses.length).toBe(40)
    client.raw([200])
    expect(client.closed?.code).toBe(4507)
  })

  it('a token may say another rate', async () => {
    const { client } = await opened(limits, {}, { framesPerSecond: 1_000 })
    for (let n = 0; n < 2_000; n++) client.send([Kind.PING, n])
    expect(client.pauses).toEqual([])
  })

  it('no limit is no limit', async () => {
    const { client } = await opened({ framesPerSecond: Infinity, inboundBytesPerSecond: Infinity })
    for (let n = 0; n < 5_000; n++) client.send([Kind.PING, n])
    expect(client.pauses).toEqual([])
    expect(client.closed).toBeUndefined()
  })
})

describe('floods', () => {
  const fast = { framesPerSecond: Infinity, inboundBytesPerSecond: Infinity }

  it('requests that run: no more than 256 at a time', async () => {
    const { client, subs } = await opened({ ...fast, maxSubs: 1_000 })
    subs.gate = new Promise(() => undefined)
    const first = client.rid(300)
    for (let n = 0; n < 300; n++) client.send([Kind.SUB, first + n, n + 1, spec])
    await turn()
    expect(client.all(Kind.ERR).map(frame => [frame[1], frame[2]])).toEqual(
      Array.from({ length: 44 }, (_, n) => [first + 256 + n, 42990]),
    )
  })

  it('answers that are kept: the last 1 024', async () => {
    const { client, sessions, welcome } = await opened(fast)
    const first = client.nextRid
    for (let n = 0; n < 1_100; n++) {
      client.send([Kind.UNSUB, client.rid(), 1, 0])
      if (n % 100 === 99) await turn()
    }
    const [oldest, newest] = [first + 10, first + 1_099]
    client.cut()
    const again = new ScriptedClient(sessions).continueFrom(client)
    await again.hello({ resume: { token: welcome.resumeToken, subs: [] } })
    again.send([Kind.UNSUB, oldest, 1, 0], [Kind.UNSUB, newest, 1, 0])
    expect((await again.answer(oldest)).slice(0, 3)).toEqual([Kind.ERR, oldest, 40991])
    expect((await again.answer(newest))[0]).toBe(Kind.OK)
  })

  it('nonsense ends with 4502 and leaves the others alone', async () => {
    const { client, sessions } = await opened()
    for (const value of [
      null,
      undefined,
      7,
      'x',
      {},
      [],
      [[]],
      [Kind.SEND],
      [Kind.SENDB, 1, 1, 0, [[{}]]],
      [Kind.FRAG, 1, 0, true, bytes('x')],
      [127],
    ]) {
      const other = new ScriptedClient(sessions)
      await other.hello()
      other.raw(value)
      expect(other.closed?.code).toBe(4502)
      // What comes behind the end is nothing.
      other.raw([Kind.PING, 1])
    }
    client.send([Kind.PING, 1])
    expect(client.all(Kind.PONG)).toHaveLength(1)
  })

  it('a fault inside one session ends that one, and says nothing of it', async () => {
    const { client, sender, sessions } = await opened()
    const other = new ScriptedClient(sessions)
    await other.hello()
    sender.submit = () => {
      throw new Error('inside')
    }
    client.send([Kind.SEND, client.rid(), 1, 0, {}, bytes('a')])
    expect(client.closed).toMatchObject({ code: 4004, reason: like(/^50001 the bridge failed at a frame$/) })
    expect(other.closed).toBeUndefined()
    expect(sessions.stats()).toMatchObject({ connected: 1, detached: 0 })
  })
})

describe('drain and close', () => {
  it('says so to all, refuses new ones, waits until they have left', async () => {
    const { client, sessions, clock, welcome } = await opened()
    const other = new ScriptedClient(sessions)
    await other.hello()
    const drained = sessions.drain({ graceMs: 10_000, url: 'wss://other', spreadMs: 500 })
    expect(sessions.draining).toBe(true)
    expect(await client.next(Kind.GOAWAY)).toEqual([Kind.GOAWAY, 4001, 10_000, 'wss://other', 500])
    const late = new ScriptedClient(sessions)
    late.send([
      Kind.HELLO,
      1,
      { proto: 1, sdk: 't', runtime: 'n', maxFrame: 1, resume: { token: welcome.resumeToken, subs: [] } },
    ])
    expect((await late.next(Kind.ERR)).slice(0, 3)).toEqual([Kind.ERR, 1, 50390])
    expect(late.closed?.code).toBe(4001)
    // What is open goes on meanwhile.
    expect((await client.request(rid => [Kind.POPEN, rid, 2, 'orders', { kind: 'normal' }]))[0]).toBe(Kind.OK)
    client.send([Kind.BYE, 0])
    other.cut()
    await drained
    expect(clock.pending).toBe(0)
    expect(sessions.stats()).toMatchObject({ connected: 0, detached: 0 })
  })

  it('whoever stays is closed with 4001 when the time is over, leases released first', async () => {
    const { client, sessions, clock, subs } = await opened({}, { subs: [[5, 1, spec]] })
    const away = new ScriptedClient(sessions)
    await away.hello({ subs: [[5, 1, spec]] })
    away.cut()
    let released = false
    subs.opened[0]!.closing = new Promise<void>(resolve => setImmediate(() => ((released = true), resolve())))
    const drained = sessions.drain({ graceMs: 1_000 })
    expect(subs.opened.map(sub => sub.closed)).toEqual([false, true])
    await clock.advanceAsync(1_000)
    await drained
    expect(client.closed?.code).toBe(4001)
    expect(subs.opened[0]!.closed).toBe(true)
    expect(released).toBe(true)
  })

  it('a handshake that was under way is refused', async () => {
    let open = (): void => undefined
    const gate = new Promise<void>(resolve => (open = resolve))
    const { sessions } = bench({ authenticate: async () => (await gate, may({})) })
    const client = new ScriptedClient(sessions)
    client.send([Kind.HELLO, 1, { proto: 1, sdk: 't', runtime: 'n', maxFrame: 1 }])
    const drained = sessions.drain({ graceMs: 1_000 })
    open()
    expect((await client.next(Kind.ERR))[2]).toBe(50390)
    await drained
    expect(sessions.stats().connected).toBe(0)
  })

  it('close ends everything; what comes later is refused', async () => {
    const { client, sessions, sender, clock, subs } = await opened({}, { subs: [[5, 1, spec]] })
    await Promise.all([sessions.close(), sessions.close()])
    expect(client.closed?.code).toBe(4001)
    expect(subs.opened[0]!.closed).toBe(true)
    expect(sender.closed).toBe(true)
    expect(clock.pending).toBe(0)
    expect(new ScriptedClient(sessions).closed?.code).toBe(4001)
  })
})

describe('counters', () => {
  it('count what happened', async () => {
    const { client, sessions, sender } = await opened()
    client.send([Kind.SENDB, client.rid(3), 1, 0, [1, 2, 3].map(() => [{}, bytes('a')] as const)], [Kind.PING, 1])
    sender.store()
    await turn()
    expect(sessions.stats()).toMatchObject({ connected: 1, framesIn: 3, framesOut: client.received.length, messagesIn: 3 })
  })
})
