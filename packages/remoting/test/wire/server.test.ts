import { describe, expect, onTestFinished, test } from 'vitest'
import { connect as connectTls } from 'node:tls'
import {
  createCaller,
  createLinkSetup,
  type Command,
  type Handler,
  type RunningServer,
  type ServerOptions,
  silentLogger,
  startServer,
  systemClock,
  tcpTransport,
  tlsTransport,
} from '@cometmq/remoting'
import { closed, FakeClock, fixture, frame, listeningLogger, rawConnect, signal, until } from './tools.ts'

const echo: Handler = request => ({ code: 0, ext: request.ext, body: request.body })

async function serve(options: Partial<ServerOptions> = {}): Promise<{ server: RunningServer; lines: string[] }> {
  const logger = listeningLogger()
  const server = await startServer({
    host: '127.0.0.1',
    port: 0,
    handlers: new Map([[1, echo]]),
    clock: systemClock,
    logger,
    ...options,
  })
  onTestFinished(() => server.close(0))
  return { server, lines: logger.lines }
}

const connectTo = async (server: RunningServer, clock = systemClock) =>
  tcpTransport.connect(server.address, createLinkSetup({ clock, logger: silentLogger }), 10_000)

const tlsFiles = { cert: fixture('tls-test.cert.pem'), key: fixture('tls-test.key.pem') }

describe('bytes that are no frames', () => {
  test.each([
    ['HTTP', Buffer.from('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'), 'HTTP message'],
    ['TLS on a plain port', Buffer.from('16030100f8010000f40303', 'hex'), 'TLS handshake'],
    ['2 GiB', Buffer.from('7fffffff00000000', 'hex'), 'frame of 2147483647 bytes'],
    ['garbage', Buffer.from('ffffffffffffffffffff', 'hex'), 'frame of -1 bytes'],
    ['a header that is no JSON', frame('{"code":'), 'no JSON'],
    ['an unknown serialization', frame('{}', Buffer.alloc(0), 9), 'serialization 9'],
    ['half a ROCKETMQ header', frame('0123', Buffer.alloc(0), 1), 'ROCKETMQ header has 4 bytes'],
  ])('%s: that connection is closed with the reason, the others go on', async (_name, bytes, reason) => {
    const { server, lines } = await serve()
    const other = await connectTo(server)
    onTestFinished(() => other.close('test is over'))
    const socket = await rawConnect(server.port)
    socket.write(bytes)
    await closed(socket)
    expect(lines.find(line => line.startsWith('closing a connection'))).toContain(reason)
    expect((await other.call({ code: 1 }, 10_000)).code).toBe(0)
    expect(server.connections.size).toBe(1)
  })

  test('what came before is still answered', async () => {
    const { server } = await serve()
    const socket = await rawConnect(server.port)
    const answer = signal<Buffer>()
    socket.on('data', chunk => answer.fire(chunk))
    socket.write(Buffer.concat([frame('{"code":1,"opaque":5}'), Buffer.from('GET / HTTP/1.1\r\n')]))
    expect((await answer.promise).toString('latin1')).toContain('"opaque":5')
    await closed(socket)
  })
})

test.each(['in the handler', 'later', 'returned', 'promised', 'thrown'])(
  'nothing is sent for a one-way request: %s',
  async how => {
    const handle: Handler = (request, peer) => {
      if (how === 'in the handler') peer.respond(request.opaque, { code: 0 })
      else if (how === 'later') queueMicrotask(() => peer.respond(request.opaque, { code: 0 }))
      else if (how === 'returned') return { code: 0 }
      else if (how === 'promised') return Promise.resolve({ code: 0 })
      else throw new Error('nobody hears this')
      return undefined
    }
    const { server } = await serve({
      handlers: new Map([
        [1, echo],
        [2, handle],
      ]),
    })
    const socket = await rawConnect(server.port)
    let received = ''
    socket.on('data', chunk => (received += chunk.toString('latin1')))
    socket.write(frame('{"code":2,"flag":2,"opaque":5}'))
    await until(() => server.connections.size === 1)
    socket.write(frame('{"code":1,"opaque":6}'))
    await until(() => received.includes('"opaque":6'))
    expect(received).not.toContain('"opaque":5')
    socket.destroy()
  },
)

describe('TLS on the same port', () => {
  const call = async (server: RunningServer, secure: boolean): Promise<string> => {
    const transport = secure ? tlsTransport({ verify: false }) : tcpTransport
    const caller = createCaller({ transport, clock: systemClock, logger: silentLogger })
    onTestFinished(() => caller.close())
    return caller.call(server.address, { code: 1, ext: { a: 'b' } }, 10_000).then(
      answer => `code ${answer.code}`,
      (error: { kind: string }) => error.kind,
    )
  }

  test.each([
    ['disabled', 'connect', 'code 0'],
    ['permissive', 'code 0', 'code 0'],
    ['enforcing', 'code 0', 'closed'],
  ] as const)('%s', async (mode, secure, plain) => {
    const { server } = await serve({ tls: { mode, ...tlsFiles } })
    expect(await call(server, true)).toBe(secure)
    expect(await call(server, false)).toBe(plain)
  })

  test('a certificate nobody vouches for is refused by default', async () => {
    const { server } = await serve({ tls: { mode: 'permissive', ...tlsFiles } })
    const setup = createLinkSetup({ clock: systemClock, logger: silentLogger })
    await expect(tlsTransport().connect(server.address, setup, 10_000)).rejects.toMatchObject({ kind: 'connect', sent: false })
  })

  test('a handshake that breaks off, and one that never ends', async () => {
    const clock = new FakeClock()
    const { server, lines } = await serve({ tls: { mode: 'permissive', ...tlsFiles }, clock })
    const broken = await rawConnect(server.port)
    broken.write(Buffer.from('160301000500000000ff', 'hex'))
    await closed(broken)
    await until(() => lines.some(line => line.startsWith('a TLS handshake failed')))
    const silent = await rawConnect(server.port)
    const dropped = closed(silent)
    await until(() => {
      clock.advance(10_000)
      return silent.destroyed
    })
    await dropped
  })

  test('needs a certificate', async () => {
    await expect(serve({ tls: { mode: 'permissive' } })).rejects.toThrow("TLS mode 'permissive' needs a certificate and a key")
  })

  test('an abrupt end of a TLS connection is an ordinary close', async () => {
    const { server } = await serve({ tls: { mode: 'enforcing', ...tlsFiles } })
    const socket = connectTls({ host: '127.0.0.1', port: server.port, rejectUnauthorized: false })
    socket.on('error', () => {})
    await new Promise<void>(resolve => socket.once('secureConnect', () => resolve()))
    await until(() => server.connections.size === 1)
    socket.destroy()
    await until(() => server.connections.size === 0)
  })
})

