import { Flag, Kind, type SubSpec } from '@cometmq/protocol'
import { FakeClock } from '@cometmq/testkit'
import { describe, expect, it } from 'vitest'
import type { SessionLimits } from '../../src/index.ts'
import { bench, type Bench, bytes, like, may, turn } from '../support/fakes.ts'
import { ScriptedClient } from '../support/scripted-client.ts'

const spec: SubSpec = { mode: 'group', group: 'g', topics: [['orders', 0, '']], limit: [10, 1000] }
const byToken = (token: string | undefined) => may({}, token ?? 'anna')

/** A client with producer 1 and subscription 1. */
async function opened(parts: Bench) {
  const client = new ScriptedClient(parts.sessions)
  const welcome = await client.hello({
    producers: [[client.rid(), 1, 'orders', { kind: 'normal' }]],
    subs: [[client.rid(), 1, spec]],
  })
  return { client, token: welcome.resumeToken }
}

/** Comes back with the same things open. */
async function resumed(parts: Bench, earlier: ScriptedClient, token: string, auth?: string) {
  const client = new ScriptedClient(parts.sessions).continueFrom(earlier)
  const welcome = await client.hello({
    resume: { token, subs: [[1, 4]] },
    producers: [[client.rid(), 1, 'orders', { kind: 'normal' }]],
    subs: [[client.rid(), 1, spec]],
    ...(auth === undefined ? {} : { auth }),
  })
  return { client, welcome }
}
const send = (rid: number, body = 'a', flags = 0) => [Kind.SEND, rid, 1, flags, {}, bytes(body)] as const

