import { createNodeDisk, loadConfig, loadNameServerConfig, startBroker, startNameServer } from '@cometmq/broker'
import { type Cluster, createCluster } from '@cometmq/cluster'
import { decode, encode, type Frame, type Value } from '@cometmq/protocol'
import { silentLogger, systemClock } from '@cometmq/remoting'
import { type ClientEnd, type ClientLink, createSessions, everything, type Sessions } from '@cometmq/session'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Environment, TransportHandlers, TransportSocket } from '../../src/environment.ts'

const overTheWire = (frame: Frame): Frame => decode(encode(frame as Value)) as Frame

/** A broker with its name server on loopback, and sessions whose clients are connected in memory. */
export class OwnBridge {
  readonly #folder: string
  readonly #stops: (() => Promise<unknown>)[]
  readonly cluster: Cluster
  sessions: Sessions
  readonly environment: Environment
  readonly #cuts = new Set<() => void>()
  readonly #resumeKey = randomBytes(32)
  #links = 0

  static async start(): Promise<OwnBridge> {
    const folder = await mkdtemp(join(tmpdir(), 'comet-client-'))
    const parts = { disk: createNodeDisk(), clock: systemClock, logger: silentLogger }
    const config = loadNameServerConfig({ sets: ['bindAddress=127.0.0.1', 'listenPort=0'] })
    const ns = await startNameServer({ ...parts, host: '127.0.0.1', port: 0, dataFolder: join(folder, 'ns'), config })
    const nameServer = `127.0.0.1:${ns.port}`
    const sets = [`storePathRootDir=${join(folder, 'b')}`, 'bindAddress=127.0.0.1', 'brokerIP1=127.0.0.1', 'listenPort=0']
    const broker = await startBroker({
      ...parts,
      config: loadConfig({ sets: [...sets, 'brokerName=b-1', `namesrvAddr=${nameServer}`] }),
    })
    const cluster = createCluster({ nameServers: [nameServer], clock: systemClock, logger: silentLogger })
    return new OwnBridge(folder, cluster, [() => cluster.close(), () => broker.close(), () => ns.close()])
  }

  constructor(folder: string, cluster: Cluster, stops: (() => Promise<unknown>)[]) {
    this.#folder = folder
    this.#stops = stops
    this.cluster = cluster
    this.sessions = this.#createSessions()
    this.environment = {
      sdk: 'test/0',
      runtime: 'node',
      clock: systemClock,
      random: () => 0,
      open: (_url, handlers) => this.#open(handlers),
    }
  }

  #createSessions(): Sessions {
    return createSessions({
      cluster: this.cluster,
      clock: systemClock,
      logger: silentLogger,
      randomBytes: count => randomBytes(count),
      authenticate: () => everything,
      node: 'n-1',
      resumeKey: this.#resumeKey,
    })
  }

  /** All sockets break. */
  cut(): void {
    for (const cut of this.#cuts) cut()
  }

  /** Another node takes over: it has the key of resume tokens, and no sessions. */
  async replace(): Promise<void> {
    const old = this.sessions
    this.sessions = this.#createSessions()
    this.cut()
    await old.close()
  }

  async close(): Promise<void> {
    await this.sessions.close()
    for (const stop of this.#stops) await stop()
    await rm(this.#folder, { recursive: true, force: true })
  }

  #open(handlers: TransportHandlers): TransportSocket {
    let end: ClientEnd | undefined
    let closed = false
    const close = (code: number, reason: string): void => {
      if (closed) return
      closed = true
      this.#cuts.delete(cut)
      end?.closed()
      setImmediate(() => handlers.onClose(code, reason))
    }
    const cut = (): void => close(1006, '')
    const link: ClientLink = {
      id: ++this.#links,
      bufferedBytes: 0,
      writable: true,
      send: frame => void (closed || setImmediate(() => closed || handlers.onFrame(overTheWire(frame), 0))),
      close,
    }
    setImmediate(() => {
      if (closed) return
      end = this.sessions.accept(link, { address: '127.0.0.1' })
      this.#cuts.add(cut)
      handlers.onOpen()
    })
    return {
      bufferedBytes: 0,
      send(frame) {
        if (!closed) setImmediate(() => closed || end?.frame(overTheWire(frame)))
        return 0
      },
      close,
    }
  }
}
