import { type ErrFrame, Kind, type SubSpec } from '@cometmq/protocol'
import { FakeClock } from '@cometmq/testkit'
import { describe, expect, it } from 'vitest'
import { everything, type Principal, RefusedError } from '../../src/index.ts'
import { bench, bytes, clusterError, may, turn } from '../support/fakes.ts'
import { ScriptedClient } from '../support/scripted-client.ts'

const hello = (rid: number, more: object = {}) =>
  [Kind.HELLO, rid, { proto: 1, sdk: 't', runtime: 'n', maxFrame: 1000, ...more }] as const
const spec: SubSpec = { mode: 'broadcast', topics: [['news', 0, '']], limit: [10, 1000] }

/** ERR, then the close. */
async function refusal(client: ScriptedClient): Promise<[error: number, close: number, details: ErrFrame[4]]> {
  const [, , code, , details] = await client.next(Kind.ERR)
  return [code, (await client.whenClosed()).code, details]
}

describe('before HELLO', () => {
  it.each([
    ['another frame', [Kind.PING, 1]],
    ['no frame', 'hello'],
    ['an empty array', []],
    ['an unknown kind', [99, 1]],
    ['a frame of the server', [Kind.WELCOME, 1, {}]],
    ['a HELLO without options', [Kind.HELLO, 1]],
  ])('%s ends the socket with 4502', async (_, value) => {
    const client = new ScriptedClient(bench().sessions)
    client.raw(value)
    expect(client.closed).toMatchObject({ code: 4502 })
    expect(client.closed!.reason).toMatch(/^40090 /)
  })

  it('nothing for 5 s ends it, and leaves no timer', async () => {
    const { sessions, clock } = bench()
    const client = new ScriptedClient(sessions)
    clock.advance(4_999)
    expect(client.closed).toBeUndefined()
    clock.advance(1)
    expect(await refusal(client)).toMatchObject([40890, 4005, {}])
    expect(clock.pending).toBe(0)
  })

  it('a newer kind is ignored, also as the first', async () => {
    const client = new ScriptedClient(bench().sessions)
    client.raw([200, 'new'])
    await client.hello()
    client.raw([255])
    expect(client.closed).toBeUndefined()
  })

  it('a socket that closes at once leaves nothing', () => {
    const { sessions, clock } = bench()
    new ScriptedClient(sessions).cut()
    expect(clock.pending).toBe(0)
    expect(sessions.stats()).toMatchObject({ connected: 0, detached: 0 })
  })
})