describe('hot resume', () => {
  it('keeps id, window and subscriptions; says so', async () => {
    const parts = bench()
    const { client, token } = await opened(parts)
    parts.sender.automatic = true
    for (let n = 0; n < 100; n++) client.send(send(client.rid()))
    await turn()
    client.cut()
    expect(parts.sessions.stats()).toMatchObject({ connected: 0, detached: 1 })
    expect(parts.subs.opened[0]!.calls).toContainEqual(['detach'])
    parts.subs.opened[0]!.redelivers = 2
    const { client: again, welcome } = await resumed(parts, client, token)
    expect(welcome).toMatchObject({ session: client.session, resumed: 2, epoch: 2 })
    expect(welcome.resumeCause).toBeUndefined()
    expect(welcome.results.map(frame => frame[2])).toEqual([
      { limit: [356, 4_194_304 + 100], accepted: [100, 100] },
      { redelivered: 2 },
    ])
    expect(parts.subs.opened).toHaveLength(1)
    expect(parts.subs.opened[0]!.calls).toContainEqual(['attach', 4])
    expect(parts.sessions.stats()).toMatchObject({ connected: 1, detached: 0, resumedHot: 1 })
    again.send(send(again.rid()))
    await again.receipts(1)
  })

  it.each(['before the request arrived', 'while it ran', 'after it was answered'])(
    'cut %s: stored once, answered once',
    async when => {
      const parts = bench()
      const { client, token } = await opened(parts)
      const rid = client.rid(3)
      const batch = [Kind.SENDB, rid, 1, 0, [1, 2, 3].map(n => [{}, bytes(`m-${n}`)] as const)] as const
      if (when !== 'before the request arrived') client.send(batch)
      if (when === 'after it was answered') parts.sender.store()
      client.cut()
      const { client: again } = await resumed(parts, client, token)
      again.send(batch)
      parts.sender.store()
      await turn()
      const receipts = again.all(Kind.RECEIPT).flatMap(frame => frame[1])
      expect(receipts.map(receipt => receipt.slice(0, 2))).toEqual([0, 1, 2].map(n => [rid + n, 0]))
      expect(receipts.map(receipt => receipt[4])).toEqual([0, 1, 2])
      expect(parts.sessions.stats().messagesIn).toBe(3)
    },
  )

  it('cut between SENDB and the next frame: the part seen is answered, the part unseen is executed', async () => {
    const parts = bench()
    const { client, token } = await opened(parts)
    const rid = client.rid(4)
    client.send([Kind.SENDB, rid, 1, 0, [1, 2].map(n => [{}, bytes(`m-${n}`)] as const)])
    parts.sender.store()
    client.cut()
    const { client: again } = await resumed(parts, client, token)
    // Grouped otherwise than before.
    again.send([Kind.SENDB, rid + 1, 1, 0, [2, 3, 4].map(n => [{}, bytes(`m-${n}`)] as const)], send(rid, 'm-1'))
    expect(parts.sender.items.map(item => Buffer.from(item.body).toString())).toEqual(['m-3', 'm-4'])
    parts.sender.store()
    const receipts = await again.receipts(4)
    expect([0, 1, 2, 3].map(n => receipts.get(rid + n)![4])).toEqual([0, 1, 2, 3])
  })

  it('requests never seen may come behind newer ones', async () => {
    const parts = bench()
    const { client, token } = await opened(parts)
    const lost = client.rid()
    client.cut()
    const { client: again } = await resumed(parts, client, token)
    again.send(send(again.rid(), 'new'), send(lost, 'lost'))
    expect(parts.sender.items.map(item => Buffer.from(item.body).toString())).toEqual(['new', 'lost'])
  })

  it('what finishes while the client is away waits for it, and raises the window once', async () => {
    const parts = bench()
    const { client, token } = await opened(parts)
    const rid = client.rid()
    client.send(send(rid), send(client.rid(), 'b', Flag.oneway))
    client.cut()
    parts.sender.store()
    await turn()
    const { client: again, welcome } = await resumed(parts, client, token)
    expect(welcome.results[0]![2]).toEqual({ limit: [258, 4_194_306], accepted: [2, 2] })
    expect(again.all(Kind.RECEIPT)).toEqual([])
    again.send(send(rid))
    expect((await again.receipts(1)).get(rid)![1]).toBe(0)
  })

  it('a receipt that is lost again and again is not forgotten while others come and go', async () => {
    const parts = bench()
    parts.sender.automatic = true
    const { client: first, token } = await opened(parts)
    const rid = first.rid()
    first.send(send(rid))
    await first.receipts(1)
    let client = first
    for (let round = 0; round < 5; round++) {
      client.cut()
      client = (await resumed(parts, client, token)).client
      client.send(send(rid))
      // A whole window behind it: the client has all of these receipts and still not that one.
      const batch = Array.from({ length: 255 }, () => [{}, bytes('b')] as const)
      client.send([Kind.SENDB, client.rid(255), 1, 0, batch])
      const receipts = await client.receipts(256)
      expect([round, receipts.get(rid)![1]]).toEqual([round, 0])
    }
  })

  it('control requests: answered again, or waited for', async () => {
    const parts = bench()
    const { client, token } = await opened(parts)
    const [done, running] = [client.rid(), client.rid()]
    client.send([Kind.SUB, done, 2, spec])
    await client.answer(done)
    let release = (): void => undefined
    parts.subs.gate = new Promise<void>(resolve => (release = resolve))
    client.send([Kind.SUB, running, 3, spec])
    client.cut()
    const again = new ScriptedClient(parts.sessions).continueFrom(client)
    const welcome = again.hello({
      resume: { token, subs: [] },
      subs: [
        [again.rid(), 1, spec],
        [again.rid(), 2, spec],
        [again.rid(), 3, spec],
      ],
    })
    await turn()
    expect(again.received).toEqual([])
    release()
    expect((await welcome).results.map(frame => frame[0])).toEqual([Kind.OK, Kind.OK, Kind.OK])
    expect(parts.subs.opened.map(sub => [sub.sid, sub.closed])).toEqual([
      [1, false],
      [2, false],
      [3, false],
    ])
    again.send([Kind.SUB, done, 2, spec], [Kind.SUB, running, 3, spec])
    expect([(await again.answer(done))[0], (await again.answer(running))[0]]).toEqual([Kind.OK, Kind.OK])
    expect(parts.subs.opened).toHaveLength(3)
  })

  it('nothing overtakes WELCOME', async () => {
    const parts = bench()
    const { client, token } = await opened(parts)
    client.send(send(client.rid()))
    client.cut()
    let release = (): void => undefined
    parts.cluster.gate = new Promise<void>(resolve => (release = resolve))
    const again = new ScriptedClient(parts.sessions).continueFrom(client)
    const producers = [1, 2].map(pid => [again.rid(), pid, 'orders', { kind: 'normal' }] as const)
    const welcome = again.hello({ resume: { token, subs: [] }, producers, subs: [[again.rid(), 1, spec]] })
    await turn()
    parts.sender.store()
    parts.subs.opened[0]!.arrive(100)
    await turn()
    expect(again.received).toEqual([])
    release()
    await welcome
    await again.next(Kind.DELIVER)
    expect(again.received[0]![0]).toBe(Kind.WELCOME)
  })

  it('nor does the answer to a request that ends in between', async () => {
    const parts = bench()
    const { client, token } = await opened(parts)
    const gates: (() => void)[] = []
    const gate = () => (parts.cluster.gate = new Promise<void>(resolve => gates.push(resolve)))
    void gate()
    const rid = client.rid()
    client.send([Kind.POPEN, rid, 2, 'orders', { kind: 'normal' }])
    client.cut()
    void gate()
    const again = new ScriptedClient(parts.sessions).continueFrom(client)
    const producers = [2, 3].map(pid => [again.rid(), pid, 'orders', { kind: 'normal' }] as const)
    const welcome = again.hello({ resume: { token, subs: [] }, producers })
    await turn()
    gates[0]!()
    await turn()
    expect(again.received).toEqual([])
    gates[1]!()
    expect((await welcome).results.map(frame => frame[0])).toEqual([Kind.OK, Kind.OK])
    again.send([Kind.POPEN, rid, 2, 'orders', { kind: 'normal' }])
    expect((await again.answer(rid))[0]).toBe(Kind.OK)
  })

  it('what HELLO does not list any more is closed', async () => {
    const parts = bench()
    const { client, token } = await opened(parts)
    client.cut()
    const again = new ScriptedClient(parts.sessions).continueFrom(client)
    await again.hello({ resume: { token, subs: [] } })
    expect(parts.subs.opened[0]!.closed).toBe(true)
    const rid = again.rid()
    again.send(send(rid))
    expect((await again.receipts(1)).get(rid)![1]).toBe(40091)
  })

  it('the second socket wins; the first gets 4408 and has no more effect', async () => {
    const parts = bench()
    const { client, token } = await opened(parts)
    const { client: second, welcome } = await resumed(parts, client, token)
    expect(client.closed?.code).toBe(4408)
    expect(welcome.resumed).toBe(2)
    client.raw([Kind.SEND, 99, 1, 0, {}, bytes('late')])
    client.raw([Kind.BYE, 0])
    expect(parts.sender.items).toEqual([])
    expect(second.closed).toBeUndefined()
    // The old token of the same session is as good.
    const { welcome: third } = await resumed(parts, second, token)
    expect(third).toMatchObject({ resumed: 2, epoch: 3 })
    expect(second.closed?.code).toBe(4408)
    expect(parts.sessions.stats()).toMatchObject({ connected: 1, detached: 0 })
  })

  it('two sockets at once: one of them stays', async () => {
    const parts = bench({ authenticate: async () => may({}) })
    const { client, token } = await opened(parts)
    client.cut()
    const both = [1, 2].map(() => new ScriptedClient(parts.sessions))
    for (const [index, one] of both.entries())
      one.send([
        Kind.HELLO,
        50 + index,
        { proto: 1, sdk: 't', runtime: 'n', maxFrame: 1, resume: { token, subs: [] }, subs: [[60, 1, spec]] },
      ])
    await turn()
    expect(both.map(one => one.closed?.code)).toEqual([4408, undefined])
    expect(both[1]!.all(Kind.WELCOME)).toHaveLength(1)
    expect(parts.sessions.stats()).toMatchObject({ connected: 1, detached: 0 })
  })

  it('new scopes apply: a part that is not allowed any more is refused and closed', async () => {
    const parts = bench({ authenticate: token => may(token === 'less' ? { publish: [], subscribe: [] } : {}) })
    const { client, token } = await opened(parts)
    client.cut()
    const { welcome } = await resumed(parts, client, token, 'less')
    expect(welcome.results.map(frame => frame.slice(0, 3))).toEqual([
      [Kind.ERR, expect.anything(), 40390],
      [Kind.ERR, expect.anything(), 40390],
    ])
    expect(parts.subs.opened[0]!.closed).toBe(true)
  })

  it('cut during the resume: it waits again', async () => {
    const parts = bench()
    const { client, token } = await opened(parts)
    client.cut()
    let release = (): void => undefined
    parts.cluster.gate = new Promise<void>(resolve => (release = resolve))
    const second = new ScriptedClient(parts.sessions)
    second.send([
      Kind.HELLO,
      90,
      {
        proto: 1,
        sdk: 't',
        runtime: 'n',
        maxFrame: 1,
        resume: { token, subs: [] },
        producers: [[91, 2, 'orders', { kind: 'normal' }]],
        subs: [[92, 1, spec]],
      },
    ])
    await turn()
    second.cut()
    release()
    await turn()
    expect(parts.sessions.stats()).toMatchObject({ connected: 0, detached: 1 })
    expect((await resumed(parts, client, token)).welcome.resumed).toBe(2)
  })
})

