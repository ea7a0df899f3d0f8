import { silentLogger, systemClock } from '@cometmq/remoting'
import { decode, encodeFrame, type Frame, type HelloOptions, Kind, type WelcomeInfo } from '@cometmq/protocol'
import { everything, RefusedError } from '@cometmq/session'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { type BridgeOptions, type EngineName, type RunningBridge, startBridge } from '../src/index.ts'
import { closeOf, refusalOf } from './engine-support.ts'
import { type OwnBroker, startOwnBroker } from './own-broker.ts'

let own: OwnBroker
beforeAll(async () => {
  own = await startOwnBroker()
  await own.cluster.topics.create({ topic: 'orders', readQueues: 1, writeQueues: 1 })
})
afterAll(() => own.close())

/** A client that speaks frames. */
class Client {
  readonly socket: WebSocket
  readonly frames: (readonly unknown[])[] = []
  #changed = (): void => {}
  constructor(url: string, protocols: string[] = ['cometmq.v1'], options: ConstructorParameters<typeof WebSocket>[2] = {}) {
    this.socket = new WebSocket(url, protocols, options)
    this.socket.on('message', (data: Buffer) => {
      this.frames.push(decode(data) as readonly unknown[])
      this.#changed()
    })
    this.socket.on('error', () => {})
  }
  open(): Promise<void> {
    return new Promise(resolve => this.socket.once('open', () => resolve()))
  }
  send(frame: Frame): void {
    this.socket.send(encodeFrame(frame))
  }
  async next(kind: number): Promise<readonly unknown[]> {
    for (;;) {
      const index = this.frames.findIndex(frame => frame[0] === kind)
      if (index >= 0) return this.frames.splice(index, 1)[0]!
      await new Promise<void>(resolve => (this.#changed = resolve))
    }
  }
  async hello(more: Partial<HelloOptions> = {}): Promise<WelcomeInfo> {
    await this.open()
    this.send([Kind.HELLO, 1, { proto: 1, sdk: 'test', runtime: 'node', maxFrame: 262_144, ...more }])
    return (await this.next(Kind.WELCOME))[2] as WelcomeInfo
  }
}

const engines: readonly EngineName[] = ['ws', 'uws']

describe.each(engines)('bridge on %s', engine => {
  const bridges: RunningBridge[] = []
  const start = async (more: Partial<BridgeOptions> = {}): Promise<RunningBridge & { base: string }> => {
    const bridge = await startBridge({
      cluster: own.cluster,
      clock: systemClock,
      logger: silentLogger,
      authenticate: () => everything,
      resumeKey: new Uint8Array(32).fill(1),
      port: 0,
      engine,
      ...more,
    })
    bridges.push(bridge)
    return Object.assign(bridge, { base: `http://${bridge.address}` })
  }
  afterEach(async () => {
    await Promise.all(bridges.splice(0).map(bridge => bridge.close()))
  })

  it('carries a message from a socket into the broker, and answers health and metrics', async () => {
    const { url, base } = await start()
    const client = new Client(url)
    const welcome = await client.hello({ producers: [[2, 1, 'orders', { kind: 'normal' }]] })
    expect(welcome.results[0]!.slice(0, 2)).toEqual([Kind.OK, 2])
    client.send([Kind.SEND, 3, 1, 0, { 1: 'paid' }, new TextEncoder().encode('hello')])
    const [, receipts] = (await client.next(Kind.RECEIPT)) as [number, [number, number][]]
    expect(receipts[0]!.slice(0, 2)).toEqual([3, 0])

    expect(await (await fetch(`${base}/healthz`)).text()).toBe('ok\n')
    expect(await (await fetch(`${base}/readyz`)).text()).toBe('ready\n')
    const metrics = await (await fetch(`${base}/metrics`)).text()
    expect(metrics).toMatch(/^cometmq_bridge_sockets 1$/m)
    expect(metrics).toMatch(/^cometmq_bridge_messages_in_total 1$/m)
    expect(metrics).toMatch(/^cometmq_bridge_sessions_connected 1$/m)
    expect(metrics).toMatch(/^cometmq_bridge_event_loop_lag_p99_seconds \d/m)
    expect(metrics).toContain(`cometmq_bridge_info{engine="${engine}"} 1`)
    expect(await (await fetch(`${base}/metrics`)).text()).toMatch(/^cometmq_bridge_messages_in_total 1$/m)
  })

  it('accepts only origins of the list, exactly', async () => {
    const { url } = await start({ origins: ['https://shop.example', 'http://localhost:5173'], missingOrigin: false })
    for (const origin of ['https://shop.example', 'http://localhost:5173']) {
      await new Client(url, ['cometmq.v1'], { origin }).hello()
    }
    const bad = [
      'http://shop.example',
      'https://shop.example:444',
      'https://evil.shop.example',
      'https://shop.example.evil',
      'null',
    ]
    for (const origin of bad) {
      const refusal = await refusalOf(url, { origin })
      expect(refusal.status).toBe(403)
      expect(JSON.parse(refusal.body)).toMatchObject({ code: 40391, name: 'ORIGIN_DENIED', outcome: 'not-executed' })
    }
    expect((await refusalOf(url)).status).toBe(403)
  })

  it('passes address, origin and a token from the handshake on to authentication', async () => {
    const seen: unknown[] = []
    const { url } = await start({
      origins: ['*'],
      authenticate: (token, context) => {
        seen.push([token, context])
        if (token !== 'sécret') throw new RefusedError(40193, 'no')
        return everything
      },
    })
    const item = `bearer.${Buffer.from('sécret').toString('base64url')}`
    const client = new Client(url, ['cometmq.v1', item], { origin: 'https://a.example' })
    await client.hello()
    expect(client.socket.protocol).toBe('cometmq.v1')
    expect(seen).toEqual([['sécret', { address: '127.0.0.1', origin: 'https://a.example', token: 'sécret' }]])
    const refused = new Client(url, ['cometmq.v1'])
    const closed = closeOf(refused.socket)
    await refused.open()
    refused.send([Kind.HELLO, 1, { proto: 1, sdk: 'test', runtime: 'node', maxFrame: 262_144 }])
    expect((await closed).code).toBe(4500)
  })

  it('refuses other paths, other subprotocols, too many sockets and too fast ones', async () => {
    const { base, url } = await start({ limits: { maxSockets: 1 } })
    const ws = base.replace('http', 'ws')
    expect((await refusalOf(`${ws}/other`)).status).toBe(404)
    const plain = await fetch(`${base}/ws`)
    expect([plain.status, ((await plain.json()) as { code: number }).code]).toEqual([426, 40000])
    const status = await new Promise(resolve => {
      new WebSocket(url, 'other.v1')
        .on('unexpected-response', (_request, response) => resolve(response.statusCode))
        .on('error', () => {})
    })
    expect(status).toBe(400)
    await new Client(url).hello()
    expect(JSON.parse((await refusalOf(url)).body)).toMatchObject({ code: 42992, retryable: true, retryAfter: 5000 })
    const slow = await start({ limits: { newSocketsPerSecond: 0.001, newSocketBurst: 1 } })
    await new Client(slow.url).hello()
    const refusal = await refusalOf(slow.url)
    expect([refusal.status, refusal.headers['retry-after']]).toEqual([429, '1'])
  })

  it('answers what is not there in the form of the catalogue', async () => {
    const { base } = await start({ http: () => new Map([['/v1/', { POST: () => Promise.reject(new Error('defect')) }]]) })
    const missing = await fetch(`${base}/nowhere?x=1`)
    expect(missing.status).toBe(404)
    expect(await missing.json()).toEqual({
      code: 40400,
      name: 'NOT_FOUND',
      text: 'there is nothing at /nowhere',
      retryable: false,
      outcome: 'not-executed',
    })
    const wrong = await fetch(`${base}/v1/send`)
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST'])
    const failed = await fetch(`${base}/v1/send`, { method: 'POST', body: 'x' })
    expect([failed.status, ((await failed.json()) as { code: number }).code]).toEqual([500, 50001])
  })

  it('serves pages of its folder and nothing else, and lets them connect', async () => {
    const pages = join(own.folder, `pages-${engine}`)
    await mkdir(join(pages, 'demos/chat'), { recursive: true })
    await writeFile(join(pages, 'index.html'), '<h1>CometMQ</h1>')
    await writeFile(join(pages, 'demos/chat/index.html'), 'chat')
    await writeFile(join(pages, 'demos/app.js'), 'let x')
    await writeFile(join(pages, '.secret'), 'no')
    await writeFile(join(own.folder, 'outside.txt'), 'no')
    await symlink(join(own.folder, 'outside.txt'), join(pages, 'link.txt'))
    const { base, url, port } = await start({ pages })
    const page = await fetch(`${base}/`)
    expect([page.status, page.headers.get('content-type'), await page.text()]).toEqual([
      200,
      'text/html; charset=utf-8',
      '<h1>CometMQ</h1>',
    ])
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'")
    expect(await (await fetch(`${base}/demos/chat/`)).text()).toBe('chat')
    expect((await fetch(`${base}/demos/app.js`)).headers.get('content-type')).toBe('text/javascript; charset=utf-8')
    expect((await fetch(`${base}/demos`, { redirect: 'manual' })).headers.get('location')).toBe('/')
    const again = await fetch(base, { headers: { 'if-none-match': page.headers.get('etag')! } })
    expect([again.status, await again.text()]).toEqual([304, ''])
    const bad = [
      '/.secret',
      '/link.txt',
      '/../outside.txt',
      '/..%2foutside.txt',
      '/%2e%2e/outside.txt',
      '/demos/..%5c..%5coutside.txt',
      '//etc/passwd',
      '/%00',
      '/%',
    ]
    for (const path of bad)
      expect([path, await rawStatus(port, path)]).toEqual([path, expect.stringMatching(/^HTTP\/1.1 40[04]/)])
    await new Client(url, ['cometmq.v1'], { origin: base }).hello()
    await new Client(url, ['cometmq.v1'], { origin: `http://localhost:${port}` }).hello()
    expect((await refusalOf(url, { origin: 'http://evil.example' })).status).toBe(403)
  })

  it('drains: clients are told, new ones refused, and the rest is closed', async () => {
    const bridge = await start()
    const client = new Client(bridge.url)
    await client.hello()
    const closed = closeOf(client.socket)
    const drained = bridge.drain({ graceMs: 50, url: 'wss://other.example/ws', spreadMs: 10 })
    expect(await client.next(Kind.GOAWAY)).toEqual([Kind.GOAWAY, 4001, 50, 'wss://other.example/ws', 10])
    expect((await refusalOf(bridge.url)).status).toBe(503)
    expect((await fetch(`${bridge.base}/readyz`)).status).toBe(503)
    expect((await fetch(`${bridge.base}/healthz`)).status).toBe(200)
    await drained
    expect((await closed).code).toBe(4001)
    await bridge.close()
    await expect(fetch(`${bridge.base}/healthz`)).rejects.toThrow()
  })

  it('does not start on a port that is taken', async () => {
    const { port } = await start()
    await expect(start({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })
})

/** The first line of the answer to a path that no client library would send. */
function rawStatus(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`),
    )
    let text = ''
    socket.on('data', (piece: Buffer) => {
      text += piece.toString()
      if (text.includes('\r\n')) socket.destroy()
    })
    socket.on('close', () => resolve(text.slice(0, text.indexOf('\r\n'))))
    socket.on('error', reject)
  })
}

it('is not ready without a cluster', async () => {
  const gone = await startOwnBroker()
  await gone.stopServers()
  const bridge = await startBridge({
    cluster: gone.cluster,
    clock: systemClock,
    logger: silentLogger,
    authenticate: () => everything,
    resumeKey: new Uint8Array(32),
    port: 0,
  })
  const answer = await fetch(`http://${bridge.address}/readyz`)
  expect([answer.status, ((await answer.json()) as { code: number }).code]).toEqual([503, 50391])
  await bridge.close()
  await gone.close()
})
