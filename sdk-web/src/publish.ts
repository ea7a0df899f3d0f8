import { type ConnectPublisher, createConnectPublisher } from '@cometmq/client'
import { environment } from './environment.ts'

export type * from '@cometmq/client'
export { BridgeError, bytes, json, text, topic } from '@cometmq/client'
export { version } from './environment.ts'

/** Made at the first `connect`: nothing happens when the module is imported. */
let bound: ConnectPublisher | undefined

/**
 * A connection to a bridge that only sends; a bundle with this entry holds nothing of consumers. It opens with the first producer or
 * `ready()`, and closes 2 s after the last has gone. Throws COMET_INVALID_ARGUMENT for options that are wrong.
 */
export const connect: ConnectPublisher = options => (bound ??= createConnectPublisher(environment()))(options)
