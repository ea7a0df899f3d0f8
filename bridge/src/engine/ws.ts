import cluster from 'node:cluster'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, type Socket } from 'node:net'
import { type Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { CLOSE_MS, decide, IDLE_SECONDS, isRefusal, MAX_HEAD_BYTES, statusLine } from './common.ts'
import { type Engine, type ListenOptions, type Refusal, type RunningEngine, type UpgradeDecision } from './types.ts'
import { NodeHttpRequest, NodeHttpResponse } from './ws-http.ts'
import { WsSocket } from './ws-socket.ts'

export const wsEngine: Engine = { name: 'ws', listen }

type Accepted = Exclude<UpgradeDecision, Refusal>

async function listen(options: ListenOptions): Promise<RunningEngine> {
  const server = await createHttpServer(options)
  const sockets = new Set<WsSocket>()
  const connections = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })
  server.on('request', (request, response) => {
    const copied = new NodeHttpRequest(request)
    options.handlers.request(copied, new NodeHttpResponse(response, options.limits.maxBufferedBytes))
    copied.handlerReturned()
  })
  addSockets(server, options, sockets)
  await startListening(server, options)
  return {
    port: (server.address() as AddressInfo).port,
    get sockets() {
      return sockets.size
    },
    stopListening: () => void server.close(),
    close: async () => {
      const closed = new Promise(resolve => (server.listening ? server.close(resolve) : setImmediate(resolve)))
      for (const socket of sockets) socket.terminate()
      for (const connection of connections) connection.destroy()
      await closed
    },
  }
}

async function createHttpServer({ tls, limits }: ListenOptions): Promise<Server> {
  const options: ServerOptions = {
    maxHeaderSize: MAX_HEAD_BYTES,
    headersTimeout: limits.headerMs,
    connectionsCheckingInterval: Math.max(100, Math.min(2_000, limits.headerMs / 4)),
    keepAliveTimeout: 10_000,
    noDelay: true,
  }
  const server = tls
    ? createTlsServer({ ...options, cert: await readFile(tls.certFile), key: await readFile(tls.keyFile) })
    : createServer(options)
  // Everything between these limits is a matter of the handlers.
  server.requestTimeout = Math.max(limits.headerMs, IDLE_SECONDS * 1_000)
  return server
}

function startListening(server: Server, { host, port, shared }: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    // Workers of one primary share a port; Node.js 22.12 and later can also let unrelated processes do so.
    const listenOptions = { host, port, exclusive: !shared, reusePort: shared === true && !cluster.isWorker }
    server.listen(listenOptions, () => {
      server.off('error', reject)
      server.on('error', () => {})
      resolve()
    })
  })
}

function addSockets(server: Server, options: ListenOptions, sockets: Set<WsSocket>): void {
  const chosen = new WeakMap<IncomingMessage, Accepted>()
  const acceptor = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    autoPong: false,
    perMessageDeflate: false,
    maxPayload: options.limits.maxMessageBytes,
    handleProtocols: (_offered, request) => chosen.get(request)?.protocol ?? false,
    closeTimeout: CLOSE_MS,
  } as ConstructorParameters<typeof WebSocketServer>[0])
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    const connection = stream as Socket
    let isGone = false
    connection.on('error', () => connection.destroy())
    connection.once('close', () => (isGone = true))
    const copied = new NodeHttpRequest(request)
    copied.handlerReturned()
    decide(copied, options, decision => {
      if (isGone) return
      if (isRefusal(decision)) return refuse(connection, decision)
      chosen.set(request, decision)
      acceptor.handleUpgrade(request, connection, head, (ws: WebSocket) => {
        const parts = { ws, connection, remoteAddress: copied.remoteAddress, maxBufferedBytes: options.limits.maxBufferedBytes }
        new WsSocket(parts, sockets).start(decision.open)
      })
    })
  })
}

function refuse(connection: Socket, { status, headers, body }: Refusal): void {
  const bytes = Buffer.from(body)
  const lines = [`HTTP/1.1 ${statusLine(status)}`, 'Connection: close', `Content-Length: ${bytes.length}`]
  for (const [name, value] of Object.entries(headers ?? {})) lines.push(`${name}: ${value}`)
  connection.write(`${lines.join('\r\n')}\r\n\r\n`)
  connection.end(bytes, () => connection.destroy())
}
