import { createServer } from 'node:net'
import type * as Uws from 'uWebSockets.js'
import type { TemplatedApp, us_listen_socket, us_socket_context_t } from 'uWebSockets.js'
import type { HttpRequest as UwsRequest, HttpResponse as UwsResponse } from 'uWebSockets.js'
import { decide, IDLE_SECONDS, isRefusal, ListenError, MAX_HEAD_BYTES } from './common.ts'
import { type Engine, type ListenOptions, type RunningEngine, type UpgradeDecision } from './types.ts'
import { copyRequest, UwsHttpResponse } from './uws-http.ts'
import { type SocketData, UwsSocket } from './uws-socket.ts'

type Library = typeof Uws

/** Rejects where there is no binary for this platform. */
export async function loadUws(): Promise<Engine> {
  // Read by the library when it is loaded; its default of 4 KiB is too little for tokens in headers.
  process.env['UWS_HTTP_MAX_HEADERS_SIZE'] ??= String(MAX_HEAD_BYTES)
  const loaded = (await import('uWebSockets.js')) as Library & { default?: Library }
  const uws = loaded.default ?? loaded
  return { name: 'uws', listen: options => listen(uws, options) }
}

const SHARED_PORT = 0

async function listen(uws: Library, options: ListenOptions): Promise<RunningEngine> {
  const app = createApp(uws, options)
  const sockets = new Set<UwsSocket>()
  addSockets(app, options, sockets)
  app.any('/*', (response, request) => {
    const answer = new UwsHttpResponse(response, options.limits.maxBufferedBytes, request.getCaseSensitiveMethod())
    const copied = copyRequest(request, response, answer)
    options.handlers.request(copied, answer)
    copied.handlerReturned()
  })
  let listening = await startListening(app, options)
  const port = uws.us_socket_local_port(listening as us_listen_socket)
  const stopListening = (): void => {
    if (listening) uws.us_listen_socket_close(listening)
    listening = undefined
  }
  return {
    port,
    get sockets() {
      return sockets.size
    },
    stopListening,
    close: async () => {
      listening = undefined
      app.close()
      // What the sockets' handlers are told comes in the next turn.
      await new Promise(resolve => setImmediate(resolve))
    },
  }
}

function createApp(uws: Library, { tls }: ListenOptions): TemplatedApp {
  if (!tls) return uws.App()
  return uws.SSLApp({ key_file_name: tls.keyFile, cert_file_name: tls.certFile })
}

async function startListening(app: TemplatedApp, options: ListenOptions): Promise<us_listen_socket | undefined> {
  const { host, port, shared } = options
  // A port for itself alone the library takes without SO_REUSEADDR: after a crash it could not be had again for a minute, because connections
  // of the ended process are still winding down. So it is always taken in the other way, and whether others listen is found out before.
  const isFree = shared || port === 0 || (await hasNoListener(options))
  const token = isFree && (await listenOn(app, options))
  // The library does not tell why.
  if (!token) throw new ListenError('EADDRINUSE', `cannot listen on ${host}:${port}: in use, or not an address of this machine`)
  return token
}

function listenOn(app: TemplatedApp, { host, port }: ListenOptions): Promise<us_listen_socket | false> {
  // The declared overloads lack (host, port, options, callback); the library takes it.
  const call = app.listen.bind(app) as (...args: unknown[]) => void
  return new Promise(resolve => call(host, port, SHARED_PORT, resolve))
}

/** Node.js sets SO_REUSEADDR: it meets nothing but another listener. */
function hasNoListener({ host, port }: ListenOptions): Promise<boolean> {
  const probe = createServer()
  return new Promise(resolve => {
    probe.once('error', () => resolve(false))
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(true)))
  })
}

function addSockets(app: TemplatedApp, options: ListenOptions, sockets: Set<UwsSocket>): void {
  app.ws<SocketData>('/*', {
    maxPayloadLength: options.limits.maxMessageBytes,
    maxBackpressure: options.limits.maxBufferedBytes,
    idleTimeout: IDLE_SECONDS,
    sendPingsAutomatically: false,
    compression: 0,
    upgrade: (response, request, context) => upgrade(response, request, context, options, sockets),
    open: ws => ws.getUserData().socket.opened(ws),
    message: (ws, bytes, binary) => ws.getUserData().socket.received(bytes, binary),
    drain: ws => ws.getUserData().socket.drained(),
    close: (ws, code, reason) => ws.getUserData().socket.ended(code, Buffer.from(reason).toString()),
  })
}

function upgrade(
  response: UwsResponse,
  request: UwsRequest,
  context: us_socket_context_t,
  options: ListenOptions,
  sockets: Set<UwsSocket>,
): void {
  const answer = new UwsHttpResponse(response, options.limits.maxBufferedBytes, 'GET')
  const copied = copyRequest(request, response, answer)
  copied.handlerReturned()
  const key = request.getHeader('sec-websocket-key')
  const extensions = request.getHeader('sec-websocket-extensions')
  const done = (decision: UpgradeDecision): void => {
    if (answer.isDone) return
    if (isRefusal(decision)) return answer.refuse(decision)
    const socket = new UwsSocket(decision.open, copied.remoteAddress, sockets)
    response.cork(() => response.upgrade<SocketData>({ socket }, key, decision.protocol ?? '', extensions, context))
  }
  decide(copied, options, done)
}
