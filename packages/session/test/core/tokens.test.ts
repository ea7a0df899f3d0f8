import { Kind, type SubSpec } from '@cometmq/protocol'
import { FakeClock } from '@cometmq/testkit'
import { describe, expect, it } from 'vitest'
import { type Principal, RefusedError } from '../../src/index.ts'
import { bench, bytes, like, may, turn } from '../support/fakes.ts'
import { ScriptedClient } from '../support/scripted-client.ts'

const spec: SubSpec = { mode: 'group', group: 'g', topics: [['orders', 0, '']], limit: [10, 1000] }

/** A client whose token is good for `ttl` ms; tokens are good for what they say: `<subject> <ttl> <right>`. */
async function opened(ttl: number | 'ever') {
  const clock = new FakeClock()
  const gates: Promise<void>[] = []
  const authenticate = async (token = ''): Promise<Principal> => {
    const [subject = '', ms, right] = token.split(' ')
    await gates.shift()
    if (subject === 'bad') throw new RefusedError(40193, 'the signature is wrong')
    const scopes = right === 'less' ? { publish: ['news'], subscribe: [] } : {}
    return may(scopes, subject, ms === 'ever' ? Infinity : clock.now() + Number(ms))
  }
  const parts = bench({ clock, authenticate })
  const client = new ScriptedClient(parts.sessions)
  const welcome = await client.hello({
    auth: `anna ${ttl}`,
    producers: [
      [client.rid(), 1, 'orders', { kind: 'normal' }],
      [client.rid(), 2, 'news', { kind: 'normal' }],
    ],
    subs: [[client.rid(), 1, spec]],
  })
  // Life signs, so that only the token matters.
  const live = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 5_000) {
      if (!client.closed) client.send([Kind.PING, 1])
      await clock.advanceAsync(Math.min(5_000, left))
    }
  }
  return { ...parts, client, welcome, live, gates }
}

describe('the end of a token', () => {
  it.each([
    [1_000_000, 940_000],
    [300_000, 240_000],
    [100_000, 80_000],
    [1_000, 800],
  ])('good for %i ms: asked for a new one after %i ms, with what is left', async (ttl, at) => {
    const { client, clock, live } = await opened(ttl)
    await live(at - 1)
    expect(client.all(Kind.AUTHREQ)).toEqual([])
    clock.advance(1)
    expect(client.all(Kind.AUTHREQ)).toEqual([[Kind.AUTHREQ, 'expiring', ttl - at]])
  })

  it('without a new one: 4003, and the session is kept for a resume with one', async () => {
    const { client, live, sessions, welcome, subs } = await opened(60_000)
    await live(59_999)
    expect(client.closed).toBeUndefined()
    await live(1)
    expect(client.closed).toMatchObject({ code: 4003, reason: like(/^40191 /) })
    expect(client.all(Kind.AUTHREQ)).toHaveLength(1)
    expect(sessions.stats()).toMatchObject({ connected: 0, detached: 1 })
    expect(subs.opened[0]!.closed).toBe(false)
    const again = new ScriptedClient(sessions).continueFrom(client)
    expect(await again.hello({ auth: 'anna 60000', resume: { token: welcome.resumeToken, subs: [] } })).toMatchObject({
      resumed: 2,
    })
  })

  it('a token without an end is never asked for', async () => {
    const { client, clock, welcome } = await opened('ever')
    expect(welcome.tokenTtl).toBeUndefined()
    expect(clock.pending).toBe(1)
    expect(client.all(Kind.AUTHREQ)).toEqual([])
  })

  it('a token of months does not end early', async () => {
    const { client, live } = await opened(90 * 86_400_000)
    await live(200_000)
    expect(client.closed).toBeUndefined()
    expect(client.all(Kind.AUTHREQ)).toEqual([])
  })

  it('a wall clock that is set forward counts', async () => {
    const { client, clock, live } = await opened(100_000)
    clock.jump(3_600_000)
    await live(80_000)
    expect(client.closed?.code).toBe(4003)
  })
})

