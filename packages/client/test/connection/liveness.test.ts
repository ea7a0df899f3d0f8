import { Kind } from '@cometmq/protocol'
import { describe, expect, it } from 'vitest'
import { open, setUp } from '../support/core.ts'

describe('liveness', () => {
  it('answers pings', () => {
    const { bridge } = open()
    bridge.socket.give([Kind.PING, 7])
    expect(bridge.socket.news()).toEqual([[Kind.PONG, 7]])
  })

  it('waits for the heartbeat interval and 10 s, then reconnects', () => {
    const { bridge, core } = open()
    const first = bridge.socket
    bridge.clock.advance(34_999)
    expect(first.closed).toBeUndefined()
    bridge.clock.advance(1)
    expect(first.closed?.code).toBe(4005)
    expect(core.state).toMatchObject({ type: 'connecting', attempt: 1 })
    bridge.clock.advance(125)
    expect(bridge.sockets).toHaveLength(2)
  })

  it('any frame is a sign of life', () => {
    const { bridge } = open()
    for (let i = 0; i < 10; i++) {
      bridge.clock.advance(20_000)
      bridge.socket.give([Kind.PING, i])
    }
    expect(bridge.socket.closed).toBeUndefined()
    expect(bridge.clock.pending).toBe(1)
  })

  it('measures the round trip with its own pings', () => {
    const { bridge, core } = open()
    bridge.clock.advance(20_000)
    bridge.socket.give([Kind.PING, 1])
    bridge.clock.advance(15_000)
    const ping = bridge.socket.news().at(-1)!
    expect(ping[0]).toBe(Kind.PING)
    bridge.clock.advance(40)
    bridge.socket.give([Kind.PONG, ping[1]])
    expect(core.stats().rtt).toBe(40)
  })

  it('after a wake-up asks first: an answer within a second keeps the socket', () => {
    const { bridge } = open()
    bridge.wake()
    bridge.wake()
    expect(bridge.socket.news()).toEqual([[Kind.PING, 1]])
    bridge.clock.advance(999)
    bridge.socket.give([Kind.PONG, 1])
    bridge.clock.advance(30_000)
    expect(bridge.socket.closed).toBeUndefined()
  })

  it('after a wake-up without an answer reconnects at once', () => {
    const { bridge } = open()
    bridge.wake()
    bridge.clock.advance(1_000)
    expect(bridge.sockets[0]!.closed?.code).toBe(4005)
    bridge.clock.advance(125)
    expect(bridge.sockets).toHaveLength(2)
  })

  it('a timer that fires late asks first: the machine slept', () => {
    const { bridge } = open()
    // The wall clock went on while the other stood still.
    bridge.clock.jump(3_600_000)
    bridge.clock.advance(35_000)
    expect(bridge.socket.closed).toBeUndefined()
    expect(bridge.socket.news()).toEqual([[Kind.PING, 1]])
    bridge.clock.advance(1_000)
    expect(bridge.socket.closed?.code).toBe(4005)
  })

  it('a probe that was slept through is repeated', () => {
    const { bridge } = open()
    bridge.wake()
    bridge.clock.jump(60_000)
    bridge.clock.advance(1_000)
    expect(bridge.socket.closed).toBeUndefined()
    expect(bridge.socket.news()).toEqual([
      [Kind.PING, 1],
      [Kind.PING, 2],
    ])
  })

  it('gives a slow link 2 s', () => {
    const setup = setUp()
    Object.assign(setup.bridge.environment, { slow: () => true })
    setup.core.attach(setup.part())
    setup.bridge.socket.accept()
    setup.bridge.socket.welcome()
    setup.bridge.wake()
    setup.bridge.clock.advance(1_999)
    expect(setup.bridge.socket.closed).toBeUndefined()
    setup.bridge.clock.advance(1)
    expect(setup.bridge.socket.closed?.code).toBe(4005)
  })
})

