import { silentLogger, systemClock } from '@cometmq/remoting'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { WebSocket } from 'ws'
import { loadEngine } from '../src/engine/index.ts'
import {
  type EngineHandlers,
  type EngineLimits,
  type EngineName,
  type EngineSocket,
  type ListenOptions,
  type RunningEngine,
  type SocketHandlers,
} from '../src/engine/types.ts'

export const testLimits: EngineLimits = {
  maxMessageBytes: 300_000,
  maxBufferedBytes: 1_048_576,
  headerMs: 2_000,
  upgradeMs: 2_000,
}

export interface TestEngine {
  readonly running: RunningEngine
  readonly url: string
  readonly base: string
}

export async function startEngine(
  name: EngineName,
  handlers: Partial<EngineHandlers>,
  more: Partial<ListenOptions> = {},
): Promise<TestEngine> {
  const engine = await loadEngine(name, silentLogger)
  const running = await engine.listen({
    host: '127.0.0.1',
    port: 0,
    limits: testLimits,
    clock: systemClock,
    logger: silentLogger,
    handlers: {
      request: (_request, response) => response.respond(404, {}, ''),
      upgrade: () => ({ status: 404, body: '' }),
      ...handlers,
    },
    ...more,
  })
  return { running, url: `ws://127.0.0.1:${running.port}/ws`, base: `http://127.0.0.1:${running.port}` }
}

/** A server end that keeps what it is told and lets a test wait for it. */
export class Recorder implements SocketHandlers {
  readonly socket: EngineSocket
  readonly messages: { bytes: Uint8Array; binary: boolean }[] = []
  drains = 0
  end: { code: number; reason: string } | undefined
  #changed: () => void = () => {}

  constructor(socket: EngineSocket) {
    this.socket = socket
  }
  message(bytes: Uint8Array, binary: boolean): void {
    this.messages.push({ bytes, binary })
    this.#changed()
  }
  drained(): void {
    this.drains++
    this.#changed()
  }
  closed(code: number, reason: string): void {
    if (this.end) throw new Error('closed twice')
    this.end = { code, reason }
    this.#changed()
  }
  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await new Promise<void>(resolve => (this.#changed = resolve))
  }
}

/** A server that accepts everything; `next` resolves with the end of the next client. */
export function acceptor() {
  const waiting: ((recorder: Recorder) => void)[] = []
  const ready: Recorder[] = []
  return {
    upgrade: () => ({
      protocol: 'cometmq.v1',
      open: (socket: EngineSocket) => {
        const recorder = new Recorder(socket)
        const taker = waiting.shift()
        if (taker) taker(recorder)
        else ready.push(recorder)
        return recorder
      },
    }),
    next: (): Promise<Recorder> => {
      const recorder = ready.shift()
      return recorder ? Promise.resolve(recorder) : new Promise(resolve => waiting.push(resolve))
    },
  }
}

export async function client(url: string, options: ConstructorParameters<typeof WebSocket>[2] = {}): Promise<WebSocket> {
  const socket = new WebSocket(url, 'cometmq.v1', { perMessageDeflate: false, ...options })
  await once(socket, 'open')
  return socket
}

export async function closeOf(socket: WebSocket): Promise<{ code: number; reason: string }> {
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer]
  return { code, reason: reason.toString() }
}

/** A refused handshake: status, headers and body. */
export function refusalOf(
  url: string,
  options: ConstructorParameters<typeof WebSocket>[2] = {},
): Promise<{ status: number; headers: Record<string, unknown>; body: string }> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, 'cometmq.v1', options)
    socket.on('open', () => reject(new Error('was accepted')))
    socket.on('error', reject)
    socket.on('unexpected-response', (_request, response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString()))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
    })
  })
}

export async function rawConnection(port: number, text: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(text)
  return socket
}

export const handshake = [
  'GET /ws HTTP/1.1',
  'Host: localhost',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Protocol: cometmq.v1',
  '\r\n',
].join('\r\n')

export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
