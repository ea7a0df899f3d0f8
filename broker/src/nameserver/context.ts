import type { Clock, Logger } from '@cometmq/remoting'
import type { KvConfig } from './kv-config.ts'
import type { RouteTable } from './route-table.ts'

/** Namespace of the order configuration of topics: topic → `brokerA:4;brokerB:4`. */
export const ORDER_TOPIC_CONFIG = 'ORDER_TOPIC_CONFIG'

/** What of the configuration the name server reads, always the current values (RocketMQ's names; spec store, 12.5). */
export interface NameServerSettings {
  readonly orderMessageEnable: boolean
  readonly returnOrderTopicConfigToBroker: boolean
  readonly scanNotActiveBrokerInterval: number
  readonly supportActingMaster: boolean
  readonly enableAllTopicList: boolean
  readonly enableTopicList: boolean
  readonly needWaitForService: boolean
  readonly waitSecondsForService: number
  readonly deleteTopicWithBrokerRegistration: boolean
  readonly serverChannelMaxIdleTimeSeconds: number
  /** '': kvConfig.json in the data folder. */
  readonly kvConfigPath: string
  /** '': namesrv.properties in the data folder. */
  readonly configStorePath: string
  configText(): string
  fileText(): string
  update(text: string): string[]
}

/** What the handlers of a name server work on. */
export interface NameServerContext {
  readonly routes: RouteTable
  readonly kv: KvConfig
  readonly settings: NameServerSettings
  readonly clock: Clock
  readonly logger: Logger
  /** Clock.monotonic of the start. */
  readonly startedAt: number
  /** Makes changed settings durable. */
  saveSettings(): Promise<void>
}
