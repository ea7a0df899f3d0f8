import type { Clock, Cluster, Logger, Sender } from '@cometmq/cluster'
import type { ServerFrame } from '@cometmq/protocol'
import type { Authenticate, Principal } from '../principal.ts'
import type { Subscriptions } from '../subscription.ts'
import type { SessionLimits } from '../types.ts'
import type { Turn } from './turn.ts'

export interface Counters {
  framesIn: number
  framesOut: number
  messagesIn: number
  resumedHot: number
  resumedCold: number
}

/** What all sessions of a node have in common. */
export interface Shared {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly logger: Logger
  readonly limits: SessionLimits
  readonly node: string
  readonly resumeKey: Uint8Array
  readonly randomBytes: (count: number) => Uint8Array
  readonly authenticate: Authenticate
  readonly sender: Sender
  readonly subscriptions: Subscriptions
  readonly counters: Counters
  readonly turn: Turn
}

/** What the parts of a session see of it. */
export interface SessionHost {
  readonly id: string
  readonly shared: Shared
  readonly principal: Principal
  /** Nothing happens while no client is there. */
  send(frame: ServerFrame): void
  /** A client is there and has its WELCOME. */
  readonly attached: boolean
  /** A socket is there; it may still wait for WELCOME. */
  readonly connected: boolean
  readonly writable: boolean
  /** Closes the socket; the session waits for a resume, unless the code forbids one. */
  disconnect(code: number, reason: string): void
  /** `flush` of the session runs at the end of this turn. */
  flushSoon(): void
}