describe('how long a session waits', () => {
  async function waits(limits: Partial<SessionLimits>, leaseLeftMs: number, ms: number): Promise<number> {
    const parts = bench({ limits })
    const { client, token } = await opened(parts)
    parts.subs.opened[0]!.leaseLeftMs = leaseLeftMs
    client.cut()
    await parts.clock.advanceAsync(ms)
    return (await resumed(parts, client, token)).welcome.resumed
  }
  it.each([
    ['120 s', {}, 0, 119_999, 2],
    ['and no longer', {}, 0, 120_000, 1],
    ['as long as the shortest lease', {}, 10_000, 9_999, 2],
    ['and no longer than that', {}, 10_000, 10_000, 1],
    ['not at all when told so', { keepMs: 0 }, 0, 0, 1],
  ])('%s', async (_, limits, lease, ms, how) => expect(await waits(limits, lease, ms)).toBe(how))

  it('no more than maxDetached wait: the oldest goes first, its leases are released', async () => {
    const parts = bench({ limits: { maxDetached: 2 } })
    const all = []
    for (let n = 0; n < 3; n++) all.push(await opened(parts))
    for (const { client } of all) client.cut()
    expect(parts.sessions.stats()).toMatchObject({ connected: 0, detached: 2 })
    expect(parts.subs.opened.map(sub => sub.closed)).toEqual([true, false, false])
    expect(parts.clock.pending).toBe(2)
  })

  it('after BYE it does not wait', async () => {
    const parts = bench()
    const { client, token } = await opened(parts)
    client.send([Kind.BYE, 0])
    expect(client.closed?.code).toBe(4000)
    expect(parts.subs.opened[0]!.closed).toBe(true)
    expect((await resumed(parts, client, token)).welcome).toMatchObject({ resumed: 1, session: client.session })
  })

  it('BYE 1: no more deliveries, acks go on, the end of the socket is the end', async () => {
    const parts = bench()
    const { client } = await opened(parts)
    const [sub] = parts.subs.opened
    client.send([Kind.BYE, 1], [Kind.ACK, 1, [1, 1]])
    expect(sub!.calls).toEqual([['stop'], ['ack', [1, 1], false]])
    client.cut()
    expect(sub!.closed).toBe(true)
    expect(parts.sessions.stats().detached).toBe(0)
  })
})

