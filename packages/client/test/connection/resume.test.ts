import { type ClientFrame, Kind } from '@cometmq/protocol'
import { describe, expect, it } from 'vitest'
import type { Pending } from '../../src/channel.ts'
import type { BridgeError } from '../../src/errors.ts'
import { open, type Setup } from '../support/core.ts'

/** A send under way; writes down how it is repeated. */
function send(core: Setup['core'], count = 1): { rid: number; log: string[] } {
  const rid = core.nextRid(count)
  const log: string[] = []
  const frame: ClientFrame = [Kind.SEND, rid, 1, 0, {}, new Uint8Array()]
  const entry: Pending = {
    receipt: receipt => void log.push(`receipt ${receipt[0]}`),
    fail: (error: BridgeError) => void log.push(`${error.code} ${error.outcome}`),
    again: resumed => {
      log.push(resumed)
      return frame
    },
  }
  for (let i = 0; i < count; i++) core.pending.set(rid + i, entry)
  core.send(frame)
  return { rid, log }
}

/** The next socket after a cut, up to HELLO. */
function reconnect({ bridge }: Setup): void {
  bridge.clock.advance(250)
  bridge.socket.accept()
}

describe('resume', () => {
  it('hot: shows the token and where subscriptions are, repeats what is unanswered in order, before anything new', () => {
    const setup = open()
    const { bridge, core, producer, consumer, states } = setup
    const batch = send(core, 3)
    const single = send(core)
    const answered = send(core)
    bridge.socket.give([Kind.RECEIPT, [[answered.rid, 0, null, 0, 7]]])
    bridge.socket.give([Kind.RECEIPT, [[batch.rid + 1, 0, null, 0, 8]]])
    consumer.lastSeq = 12
    const line = consumer.link!
    bridge.socket.cut()
    expect(line.alive).toBe(true)
    expect(line.send([Kind.ACK, consumer.id, [1, 1]])).toBe(false)
    expect(producer.log).toEqual(['new', 'disconnected'])
    expect(core.isOpen).toBe(false)
    const offline = send(core)
    producer.whenOpened = () => core.send([Kind.SEND, core.nextRid(), producer.id, 0, {}, new Uint8Array()])
    reconnect(setup)
    expect(bridge.socket.hello.resume).toEqual({ token: 'sealed', subs: [[consumer.id, 12]] })
    bridge.socket.news()
    bridge.socket.welcome({ resumed: 2 })
    const rids = bridge.socket.news().map(frame => frame[1])
    expect(rids.slice(0, 3)).toEqual([batch.rid, single.rid, offline.rid])
    expect(rids[3]).toBeGreaterThan(offline.rid)
    expect(batch.log).toEqual([`receipt ${batch.rid + 1}`, 'hot'])
    expect(offline.log).toEqual(['hot'])
    expect(producer.log).toEqual(['new', 'disconnected', 'hot'])
    expect(consumer.link).toBe(line)
    expect(line.send([Kind.ACK, consumer.id, [1, 1]])).toBe(true)
    // The second "connecting" tells when, the third that it is tried.
    expect(states).toEqual(['connecting', 'open', 'connecting', 'connecting', 'open'])
    expect(core.stats().reconnects).toBe(1)
  })

  it.each([
    ['cold', 1],
    ['none', 0],
  ] as const)('%s: what may have been sent is told apart from what was not, and leases are lost', (how, resumed) => {
    const setup = open()
    const { bridge, core, producer, consumer } = setup
    const sent = send(core)
    const line = consumer.link!
    bridge.socket.cut(4002)
    const offline = send(core)
    reconnect(setup)
    bridge.socket.welcome({ resumed })
    expect(sent.log).toEqual([how])
    expect(offline.log).toEqual(['hot'])
    expect(producer.log).toEqual(['new', 'disconnected', how])
    expect(line.alive).toBe(false)
    expect(consumer.link).not.toBe(line)
    expect(core.state).toMatchObject({ resumed: how === 'cold' ? 'cold' : false })
  })

  it('cut during the handshake: nothing is told twice, the token is shown again', () => {
    const setup = open()
    const { bridge, producer } = setup
    bridge.socket.cut()
    bridge.clock.advance(250)
    bridge.socket.cut()
    bridge.clock.advance(500)
    bridge.socket.accept()
    bridge.socket.cut()
    bridge.clock.advance(1_000)
    bridge.socket.accept()
    expect(bridge.sockets).toHaveLength(4)
    expect(bridge.socket.hello.resume?.token).toBe('sealed')
    bridge.socket.welcome({ resumed: 2 })
    expect(producer.log).toEqual(['new', 'disconnected', 'hot'])
  })

  it('uses the newest token, and none after "state lost" or "replaced"', () => {
    for (const [code, token] of [
      [1006, 'newer'],
      [4004, undefined],
      [4408, undefined],
    ] as const) {
      const setup = open()
      const { bridge } = setup
      bridge.socket.give([Kind.PONG, 1, 0, 'newer'])
      bridge.socket.cut(code)
      reconnect(setup)
      expect(bridge.socket.hello.resume?.token).toBe(token)
    }
  })

  it('a part whose opening was not answered is new, one that was refused later is opened anew', () => {
    const setup = open()
    const { bridge, core, part } = setup
    const unanswered = part('subscription')
    core.attach(unanswered)
    bridge.socket.cut()
    reconnect(setup)
    expect(bridge.socket.hello.subs).toHaveLength(2)
    bridge.socket.welcome({ resumed: 2 })
    expect(unanswered.log).toEqual(['new'])
    expect(core.pending.size).toBe(0)
  })

  it('a part that fails while open is told, and listed no more', () => {
    const setup = open()
    const { bridge, consumer } = setup
    bridge.socket.give([Kind.ERR, 0, 40402, 'topic deleted', { sid: consumer.id }])
    expect(consumer.log).toEqual(['new', 'disconnected', 'refused COMET_TOPIC_NOT_FOUND'])
    bridge.socket.cut()
    reconnect(setup)
    expect(bridge.socket.hello.subs).toEqual([])
  })

  it('a request is repeated under its number, and cancelled by its signal', async () => {
    const setup = open()
    const { bridge, core } = setup
    const controller = new AbortController()
    const kept = core.request(rid => [Kind.QUERY, rid, 'lag', {}])
    const given = core.request(rid => [Kind.QUERY, rid, 'key', {}], controller.signal)
    bridge.socket.cut()
    reconnect(setup)
    bridge.socket.news()
    bridge.socket.welcome({ resumed: 2 })
    const [first, second] = bridge.socket.news()
    expect([first![2], second![2]]).toEqual(['lag', 'key'])
    controller.abort()
    await expect(given).rejects.toMatchObject({ code: 'COMET_CANCELLED', outcome: 'unknown' })
    expect(bridge.socket.received.at(-1)).toEqual([Kind.CANCEL, second![1]])
    bridge.socket.give([Kind.OK, second![1], null])
    bridge.socket.give([Kind.OK, first![1], { messages: 1 }])
    expect(await kept).toEqual({ messages: 1 })
  })

  it('an answer ERR rejects with what it says', async () => {
    const { bridge, core } = open()
    const asked = core.request(rid => [Kind.QUERY, rid, 'lag', {}])
    const rid = bridge.socket.received.at(-1)![1]
    bridge.socket.give([Kind.ERR, rid, 50400, 'the broker is slow', { outcome: 'not-executed', retryAfter: 5, hint: 'wait' }])
    await expect(asked).rejects.toMatchObject({
      code: 'COMET_BROKER_TIMEOUT',
      retryable: true,
      outcome: 'not-executed',
      retryAfter: 5,
      hint: 'wait',
    })
  })
})

