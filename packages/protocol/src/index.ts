export * from './check.ts'
export * from './close-codes.ts'
export * from './codec.ts'
export * from './error-codes.ts'
export * from './fragments.ts'
export * from './frames.ts'
export * from './kinds.ts'
export * from './message-id.ts'

/** The WebSocket subprotocol. */
export const SUBPROTOCOL = 'cometmq.v1'
export const PROTOCOL_VERSION = 1