describe('HELLO', () => {
  it('WELCOME tells limits, times and a token', async () => {
    const clock = new FakeClock()
    const { sessions } = bench({ authenticate: () => may({}, 'anna', clock.now() + 100_000), clock })
    const client = new ScriptedClient(sessions)
    const info = await client.hello({ hb: 5_000 })
    expect(info).toMatchObject({
      epoch: 1,
      node: 'n-1',
      resumed: 0,
      now: clock.now(),
      hb: 5_000,
      pong: 8_000,
      tokenTtl: 100_000,
      limits: { maxFrame: 262_144, maxBody: 4_194_304, maxProperties: 16_384, maxSubs: 64, maxProducers: 32 },
    })
    expect(info.session).toMatch(/^[0-9A-F]{20}$/)
    expect(info.resumeToken).toMatch(/^[\w-]+$/)
    expect(sessions.stats()).toMatchObject({ connected: 1, detached: 0 })
  })

  it('another version ends with 4503', async () => {
    const client = new ScriptedClient(bench().sessions)
    client.send(hello(1, { proto: 2 }))
    expect(await refusal(client)).toMatchObject([40000, 4503, {}])
  })

  it('a second HELLO ends with 4502', async () => {
    const client = new ScriptedClient(bench().sessions)
    await client.hello()
    client.send(hello(2))
    expect(client.closed?.code).toBe(4502)
  })

  it('the token of HELLO wins over the one of the socket', async () => {
    const tokens: (string | undefined)[] = []
    const { sessions } = bench({ authenticate: token => (tokens.push(token), everything) })
    await new ScriptedClient(sessions, { address: 'a', token: 'early' }).hello()
    await new ScriptedClient(sessions, { address: 'a', token: 'early' }).hello({ auth: 'late' })
    await new ScriptedClient(sessions).hello()
    expect(tokens).toEqual(['early', 'late', undefined])
  })

  it.each([
    [40190, 4500],
    [40191, 4003],
    [40192, 4003],
    [40193, 4500],
    [40391, 4501],
    [40390, 4504],
  ])('a verifier that refuses with %i ends the socket with %i', async (code, close) => {
    for (const later of [false, true]) {
      const refuse = (): never => {
        throw new RefusedError(code, 'no', { hint: 'ask' })
      }
      const { sessions } = bench({ authenticate: later ? async () => refuse() : refuse })
      const client = new ScriptedClient(sessions)
      client.send(hello(1))
      const [error, closed, details] = await refusal(client)
      expect([error, closed]).toEqual([code, close])
      expect(details).toMatchObject({ hint: 'ask', outcome: 'not-executed' })
      expect(sessions.stats().connected).toBe(0)
    }
  })

  it('a verifier that fails or hangs is our fault: come back', async () => {
    const broken = bench({ authenticate: () => Promise.reject(new Error('secret detail')) })
    const client = new ScriptedClient(broken.sessions)
    client.send(hello(1))
    const [, , code, text] = await client.next(Kind.ERR)
    expect([code, (await client.whenClosed()).code]).toEqual([50001, 4006])
    expect(text).not.toContain('secret')
    const hanging = bench({ authenticate: () => new Promise<Principal>(() => undefined) })
    const waiting = new ScriptedClient(hanging.sessions)
    waiting.send(hello(1))
    await hanging.clock.advanceAsync(10_000)
    expect(await refusal(waiting)).toMatchObject([50001, 4006, {}])
    expect(hanging.clock.pending).toBe(0)
  })

  it('a token that has expired already is refused', async () => {
    const { sessions } = bench({ authenticate: () => may({}, 'a', 5) })
    const client = new ScriptedClient(sessions)
    client.send(hello(1))
    expect(await refusal(client)).toMatchObject([40191, 4003, {}])
  })
})

describe('while the token is verified', () => {
  function held(limits = {}) {
    let open = (_: Principal): void => undefined
    const verified = new Promise<Principal>(resolve => (open = resolve))
    return { ...bench({ authenticate: () => verified, limits }), open: () => open(everything) }
  }

  it('frames wait, and are executed in order behind WELCOME', async () => {
    const { sessions, open, sender } = held()
    const client = new ScriptedClient(sessions)
    client.send(hello(1, { producers: [[2, 1, 'orders', { kind: 'normal' }]] }))
    client.send([Kind.SEND, 3, 1, 0, {}, bytes('a')], [Kind.PING, 7], [Kind.SEND, 4, 1, 0, {}, bytes('b')])
    await turn()
    expect(client.received).toEqual([])
    open()
    await client.next(Kind.PONG)
    expect(client.received.map(frame => frame[0])).toEqual([Kind.WELCOME, Kind.PONG])
    expect(sender.items.map(item => Buffer.from(item.body).toString())).toEqual(['a', 'b'])
  })

  it('no more than 256 frames wait', async () => {
    const { sessions } = held()
    const client = new ScriptedClient(sessions)
    client.send(hello(1))
    for (let n = 0; n < 256; n++) client.send([Kind.PING, n])
    expect(client.closed).toBeUndefined()
    client.send([Kind.PING, 256])
    expect(client.closed?.code).toBe(4006)
  })

  it('no more than 1 MiB waits', async () => {
    const { sessions } = held()
    const client = new ScriptedClient(sessions)
    client.send(hello(1))
    client.send([Kind.SEND, 2, 1, 0, {}, new Uint8Array(600_000)])
    client.send([Kind.SENDB, 3, 1, 0, [[{}, new Uint8Array(600_000)]]])
    expect(client.closed?.code).toBe(4006)
  })

  it('a bad frame ends it, and the verdict comes to nothing', async () => {
    const { sessions, open, clock } = held()
    const client = new ScriptedClient(sessions)
    client.send(hello(1))
    client.raw([Kind.SEND, 'x'])
    expect(client.closed?.code).toBe(4502)
    open()
    await turn()
    expect(sessions.stats()).toMatchObject({ connected: 0, detached: 0 })
    expect(clock.pending).toBe(0)
  })
})