describe('cold and none', () => {
  it('another node with the same key: cold, same id, everything opened anew', async () => {
    const clock = new FakeClock()
    const [one, two] = [bench({ clock }), bench({ clock, node: 'n-2', seed: 2 })]
    const { client, token } = await opened(one)
    const { client: again, welcome } = await resumed(two, client, token)
    expect(welcome).toMatchObject({ resumed: 1, session: client.session, epoch: 2, node: 'n-2' })
    expect(welcome.resumeCause).toMatch(/not at this node/)
    expect(welcome.results.map(frame => frame[2])).toEqual([{ limit: [256, 4_194_304] }, {}])
    const rid = again.rid()
    again.send(send(rid, 'a', Flag.resent))
    expect(two.sender.items[0]!.properties).toContain(`UNIQ_KEY\x01${again.messageId(rid)}`)
    expect(two.sender.items[0]!.properties).toContain('CMQ_RESENT\x011')
    expect(two.sessions.stats()).toMatchObject({ resumedCold: 1, resumedHot: 0 })
    // And back: what the first node kept is older than that, and is not taken for the truth.
    client.cut()
    const { welcome: back } = await resumed(one, again, welcome.resumeToken)
    expect(back).toMatchObject({ resumed: 1, epoch: 3, session: client.session })
    expect(one.subs.opened.map(sub => sub.closed)).toEqual([true, false])
  })

  it.each([
    ['another key', bench({ seed: 3, resumeKey: new Uint8Array(32).fill(8) }), undefined, /not sealed/],
    ['another subject', bench({ authenticate: byToken, seed: 4 }), 'bert', /another subject/],
  ])('%s: none, with its cause', async (_, target, auth, cause) => {
    const { client, token } = await opened(bench({ authenticate: byToken }))
    const { welcome } = await resumed(target, client, token, auth)
    expect(welcome).toMatchObject({ resumed: 0, epoch: 1, resumeCause: like(cause) })
    expect(welcome.session).not.toBe(client.session)
  })

  it('another subject does not get the state of this one, nor end it', async () => {
    const parts = bench({ authenticate: byToken })
    const { client, token } = await opened(parts)
    const { welcome } = await resumed(parts, client, token, 'bert')
    expect(welcome.resumed).toBe(0)
    expect(client.closed).toBeUndefined()
  })

  it('a token of yesterday: none', async () => {
    const parts = bench({ limits: { keepMs: Infinity } })
    const { client, token } = await opened(parts)
    client.cut()
    parts.clock.jump(24 * 3_600_000 + 1)
    expect((await resumed(parts, client, token)).welcome).toMatchObject({
      resumed: 0,
      resumeCause: like(/too old/),
    })
  })

  it('the token is renewed with a PONG when it is ten minutes old', async () => {
    const parts = bench()
    const { client, token } = await opened(parts)
    client.send([Kind.PING, 1])
    expect(await client.next(Kind.PONG)).toEqual([Kind.PONG, 1, 0])
    parts.clock.jump(600_000)
    client.send(send(client.rid()), [Kind.PING, 2], [Kind.PING, 3])
    const pong = await client.next(Kind.PONG)
    expect(pong.slice(0, 3)).toEqual([Kind.PONG, 2, 1])
    expect(pong[3]).not.toBe(token)
    expect(await client.next(Kind.PONG)).toHaveLength(3)
    client.cut()
    expect((await resumed(parts, client, pong[3]!)).welcome.resumed).toBe(2)
  })
})
