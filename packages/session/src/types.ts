import type { Clock, Cluster, Logger } from '@cometmq/cluster'
import type { ClientContext, ClientEnd, ClientLink } from './link.ts'
import type { Authenticate } from './principal.ts'

export interface SessionsOptions {
  /** Shared by all sessions; not closed with them. */
  readonly cluster: Cluster
  readonly clock: Clock
  readonly logger: Logger
  /** Cryptographic random bytes. */
  readonly randomBytes: (count: number) => Uint8Array
  readonly authenticate: Authenticate
  /** Name of this node in WELCOME and metrics. */
  readonly node: string
  /** Seals resume tokens; the same on all nodes of a bridge cluster. 32 bytes. */
  readonly resumeKey: Uint8Array
  readonly limits?: Partial<SessionLimits>
}

/** Defaults: spec bridge, sections 4, 5, 7 and 8. */
export interface SessionLimits {
  /** 256 KiB */
  readonly maxFrameBytes: number
  /** 4 MiB */
  readonly maxBodyBytes: number
  /** 16 384 */
  readonly maxPropertyBytes: number
  /** 64 and 32 a session */
  readonly maxSubs: number
  readonly maxProducers: number
  /** 10 sessions connected at a time for one subject */
  readonly maxConnectionsPerSubject: number
  /** 200 frames a second, burst 400; 1 MiB a second in. A client over it is not read from for a while, then refused. */
  readonly framesPerSecond: number
  readonly frameBurst: number
  readonly inboundBytesPerSecond: number
  /** 256 messages, 4 MiB unanswered a producer */
  readonly publishWindowMessages: number
  readonly publishWindowBytes: number
  /** Session kept after an unclean close, 120 s. */
  readonly keepMs: number
  /** First frame, 5 s. */
  readonly helloMs: number
  /** Ping after 25 s of outbound silence, any frame within 8 s. */
  readonly heartbeatMs: number
  readonly pongMs: number
  /** 30 s; the least and the most a client may ask for are 1 s and 12 h. */
  readonly leaseMs: number
  /** All sessions: detached ones kept at most, oldest are dropped first. 10 000 */
  readonly maxDetached: number
}

export interface SessionStats {
  readonly connected: number
  readonly detached: number
  readonly subscriptions: number
  readonly framesIn: number
  readonly framesOut: number
  readonly messagesIn: number
  readonly messagesOut: number
  /** DELIVER frames. */
  readonly batchesOut: number
  /** Entry batches encoded; less than batches sent when subscribers share them. */
  readonly batchesEncoded: number
  readonly resumedHot: number
  readonly resumedCold: number
  readonly leasesLost: number
}

export interface Sessions {
  /** A client has connected. */
  accept(link: ClientLink, context: ClientContext): ClientEnd
  /** Sends GOAWAY to all; new HELLOs are refused with 50390. Resolves when all have left or `graceMs` is over, and the rest is closed with 4001. */
  drain(options: { graceMs: number; url?: string; spreadMs?: number }): Promise<void>
  readonly draining: boolean
  stats(): SessionStats
  /** Releases all leases and ends. */
  close(): Promise<void>
}
