import { describe, expect, test, type TestContext } from 'vitest'
import {
  type Command,
  CommandError,
  createInProcessLink,
  createLinkSetup,
  type Handler,
  type LinkLimits,
  type Peer,
  silentLogger,
  startServer,
  systemClock,
  tcpTransport,
  tlsTransport,
} from '@cometmq/remoting'
import { FakeClock, fixture, signal, until } from './tools.ts'

interface Sides {
  server?: [number, Handler][]
  client?: [number, Handler][]
  clock?: FakeClock
  limits?: Partial<LinkLimits>
  serialize?: 'JSON' | 'ROCKETMQ'
}

interface Link {
  client: Peer
  server: Peer
}

type Open = (context: TestContext, sides: Sides) => Promise<Link>

const overSockets =
  (secure: boolean): Open =>
  async (context, sides) => {
    const clock = sides.clock ?? systemClock
    const accepted = signal<Peer>()
    const tls = secure
      ? { tls: { mode: 'enforcing' as const, cert: fixture('tls-test.cert.pem'), key: fixture('tls-test.key.pem') } }
      : {}
    const server = await startServer({
      host: '127.0.0.1',
      port: 0,
      handlers: new Map(sides.server),
      clock,
      logger: silentLogger,
      limits: sides.limits ?? {},
      onConnection: peer => accepted.fire(peer),
      ...tls,
    })
    context.onTestFinished(() => server.close(0))
    const { limits, serialize } = sides
    const setup = createLinkSetup({ handlers: new Map(sides.client), clock, logger: silentLogger, limits, serialize })
    const transport = secure ? tlsTransport({ ca: fixture('tls-test.cert.pem') }) : tcpTransport
    const client = await transport.connect(server.address, setup, 10_000)
    context.onTestFinished(() => client.close('test is over'))
    return { client, server: await accepted.promise }
  }

const inProcess: Open = async (_context, sides) =>
  createInProcessLink({
    serverHandlers: new Map(sides.server),
    clientHandlers: new Map(sides.client),
    clock: sides.clock ?? systemClock,
    logger: silentLogger,
    limits: sides.limits ?? {},
  })

const echo: Handler = request => ({ code: 0, ext: request.ext, body: request.body })

