import { Kind } from '@cometmq/protocol'
import { describe, expect, it } from 'vitest'
import { BridgeError } from '../../src/errors.ts'
import { setUp } from '../support/core.ts'
import { settle } from '../support/scripted-bridge.ts'

function authed(auth: (reason: string, signal: AbortSignal, call: number) => string | Promise<string>) {
  const reasons: string[] = []
  const setup = setUp({
    auth: ({ reason, signal }) => {
      reasons.push(reason)
      return auth(reason, signal, reasons.length)
    },
  })
  setup.core.attach(setup.part())
  return { ...setup, reasons }
}

describe('tokens', () => {
  it('are asked for before the socket is opened, and used again while they are good', async () => {
    const { bridge, reasons } = authed((_reason, _signal, call) => `token ${call}`)
    expect(bridge.sockets).toHaveLength(0)
    await settle()
    bridge.socket.accept()
    expect(bridge.socket.hello.auth).toBe('token 1')
    bridge.socket.welcome({ tokenTtl: 60_000 })
    bridge.socket.cut()
    await bridge.clock.advanceAsync(125)
    bridge.socket.accept()
    expect(bridge.socket.hello.auth).toBe('token 1')
    bridge.socket.welcome({ tokenTtl: 9_000 })
    bridge.socket.cut()
    await bridge.clock.advanceAsync(125)
    bridge.socket.accept()
    expect(bridge.socket.hello.auth).toBe('token 2')
    expect(reasons).toEqual(['connect', 'refresh'])
  })

  it('are replaced when the bridge asks, once at a time', async () => {
    const { bridge, reasons } = authed((_reason, _signal, call) => `token ${call}`)
    await settle()
    bridge.socket.accept()
    bridge.socket.welcome({ tokenTtl: 60_000 })
    bridge.socket.give([Kind.AUTHREQ, 'expiring', 30_000])
    bridge.socket.give([Kind.AUTHREQ, 'expiring', 30_000])
    await settle()
    const sent = bridge.socket.of(Kind.AUTH)
    expect(new Set(sent.map(frame => frame[2]))).toEqual(new Set(['token 2']))
    expect(reasons).toEqual(['connect', 'refresh'])
    bridge.socket.give([Kind.OK, sent[0]![1], { tokenTtl: 3_600_000 }])
    await settle()
    bridge.socket.give([Kind.AUTHREQ, 'revoked', 5_000])
    await settle()
    expect(reasons).toEqual(['connect', 'refresh', 'rejected'])
  })

  it('near their end are replaced when the runtime wakes up', async () => {
    const { bridge, reasons } = authed((_reason, _signal, call) => `token ${call}`)
    await settle()
    bridge.socket.accept()
    bridge.socket.welcome({ tokenTtl: 300_000 })
    bridge.wake()
    await settle()
    expect(reasons).toEqual(['connect'])
    bridge.socket.give([Kind.PONG, 1])
    bridge.clock.jump(241_000)
    bridge.wake()
    await settle()
    expect(bridge.socket.of(Kind.AUTH)).toMatchObject([[Kind.AUTH, expect.any(Number), 'token 2']])
  })

  it('that the bridge does not take in place are asked for again with the next connection', async () => {
    const { bridge, reasons } = authed((_reason, _signal, call) => `token ${call}`)
    await settle()
    bridge.socket.accept()
    bridge.socket.welcome({ tokenTtl: 60_000 })
    bridge.socket.give([Kind.AUTHREQ, 'expiring', 30_000])
    await settle()
    bridge.socket.give([Kind.ERR, bridge.socket.of(Kind.AUTH)[0]![1], 40193, 'no', {}])
    await settle()
    bridge.socket.cut(4003)
    await bridge.clock.advanceAsync(125)
    expect(reasons.length).toBe(3)
    expect(bridge.sockets).toHaveLength(2)
  })

  it('a refresh that the loss of the socket cut short does not count as a rejection', async () => {
    const signals: AbortSignal[] = []
    const { bridge, core, reasons } = authed((_reason, signal, call) => {
      signals.push(signal)
      if (call === 3) throw new Error('down')
      return call === 2 ? new Promise(() => undefined) : `token ${call}`
    })
    await settle()
    bridge.socket.accept()
    bridge.socket.welcome({ tokenTtl: 5_000 })
    bridge.socket.give([Kind.AUTHREQ, 'expiring', 5_000])
    await settle()
    bridge.socket.cut()
    expect(signals[1]!.aborted).toBe(true)
    await bridge.clock.advanceAsync(125)
    await bridge.clock.advanceAsync(250)
    expect(reasons).toEqual(['connect', 'refresh', 'refresh', 'refresh'])
    expect(core.state.type).toBe('connecting')
    expect(bridge.sockets).toHaveLength(2)
  })

  it('expired at HELLO: asked for with "rejected", then tried again', async () => {
    const { bridge, core, reasons } = authed((_reason, _signal, call) => `token ${call}`)
    await settle()
    bridge.socket.accept()
    bridge.socket.give([Kind.ERR, 0, 40191, 'expired', {}])
    bridge.socket.cut(4003, '40191 expired')
    await bridge.clock.advanceAsync(250)
    expect(reasons).toEqual(['connect', 'rejected'])
    bridge.socket.accept()
    expect(bridge.socket.hello.auth).toBe('token 2')
    bridge.socket.welcome()
    expect(core.state.type).toBe('open')
  })

  it('refused when new: the end', async () => {
    const { bridge, core } = authed(() => 'bad')
    await settle()
    bridge.socket.accept()
    bridge.socket.give([Kind.ERR, 0, 40193, 'signature', { hint: 'check the key' }])
    bridge.socket.cut(4500, '40193 signature')
    expect(core.state).toMatchObject({ type: 'closed', error: { code: 'COMET_TOKEN_REFUSED', hint: 'check the key' } })
  })

  it('refused after it had been good: another is asked for once', async () => {
    const { bridge, core, reasons } = authed((_reason, _signal, call) => `token ${call}`)
    await settle()
    bridge.socket.accept()
    bridge.socket.welcome()
    bridge.socket.cut()
    await bridge.clock.advanceAsync(125)
    bridge.socket.accept()
    bridge.socket.cut(4500, '40193 key has changed')
    await bridge.clock.advanceAsync(250)
    expect(reasons).toEqual(['connect', 'rejected'])
    bridge.socket.accept()
    bridge.socket.cut(4500, '40193 still')
    expect(core.state.type).toBe('closed')
  })

  it('a provider that fails is asked again, with back-off', async () => {
    const { bridge, core, reasons } = authed((_reason, _signal, call) => {
      if (call === 1) throw new Error('down')
      return call === 2 ? '' : 'token'
    })
    await settle()
    expect(core.state).toMatchObject({ type: 'connecting', attempt: 2 })
    await bridge.clock.advanceAsync(250)
    await bridge.clock.advanceAsync(500)
    expect(reasons).toEqual(['connect', 'connect', 'connect'])
    expect(bridge.sockets).toHaveLength(1)
  })

  it('an application ends it by throwing after "rejected", or what cannot be retried', async () => {
    const rejected = authed(reason => {
      if (reason === 'rejected') throw new Error('signed out')
      return 'token'
    })
    await settle()
    rejected.bridge.socket.accept()
    rejected.bridge.socket.cut(4003)
    await rejected.bridge.clock.advanceAsync(250)
    expect(rejected.core.state).toMatchObject({ type: 'closed', error: { code: 'COMET_TOKEN_REFUSED' } })
    const final = authed(() => {
      throw new BridgeError(40390, 'not you')
    })
    await settle()
    expect(final.core.state).toMatchObject({ type: 'closed', error: { code: 'COMET_SCOPE_DENIED' } })
  })

  it('the signal fires when the connection closes, and when the answer takes too long', async () => {
    const signals: AbortSignal[] = []
    const never = (_reason: string, signal: AbortSignal): Promise<string> => {
      signals.push(signal)
      return new Promise(() => undefined)
    }
    const { bridge, core } = authed(never)
    await settle()
    await bridge.clock.advanceAsync(30_000)
    expect(signals[0]!.aborted).toBe(true)
    expect(core.state).toMatchObject({ type: 'connecting', attempt: 2 })
    await bridge.clock.advanceAsync(500)
    expect(signals).toHaveLength(2)
    core.end()
    expect(signals[1]!.aborted).toBe(true)
    await settle()
    expect(bridge.sockets).toHaveLength(0)
    expect(bridge.clock.pending).toBe(0)
  })

  it('never appear in an error', async () => {
    const { bridge, core } = authed(() => 'very-secret')
    await settle()
    bridge.socket.accept()
    bridge.socket.cut(4502)
    expect(JSON.stringify(core.state) + String(core.state.type === 'closed' && core.state.error?.stack)).not.toContain('secret')
  })
})
