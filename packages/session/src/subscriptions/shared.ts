import type { Clock, ClusterError, ClusterErrorCode, Logger, Popper, Reader } from '@cometmq/cluster'
import type { SubscriptionLimits } from './limits.ts'
import type { QueueNumbers } from './queue-numbers.ts'

/** What subscriptions need of a cluster. */
export interface StreamingCluster {
  /** Unique among all clients. */
  readonly clientId: string
  popper(): Popper
  reader(): Reader
}

/** What all subscriptions of a process share. */
export interface Shared {
  /** Of the cluster client: unique among all. */
  readonly clientId: string
  readonly clock: Clock
  readonly logger: Logger
  readonly popper: Popper
  readonly reader: Reader
  readonly limits: SubscriptionLimits
  readonly numbers: QueueNumbers
  readonly counters: Counters
}

export interface Counters {
  subscriptions: number
  messagesOut: number
  batchesOut: number
  batchesEncoded: number
  leasesLost: number
}

export const createCounters = (): Counters => ({
  subscriptions: 0,
  messagesOut: 0,
  batchesOut: 0,
  batchesEncoded: 0,
  leasesLost: 0,
})

/** These come back whatever one does; all others may pass. */
const lasting: ReadonlySet<ClusterErrorCode> = new Set<ClusterErrorCode>([
  'E_TOPIC_NOT_FOUND',
  'E_GROUP_NOT_FOUND',
  'E_PERMISSION',
  'E_ARGUMENT',
  'E_UNSUPPORTED',
])
export const isLasting = (error: unknown): boolean => lasting.has((error as ClusterError).code)

/** What it says, for logs and SUBINFO. */
export const textOf = (error: unknown): string =>
  error instanceof Error && 'why' in error ? `${error.message}: ${String(error.why)}` : String((error as Error).message)
