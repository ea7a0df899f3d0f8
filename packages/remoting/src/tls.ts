import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect, createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { dial, type Transport } from './tcp.ts'

/** Server side (spec: remoting, section 1.7). `permissive`: TLS and plain connections on one port. `enforcing`: TLS only. */
export interface TlsServerOptions {
  readonly mode: 'disabled' | 'permissive' | 'enforcing'
  /** Certificate chain and private key, PEM. Needed unless the mode is 'disabled'. */
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
}

export interface TlsClientOptions {
  /** Certificates to trust, PEM; default: those that come with Node. */
  readonly ca?: string | Buffer
  /** Own certificate and key for servers that ask for one. */
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  /** Whether the server's certificate must be valid for its host name. Default true; RocketMQ's own clients do not check by default. */
  readonly verify?: boolean
}

/** First byte of a TLS handshake record. No frame below 369 MB begins with it, and the limit is 16 MiB. */
export const TLS_HANDSHAKE_BYTE = 0x16

/** TLS over TCP. */
export function tlsTransport(options: TlsClientOptions = {}): Transport {
  const { verify = true, ...pem } = options
  const secureContext = createSecureContext(pem)
  return {
    connect(address, setup, timeoutMs) {
      const open = (host: string, port: number): Socket => {
        const socket = connectTcp({ host, port, noDelay: true })
        return connect({
          socket,
          host,
          secureContext,
          rejectUnauthorized: verify,
          ...(isIP(host) === 0 ? { servername: host } : {}),
        })
      }
      return dial(address, setup, timeoutMs, open, 'secureConnect')
    },
  }
}

/** Undefined when TLS is disabled. Throws when certificate or key are missing or do not fit. */
export function serverSecureContext(options: TlsServerOptions | undefined): SecureContext | undefined {
  if (options === undefined || options.mode === 'disabled') return undefined
  if (options.cert === undefined || options.key === undefined) {
    throw new RangeError(`TLS mode '${options.mode}' needs a certificate and a key; give both, or set the mode to 'disabled'`)
  }
  return createSecureContext({ cert: options.cert, key: options.key })
}

/** The server side of TLS on an accepted socket; what was read and unshifted before is its beginning. Emits 'secure' after the handshake. */
export function secureServerSocket(socket: Socket, secureContext: SecureContext): TLSSocket {
  return new TLSSocket(socket, { isServer: true, secureContext })
}