describe('moving to another node', () => {
  function moving(resumed: 0 | 1 | 2) {
    const setup = open({ urls: ['ws://a'] })
    const { bridge, core } = setup
    const old = bridge.socket
    const sent = send(core)
    old.give([Kind.GOAWAY, 4001, 30_000, 'ws://b', 1_000])
    expect(core.state).toMatchObject({ type: 'moving' })
    expect(bridge.sockets).toHaveLength(1)
    bridge.clock.advance(500)
    expect(bridge.socket.url).toBe('ws://b')
    // Until the new one is welcome everything goes over the old one.
    const late = send(core)
    expect(old.received.at(-1)!.slice(0, 2)).toEqual([Kind.SEND, late.rid])
    bridge.socket.accept()
    expect(bridge.socket.hello.resume?.token).toBe('sealed')
    bridge.socket.news()
    bridge.socket.welcome({ resumed, node: 'b' })
    return { ...setup, old, sent, late }
  }

  it('the old socket stays for its receipts and leases, then says good-bye', async () => {
    const { bridge, core, old, sent, late, producer, consumer, states } = moving(1)
    expect(states).toEqual(['connecting', 'open', 'moving', 'open'])
    expect(producer.log).toEqual(['new', 'cold'])
    expect(bridge.socket.news()).toEqual([])
    const fresh = send(core)
    expect(bridge.socket.received.at(-1)!.slice(0, 2)).toEqual([Kind.SEND, fresh.rid])
    const oldLine = consumer.link!
    old.give([Kind.RECEIPT, [[sent.rid, 0, null, 0, 1]]])
    expect(old.closed).toBeUndefined()
    old.give([Kind.RECEIPT, [[late.rid, 0, null, 0, 2]]])
    expect(old.received.at(-1)).toEqual([Kind.BYE, 0])
    expect(old.closed?.code).toBe(4000)
    expect([sent.log, late.log]).toEqual([[`receipt ${sent.rid}`], [`receipt ${late.rid}`]])
    expect(oldLine).toBe(consumer.link)
    expect(core.state).toMatchObject({ type: 'open', resumed: 'cold', node: 'b' })
  })

  it('deliveries of the old socket are settled there', async () => {
    const setup = open()
    const { bridge, consumer } = setup
    const old = bridge.socket
    const oldLine = consumer.link!
    consumer.busyWith.add(oldLine)
    old.give([Kind.GOAWAY, 4001, 30_000, null, 0])
    bridge.clock.advance(0)
    bridge.socket.accept()
    bridge.socket.welcome({ resumed: 1 })
    await Promise.resolve()
    expect(old.closed).toBeUndefined()
    expect(consumer.link).not.toBe(oldLine)
    expect(oldLine.alive).toBe(true)
    consumer.busyWith.clear()
    expect(oldLine.send([Kind.ACK, consumer.id, [1, 1]])).toBe(true)
    await Promise.resolve()
    expect(old.of(Kind.ACK)).toHaveLength(1)
    expect(old.received.at(-1)).toEqual([Kind.BYE, 0])
    expect(oldLine.alive).toBe(false)
    expect(bridge.socket.closed).toBeUndefined()
  })

  it('when the grace is over, what is unanswered is repeated on the new socket', () => {
    const { bridge, old, sent, late } = moving(1)
    bridge.clock.advance(29_499)
    expect(old.closed).toBeUndefined()
    bridge.clock.advance(1)
    expect(old.closed?.code).toBe(4000)
    expect(sent.log).toEqual(['cold'])
    expect(bridge.socket.news().map(frame => frame[1])).toEqual([sent.rid, late.rid])
  })

  it('when the old socket breaks, what is unanswered is repeated on the new socket', () => {
    const { bridge, old, sent, late } = moving(0)
    old.cut()
    expect([sent.log, late.log]).toEqual([['none'], ['none']])
    expect(bridge.socket.news()).toHaveLength(2)
  })

  it('when the new socket breaks first, the old one still answers', () => {
    const { bridge, old, sent, late, core } = moving(1)
    bridge.socket.cut()
    bridge.clock.advance(250)
    bridge.socket.accept()
    bridge.socket.news()
    bridge.socket.welcome({ resumed: 2 })
    expect(bridge.socket.news()).toEqual([])
    old.give([Kind.RECEIPT, [[sent.rid, 0, null, 0, 1]]])
    old.give([Kind.RECEIPT, [[late.rid, 0, null, 0, 1]]])
    expect(core.pending.size).toBe(0)
    expect(old.closed?.code).toBe(4000)
  })

  it('the same node: the session has come over, the old socket is closed', () => {
    const { bridge, old, sent, producer } = moving(2)
    expect(old.closed?.code).toBe(4000)
    expect(old.of(Kind.BYE)).toEqual([])
    expect(sent.log).toEqual(['hot'])
    expect(producer.log).toEqual(['new', 'hot'])
    expect(bridge.socket.news()).toHaveLength(2)
  })

  it('the old socket breaks before there is a new one', () => {
    const setup = open()
    const { bridge, core, producer, states } = setup
    const sent = send(core)
    const old = bridge.socket
    old.give([Kind.GOAWAY, 4001, 30_000, 'ws://b', 0])
    bridge.clock.advance(0)
    bridge.socket.accept()
    old.cut(4408)
    expect(states.at(-1)).toBe('connecting')
    bridge.socket.welcome({ resumed: 2 })
    expect(sent.log).toEqual(['hot'])
    expect(producer.log).toEqual(['new', 'disconnected', 'hot'])
    expect(bridge.sockets).toHaveLength(2)
  })

  it('a node that refuses: tried again, elsewhere, while the old socket works', () => {
    const { bridge, core } = open({ urls: ['ws://a', 'ws://b'] })
    const old = bridge.socket
    old.give([Kind.GOAWAY, 4001, 30_000, null, 0])
    bridge.clock.advance(0)
    const first = bridge.socket
    expect(first.url).not.toBe(old.url)
    first.accept()
    first.give([Kind.ERR, 0, 50390, 'draining', { retryAfter: 300 }])
    first.cut(4001)
    expect(core.state.type).toBe('moving')
    expect(core.isOpen).toBe(true)
    bridge.clock.advance(300)
    expect(bridge.sockets).toHaveLength(3)
  })

  it('a part that came while the new socket greeted is opened there too', () => {
    const { bridge, core, part } = open()
    const old = bridge.socket
    old.give([Kind.GOAWAY, 4001, 30_000, 'ws://b', 0])
    bridge.clock.advance(0)
    bridge.socket.accept()
    const between = part()
    core.attach(between)
    old.give([Kind.OK, old.of(Kind.POPEN)[0]![1], { limit: [1, 1] }])
    bridge.socket.welcome({ resumed: 1 })
    const popen = bridge.socket.of(Kind.POPEN)
    expect(popen).toHaveLength(1)
    bridge.socket.give([Kind.OK, popen[0]![1], { limit: [1, 1] }])
    expect(between.log).toEqual(['new', 'none'])
  })

  it('the address of a GOAWAY is forgotten when it does not work any more', () => {
    const { bridge } = moving(1)
    bridge.socket.cut()
    const tried: string[] = []
    for (let i = 0; i < 4; i++) {
      bridge.clock.advance(5_000)
      tried.push(bridge.socket.url)
      bridge.socket.cut()
    }
    expect(tried).toEqual(['ws://b', 'ws://a', 'ws://a', 'ws://a'])
  })

  it('closing closes both', () => {
    const { bridge, core, old } = moving(1)
    core.end()
    expect([old.closed?.code, bridge.socket.closed?.code]).toEqual([4000, 4000])
    expect(bridge.clock.pending).toBe(0)
  })
})