describe('AUTH', () => {
  it('a new token in place: new end, everything goes on', async () => {
    const { client, live } = await opened(60_000)
    await live(50_000)
    expect(await client.request(rid => [Kind.AUTH, rid, 'anna 60000'])).toEqual([
      Kind.OK,
      expect.anything(),
      { tokenTtl: 60_000 },
    ])
    await live(59_000)
    expect(client.closed).toBeUndefined()
    expect(client.all(Kind.AUTHREQ)).toHaveLength(2)
    expect(client.all(Kind.ERR)).toEqual([])
    await live(1_000)
    expect(client.closed?.code).toBe(4003)
  })

  it('of another subject, or bad: refused, the old one stays good until its end', async () => {
    const { client, live } = await opened(60_000)
    for (const token of ['bert 60000', 'bad 60000']) {
      const answer = await client.request(rid => [Kind.AUTH, rid, token])
      expect(answer.slice(0, 3)).toEqual([Kind.ERR, expect.anything(), 40193])
    }
    await live(59_000)
    expect(client.closed).toBeUndefined()
    await live(1_000)
    expect(client.closed?.code).toBe(4003)
  })

  it('fewer rights: what is not allowed any more is closed and said, the rest goes on', async () => {
    const { client, subs, sender } = await opened('ever')
    const rid = client.rid()
    client.send([Kind.AUTH, rid, 'anna ever less'])
    await client.answer(rid)
    expect(client.all(Kind.ERR).map(([, rid, code, , { sid, pid }]) => ({ rid, code, sid, pid }))).toEqual([
      { rid: 0, code: 40390, pid: 1, sid: undefined },
      { rid: 0, code: 40390, sid: 1, pid: undefined },
    ])
    expect(subs.opened[0]!.closed).toBe(true)
    const sends = client.rid(2)
    client.send([Kind.SEND, sends, 1, 0, {}, bytes('a')], [Kind.SEND, sends + 1, 2, 0, {}, bytes('b')])
    expect(sender.items.map(item => item.topic)).toEqual(['news'])
    expect((await client.receipts(1)).get(sends)![1]).toBe(40091)
    expect((await client.request(rid => [Kind.SUB, rid, 2, spec]))[2]).toBe(40390)
  })

  it('a POPEN under way when the right is lost is refused', async () => {
    const { client, cluster } = await opened('ever')
    let release = (): void => undefined
    cluster.gate = new Promise<void>(resolve => (release = resolve))
    const rid = client.rid()
    client.send([Kind.POPEN, rid, 3, 'orders', { kind: 'normal' }])
    await client.request(rid => [Kind.AUTH, rid, 'anna ever less'])
    release()
    expect((await client.answer(rid))[2]).toBe(40390)
  })

  it('under way when the old one ends: its result decides', async () => {
    for (const [token, code] of [
      ['anna 60000', undefined],
      ['bad 60000', 4003],
      ['bert 60000', 4003],
    ] as const) {
      const { client, live, gates } = await opened(60_000)
      await live(59_000)
      let release = (): void => undefined
      gates.push(new Promise<void>(resolve => (release = resolve)))
      client.send([Kind.AUTH, client.rid(), token])
      await live(2_000)
      expect(client.closed).toBeUndefined()
      release()
      await turn()
      expect(client.closed?.code).toBe(code)
    }
  })

  it('that hangs does not keep an ended token alive', async () => {
    const { client, live, gates } = await opened(60_000)
    await live(59_000)
    gates.push(new Promise<void>(() => undefined))
    client.send([Kind.AUTH, client.rid(), 'anna 60000'])
    await live(10_000)
    expect(client.closed?.code).toBe(4003)
  })

  it('the same AUTH again is answered again', async () => {
    const { client } = await opened('ever')
    const rid = client.rid()
    const frame = [Kind.AUTH, rid, 'anna ever'] as const
    client.send(frame, frame)
    await turn()
    client.send(frame)
    await turn()
    expect(client.all(Kind.OK)).toEqual([
      [Kind.OK, rid],
      [Kind.OK, rid],
    ])
  })
})
