import {
  asyncDispose,
  type Connect,
  type Connection,
  type ConnectOptions,
  createConnect,
  type Environment,
  openWebSocket,
  type TopicDef,
  type WebSocketClass,
} from '@cometmq/client'
import type { Logger } from '@cometmq/cluster'
import WebSocket from 'isomorphic-ws'
import { keepingClock } from './clock.ts'
import { Direct } from './direct.ts'

export type * from '@cometmq/client'
export { BridgeError, bytes, json, text, topic } from '@cometmq/client'
export { drainOnSignals } from './signals.ts'
export const version = '0.1.0'

/** A RocketMQ-compatible cluster without a bridge: the bridge's half of the protocol runs in this process. */
export interface DirectOptions<R extends readonly TopicDef[]> extends Omit<ConnectOptions<R>, 'url' | 'auth' | 'WebSocket'> {
  /** Name servers: `host:port`, several with `;` between. */
  servers: string | readonly string[]
  /** Default: nothing is logged. */
  logger?: Logger
}

/**
 * A connection to a bridge (`url`), or directly to a cluster (`servers`). It opens with the first producer, consumer or `ready()`, and closes
 * 2 s after the last has gone. Throws COMET_INVALID_ARGUMENT for options that are wrong.
 */
export function connect<const R extends readonly TopicDef[]>(options: ConnectOptions<R> | DirectOptions<R>): Connection<R> {
  if (!('servers' in options)) return overWebSocket(options)
  const { servers, logger, plugins = [], ...rest } = options
  const direct = new Direct(servers, logger)
  // Closed with the connection, after everything else.
  const end = { name: 'direct', install: () => ({ [asyncDispose]: () => direct.closed() }) }
  return createConnect(environment(direct.open))<R>({ ...rest, url: `direct:${direct.servers}`, plugins: [...plugins, end] })
}

const environment = (open: Environment['open']): Environment => ({
  sdk: `node/${version}`,
  runtime: `node ${process.versions.node}`,
  clock: keepingClock,
  random: () => Math.random(),
  open,
})

const overWebSocket: Connect = options =>
  createConnect(environment(openWebSocket(WebSocket as unknown as WebSocketClass)))(options)
