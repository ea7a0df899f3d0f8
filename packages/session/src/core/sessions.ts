import { CloseCode, type HelloFrame, Kind } from '@cometmq/protocol'
import type { ClientContext, ClientEnd, ClientLink } from '../link.ts'
import type { Subscriptions } from '../subscription.ts'
import type { Sessions, SessionsOptions, SessionStats } from '../types.ts'
import { Connection, type ConnectionEvents } from './connection.ts'
import { closeReason } from './errors.ts'
import { greet } from './greet.ts'
import { defaultLimits } from './limits.ts'
import { SessionRegistry } from './registry.ts'
import type { Shared } from './shared.ts'
import { Turn } from './turn.ts'

/** Name in which all sessions send: messages do not carry it, it only shows in a broker's list of producers. */
const senderGroup = 'COMETMQ_BRIDGE'

/** `createSessions` with its subscriptions given. */
export function createSessionsWith(options: SessionsOptions, subscriptions: Subscriptions): Sessions {
  const { cluster, clock, logger, node, resumeKey, randomBytes, authenticate } = options
  if (resumeKey.length !== 32) throw new TypeError(`resumeKey has ${resumeKey.length} bytes; it must have 32`)
  return new SessionService({
    cluster,
    clock,
    logger,
    node,
    resumeKey,
    randomBytes,
    authenticate,
    limits: { ...defaultLimits, ...options.limits },
    sender: cluster.sender({ group: senderGroup }),
    subscriptions,
    counters: { framesIn: 0, framesOut: 0, messagesIn: 0, resumedHot: 0, resumedCold: 0 },
    turn: new Turn(error => logger.error('output of a session failed', { error: String(error) })),
  })
}

class SessionService implements Sessions, ConnectionEvents {
  readonly #shared: Shared
  readonly #registry: SessionRegistry
  readonly #connections = new Set<Connection>()
  #goaway: { graceMs: number; url: string | null; spreadMs: number } | undefined
  #closed: Promise<void> | undefined
  #left: (() => void) | undefined

  constructor(shared: Shared) {
    this.#shared = shared
    this.#registry = new SessionRegistry(shared)
  }

  get draining(): boolean {
    return this.#goaway !== undefined
  }

  accept(link: ClientLink, context: ClientContext): ClientEnd {
    const connection = new Connection(this.#shared, link, context, this)
    this.#connections.add(connection)
    if (this.#closed) connection.end(CloseCode.GOING_AWAY, closeReason(50390, 'this node has closed'))
    return connection
  }

  hello(connection: Connection, frame: HelloFrame): void {
    const isDraining = (): boolean => this.draining || this.#closed !== undefined
    greet({ shared: this.#shared, registry: this.#registry, isDraining }, connection, frame).catch((error: unknown) => {
      this.#shared.logger.error('a handshake failed', { link: connection.link.id, error: String(error) })
      const fault = { code: 50001, text: 'the bridge failed at this handshake', outcome: 'not-executed' } as const
      connection.refuse(frame[1], fault, CloseCode.OVERLOADED)
    })
  }

  ended(connection: Connection): void {
    this.#connections.delete(connection)
    this.#registry.socketEnded(connection)
    if (this.#connections.size === 0) this.#left?.()
  }

  async drain(options: { graceMs: number; url?: string; spreadMs?: number }): Promise<void> {
    const { graceMs, url = null, spreadMs = 0 } = options
    this.#goaway = { graceMs, url, spreadMs }
    this.#registry.drain()
    for (const session of this.#registry.connected()) session.send([Kind.GOAWAY, CloseCode.GOING_AWAY, graceMs, url, spreadMs])
    await this.#allLeft(graceMs)
    this.#endAll('this node is leaving')
    await this.#registry.settled()
  }

  stats(): SessionStats {
    const { framesIn, framesOut, messagesIn, resumedHot, resumedCold } = this.#shared.counters
    const { subscriptions, messagesOut, batchesOut, batchesEncoded, leasesLost } = this.#shared.subscriptions.stats()
    const { connected, detached } = this.#registry.counts()
    return {
      connected,
      detached,
      subscriptions,
      framesIn,
      framesOut,
      messagesIn,
      messagesOut,
      batchesOut,
      batchesEncoded,
      resumedHot,
      resumedCold,
      leasesLost,
    }
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close())
  }

  async #close(): Promise<void> {
    this.#registry.drain()
    this.#endAll('this node has closed')
    await this.#registry.settled()
    await this.#shared.subscriptions.close()
    this.#shared.sender.close()
  }

  #endAll(text: string): void {
    for (const connection of [...this.#connections]) connection.end(CloseCode.GOING_AWAY, closeReason(CloseCode.GOING_AWAY, text))
  }

  /** Until the last connection has ended, or `graceMs` are over. */
  #allLeft(graceMs: number): Promise<void> {
    return new Promise(resolve => {
      const timer = this.#shared.clock.setTimeout(resolve, graceMs)
      this.#left = () => {
        timer.cancel()
        resolve()
      }
      if (this.#connections.size === 0) this.#left()
    })
  }
}
