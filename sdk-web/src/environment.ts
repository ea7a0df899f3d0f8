import { type Environment, openWebSocket, type WebSocketClass } from '@cometmq/client'
import { runtimeName } from './runtime.ts'
import { wakeHooks } from './wake.ts'

export const version = '0.1.0'

/** Of browsers and edge runtimes. */
export const environment = (): Environment => ({
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
