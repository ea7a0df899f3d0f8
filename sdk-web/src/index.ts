import { type Connect, createConnect, type Environment, openWebSocket, type WebSocketClass } from '@cometmq/client'
import { runtimeName } from './runtime.ts'
import { wakeHooks } from './wake.ts'

export type * from '@cometmq/client'
export { BridgeError, bytes, json, text, topic } from '@cometmq/client'
export const version = '0.1.0'

/** Made at the first `connect`: nothing happens when the module is imported. */
let bound: Connect | undefined

/**
 * A connection to a bridge. It opens with the first producer, consumer or `ready()`, and closes 2 s after the last has gone.
 * Throws COMET_INVALID_ARGUMENT for options that are wrong.
 */
export const connect: Connect = options => (bound ??= createConnect(environment()))(options)

const environment = (): Environment => ({
  sdk: `web/${version}`,
  runtime: runtimeName(),
  clock: {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    setTimeout(task, delayMs) {
      const timer = setTimeout(task, delayMs)
      return { cancel: () => clearTimeout(timer) }
    },
  },
  random: () => Math.random(),
  open: (url, handlers) => openWebSocket((globalThis as { WebSocket?: WebSocketClass }).WebSocket)(url, handlers),
  ...wakeHooks,
})
