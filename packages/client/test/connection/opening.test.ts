import { Kind } from '@cometmq/protocol'
import { describe, expect, it, vi } from 'vitest'
import { BridgeError } from '../../src/errors.ts'
import { open, setUp } from '../support/core.ts'
import { settle } from '../support/scripted-bridge.ts'

describe('opening and closing', () => {
  it('does nothing until something is wanted', () => {
    const { bridge, core } = setUp()
    expect(core.state).toEqual({ type: 'idle' })
    expect(bridge.sockets).toHaveLength(0)
    expect(bridge.clock.pending).toBe(0)
    expect(bridge.listening).toBe(false)
  })

  it('opens all parts with HELLO', () => {
    const { bridge, core, states, part } = setUp()
    const consumer = part('subscription')
    const producer = part('producer')
    core.attach(consumer)
    core.attach(producer)
    expect(bridge.sockets).toHaveLength(1)
    bridge.socket.accept()
    const { hello } = bridge.socket
    expect(hello).toMatchObject({ proto: 1, sdk: 'test/0', runtime: 'node' })
    expect(hello.producers?.map(args => args[1])).toEqual([producer.id])
    expect(hello.subs?.map(args => args[1])).toEqual([consumer.id])
    expect(hello.resume).toBeUndefined()
    bridge.clock.advance(30)
    bridge.socket.welcome({ node: 'n1' })
    expect(producer.log).toEqual(['new'])
    expect(consumer.log).toEqual(['new'])
    expect(core.state).toEqual({ type: 'open', resumed: false, node: 'n1', rtt: 30 })
    expect(states).toEqual(['connecting', 'open'])
    expect(core.session).toBe('0123456789ABCDEF0123')
    expect(bridge.socket.maxFrame).toBe(262_144)
  })

  it('opens a part of its own when there is a socket, also one that came during the handshake', () => {
    const { bridge, core, part } = setUp()
    core.attach(part())
    bridge.socket.accept()
    const between = part('subscription')
    core.attach(between)
    bridge.socket.welcome()
    const sub = bridge.socket.of(Kind.SUB)
    expect(sub).toHaveLength(1)
    bridge.socket.give([Kind.OK, sub[0]![1], { leaseMs: 1 }])
    expect(between.log).toEqual(['new'])
    const later = part()
    core.attach(later)
    const popen = bridge.socket.of(Kind.POPEN)
    bridge.socket.give([Kind.ERR, popen[0]![1], 40402, 'no such topic', {}])
    expect(later.log).toEqual(['refused COMET_TOPIC_NOT_FOUND'])
  })

  it('opens again what was refused only for the moment', () => {
    const { bridge, core, part } = open()
    const busy = part('subscription')
    core.attach(busy)
    bridge.socket.give([Kind.ERR, bridge.socket.of(Kind.SUB)[0]![1], 40992, 'busy', { retryAfter: 700 }])
    expect(busy.log).toEqual([])
    bridge.clock.advance(699)
    expect(bridge.socket.of(Kind.SUB)).toHaveLength(1)
    bridge.clock.advance(1)
    bridge.socket.give([Kind.OK, bridge.socket.of(Kind.SUB)[1]![1], {}])
    expect(busy.log).toEqual(['new'])
  })

  it('releases a subscription that was given up during the handshake', () => {
    const { bridge, core, part } = setUp()
    const stays = part()
    const goes = part('subscription')
    core.attach(stays)
    core.attach(goes)
    bridge.socket.accept()
    core.detach(goes)
    bridge.socket.welcome()
    expect(goes.log).toEqual([])
    expect(bridge.socket.of(Kind.UNSUB)).toMatchObject([[Kind.UNSUB, expect.any(Number), goes.id, 0]])
  })

  it('closes 2 s after the last part has gone, and not when one comes back', () => {
    const { bridge, core, producer, consumer, part, states } = open()
    core.detach(producer)
    core.detach(consumer)
    bridge.clock.advance(1_999)
    const again = part()
    core.attach(again)
    bridge.socket.give([Kind.OK, bridge.socket.of(Kind.POPEN)[0]![1], { limit: [1, 1] }])
    bridge.clock.advance(5_000)
    expect(bridge.socket.closed).toBeUndefined()
    core.detach(again)
    bridge.clock.advance(2_000)
    expect(bridge.socket.closed?.code).toBe(4000)
    expect(bridge.socket.received.at(-1)).toEqual([Kind.BYE, 0])
    expect(core.state).toEqual({ type: 'idle' })
    expect(states.at(-1)).toBe('idle')
    expect(bridge.clock.pending).toBe(0)
    expect(bridge.listening).toBe(false)
    core.attach(part())
    expect(bridge.sockets).toHaveLength(2)
    bridge.socket.accept()
    expect(bridge.socket.hello.resume).toBeUndefined()
  })

  it('gives an attempt up when nobody wants it any more', () => {
    const { bridge, core, part } = setUp()
    const only = part()
    core.attach(only)
    core.detach(only)
    bridge.clock.advance(2_000)
    expect(bridge.socket.closed?.code).toBe(4000)
    expect(core.state.type).toBe('idle')
  })

  it('ready() opens, waits, and can be given up', async () => {
    const { bridge, core } = setUp()
    const first = core.ready()
    const controller = new AbortController()
    const second = core.ready(controller.signal)
    controller.abort()
    await expect(second).rejects.toMatchObject({ code: 'COMET_CANCELLED' })
    bridge.socket.accept()
    bridge.socket.welcome()
    await first
    await core.ready()
    bridge.clock.advance(2_000)
    expect(core.state.type).toBe('idle')
  })

  it('close() says good-bye, ends parts and fails what waits, honestly', async () => {
    const { bridge, core, producer } = open()
    const sent = core.request(rid => [Kind.QUERY, rid, 'lag', {}])
    core.end()
    expect(bridge.socket.received.at(-1)).toEqual([Kind.BYE, 0])
    expect(producer.log).toEqual(['new', 'ended'])
    await expect(sent).rejects.toMatchObject({ code: 'COMET_CLOSED', outcome: 'unknown' })
    await expect(core.ready()).rejects.toMatchObject({ code: 'COMET_CLOSED' })
    await expect(core.request(rid => [Kind.QUERY, rid, 'lag', {}])).rejects.toMatchObject({ outcome: 'not-executed' })
    expect(bridge.clock.pending).toBe(0)
  })

  it('a request that was never sent is not executed', async () => {
    const { core } = setUp()
    const waiting = core.request(rid => [Kind.QUERY, rid, 'lag', {}])
    core.end()
    await expect(waiting).rejects.toMatchObject({ code: 'COMET_CLOSED', outcome: 'not-executed' })
  })

  it('a part that comes after the end is told so', async () => {
    const { core, part } = setUp()
    core.end()
    const late = part()
    core.attach(late)
    await settle()
    expect(late.log).toEqual(['ended COMET_CLOSED'])
  })

  it('shows its states to loops, the last ones to a slow one', async () => {
    const { bridge, core, part } = setUp()
    const seen: string[] = []
    const loop = (async () => {
      for await (const state of core.states()) seen.push(state.type)
    })()
    const slow = core.states()
    const controller = new AbortController()
    const left = core.states(controller.signal)
    controller.abort()
    expect(await left.next()).toMatchObject({ value: { type: 'idle' } })
    expect(await left.next()).toMatchObject({ done: true })
    core.attach(part())
    bridge.socket.accept()
    bridge.socket.welcome()
    core.end(new BridgeError(40390, 'no'))
    await loop
    expect(seen).toEqual(['idle', 'connecting', 'open', 'closed'])
    expect(await slow.next()).toMatchObject({ value: { type: 'idle' } })
    expect((await core.states().next()).value).toMatchObject({ type: 'closed', error: { code: 'COMET_SCOPE_DENIED' } })
  })

  it('sums up what parts report when it drains, and takes no new ones', async () => {
    const { bridge, core, producer, consumer, states, part } = open()
    Object.assign(producer, { drain: async () => ({ flushed: 3, acked: 0, released: 0, lost: 1 }) })
    Object.assign(consumer, { drain: async () => ({ flushed: 0, acked: 2, released: 5, lost: 0 }) })
    const draining = core.drain(1_000)
    const late = part()
    core.attach(late)
    expect(await draining).toEqual({ flushed: 3, acked: 2, released: 5, lost: 1 })
    expect(states).toEqual(['connecting', 'open', 'draining', 'closed'])
    expect(late.log).toEqual(['ended COMET_CLOSED'])
    expect(bridge.socket.closed?.code).toBe(4000)
  })

  it('counts frames and messages', () => {
    const { bridge, core, consumer } = open()
    core.send([Kind.SENDB, core.nextRid(2), 1, 0, [[{}, new Uint8Array()], [{}, new Uint8Array()]]]) // prettier-ignore
    bridge.socket.give([Kind.DELIVER, consumer.id, 1, [[0, 0, 0, 'id', 0, 1, 0, {}, new Uint8Array()]]])
    expect(core.stats()).toMatchObject({ in: { frames: 2, messages: 1, bytes: 40 }, out: { frames: 2, messages: 2, bytes: 20 } })
    expect(core.stats().reconnects).toBe(0)
    expect(consumer.frames).toHaveLength(1)
  })
})

