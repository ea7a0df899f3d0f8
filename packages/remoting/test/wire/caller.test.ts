import { describe, expect, onTestFinished, test } from 'vitest'
import {
  type Caller,
  type CallerOptions,
  createCaller,
  createLinkSetup,
  type Handler,
  type Peer,
  type RunningServer,
  silentLogger,
  startServer,
  systemClock,
  tcpTransport,
  type Transport,
} from '@cometmq/remoting'
import { FakeClock, signal, until } from './tools.ts'

const echo: Handler = request => ({ code: 0, ext: request.ext, body: request.body })

async function serve(handlers: [number, Handler][] = [[1, echo]], port = 0): Promise<RunningServer> {
  const server = await startServer({
    host: '127.0.0.1',
    port,
    handlers: new Map(handlers),
    clock: systemClock,
    logger: silentLogger,
  })
  onTestFinished(() => server.close(0))
  return server
}

function callerOf(options: Partial<CallerOptions> = {}): Caller {
  const caller = createCaller({ transport: tcpTransport, clock: systemClock, logger: silentLogger, ...options })
  onTestFinished(() => caller.close())
  return caller
}

/** TCP that counts how often it is asked. */
function countingTransport(): Transport & { attempts: number } {
  const transport = {
    attempts: 0,
    connect: (...args: Parameters<Transport['connect']>) => {
      transport.attempts++
      return tcpTransport.connect(...args)
    },
  }
  return transport
}

describe('caller', () => {
  test('shares one link per address, made on first use', async () => {
    const server = await serve()
    const transport = countingTransport()
    const opened: string[] = []
    const caller = callerOf({ transport, onConnect: address => opened.push(address) })
    expect(transport.attempts).toBe(0)
    await Promise.all(Array.from({ length: 50 }, () => caller.call(server.address, { code: 1 }, 10_000)))
    await caller.oneway(server.address, { code: 1 })
    expect(transport.attempts).toBe(1)
    expect(opened).toEqual([server.address])
  })

  test('connects again after the link was lost, and says so', async () => {
    const server = await serve()
    const lost = signal<string>()
    const transport = countingTransport()
    const caller = callerOf({ transport, onClose: address => lost.fire(address) })
    await caller.call(server.address, { code: 1 }, 10_000)
    for (const peer of server.connections) peer.close('test')
    expect(await lost.promise).toBe(server.address)
    expect((await caller.call(server.address, { code: 1 }, 10_000)).code).toBe(0)
    expect(transport.attempts).toBe(2)
  })

  test('fails fast while an address cannot be reached, and tries again after a pause', async () => {
    const server = await serve()
    await server.close(0)
    const clock = new FakeClock()
    const transport = countingTransport()
    const caller = callerOf({ transport, clock })
    const fails = async (): Promise<void> =>
      expect(caller.call(server.address, { code: 1 }, 10_000)).rejects.toMatchObject({
        kind: 'connect',
        sent: false,
        address: server.address,
      })
    await fails()
    await fails()
    expect(transport.attempts).toBe(1)
    clock.advance(50)
    await fails()
    expect(transport.attempts).toBe(2)
    clock.advance(50)
    await fails()
    expect(transport.attempts).toBe(2)
    await serve([[1, echo]], server.port)
    clock.advance(50)
    expect((await caller.call(server.address, { code: 1 }, 10_000)).code).toBe(0)
    expect(transport.attempts).toBe(3)
  })

  test("connecting counts for a call's timeout", async () => {
    const clock = new FakeClock()
    const asked = signal()
    const connected = signal<Peer>()
    const caller = callerOf({
      clock,
      transport: {
        connect: () => {
          asked.fire()
          return connected.promise
        },
      },
    })
    const call = caller.call('127.0.0.1:1', { code: 1 }, 1000)
    await asked.promise
    clock.advance(1100)
    await expect(call).rejects.toMatchObject({ kind: 'timeout', sent: false })
    const server = await serve()
    connected.fire(await tcpTransport.connect(server.address, createLinkSetup({ clock, logger: silentLogger }), 1000))
  })

  test('an attempt to connect ends in time', async () => {
    const clock = new FakeClock()
    const setup = createLinkSetup({ clock, logger: silentLogger })
    // 192.0.2.0/24 is for documentation: nothing answers there, or the network says so at once.
    const attempt = tcpTransport.connect('192.0.2.1:9876', setup, 3000)
    const failed = expect(attempt).rejects.toMatchObject({ kind: 'connect', sent: false })
    clock.advance(3000)
    await failed
  })

  test('an address that is none is an error that says so', async () => {
    await expect(callerOf().call('nowhere', { code: 1 }, 1000)).rejects.toThrow("'nowhere' is no address")
  })

  test('answers what servers ask', async () => {
    const server = await serve([
      [1, (_request, peer) => peer.call({ code: 40 }, 10_000).then(answer => ({ code: 0, remark: `${answer.remark}` }))],
    ])
    const caller = callerOf({ handlers: new Map([[40, () => ({ code: 0, remark: 'rebalanced' })]]) })
    expect((await caller.call(server.address, { code: 1 }, 10_000)).remark).toBe('rebalanced')
  })

  test('turned away by a server that stops, it asks the one that took its place', async () => {
    let turned = 0
    const old = await serve([
      [
        1,
        () => {
          turned++
          return { code: 1500 }
        },
      ],
    ])
    const fresh = await serve()
    const addresses = [old.address, fresh.address]
    const caller = callerOf({
      transport: { connect: (_address, setup, timeoutMs) => tcpTransport.connect(addresses.shift() ?? '', setup, timeoutMs) },
    })
    expect((await caller.call('balancer:1', { code: 1 }, 10_000)).code).toBe(0)
    expect(turned).toBe(1)
  })

  test('turned away twice, or with nobody in its place, it gives the answer', async () => {
    const server = await serve([[1, () => ({ code: 1500, remark: 'go' })]])
    expect(await callerOf().call(server.address, { code: 1 }, 10_000)).toMatchObject({ code: 1500, remark: 'go' })
    const addresses = [server.address]
    const caller = callerOf({
      transport: {
        connect: (_address, setup, timeoutMs) => tcpTransport.connect(addresses.shift() ?? '127.0.0.1:1', setup, timeoutMs),
      },
    })
    expect(await caller.call('balancer:1', { code: 1 }, 10_000)).toMatchObject({ code: 1500, remark: 'go' })
  })

  test('an address may be served inside the process', async () => {
    const transport = countingTransport()
    const seen = signal<string>()
    const handler: Handler = (_request, peer) => {
      seen.fire(peer.remoteAddress)
      return { code: 0, remark: 'here' }
    }
    const caller = callerOf({ transport, inProcess: new Map([['in-process:broker', new Map([[1, handler]])]]) })
    expect(await caller.call('in-process:broker', { code: 1 }, 10_000)).toMatchObject({ remark: 'here', language: 'JAVA' })
    expect(await seen.promise).toBe('in-process')
    expect(transport.attempts).toBe(0)
  })

  test('closing closes its links and refuses calls', async () => {
    const server = await serve()
    const caller = callerOf()
    await caller.call(server.address, { code: 1 }, 10_000)
    await caller.close()
    await until(() => server.connections.size === 0)
    await expect(caller.call(server.address, { code: 1 }, 1000)).rejects.toMatchObject({ kind: 'closed', sent: false })
    await expect(caller.oneway(server.address, { code: 1 })).rejects.toMatchObject({ kind: 'closed' })
  })
})