describe.each([
  ['TCP', overSockets(false)],
  ['TLS', overSockets(true)],
  ['in-process', inProcess],
])('a link over %s', (_name, open) => {
  test('carries requests and answers both ways', async context => {
    const { client, server } = await open(context, { server: [[1, echo]], client: [[2, echo]] })
    const answer = await client.call({ code: 1, ext: { a: 'grün\u0001' }, body: Buffer.from('x') }, 10_000)
    expect(answer).toMatchObject({
      code: 0,
      flag: 1,
      version: 479,
      language: 'JAVA',
      remark: null,
      ext: { a: 'grün\u0001' },
      body: Buffer.from('x'),
    })
    expect(await server.call({ code: 2 }, 10_000)).toMatchObject({ code: 0, language: 'OTHER', ext: null, body: null })
    expect(await client.call({ code: 1, body: Buffer.alloc(0) }, 10_000)).toMatchObject({ body: null })
  })

  test('the handler sees the whole request, and answers in any order and later', async context => {
    const seen: Command[] = []
    const later: Handler = (request, peer) => {
      seen.push(request)
      if (seen.length === 3)
        for (const { opaque } of seen.toReversed()) setImmediate(() => peer.respond(opaque, { code: 0, remark: String(opaque) }))
      return undefined
    }
    const { client } = await open(context, { server: [[1, later]] })
    const answers = await Promise.all([1, 2, 3].map(i => client.call({ code: 1, ext: { i: String(i) } }, 10_000)))
    expect(seen.map(request => [request.ext?.['i'], request.flag, request.version])).toEqual([
      ['1', 0, 479],
      ['2', 0, 479],
      ['3', 0, 479],
    ])
    expect(answers.map(answer => answer.remark)).toEqual(seen.map(request => String(request.opaque)))
  })

  test('a thousand calls at a time, large bodies among them', async context => {
    const { client } = await open(context, { server: [[1, echo]] })
    const calls = Array.from({ length: 1000 }, async (_, i) => {
      const body = Buffer.alloc(i % 100 === 0 ? 200_000 : i, i)
      const answer = await client.call({ code: 1, ext: { i: String(i) }, body }, 20_000)
      expect(answer.ext?.['i']).toBe(String(i))
      expect(body.equals(answer.body ?? Buffer.alloc(0))).toBe(true)
    })
    await Promise.all(calls)
  })

  test('errors become response codes', async context => {
    const { client } = await open(context, {
      server: [
        [
          1,
          () => {
            throw new CommandError(17, 'no such topic')
          },
        ],
        [
          2,
          () => {
            throw new Error('broken')
          },
        ],
        [3, () => Promise.reject(new CommandError(16, 'forbidden'))],
        [4, () => Promise.resolve({ code: 5, remark: 'later' })],
        [5, () => ({ code: 0, body: Buffer.alloc(16_777_217) })],
      ],
    })
    const codes = await Promise.all([1, 2, 3, 4, 5, 6].map(code => client.call({ code }, 10_000)))
    expect(codes.map(answer => [answer.code, answer.remark?.slice(0, 30)])).toEqual([
      [17, 'no such topic'],
      [1, 'broken'],
      [16, 'forbidden'],
      [5, 'later'],
      [1, 'the answer cannot be sent: the'],
      [3, ' request type 6 not supported'],
    ])
  })

  test('one-way requests are handled and never answered', async context => {
    const seen: number[] = []
    const handle: Handler = (request, peer) => {
      seen.push(request.flag)
      if (request.ext?.['how'] === 'later') {
        peer.respond(request.opaque, { code: 0 })
        setImmediate(() => peer.respond(request.opaque, { code: 0 }))
        return undefined
      }
      if (request.ext?.['how'] === 'throw') throw new Error('nobody hears')
      return { code: 0 }
    }
    const { client, server } = await open(context, {
      server: [
        [1, handle],
        [2, echo],
      ],
    })
    for (const how of ['now', 'later', 'throw']) expect(client.oneway({ code: 1, ext: { how } })).toBe(true)
    expect(client.oneway({ code: 99 })).toBe(true)
    expect(await client.call({ code: 2, ext: { last: '1' } }, 10_000)).toMatchObject({ code: 0, ext: { last: '1' } })
    expect(seen).toEqual([2, 2, 2])
    expect(server.closed).toBe(false)
  })

  test('a call without an answer times out, an answer after that is ignored', async context => {
    const clock = new FakeClock()
    const release = signal<Command>()
    const { client, server } = await open(context, {
      clock,
      server: [
        [
          1,
          request => {
            release.fire(request)
            return undefined
          },
        ],
        [2, echo],
      ],
    })
    const call = client.call({ code: 1 }, 3000)
    const request = await release.promise
    clock.advance(2999)
    clock.advance(100)
    await expect(call).rejects.toMatchObject({ name: 'RemotingError', kind: 'timeout', sent: true })
    server.respond(request.opaque, { code: 0 })
    expect((await client.call({ code: 2 }, 3000)).code).toBe(0)
  })

  test('never before its time', async context => {
    const clock = new FakeClock()
    const { client, server } = await open(context, { clock, server: [[1, () => undefined]] })
    let failed = 0
    const calls = [100, 3000, 30_000].map(timeoutMs => client.call({ code: 1 }, timeoutMs).catch(() => void failed++))
    const settledAfter = async (ms: number): Promise<number> => {
      clock.advance(ms)
      await new Promise(resolve => setImmediate(resolve))
      return failed
    }
    expect(await settledAfter(99)).toBe(0)
    expect(await settledAfter(60)).toBe(1)
    expect(await settledAfter(2800)).toBe(1)
    expect(await settledAfter(100)).toBe(2)
    expect(await settledAfter(26_900)).toBe(2)
    expect(await settledAfter(200)).toBe(3)
    await Promise.all(calls)
    server.close('done')
  })

  test('closing fails the waiting calls and tells both ends', async context => {
    const reached = signal()
    const { client, server } = await open(context, {
      server: [
        [
          1,
          () => {
            reached.fire()
            return undefined
          },
        ],
      ],
    })
    const closes = [client, server].map(peer => new Promise<void>(resolve => peer.onClose(resolve)))
    const call = client.call({ code: 1 }, 10_000)
    const failed = expect(call).rejects.toMatchObject({ kind: 'closed', sent: true })
    await reached.promise
    server.close('enough')
    await Promise.all([failed, ...closes])
    expect([client.closed, server.closed]).toEqual([true, true])
    expect(client.oneway({ code: 1 })).toBe(false)
    await expect(client.call({ code: 1 }, 1000)).rejects.toMatchObject({ kind: 'closed', sent: false })
    server.respond(1, { code: 0 })
  })

  test('too many calls are refused', async context => {
    const { client, server } = await open(context, { server: [[1, () => undefined]], limits: { maxPendingCalls: 10 } })
    const calls = Array.from({ length: 11 }, () =>
      client.call({ code: 1 }, 10_000).then(String, (error: { kind: string }) => error.kind),
    )
    await expect(calls[10]).resolves.toBe('overloaded')
    server.close('done')
    expect((await Promise.all(calls)).slice(0, 10)).toEqual(new Array(10).fill('closed'))
  })

  test('a request larger than a frame is refused, the link goes on', async context => {
    const { client } = await open(context, { server: [[1, echo]] })
    await expect(client.call({ code: 1, body: Buffer.alloc(16_777_217) }, 1000)).rejects.toMatchObject({
      kind: 'protocol',
      sent: false,
    })
    expect((await client.call({ code: 1 }, 10_000)).code).toBe(0)
  })

  test('no more requests are taken than may be unanswered', async context => {
    const parked: number[] = []
    const { client, server } = await open(context, {
      limits: { maxUnansweredRequests: 3 },
      server: [
        [
          1,
          request => {
            parked.push(request.opaque)
            return undefined
          },
        ],
      ],
    })
    const calls = Array.from({ length: 10 }, () => client.call({ code: 1 }, 20_000))
    let answered = 0
    let most = 0
    while (answered < 10) {
      await until(() => parked.length > answered)
      for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve))
      most = Math.max(most, parked.length - answered)
      server.respond(parked[answered++] as number, { code: 0 })
    }
    await Promise.all(calls)
    expect(most).toBe(3)
  })

  test('knows its ends', async context => {
    const { client, server } = await open(context, {})
    expect(client.id).not.toBe(server.id)
    if (open === inProcess) {
      expect([server.remoteAddress, server.localAddress]).toEqual(['in-process', 'in-process'])
      return
    }
    expect(server.remoteAddress).toBe(client.localAddress)
    expect(server.localAddress).toBe(client.remoteAddress)
    const port = Number(server.remoteAddress.split(':')[1])
    expect([...server.remoteHost.subarray(0, 4), server.remoteHost.readInt32BE(4)]).toEqual([127, 0, 0, 1, port])
  })
})

test('requests with ROCKETMQ headers are answered with JSON ones', async context => {
  const { client } = await overSockets(false)(context, { server: [[1, echo]], serialize: 'ROCKETMQ' })
  expect(await client.call({ code: 1, ext: { a: 'ü' } }, 10_000)).toMatchObject({ code: 0, ext: { a: 'ü' } })
})
