import { createServer, type AddressInfo, type Server as NetServer, type Socket } from 'node:net'
import { type SecureContext } from 'node:tls'
import { formatAddress } from './address.ts'
import { type Clock } from './clock.ts'
import { Connection } from './connection.ts'
import { createLinkSetup, DEFAULT_LINK_LIMITS, type LinkLimits, type LinkSetup } from './exchange.ts'
import { type HandlerTable, type Peer } from './link.ts'
import { type Logger } from './logger.ts'
import { socketAddresses } from './tcp.ts'
import { secureServerSocket, serverSecureContext, TLS_HANDSHAKE_BYTE, type TlsServerOptions } from './tls.ts'

export interface ServerLimits extends LinkLimits {
  /** Sockets, those that have sent nothing yet included; one more is closed at once. Default 65 536. */
  readonly maxConnections: number
  /** From accept to the end of the TLS handshake. Default 10 000. */
  readonly handshakeMs: number
}

export const DEFAULT_SERVER_LIMITS: ServerLimits = { ...DEFAULT_LINK_LIMITS, maxConnections: 65_536, handshakeMs: 10_000 }

export interface ServerOptions {
  /** Default: all interfaces, IPv4. */
  readonly host?: string
  /** 0 takes a free one. */
  readonly port: number
  readonly handlers: HandlerTable
  readonly clock: Clock
  readonly logger: Logger
  readonly tls?: TlsServerOptions
  readonly limits?: Partial<ServerLimits>
  /** Language in the headers this side sends. Default JAVA, which every client knows. */
  readonly language?: string
  /** Called for each new connection, before its first request. */
  readonly onConnection?: (peer: Peer) => void
}

export interface RunningServer {
  /** `ip:port` it listens on. */
  readonly address: string
  readonly port: number
  readonly connections: ReadonlySet<Peer>
  /**
   * Stops accepting and turns requests away with GO_AWAY (clients that know it), waits until what was accepted is answered, `graceMs`
   * (default 1000) at most, and closes all connections.
   */
  close(graceMs?: number): Promise<void>
}

/** Listens. Rejects when the port cannot be bound or certificate and key do not fit. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const server = new Server(options)
  await server.listen()
  return server
}

const DRAIN_CHECK_MS = 20

class Server implements RunningServer {
  address = ''
  port = 0
  readonly connections = new Set<Connection>()
  readonly #options: ServerOptions
  readonly #limits: ServerLimits
  readonly #setup: LinkSetup
  readonly #secureContext: SecureContext | undefined
  readonly #sockets = new Set<Socket>()
  /** Those of which nothing or only a part of a TLS handshake has come. */
  readonly #opening = new Set<Socket>()
  readonly #net: NetServer

  constructor(options: ServerOptions) {
    this.#options = options
    this.#limits = { ...DEFAULT_SERVER_LIMITS, ...options.limits }
    this.#secureContext = serverSecureContext(options.tls)
    this.#setup = createLinkSetup({ ...options, language: options.language ?? 'JAVA', limits: this.#limits })
    this.#net = createServer({ noDelay: true }, socket => this.#accept(socket))
  }

  listen(): Promise<void> {
    const { host = '0.0.0.0', port, logger } = this.#options
    return new Promise((resolve, reject) => {
      this.#net.once('error', reject)
      this.#net.listen({ host, port }, () => {
        this.#net.off('error', reject)
        this.#net.on('error', error => logger.error('accepting connections failed', { address: this.address, error }))
        const bound = this.#net.address() as AddressInfo
        this.port = bound.port
        this.address = formatAddress(bound.address, bound.port)
        resolve()
      })
    })
  }

  async close(graceMs = 1000): Promise<void> {
    const stopped = new Promise<void>(resolve => this.#net.close(() => resolve()))
    const { clock } = this.#options
    for (const connection of this.connections) connection.drain()
    const endMs = clock.monotonic() + graceMs
    while (this.#busy() && clock.monotonic() < endMs)
      await new Promise<void>(resolve => clock.setTimeout(resolve, DRAIN_CHECK_MS))
    for (const connection of this.connections) connection.close('the server is shutting down')
    for (const socket of this.#opening) socket.destroy()
    await stopped
  }

  #busy(): boolean {
    for (const connection of this.connections) if (connection.unansweredRequests > 0) return true
    return false
  }

  #accept(socket: Socket): void {
    const { logger, clock } = this.#options
    if (this.#sockets.size >= this.#limits.maxConnections) {
      logger.warn('too many connections, closing a new one', {
        peer: socket.remoteAddress,
        maxConnections: this.#limits.maxConnections,
      })
      socket.destroy()
      return
    }
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    const tls = this.#options.tls?.mode ?? 'disabled'
    if (tls === 'disabled') {
      this.#connected(socket, socket)
      return
    }
    this.#opening.add(socket)
    const timer = clock.setTimeout(() => socket.destroy(), this.#limits.handshakeMs)
    socket.once('close', () => {
      timer.cancel()
      this.#opening.delete(socket)
    })
    socket.on('error', error => logger.debug('connection failed', { peer: socket.remoteAddress, reason: error.message }))
    const opened = (stream: Socket): void => {
      timer.cancel()
      this.#opening.delete(socket)
      this.#connected(stream, socket)
    }
    socket.once('data', (first: Buffer) => {
      socket.pause()
      socket.unshift(first)
      if (first[0] === TLS_HANDSHAKE_BYTE) return this.#secure(socket, opened)
      if (tls === 'permissive') return opened(socket)
      logger.warn('closing a plain connection, this port takes TLS only', { peer: socket.remoteAddress })
      socket.destroy()
    })
  }

  #secure(socket: Socket, opened: (stream: Socket) => void): void {
    if (this.#secureContext === undefined) return
    const peer = socket.remoteAddress
    const secured = secureServerSocket(socket, this.#secureContext)
    const onError = (error: Error): void => {
      this.#options.logger.warn('a TLS handshake failed', { peer, reason: error.message })
      secured.destroy()
      socket.destroy()
    }
    secured.once('error', onError)
    secured.once('secure', () => {
      secured.off('error', onError)
      opened(secured)
    })
  }

  #connected(stream: Socket, socket: Socket): void {
    const connection = new Connection(stream, socketAddresses(socket), this.#setup)
    this.connections.add(connection)
    connection.onClose(() => this.connections.delete(connection))
    this.#options.onConnection?.(connection)
    stream.resume()
  }
}
