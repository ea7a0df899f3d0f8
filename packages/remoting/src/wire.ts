export { MAX_FRAME_BYTES, FrameError, FrameReader } from './frame.ts'
export { formatAddress, parseAddress, hostBytes } from './address.ts'
export { type Serialize, FrameTooLargeError } from './codec/encode.ts'
export { decodeCommand } from './codec/decode.ts'
export {
  type LinkLimits,
  type LinkOptions,
  type LinkSetup,
  createLinkSetup,
  DEFAULT_LINK_LIMITS,
  GO_AWAY,
  SYSTEM_ERROR,
  REQUEST_CODE_NOT_SUPPORTED,
} from './exchange.ts'
export { type Transport, tcpTransport } from './tcp.ts'
export { type Flushable, flushLater } from './flush.ts'
export { type TlsServerOptions, type TlsClientOptions, tlsTransport } from './tls.ts'
export { type ServerOptions, type ServerLimits, type RunningServer, DEFAULT_SERVER_LIMITS, startServer } from './server.ts'
export { type CallerOptions, createCaller } from './caller.ts'
export { type InProcessLink, type InProcessOptions, createInProcessLink } from './in-process.ts'
