import { formatAddress } from '@cometmq/remoting'
import { SUBPROTOCOL } from '@cometmq/protocol'
import { createSessions, defaultLimits, type Sessions } from '@cometmq/session'
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { Admission } from './admission.ts'
import { loadEngine } from './engine/index.ts'
import { type Engine, type EngineHandlers, type RunningEngine, type UpgradeDecision } from './engine/types.ts'
import { healthz, readyz } from './health.ts'
import { createMetrics } from './metrics.ts'
import { type BridgeLimits, type BridgeOptions, defaultBridgeLimits, type RunningBridge } from './options.ts'
import { staticPages } from './pages.ts'
import { commonHeaders, problem, refusal, sendProblem } from './problem.ts'
import { dispatch, type HttpHandler, type Route } from './routes.ts'
import { type LinkSettings, newCounters, SocketLink } from './socket-link.ts'

/** Path of the WebSocket. */
export const SOCKET_PATH = '/ws'
/** Defaults of the sessions' limits that the transport needs too (spec bridge, section 8). */
const MAX_FRAME_BYTES = 256 * 1024
const MAX_BODY_BYTES = 4 * 1024 * 1024
/** Properties, meta and heads around the largest body. */
const AROUND_BODY_BYTES = 128 * 1024
/** A frame somewhat over the limit is still read, so that its sender can be told with 4505. */
const OVER_LIMIT_BYTES = 64 * 1024
const UPGRADE_MS = 5_000

/** Starts a bridge. Rejects, with everything closed again, when its port cannot be had or the engine cannot be loaded. */
export async function startBridge(options: BridgeOptions): Promise<RunningBridge> {
  const engine = await loadEngine(options.engine ?? 'auto', options.logger)
  const sessions = createSessions({
    cluster: options.cluster,
    clock: options.clock,
    logger: options.logger,
    randomBytes: count => randomBytes(count),
    authenticate: options.authenticate,
    node: options.node ?? `${hostname()}-${process.pid}`,
    resumeKey: options.resumeKey,
    ...(options.sessionLimits === undefined ? {} : { limits: options.sessionLimits }),
  })
  const bridge = new Bridge(options, engine, sessions)
  try {
    await bridge.listen()
    return bridge
  } catch (error) {
    await bridge.close()
    throw error
  }
}

class Bridge implements RunningBridge {
  readonly engine: 'uws' | 'ws'
  readonly sessions: Sessions
  readonly #options: BridgeOptions
  readonly #limits: BridgeLimits
  readonly #engine: Engine
  readonly #links: LinkSettings
  readonly #metrics: ReturnType<typeof createMetrics>
  readonly #admission: Admission
  readonly #closers: (() => void | Promise<void>)[] = []
  #running: RunningEngine | undefined
  #closing: Promise<void> | undefined