describe('attempts', () => {
  it('full jitter: up to a ceiling that doubles, from 250 ms to 20 s', () => {
    const { bridge, core, part } = setUp()
    bridge.chance = 0.999999
    core.attach(part())
    const delays: number[] = []
    for (let i = 0; i < 9; i++) {
      bridge.socket.cut()
      const { state } = core
      const delay = state.type === 'connecting' ? Math.round(state.retryAt! - bridge.clock.now()) : -1
      delays.push(delay)
      bridge.clock.advance(delay)
    }
    expect(delays).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000, 20_000])
    bridge.chance = 0
    bridge.socket.cut()
    expect(core.state).toMatchObject({ retryAt: bridge.clock.now(), attempt: 11 })
  })

  it('what the bridge says wins, and waking up does not shorten it', () => {
    const { bridge, core, part } = setUp()
    core.attach(part())
    bridge.socket.accept()
    bridge.socket.give([Kind.ERR, 0, 42992, 'too many', { retryAfter: 45_000 }])
    bridge.socket.cut(4006, '42992 too many')
    bridge.wake()
    bridge.clock.advance(44_999)
    expect(bridge.sockets).toHaveLength(1)
    bridge.clock.advance(1)
    expect(bridge.sockets).toHaveLength(2)
  })

  it('waking up shortens a wait of our own', () => {
    const { bridge, core, part } = setUp()
    core.attach(part())
    for (let i = 0; i < 8; i++) {
      bridge.socket.cut()
      bridge.clock.advance(20_000)
    }
    bridge.socket.cut()
    const before = bridge.sockets.length
    bridge.clock.advance(1_000)
    bridge.wake()
    bridge.wake()
    bridge.clock.advance(125)
    expect(bridge.sockets).toHaveLength(before + 1)
  })

  it('no attempts without a network, except one a minute', () => {
    const { bridge } = open()
    bridge.online = false
    bridge.socket.cut()
    bridge.wake()
    bridge.clock.advance(59_999)
    expect(bridge.sockets).toHaveLength(1)
    bridge.clock.advance(1)
    expect(bridge.sockets).toHaveLength(2)
    bridge.socket.cut()
    bridge.online = true
    bridge.wake()
    bridge.clock.advance(125)
    expect(bridge.sockets).toHaveLength(3)
  })

  it('gives up after the time it was given', async () => {
    const { bridge, core, part } = setUp({ backoff: { min: 250, max: 20_000, giveUpAfter: 5_000 } })
    const producer = part()
    core.attach(producer)
    const ready = core.ready()
    for (let i = 0; i < 10 && core.state.type !== 'closed'; i++) {
      bridge.socket.cut()
      bridge.clock.advance(2_000)
    }
    await expect(ready).rejects.toMatchObject({ code: 'COMET_OFFLINE' })
    expect(core.state).toMatchObject({ type: 'closed', error: { code: 'COMET_OFFLINE', retryable: true } })
    expect(producer.log).toEqual(['ended COMET_OFFLINE'])
    expect(bridge.clock.now() - 1_735_689_600_000).toBeLessThanOrEqual(8_000)
    expect(bridge.clock.pending).toBe(0)
  })

  it('the time to give up counts from the loss of a connection', () => {
    const { bridge, core } = open({ backoff: { min: 250, max: 250, giveUpAfter: 1_000 } })
    bridge.clock.advance(20_000)
    bridge.socket.cut()
    bridge.clock.advance(125)
    expect(bridge.sockets).toHaveLength(2)
    expect(core.state.type).toBe('connecting')
  })

  it.each([
    [4500, '40193 token refused', 'COMET_TOKEN_REFUSED'],
    [4501, '', 'COMET_ORIGIN_DENIED'],
    [4502, '', 'COMET_BAD_FRAME'],
    [4503, '', 'COMET_NOT_SUPPORTED'],
    [4504, '', 'COMET_SCOPE_DENIED'],
    [4505, '41301 the body has 5 MB', 'COMET_BODY_TOO_LARGE'],
    [4506, '', 'COMET_LIMIT_OVERRUN'],
    [4507, '', 'COMET_CONNECTION_RATE'],
    [4508, '', 'COMET_TOO_MANY_CONNECTIONS'],
  ])('close code %i ends it: %s', (code, reason, name) => {
    const { bridge, core, producer } = open()
    bridge.socket.cut(code, reason)
    expect(core.state).toMatchObject({ type: 'closed', error: { code: name } })
    expect(producer.log.at(-1)).toBe(`ended ${name}`)
    expect(bridge.clock.pending).toBe(0)
  })

  it.each([1000, 1006, 1012, 4000, 4001, 4002, 4003, 4004, 4005, 4006, 4406, 4408, 3000])('close code %i is survived', code => {
    const { bridge, core } = open()
    bridge.socket.cut(code)
    bridge.clock.advance(125)
    expect(core.state.type).toBe('connecting')
    expect(bridge.sockets).toHaveLength(2)
  })
})

describe('addresses', () => {
  it('all in turn, the last that worked first', () => {
    const { bridge, core, part } = setUp({ urls: ['ws://a', 'ws://b', 'ws://c'] })
    core.attach(part())
    const tried = [bridge.socket.url]
    for (let i = 0; i < 2; i++) {
      bridge.socket.cut()
      bridge.clock.advance(20_000)
      tried.push(bridge.socket.url)
    }
    expect([...tried].sort()).toEqual(['ws://a', 'ws://b', 'ws://c'])
    bridge.socket.accept()
    bridge.socket.welcome()
    const worked = bridge.socket.url
    bridge.socket.cut()
    bridge.clock.advance(125)
    expect(bridge.socket.url).toBe(worked)
    bridge.socket.cut()
    bridge.clock.advance(500)
    expect(bridge.socket.url).not.toBe(worked)
  })
})