describe('limits', () => {
  test('one connection too many is closed, the others stay', async () => {
    const { server } = await serve({ limits: { maxConnections: 1 } })
    const first = await connectTo(server)
    await first.call({ code: 1 }, 10_000)
    await closed(await rawConnect(server.port))
    expect((await first.call({ code: 1 }, 10_000)).code).toBe(0)
    first.close('test is over')
    await until(() => server.connections.size === 0)
  })

  test('a silent connection is closed, one that speaks is not', async () => {
    const clock = new FakeClock()
    const { server } = await serve({ clock })
    const peer = await connectTo(server)
    const silent = await rawConnect(server.port)
    await until(() => server.connections.size === 2)
    clock.advance(100_000)
    await peer.call({ code: 1 }, 10_000)
    clock.advance(30_000)
    await closed(silent)
    expect((await peer.call({ code: 1 }, 10_000)).code).toBe(0)
    clock.advance(120_000)
    await new Promise<void>(resolve => peer.onClose(resolve))
  })

  test('a peer that does not read is not read from, and gets everything once it reads', async () => {
    let handled = 0
    const body = Buffer.alloc(100_000, 'x')
    const big: Handler = () => {
      handled++
      return { code: 0, body }
    }
    const { server } = await serve({ handlers: new Map([[1, big]]), limits: { maxOutputBytes: 1_000_000 } })
    const socket = await rawConnect(server.port)
    socket.pause()
    const requests = 1000
    socket.write(Buffer.concat(Array.from({ length: requests }, () => frame('{"code":1}'))))
    await until(() => handled > 0)
    for (let turn = 0; turn < 200; turn++) await new Promise(resolve => setImmediate(resolve))
    expect(handled).toBeLessThan(requests)
    let received = 0
    socket.on('data', chunk => (received += chunk.length))
    socket.resume()
    await until(() => received >= requests * body.length && handled === requests)
    socket.destroy()
  })

  test('a peer that parks requests and never reads the answers is closed', async () => {
    const parked: Command[] = []
    const park: Handler = request => {
      parked.push(request)
      return undefined
    }
    const { server, lines } = await serve({ handlers: new Map([[1, park]]), limits: { closeAboveOutputBytes: 20_000_000 } })
    const socket = await rawConnect(server.port)
    socket.pause()
    socket.write(Buffer.concat(Array.from({ length: 100 }, (_, i) => frame(`{"code":1,"opaque":${i}}`))))
    await until(() => parked.length === 100)
    const [peer] = server.connections
    for (const request of parked) peer?.respond(request.opaque, { code: 0, body: Buffer.alloc(1_000_000) })
    await until(() => server.connections.size === 0)
    expect(lines.join()).toContain('it does not read')
    await closed(socket)
  })
})

describe('shutting down', () => {
  test('new requests are turned away, parked ones answered, then the connection closes', async () => {
    const parked = signal<() => void>()
    const { server } = await serve({
      handlers: new Map<number, Handler>([
        [1, echo],
        [
          2,
          (request, peer) => {
            parked.fire(() => peer.respond(request.opaque, { code: 0 }))
            return undefined
          },
        ],
      ]),
    })
    const peer = await connectTo(server)
    const slow = peer.call({ code: 2 }, 20_000)
    const release = await parked.promise
    const stopped = server.close(20_000)
    expect(await peer.call({ code: 1 }, 20_000)).toMatchObject({ code: 1500 })
    release()
    expect((await slow).code).toBe(0)
    await stopped
    await until(() => peer.closed)
    expect(server.connections.size).toBe(0)
  })

  test('clients before 5.3.2 are served until the connection closes', async () => {
    const parked = signal()
    const park: Handler = () => {
      parked.fire()
      return undefined
    }
    const { server } = await serve({
      handlers: new Map([
        [1, echo],
        [2, park],
      ]),
    })
    const socket = await rawConnect(server.port)
    const texts: string[] = []
    socket.on('data', chunk => texts.push(chunk.toString('latin1')))
    socket.write(frame('{"code":2,"opaque":1,"version":475}'))
    await parked.promise
    const stopped = server.close(20_000)
    socket.write(frame('{"code":1,"opaque":2,"version":475}'))
    await until(() => texts.join('').includes('"opaque":2'))
    expect(texts.join('')).toContain('{"code":0')
    const [peer] = server.connections
    peer?.respond(1, { code: 0 })
    await closed(socket)
    await stopped
  })

  test('a port in use is an error', async () => {
    const { server } = await serve()
    await expect(serve({ port: server.port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })
})