describe('what HELLO opens', () => {
  it('results stand in order, producers first; refusals do not stop the others', async () => {
    const { sessions } = bench()
    const client = new ScriptedClient(sessions)
    const info = await client.hello({
      producers: [
        [11, 1, 'orders', { kind: 'normal' }],
        [12, 2, 'nowhere', { kind: 'normal' }],
        [13, 3, 'orders', { kind: 'transaction' }],
        [14, 1, 'orders', { kind: 'normal' }],
      ],
      subs: [
        [15, 1, spec],
        [16, 2, { ...spec, topics: [['%DLQ%x', 0, '']] }],
      ],
    })
    expect(info.results.map(frame => [frame[0], frame[1], frame[0] === Kind.ERR ? frame[2] : 0])).toEqual([
      [Kind.OK, 11, 0],
      [Kind.ERR, 12, 40402],
      [Kind.ERR, 13, 50101],
      [Kind.ERR, 14, 40000],
      [Kind.OK, 15, 0],
      [Kind.ERR, 16, 40390],
    ])
    expect(client.received.map(frame => frame[0])).toEqual([Kind.WELCOME, Kind.SUBINFO])
  })

  it('a cluster that does not answer fails its parts, not the connection', async () => {
    const { sessions, clock, cluster, subs } = bench()
    let release = (): void => undefined
    subs.gate = cluster.gate = new Promise<void>(resolve => (release = resolve))
    const client = new ScriptedClient(sessions)
    client.send(hello(1, { producers: [[2, 1, 'orders', { kind: 'normal' }]], subs: [[3, 1, spec]] }))
    await clock.advanceAsync(8_000)
    const [, , info] = await client.next(Kind.WELCOME)
    expect(info.results.map(frame => frame.slice(0, 3))).toEqual([
      [Kind.ERR, 2, 50400],
      [Kind.ERR, 3, 50400],
    ])
    // What opens after all must not stay: the client was told that it did not.
    release()
    await turn()
    expect(subs.opened).toMatchObject([{ closed: true }])
    expect(await client.request(rid => [Kind.POPEN, rid, 1, 'orders', { kind: 'normal' }])).toMatchObject([
      Kind.OK,
      expect.anything(),
      { limit: [256, 4_194_304] },
    ])
  })

  it('reports what the cluster says', async () => {
    const { sessions, cluster, subs } = bench()
    cluster.routeError = clusterError('E_NO_NAME_SERVER', 'not-executed')
    subs.error = new Error('internal detail')
    const client = new ScriptedClient(sessions)
    const info = await client.hello({ producers: [[2, 1, 'orders', { kind: 'normal' }]], subs: [[3, 1, spec]] })
    expect(info.results[0]).toMatchObject([Kind.ERR, 2, 50391, expect.stringContaining('because'), { outcome: 'not-executed' }])
    expect(info.results[1]!.slice(0, 3)).toEqual([Kind.ERR, 3, 50001])
    expect(JSON.stringify(info.results[1])).not.toContain('internal detail')
  })
})

describe('connections of a subject', () => {
  it('no more than allowed; those that left do not count', async () => {
    const { sessions } = bench({
      authenticate: token => may(token === 'few' ? { maxConnections: 1 } : {}, token),
      limits: { maxConnectionsPerSubject: 2 },
    })
    const one = new ScriptedClient(sessions)
    await one.hello({ auth: 'anna' })
    await new ScriptedClient(sessions).hello({ auth: 'anna' })
    await new ScriptedClient(sessions).hello({ auth: 'bert' })
    await new ScriptedClient(sessions).hello({ auth: 'few' })
    for (const auth of ['anna', 'few']) {
      const third = new ScriptedClient(sessions)
      third.send(hello(1, { auth }))
      expect(await refusal(third)).toMatchObject([42992, 4508, {}])
    }
    one.cut()
    await new ScriptedClient(sessions).hello({ auth: 'anna' })
  })

  it('the same session on a new socket is not one more', async () => {
    const { sessions } = bench({ authenticate: () => may({}), limits: { maxConnectionsPerSubject: 1 } })
    const first = new ScriptedClient(sessions)
    const { resumeToken } = await first.hello()
    const second = new ScriptedClient(sessions)
    expect(await second.hello({ resume: { token: resumeToken, subs: [] } })).toMatchObject({ resumed: 2 })
    second.cut()
    expect(await new ScriptedClient(sessions).hello()).toMatchObject({ resumed: 0 })
  })
})