  constructor(options: BridgeOptions, engine: Engine, sessions: Sessions) {
    this.engine = engine.name
    this.sessions = sessions
    this.#options = options
    this.#limits = { ...defaultBridgeLimits, ...options.limits }
    this.#engine = engine
    this.#admission = new Admission({
      ...this.#limits,
      origins: options.origins ?? [],
      missingOrigin: options.missingOrigin ?? true,
      clock: options.clock,
    })
    const { maxFrameBytes = MAX_FRAME_BYTES, maxBodyBytes = MAX_BODY_BYTES } = options.sessionLimits ?? {}
    this.#links = {
      maxFrameBytes,
      maxAssembledBytes: maxBodyBytes + AROUND_BODY_BYTES,
      maxBufferedBytes: this.#limits.maxBufferedBytes,
      maxQueuedBytes: this.#limits.maxQueuedBytes,
      maxHeldBytes: this.#limits.maxHeldBytes,
      clock: options.clock,
      logger: options.logger,
      counters: newCounters(),
    }
    this.#metrics = createMetrics({
      sessions,
      counters: this.#links.counters,
      engine: engine.name,
      sockets: () => this.#running?.sockets ?? 0,
      refusedSockets: () => this.#admission.refused,
    })
  }

  get port(): number {
    return this.#running?.port ?? 0
  }

  get address(): string {
    return formatAddress(this.#host, this.port)
  }

  get url(): string {
    return `${this.#options.tls ? 'wss' : 'ws'}://${this.address}${SOCKET_PATH}`
  }

  async listen(): Promise<void> {
    const { port, tls, shared, clock, logger, origins, pages } = this.#options
    this.#running = await this.#engine.listen({
      host: this.#host,
      port,
      ...(tls ? { tls } : {}),
      ...(shared === undefined ? {} : { shared }),
      limits: {
        maxMessageBytes: this.#links.maxFrameBytes + OVER_LIMIT_BYTES,
        maxBufferedBytes: this.#limits.maxBufferedBytes,
        headerMs: this.#limits.headerMs,
        upgradeMs: UPGRADE_MS,
      },
      clock,
      logger,
      handlers: this.#handlers(),
    })
    // The bridge's own pages use it, too: their origin is known only now.
    if (origins === undefined && pages !== undefined) for (const own of this.#ownOrigins()) this.#admission.allow(own)
    logger.info('bridge is ready', { url: this.url, engine: this.engine })
  }

  async drain(options: { graceMs: number; url?: string; spreadMs?: number }): Promise<void> {
    // Where processes share the port, new clients get to another one. Else probes are still told that this node is leaving.
    if (this.#options.shared) this.#running?.stopListening()
    await this.sessions.drain(options)
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    this.#running?.stopListening()
    await this.sessions.close()
    for (const close of this.#closers) await close()
    await this.#running?.close()
    this.#metrics.close()
  }

  get #host(): string {
    return this.#options.host ?? '127.0.0.1'
  }

  #ownOrigins(): string[] {
    const scheme = this.#options.tls ? 'https' : 'http'
    const hosts = isLoopback(this.#host) ? [this.address, `localhost:${this.port}`] : [this.address]
    return hosts.map(host => `${scheme}://${host}`)
  }

  #handlers(): EngineHandlers {
    return {
      request: dispatch(this.#routes(), this.#options.logger),
      upgrade: request => {
        if (request.path !== SOCKET_PATH) return refusal(problem('NOT_FOUND', `the WebSocket is at ${SOCKET_PATH}`))
        const admitted = this.#admission.admit(request, this.#running?.sockets ?? 0, this.sessions.draining)
        if ('problem' in admitted) return refusal(admitted.problem)
        return this.#accept(admitted.context)
      },
    }
  }

  #accept(context: Parameters<Sessions['accept']>[1]): UpgradeDecision {
    const open = (socket: ConstructorParameters<typeof SocketLink>[0]): SocketLink =>
      new SocketLink(socket, this.#links, link => this.sessions.accept(link, context))
    return { protocol: SUBPROTOCOL, open }
  }

  #routes(): ReadonlyMap<string, Route> {
    const { cluster, clock, logger, authenticate, pages, metrics, http, resumeKey } = this.#options
    const parts = {
      ...{ sessions: this.sessions, cluster, clock, logger, authenticate, limits: this.#limits, resumeKey },
      sessionLimits: { ...defaultLimits, ...this.#options.sessionLimits },
      onClose: (close: () => void | Promise<void>) => void this.#closers.push(close),
    }
    const draining = (): boolean => this.sessions.draining
    const routes = new Map<string, Route>(http?.({ ...parts, admission: this.#admission }) ?? [])
    routes.set('/healthz', { GET: healthz })
    routes.set('/readyz', { GET: readyz({ cluster, clock, draining }) })
    routes.set(SOCKET_PATH, { GET: needsUpgrade })
    if (metrics !== 'off') routes.set('/metrics', { GET: this.#metricsHandler(metrics ?? 'loopback') })
    if (pages !== undefined) {
      routes.set('/', { GET: staticPages(pages) })
      routes.set('/demos', { GET: (_request, response) => response.respond(302, { ...commonHeaders, location: '/' }, '') })
    }
    return routes
  }

  #metricsHandler(who: 'loopback' | 'all'): HttpHandler {
    return async (request, response) => {
      if (who === 'loopback' && !isLoopback(request.remoteAddress))
        return sendProblem(response, problem('NOT_FOUND', 'there is nothing at /metrics'))
      const body = await this.#metrics.text()
      response.respond(200, { ...commonHeaders, 'content-type': this.#metrics.contentType }, body)
    }
  }
}

const needsUpgrade: HttpHandler = (_request, response) => {
  const { headers, body } = problem('BAD_REQUEST', 'this path is a WebSocket: connect to it with a WebSocket client')
  response.respond(426, { ...headers, upgrade: 'websocket' }, body)
}

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.')
