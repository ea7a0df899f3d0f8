import type { Environment, TransportHandlers, TransportSocket } from '@cometmq/client'
import { type Cluster, createCluster, type Logger, parseNameServers } from '@cometmq/cluster'
import type { Frame } from '@cometmq/protocol'
import { type ClientLink, createSessions, everything, type Sessions } from '@cometmq/session'
import { randomBytes } from 'node:crypto'
import { quietClock } from './clock.ts'

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** What stands in the way of strangers is in nobody's way here. */
const limits = {
  framesPerSecond: Infinity,
  frameBurst: Infinity,
  inboundBytesPerSecond: Infinity,
  maxConnectionsPerSubject: Infinity,
  // No socket can be cut, so no receipt is ever repeated: what is on its way may be what memory allows.
  publishWindowMessages: 8_192,
  publishWindowBytes: 32 * 1024 * 1024,
}

/** The server half of the protocol in this process: frames pass as values, nothing is encoded. Exists while a connection is open. */
export class Direct {
  readonly #nameServers: readonly string[]
  readonly #logger: Logger
  #parts: { cluster: Cluster; sessions: Sessions } | undefined
  #links = 0
  #ids = 0
  #closing: Promise<void> = Promise.resolve()

  /** Throws E_ARGUMENT: not a list of addresses. */
  constructor(servers: string | readonly string[], logger: Logger = silent) {
    this.#nameServers = parseNameServers(typeof servers === 'string' ? servers : servers.join(';'))
    this.#logger = logger
  }

  get servers(): string {
    return this.#nameServers.join(';')
  }

  readonly open: Environment['open'] = (_url, handlers) => {
    const { sessions } = (this.#parts ??= this.#start())
    this.#links++
    return connectTo(sessions, ++this.#ids, handlers, () => this.#left())
  }

  /** Resolves when nothing of it is left. */
  async closed(): Promise<void> {
    await this.#closing
  }

  #start(): { cluster: Cluster; sessions: Sessions } {
    const shared = { clock: quietClock, logger: this.#logger }
    const cluster = createCluster({ ...shared, nameServers: this.#nameServers })
    const sessions = createSessions({
      ...shared,
      cluster,
      randomBytes: count => randomBytes(count),
      authenticate: () => everything,
      node: `direct-${process.pid}`,
      resumeKey: randomBytes(32),
      limits,
    })
    return { cluster, sessions }
  }

  #left(): void {
    const parts = this.#parts
    if (--this.#links > 0 || !parts) return
    this.#parts = undefined
    const end = async (): Promise<void> => {
      await parts.sessions.close()
      await parts.cluster.close()
    }
    const failed = (error: unknown): void =>
      this.#logger.error('direct connection did not close cleanly', { error: String(error) })
    this.#closing = Promise.all([this.#closing, end().catch(failed)]).then(() => undefined)
  }
}

/** Frames in one direction. They arrive in a later microtask, so that neither side is called from within its own call. */
class Pipe {
  readonly #deliver: (frame: Frame) => void
  #frames: Frame[] = []
  #scheduled = false

  constructor(deliver: (frame: Frame) => void) {
    this.#deliver = deliver
  }

  push(frame: Frame): void {
    this.#frames.push(frame)
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(this.flush)
  }

  readonly flush = (): void => {
    this.#scheduled = false
    const frames = this.#frames
    this.#frames = []
    for (const frame of frames) this.#deliver(frame)
  }
}

/** Both ends of a socket that does not exist. `left`: it has been closed. */
function connectTo(sessions: Sessions, id: number, handlers: TransportHandlers, left: () => void): TransportSocket {
  let closed = false
  const toClient = new Pipe(frame => handlers.onFrame(frame, 0))
  const toSession = new Pipe(frame => end.frame(frame))
  const close = (last: () => void): void => {
    if (closed) return
    closed = true
    queueMicrotask(() => {
      last()
      end.closed()
      left()
    })
  }
  const link: ClientLink = {
    id,
    bufferedBytes: 0,
    writable: true,
    send(frame) {
      if (!closed) toClient.push(frame)
    },
    close(code, reason) {
      close(() => {
        toClient.flush()
        handlers.onClose(code, reason)
      })
    },
  }
  const end = sessions.accept(link, { address: 'direct' })
  queueMicrotask(() => handlers.onOpen())
  return {
    bufferedBytes: 0,
    send(frame) {
      if (!closed) toSession.push(frame)
      return 0
    },
    // What was sent before, a BYE for example, still arrives.
    close: () => close(toSession.flush),
  }
}
