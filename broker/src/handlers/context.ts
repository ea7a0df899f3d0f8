import type { Clock, Logger } from '@cometmq/remoting'
import type { BrokerConfig } from '../config.ts'
import type { AckGate } from '../delivery/ack-gate.ts'
import type { DelayLevels } from '../delivery/delay-levels.ts'
import type { PopService } from '../delivery/pop/pop-service.ts'
import type { Clients, Groups, Offsets, QueueLocks, Topics } from '../registry/types.ts'
import type { BrokerStats } from '../stats/broker-stats.ts'
import type { Store } from '../store/types.ts'

/** The parts of a running broker that handlers call. Made once by `broker.ts`. */
export interface Broker {
  readonly config: BrokerConfig
  readonly clock: Clock
  readonly logger: Logger
  /** Advertised `ip:port`. */
  readonly address: string
  readonly store: Store
  readonly topics: Topics
  readonly groups: Groups
  readonly offsets: Offsets
  readonly clients: Clients
  readonly locks: QueueLocks
  readonly gate: AckGate
  readonly pops: PopService
  /** Message id of the record at a position. */
  readonly messageIdOf: (physicalOffset: number) => string
  readonly delayLevels: DelayLevels
  readonly stats: BrokerStats
  /** A UNIQ_KEY for a message that has none. */
  uniqueId(): string
  /** 0 (inclusive) to 1. */
  random(): number
  /** Why sends are refused (shutting down); null when they are accepted. */
  refusingSends(): string | null
  /** Resolves when the name servers know the topics of this moment, or after a try that failed (it is repeated). */
  announceTopics(): Promise<void>
  /** After request 25: the configuration file is written, where there is one, and dependants are told. */
  configChanged(keys: readonly string[]): Promise<void>
  /** Numbers of the delay service, per level, for request 28 and 45. */
  delayProgress(): { level: number; consumed: number; max: number }[]
  delayOffsetsJson(): string
  /** Pulls parked at the moment. */
  parkedPulls(): number
  /** Has parked pulls of a queue run again, because its offset was reset. */
  wakePulls(topic: string, queueId: number): void
  /** Has one parked pop of each queue of the topic run again for a group. */
  wakePops(group: string, topic: string): void
}

/** A whole number in [0, bound). */
export const randomBelow = (broker: Pick<Broker, 'random'>, bound: number): number => Math.floor(broker.random() * bound)
