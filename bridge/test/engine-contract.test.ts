import { once } from 'node:events'
import { type IncomingMessage, request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { type EngineHandlers, type EngineName, type HttpRequest, type ListenOptions } from '../src/engine/types.ts'
import {
  acceptor,
  client,
  closeOf,
  freePort,
  handshake,
  rawConnection,
  Recorder,
  refusalOf,
  startEngine,
  type TestEngine,
  testLimits,
} from './engine-support.ts'

/** Both engines must do the same, whatever their libraries do. */
const engines: readonly EngineName[] = ['ws', 'uws']

describe.each(engines)('engine %s', name => {
  const started: TestEngine[] = []
  const start = async (handlers: Partial<EngineHandlers>, more: Partial<ListenOptions> = {}) => {
    const engine = await startEngine(name, handlers, more)
    started.push(engine)
    return engine
  }
  const pair = async (more: Partial<ListenOptions> = {}) => {
    const { upgrade, next } = acceptor()
    const engine = await start({ upgrade }, more)
    const [socket, server] = await Promise.all([client(engine.url), next()])
    return { engine, socket, server }
  }
  afterEach(async () => {
    await Promise.all(started.splice(0).map(engine => engine.running.close()))
  })

  describe('upgrade', () => {
    it('shows method, path, query, headers and address, and answers with the subprotocol', async () => {
      const seen: HttpRequest[] = []
      const { upgrade } = acceptor()
      const { url, running } = await start({ upgrade: request => (seen.push(request), upgrade()) })
      const socket = await client(`${url}?a=1&b=%20`, {
        headers: { 'X-Long': 'x'.repeat(8_000) },
        origin: 'https://shop.example',
      })
      expect(socket.protocol).toBe('cometmq.v1')
      expect(seen[0]).toMatchObject({ method: 'GET', path: '/ws', query: 'a=1&b=%20', remoteAddress: '127.0.0.1' })
      expect(seen[0]!.headers).toMatchObject({
        'x-long': 'x'.repeat(8_000),
        origin: 'https://shop.example',
        upgrade: 'websocket',
      })
      expect(running.sockets).toBe(1)
    })

    it('refuses with status, headers and text', async () => {
      const { url, running } = await start({
        upgrade: () => ({ status: 403, headers: { 'x-why': 'origin' }, body: '{"code":40391}' }),
      })
      const refusal = await refusalOf(url)
      expect(refusal).toMatchObject({ status: 403, body: '{"code":40391}' })
      expect(refusal.headers['x-why']).toBe('origin')
      expect(running.sockets).toBe(0)
    })

    it('waits for a decision that takes time, and refuses when it fails or does not come', async () => {
      const { upgrade } = acceptor()
      const slow = await start({ upgrade: async () => (await new Promise(resolve => setImmediate(resolve)), upgrade()) })
      expect((await client(slow.url)).protocol).toBe('cometmq.v1')
      const failing = await start({ upgrade: () => Promise.reject(new Error('defect')) })
      expect((await refusalOf(failing.url)).status).toBe(500)
      const throwing = await start({
        upgrade: () => {
          throw new Error('defect')
        },
      })
      expect((await refusalOf(throwing.url)).status).toBe(500)
      const never = await start({ upgrade: () => new Promise(() => {}) }, { limits: { ...testLimits, upgradeMs: 20 } })
      expect((await refusalOf(never.url)).status).toBe(503)
    })

    it('survives a client that leaves during the decision', async () => {
      let decide!: () => void
      let asked!: () => void
      const isAsked = new Promise<void>(resolve => (asked = resolve))
      const accept = acceptor()
      const { running } = await start({
        upgrade: () => (asked(), new Promise(resolve => (decide = () => resolve(accept.upgrade())))),
      })
      const raw = await rawConnection(running.port, handshake)
      await isAsked
      raw.destroy()
      await once(raw, 'close')
      const next = await start({ upgrade: accept.upgrade })
      await client(next.url)
      decide()
      await client(next.url)
      expect(running.sockets).toBe(0)
    })

    it('cuts a connection whose request head does not come', async () => {
      const { running } = await start({})
      const raw = await rawConnection(running.port, 'GET /ws HTTP/1.1\r\nHost: localhost\r\n')
      raw.resume()
      await once(raw, 'close')
    })
  })

  describe('messages', () => {
    it('tells binary from text, and keeps bytes valid after the handler', async () => {
      const { socket, server } = await pair()
      for (let round = 0; round < 50; round++) socket.send(Buffer.alloc(100, round))
      socket.send('text äöü')
      socket.send(new Uint8Array(0))
      await server.until(() => server.messages.length === 52)
      for (let round = 0; round < 50; round++) {
        expect(server.messages[round]!.binary).toBe(true)
        expect(Buffer.from(server.messages[round]!.bytes)).toEqual(Buffer.alloc(100, round))
      }
      expect(server.messages[50]!.binary).toBe(false)
      expect(Buffer.from(server.messages[50]!.bytes).toString()).toBe('text äöü')
      expect(server.messages[51]!.bytes.length).toBe(0)
    })

    it.each([0, 1, 125, 126, 65_535, 65_536, 200_000])('carries %i bytes both ways', async size => {
      const { socket, server } = await pair()
      const bytes = Buffer.alloc(size, 7)
      bytes.fill(3, 0, Math.min(size, 5))
      socket.send(bytes)
      await server.until(() => server.messages.length === 1)
      expect(bytes.equals(server.messages[0]!.bytes)).toBe(true)
      const back = once(socket, 'message')
      expect(server.socket.send(bytes)).not.toBe('dropped')
      const [data, binary] = (await back) as [Buffer, boolean]
      expect(binary).toBe(true)
      expect(bytes.equals(data)).toBe(true)
    })

    it('takes many messages in one call, in order', async () => {
      const { socket, server } = await pair()
      const sizes = [0, 1, 200, 70_000, 3, 130_000, 126, 5]
      const got: number[] = []
      const all = new Promise<void>(resolve => {
        socket.on('message', (data: Buffer) => got.push(data.length) === sizes.length * 3 && resolve())
      })
      const messages = [...sizes, ...sizes, ...sizes].map(size => new Uint8Array(size))
      expect(server.socket.sendAll(messages)).toBe(messages.length)
      await all
      expect(got).toEqual([...sizes, ...sizes, ...sizes])
    })

    it('ends a connection that sends more than the limit in one message', async () => {
      const { socket, server } = await pair({ limits: { ...testLimits, maxMessageBytes: 1_000 } })
      socket.on('error', () => {})
      const closed = closeOf(socket)
      socket.send(new Uint8Array(1_000))
      socket.send(new Uint8Array(1_001))
      expect([1006, 1009]).toContain((await closed).code)
      await server.until(() => server.end !== undefined)
      expect(server.messages.length).toBe(1)
    })

    it('ends a connection that sends a frame with a reserved opcode', async () => {
      const { upgrade, next } = acceptor()
      const { running } = await start({ upgrade })
      const raw = await rawConnection(running.port, handshake)
      const server = await next()
      raw.resume()
      raw.write(Buffer.from([0x83, 0x81, 0, 0, 0, 0, 5]))
      await once(raw, 'close')
      await server.until(() => server.end !== undefined)
    })
  })

  describe('back-pressure', () => {
    const chunk = new Uint8Array(64 * 1024)

    it('queues up to the ceiling for a reader that stopped, drops beyond, and tells when it drained', async () => {
      const { socket, server } = await pair()
      let received = 0
      socket.on('message', (data: Buffer) => (received += data.length))
      socket.pause()
      let taken = 0
      for (;;) {
        const result = server.socket.send(chunk)
        if (result === 'dropped') break
        taken++
        expect(taken).toBeLessThan(5_000)
      }
      expect(server.socket.bufferedBytes).toBeGreaterThan(testLimits.maxBufferedBytes)
      expect(server.socket.bufferedBytes).toBeLessThan(testLimits.maxBufferedBytes + 2 * chunk.length)
      expect(server.socket.sendAll([chunk])).toBe(0)
      expect(server.drains).toBe(0)
      socket.resume()
      await server.until(() => server.drains > 0 && server.socket.bufferedBytes === 0)
      expect(server.socket.send(new Uint8Array(1))).toBe('sent')
      await new Promise<void>(resolve => {
        const look = (): void => (received === taken * chunk.length + 1 ? resolve() : undefined)
        socket.on('message', look)
        look()
      })
    })

    it('takes of a batch what fits', async () => {
      const { socket, server } = await pair()
      socket.pause()
      const batch = Array.from({ length: 400 }, () => chunk)
      const taken = server.socket.sendAll(batch)
      expect(taken).toBeLessThan(400)
      let received = 0
      const all = new Promise<void>(resolve => {
        socket.on('message', () => ++received === taken + 1 && resolve())
      })
      socket.resume()
      await server.until(() => server.socket.bufferedBytes === 0)
      expect(server.socket.sendAll([chunk])).toBe(1)
      await all
    })
  })

  describe('ends', () => {
    it('closes with code and reason', async () => {
      const { socket, server, engine } = await pair()
      const closed = closeOf(socket)
      server.socket.close(4502, '40090 bad frame')
      expect(server.end).toBeUndefined()
      expect(server.socket.send(new Uint8Array(1))).toBe('dropped')
      expect(server.socket.bufferedBytes).toBe(0)
      server.socket.close(4000, '')
      expect(await closed).toEqual({ code: 4502, reason: '40090 bad frame' })
      await server.until(() => server.end !== undefined)
      expect(engine.running.sockets).toBe(0)
    })

    it('sends what was queued before the close frame', async () => {
      const { socket, server } = await pair()
      const got: number[] = []
      socket.on('message', (data: Buffer) => got.push(data.length))
      server.socket.sendAll([new Uint8Array(5), new Uint8Array(100_000)])
      server.socket.close(4001, 'going away')
      expect((await closeOf(socket)).code).toBe(4001)
      expect(got).toEqual([5, 100_000])
    })

    it("tells the client's code and reason, 1005 without one, 1006 when it vanished", async () => {
      const { upgrade, next } = acceptor()
      const { url } = await start({ upgrade })
      const ends: ((socket: Awaited<ReturnType<typeof client>>) => void)[] = [
        socket => socket.close(4000, 'bye'),
        socket => socket.close(),
        socket => socket.terminate(),
      ]
      const told: unknown[] = []
      for (const end of ends) {
        const [socket, server] = await Promise.all([client(url), next()])
        end(socket)
        await server.until(() => server.end !== undefined)
        told.push(server.end)
      }
      expect(told).toEqual([
        { code: 4000, reason: 'bye' },
        { code: 1005, reason: '' },
        { code: 1006, reason: '' },
      ])
    })

    it('tells the end once when both sides close, and takes nothing after it', async () => {
      const { socket, server } = await pair()
      const closed = closeOf(socket)
      server.socket.close(4000, 'one')
      socket.send(new Uint8Array(1))
      socket.close(4000, 'other')
      await closed
      await server.until(() => server.end !== undefined)
      expect(server.messages).toEqual([])
    })

    it('terminates a peer that neither reads nor answers', async () => {
      const { upgrade, next } = acceptor()
      const { running } = await start({ upgrade })
      const raw = await rawConnection(running.port, handshake)
      const server = await next()
      raw.pause()
      for (let round = 0; server.socket.send(new Uint8Array(60_000)) !== 'dropped'; round++) expect(round).toBeLessThan(5_000)
      server.socket.terminate()
      await server.until(() => server.end !== undefined)
      expect(server.end).toEqual({ code: 1006, reason: '' })
      raw.resume()
      await once(raw, 'close')
      expect(running.sockets).toBe(0)
    })

    it('cuts a peer that does not answer the close frame', async () => {
      const { upgrade, next } = acceptor()
      const { running } = await start({ upgrade })
      const raw = await rawConnection(running.port, handshake)
      const server = await next()
      raw.resume()
      raw.allowHalfOpen = true
      server.socket.close(4001, '')
      await once(raw, 'end')
      await server.until(() => server.end !== undefined)
    })
  })

  describe('HTTP', () => {
    it('reads a body up to the limit the handler sets', async () => {
      const { base } = await start({
        request: (request, response) => {
          request.body(100_000).then(
            body => response.respond(200, { 'content-type': 'text/x', 'x-path': request.path }, body),
            (error: { reason: string }) => response.respond(413, {}, error.reason),
          )
        },
      })
      const post = (size: number) => fetch(`${base}/v1/send?x=1`, { method: 'POST', body: new Uint8Array(size).fill(9) })
      const small = await post(100_000)
      expect(small.status).toBe(200)
      expect(small.headers.get('content-type')).toBe('text/x')
      expect(small.headers.get('x-path')).toBe('/v1/send')
      expect(new Uint8Array(await small.arrayBuffer())).toEqual(new Uint8Array(100_000).fill(9))
      const large = await post(100_001)
      expect([large.status, await large.text()]).toEqual([413, 'too-large'])
      expect((await (await post(0)).arrayBuffer()).byteLength).toBe(0)
      expect((await fetch(`${base}/`)).status).toBe(200)
    })

    it('throws away a body nobody asked for, and says so when it is asked for late', async () => {
      const { base } = await start({
        request: (request, response) => {
          setImmediate(() => {
            request.body(10).then(
              () => response.respond(200, {}, 'read'),
              (error: { reason: string }) => response.respond(200, {}, error.reason),
            )
          })
        },
      })
      for (let round = 0; round < 3; round++) {
        const answer = await fetch(`${base}/`, { method: 'POST', body: 'x'.repeat(200_000) })
        expect(await answer.text()).toBe('late')
      }
    })

    it('answers HEAD without a body, and later than the handler returned', async () => {
      const { base } = await start({
        request: (_request, response) => setImmediate(() => response.respond(200, { etag: '"1"' }, 'hello')),
      })
      const head = await fetch(base, { method: 'HEAD' })
      expect([head.status, head.headers.get('content-length'), head.headers.get('etag'), await head.text()]).toEqual([
        200,
        '5',
        '"1"',
        '',
      ])
      expect(await (await fetch(base)).text()).toBe('hello')
    })

    it('streams for as long as wanted, and tells when the client went away', async () => {
      let aborted!: () => void
      const isAborted = new Promise<void>(resolve => (aborted = resolve))
      const { base } = await start({
        request: (_request, response) => {
          response.onAbort(aborted)
          const stream = response.stream(200, { 'content-type': 'text/event-stream' }, ': hello\n\n')
          setImmediate(() => stream.write('data: 1\n\n'))
        },
      })
      const answer = await new Promise<IncomingMessage>(resolve => httpRequest(base, resolve).end())
      expect(answer.headers['content-type']).toBe('text/event-stream')
      let text = ''
      await new Promise<void>(resolve => {
        answer.on('data', (piece: Buffer) => (text += piece.toString()).includes('data: 1\n\n') && resolve())
      })
      expect(text).toBe(': hello\n\ndata: 1\n\n')
      answer.on('error', () => {})
      answer.destroy()
      await isAborted
    })

    it('holds a stream back when its reader stops, and ends it', async () => {
      let total = 0
      const { base } = await start({
        request: (_request, response) => {
          const stream = response.stream(200, {}, 'x')
          total = 1
          let dropped = false
          const piece = new Uint8Array(50_000)
          while (!dropped) {
            dropped = stream.write(piece) === 'dropped'
            if (!dropped) total += piece.length
          }
          stream.onDrain(() => stream.end())
        },
      })
      const answer = await new Promise<IncomingMessage>(resolve => httpRequest(base, resolve).end())
      let received = 0
      answer.on('data', (piece: Buffer) => (received += piece.length))
      await once(answer, 'end')
      expect(received).toBe(total)
    })
  })

  describe('TLS', () => {
    const file = (what: string): string => fileURLToPath(new URL(`fixtures/tls-test.${what}.pem`, import.meta.url))

    it('carries sockets and requests', async () => {
      const { upgrade, next } = acceptor()
      const tls = { certFile: file('cert'), keyFile: file('key') }
      const { running } = await start({ upgrade }, { tls })
      const options = { rejectUnauthorized: false }
      const [socket, server] = await Promise.all([client(`wss://127.0.0.1:${running.port}/ws`, options), next()])
      const bytes = new Uint8Array(200_000).fill(5)
      socket.send(bytes)
      await server.until(() => server.messages.length === 1)
      expect(Buffer.from(server.messages[0]!.bytes).equals(bytes)).toBe(true)
      const back = once(socket, 'message')
      expect(server.socket.sendAll([bytes])).toBe(1)
      expect(bytes.length).toBe(((await back)[0] as Buffer).length)
      const status = await new Promise(resolve => {
        httpsRequest({ host: '127.0.0.1', port: running.port, ...options }, answer => resolve(answer.statusCode)).end()
      })
      expect(status).toBe(404)
      const closed = closeOf(socket)
      server.socket.close(4001, 'bye')
      expect(await closed).toEqual({ code: 4001, reason: 'bye' })
    })

    it('does not start with files that are no certificate', async () => {
      const none = fileURLToPath(import.meta.url)
      await expect(startEngine(name, {}, { tls: { certFile: none, keyFile: none } })).rejects.toThrow()
    })
  })

  describe('listening', () => {
    it('does not take a port on which another listens', async () => {
      const { running } = await start({})
      await expect(startEngine(name, {}, { port: running.port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    })

    it('takes its port again while connections of an earlier process are winding down', async () => {
      const port = await freePort()
      const { engine, socket } = await pair({ port })
      const closed = closeOf(socket)
      await engine.running.close()
      await closed
      expect((await start({}, { port })).running.port).toBe(port)
    })

    it('stops listening and goes on with the sockets there are', async () => {
      const { engine, socket, server } = await pair()
      engine.running.stopListening()
      const raw = rawConnection(engine.running.port, handshake)
      await expect(raw).rejects.toThrow('ECONNREFUSED')
      socket.send('still here')
      await server.until(() => server.messages.length === 1)
      await engine.running.close()
      await server.until(() => server.end !== undefined)
    })

    it('holds 1,000 sockets at a time', async () => {
      const servers: Recorder[] = []
      const { url, running } = await start({
        upgrade: () => ({ protocol: 'cometmq.v1', open: socket => servers[servers.push(new Recorder(socket)) - 1]! }),
      })
      const clients = await Promise.all(Array.from({ length: 1_000 }, () => client(url)))
      expect(running.sockets).toBe(1_000)
      const answers = Promise.all(clients.map(socket => once(socket, 'message')))
      for (const socket of clients) socket.send('x')
      await Promise.all(servers.map(server => server.until(() => server.messages.length === 1)))
      for (const [index, server] of servers.entries()) server.socket.send(new Uint8Array(index))
      expect((await answers).length).toBe(1_000)
      expect(new Set((await answers).map(([data]) => (data as Buffer).length)).size).toBe(1_000)
    })
  })
})
