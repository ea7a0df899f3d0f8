import type { Clock, Cluster, Logger } from '@cometmq/cluster'
import type { Authenticate, SessionLimits, Sessions } from '@cometmq/session'
import { type EngineName, type TlsFiles } from './engine/types.ts'
import { type Admission } from './admission.ts'
import { type Routes } from './routes.ts'

export interface BridgeOptions {
  /** Not closed with the bridge. */
  readonly cluster: Cluster
  readonly clock: Clock
  readonly logger: Logger
  readonly authenticate: Authenticate
  /** Seals resume tokens; the same on all nodes and processes of a bridge. 32 bytes. */
  readonly resumeKey: Uint8Array
  /** Name of this node for clients and logs. Default: host name and process id. */
  readonly node?: string
  /** Default 127.0.0.1. */
  readonly host?: string
  /** 0: any free one. */
  readonly port: number
  /** Other processes listen on the port too. */
  readonly shared?: boolean
  /** Default `auto`. */
  readonly engine?: EngineName | 'auto'
  readonly tls?: TlsFiles
  /** Origins of browsers that may connect; `*`: any. Default: those of the bridge's own pages when it has some. */
  readonly origins?: readonly string[]
  /** Whether clients without an Origin header may connect (their token decides then). Default true. */
  readonly missingOrigin?: boolean
  /** Folder of static pages: `/` is its index.html. Default: none. */
  readonly pages?: string
  /** Who may read `/metrics`. Default: callers on loopback addresses. */
  readonly metrics?: 'loopback' | 'all' | 'off'
  readonly limits?: Partial<BridgeLimits>
  readonly sessionLimits?: Partial<SessionLimits>
  /** Further HTTP paths: the mode without sockets. */
  readonly http?: (parts: HttpParts) => Routes
}

/** What handlers of further paths get. */
export interface HttpParts {
  readonly sessions: Sessions
  readonly cluster: Cluster
  readonly clock: Clock
  readonly logger: Logger
  readonly authenticate: Authenticate
  /** Origins and rates of sockets hold for requests too. */
  readonly admission: Admission
  readonly limits: BridgeLimits
  /** Limits of messages and clients, the same as for sockets. */
  readonly sessionLimits: SessionLimits
  /** Seals what clients keep for the bridge. */
  readonly resumeKey: Uint8Array
  /** Runs when the bridge closes, before its connections are cut. */
  readonly onClose: (close: () => void | Promise<void>) => void
}

export interface BridgeLimits {
  /** WebSockets at a time, this process. */
  readonly maxSockets: number
  readonly newSocketsPerSecond: number
  readonly newSocketBurst: number
  /** Ceiling of what the engine queues for a socket; data stops at three quarters of it. */
  readonly maxBufferedBytes: number
  /** Held for a socket beyond that: large frames in pieces. */
  readonly maxQueuedBytes: number
  /** Inbound, while a client over its rate is not read. */
  readonly maxHeldBytes: number
  /** The head of a request. uWebSockets has a fixed 10 s. */
  readonly headerMs: number
}

export const defaultBridgeLimits: BridgeLimits = {
  maxSockets: 50_000,
  newSocketsPerSecond: 100,
  newSocketBurst: 200,
  maxBufferedBytes: 1024 * 1024,
  maxQueuedBytes: 16 * 1024 * 1024,
  maxHeldBytes: 2 * 1024 * 1024,
  headerMs: 10_000,
}

export interface RunningBridge {
  /** `host:port`. */
  readonly address: string
  readonly port: number
  /** For clients: `ws://host:port/ws`, or `wss:`. */
  readonly url: string
  readonly engine: EngineName
  readonly sessions: Sessions
  /** Tells clients to go elsewhere and waits until they have, `graceMs` at most. New sockets are refused. */
  drain(options: { graceMs: number; url?: string; spreadMs?: number }): Promise<void>
  /** Releases all leases and ends all connections. */
  close(): Promise<void>
}
