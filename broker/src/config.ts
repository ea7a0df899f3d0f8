import { brokerKeys } from './config/broker-keys.ts'
import { systemEnvironment } from './config/environment.ts'
import { ignoredBrokerKeys, ignoredNameServerKeys } from './config/ignored-keys.ts'
import type { Environment } from './config/keys.ts'
import { nameServerKeys } from './config/nameserver-keys.ts'
import { refusedBrokerKeys, refusedNameServerKeys } from './config/refused.ts'
import { loadSettings, type Schema, type Settings } from './config/settings.ts'
import { storeKeys } from './config/store-keys.ts'

export { ConfigError } from './config/settings.ts'
export { systemEnvironment } from './config/environment.ts'
export type { Environment, Key } from './config/keys.ts'

/** All keys a broker honours: kind, default, unit, meaning, and whether they can change while it runs. */
export const brokerConfigKeys = { ...brokerKeys, ...storeKeys }
export const nameServerConfigKeys = nameServerKeys

/** One member per key, RocketMQ's names; runtime-changeable ones change in place. */
export type BrokerConfig = Settings<typeof brokerConfigKeys>
export type NameServerConfig = Settings<typeof nameServerConfigKeys>

const brokerSchema: Schema<typeof brokerConfigKeys> = {
  keys: brokerConfigKeys,
  ignored: ignoredBrokerKeys,
  refused: refusedBrokerKeys,
}
const nameServerSchema: Schema<typeof nameServerConfigKeys> = {
  keys: nameServerConfigKeys,
  ignored: ignoredNameServerKeys,
  refused: refusedNameServerKeys,
}

export interface ConfigSources {
  /** A broker.conf (Java properties); `name` stands in error messages. */
  file?: { name: string; text: string }
  /** `key=value` texts, which win over the file. */
  sets?: readonly string[]
  /** Default: this machine. */
  environment?: Environment
}

/** Throws ConfigError, with one line per problem. `warnings` of the result names keys without effect here. */
export const loadConfig = (sources: ConfigSources = {}): BrokerConfig =>
  loadSettings(brokerSchema, { ...sources, environment: sources.environment ?? systemEnvironment() })

export const loadNameServerConfig = (sources: ConfigSources = {}): NameServerConfig =>
  loadSettings(nameServerSchema, { ...sources, environment: sources.environment ?? systemEnvironment() })
