import { connect, type Socket } from 'node:net'
import { formatAddress, hostBytes, parseAddress } from './address.ts'
import { type ConnectionAddresses, Connection } from './connection.ts'
import { type LinkSetup } from './exchange.ts'
import { type Peer, RemotingError } from './link.ts'

/** How a caller reaches an address. */
export interface Transport {
  /** Rejects with RemotingError of kind 'connect' after `timeoutMs` at the latest. */
  connect(address: string, setup: LinkSetup, timeoutMs: number): Promise<Peer>
}

export function socketAddresses(socket: Socket): ConnectionAddresses {
  const remoteIp = socket.remoteAddress ?? '0.0.0.0'
  const remotePort = socket.remotePort ?? 0
  return {
    remoteAddress: formatAddress(remoteIp, remotePort),
    localAddress: formatAddress(socket.localAddress ?? '0.0.0.0', socket.localPort ?? 0),
    remoteHost: hostBytes(remoteIp, remotePort),
  }
}

/** Plain TCP, Nagle off. */
export const tcpTransport: Transport = {
  connect(address, setup, timeoutMs) {
    return dial(address, setup, timeoutMs, (host, port) => connect({ host, port, noDelay: true }), 'connect')
  },
}

/** Opens a socket and waits for `readyEvent`. */
export async function dial(
  address: string,
  setup: LinkSetup,
  timeoutMs: number,
  open: (host: string, port: number) => Socket,
  readyEvent: 'connect' | 'secureConnect',
): Promise<Peer> {
  let socket: Socket
  try {
    const { host, port } = parseAddress(address)
    socket = open(host, port)
    await ready(socket, setup, timeoutMs, readyEvent)
  } catch (cause) {
    const message = `cannot connect to ${address}: ${cause instanceof Error ? describe(cause) : String(cause)}`
    throw new RemotingError('connect', address, message, { sent: false, cause })
  }
  return new Connection(socket, socketAddresses(socket), setup)
}

/** An AggregateError of several addresses of one name has an empty message. */
function describe(error: Error): string {
  return error.message !== '' ? error.message : ((error as NodeJS.ErrnoException).code ?? error.name)
}

function ready(socket: Socket, setup: LinkSetup, timeoutMs: number, readyEvent: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setup.clock.setTimeout(() => finish(new Error(`no connection within ${timeoutMs} ms`)), timeoutMs)
    const onReady = (): void => finish(null)
    const onClose = (): void => finish(new Error('the other end closed the connection'))
    const finish = (error: Error | null): void => {
      timer.cancel()
      socket.off(readyEvent, onReady)
      socket.off('error', finish)
      socket.off('close', onClose)
      if (error === null) return resolve()
      socket.on('error', () => {})
      socket.destroy()
      reject(error)
    }
    socket.once(readyEvent, onReady)
    socket.once('error', finish)
    socket.once('close', onClose)
  })
}