describe('a bridge that misbehaves', () => {
  it('ends with a first frame that is not WELCOME', () => {
    const { bridge, core, part } = setUp()
    const producer = part()
    core.attach(producer)
    bridge.socket.accept()
    bridge.socket.give([Kind.OK, 1])
    expect(bridge.socket.closed?.code).toBe(4502)
    expect(core.state).toMatchObject({ type: 'closed', error: { code: 'COMET_BAD_FRAME' } })
    expect(producer.log).toEqual(['ended COMET_BAD_FRAME'])
    expect(bridge.clock.pending).toBe(0)
  })

  it('ends with something that is no frame', () => {
    const { bridge, core } = open()
    bridge.socket.give('hello' as never)
    expect(core.state.type).toBe('closed')
  })

  it('ignores kinds it does not know, answers it did not ask for, and parts that have gone', () => {
    const { bridge, core } = open()
    bridge.socket.give([200, 1, 2])
    bridge.socket.give([Kind.OK, 999])
    bridge.socket.give([Kind.RECEIPT, [[999, 0, null, 0, 0]]])
    bridge.socket.give([Kind.PLIMIT, 999, 1, 1])
    expect(core.state.type).toBe('open')
  })

  it('survives exceptions of parts and observers, which are reported', () => {
    const reported = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const { bridge, core, part } = setUp({
      observers: [
        {
          state: () => {
            throw new Error('observer')
          },
        },
      ],
    })
    const bad = part()
    bad.whenOpened = () => {
      throw new Error('part')
    }
    const good = part()
    core.attach(bad)
    core.attach(good)
    bridge.socket.accept()
    bridge.socket.welcome()
    expect(good.log).toEqual(['new'])
    expect(core.state.type).toBe('open')
    expect(reported.mock.calls.map(([error]) => (error as Error).message)).toEqual(['observer', 'observer', 'part'])
    reported.mockRestore()
  })

  it('gives up waiting for WELCOME after 10 s and tries again', () => {
    const { bridge, core, part } = setUp()
    core.attach(part())
    bridge.socket.accept()
    bridge.clock.advance(10_000)
    expect(bridge.socket.closed?.code).toBe(4005)
    expect(core.state).toMatchObject({ type: 'connecting', attempt: 2 })
    bridge.clock.advance(500)
    expect(bridge.sockets).toHaveLength(2)
  })
})
