import { type Connect, createConnect } from '@cometmq/client'
import { environment } from './environment.ts'

export type * from '@cometmq/client'
export { BridgeError, bytes, json, text, topic } from '@cometmq/client'
export { version } from './environment.ts'

/** Made at the first `connect`: nothing happens when the module is imported. */
let bound: Connect | undefined

/**
 * A connection to a bridge. It opens with the first producer, consumer or `ready()`, and closes 2 s after the last has gone.
 * Throws COMET_INVALID_ARGUMENT for options that are wrong.
 */
export const connect: Connect = options => (bound ??= createConnect(environment()))(options)
