import { type RunningBridge } from '@cometmq/bridge'
import { type NameServer } from '@cometmq/broker'
import { createCluster } from '@cometmq/cluster'
import { createCaller, type HandlerTable, type Logger, systemClock, tcpTransport } from '@cometmq/remoting'
import { type Io } from '../io.ts'
import { type AccessOptions, demoPages, startBridgePart, storedResumeKey } from './bridge-parts.ts'
import { stopBridge } from './bridge.ts'
import { type Closers, runServer, type ServerOptions, type Starting, writeReadyFile } from './server.ts'
import { startBrokerPart, startNameServerPart } from './start-parts.ts'

export interface ServeOptions extends ServerOptions, AccessOptions {
  nameserverPort: number
  brokerPort?: number
  bridgePort?: number
}

/** `comet serve`: name server and broker in this process, until a signal comes. */
export const serve = (io: Io, options: ServeOptions): Promise<number> =>
  runServer(io, options, {
    role: 'serve',
    rivals: ['serve', 'broker', 'nameserver'],
    start: starting => startBoth(io, options, starting),
  })

async function startBoth(io: Io, options: ServeOptions, { dataFolder, logger, closers, stopped }: Starting): Promise<void> {
  const started = performance.now()
  let registered!: () => void
  const queriesAfter = new Promise<void>(resolve => (registered = resolve))
  const ns = await startNameServerPart(io, options, {
    dataFolder,
    port: options.nameserverPort,
    logger,
    ownSettings: false,
    queriesAfter,
  })
  closers.add(() => ns.running.close())
  const broker = await startBrokerPart(io, options, { dataFolder, port: options.brokerPort, nameServers: ns.address, logger })
  closers.add(() => broker.running.close())
  if ((await Promise.race([untilRegistered(ns, broker.name), stopped])) !== undefined) return
  registered()
  const inProcess = new Map([
    [ns.address, ns.running.handlers],
    [broker.running.address, broker.running.handlers],
  ])
  const bridge = await startBridgeHere(io, options, { dataFolder, logger, closers, inProcess, nameServer: ns.address })
  writeReadyFile(io, options, closers, {
    nameserver: { address: ns.address, port: ns.running.port },
    broker: { name: broker.name, address: broker.running.address, port: broker.running.port },
    ...(bridge ? { bridge: { url: bridge.url, address: bridge.address, port: bridge.port } } : {}),
    dataFolder,
  })
  io.out(`name server  ${ns.listening}\n`)
  io.out(`broker       ${broker.listening} (${broker.name}, clients are told ${broker.running.address})\n`)
  if (bridge) io.out(`bridge       ${bridge.url} (${bridge.engine})\n`)
  io.out(`data         ${dataFolder}\n`)
  io.out(`clients      export NAMESRV_ADDR=${ns.address}\n`)
  io.out(`ready in ${Math.round(performance.now() - started)} ms\n`)
}

/** Clients that cannot go elsewhere: their broker stops too. */
const BRIDGE_GRACE_MS = 500

interface Here {
  dataFolder: string
  logger: Logger
  closers: Closers
  inProcess: ReadonlyMap<string, HandlerTable>
  nameServer: string
}

/** The bridge of this process reaches name server and broker without sockets. */
async function startBridgeHere(io: Io, options: ServeOptions, here: Here): Promise<RunningBridge | undefined> {
  if (options.bridgePort === undefined) return undefined
  const { logger, closers } = here
  const caller = createCaller({ transport: tcpTransport, clock: systemClock, logger, inProcess: here.inProcess })
  closers.add(() => caller.close())
  const cluster = createCluster({ nameServers: [here.nameServer], clock: systemClock, logger, caller })
  closers.add(() => cluster.close())
  const pages = options.pages ?? demoPages()
  const access = pages === undefined ? options : { ...options, pages }
  const bridge = await startBridgePart(io, access, {
    host: options.host ?? '127.0.0.1',
    port: options.bridgePort,
    cluster,
    logger,
    resumeKey: storedResumeKey(here.dataFolder),
  })
  closers.add(() => stopBridge(bridge, BRIDGE_GRACE_MS))
  return bridge
}

const REGISTRATION_LIMIT_MS = 10_000
const BETWEEN_LOOKS_MS = 5

/** Ready means that a client finds the broker through the name server. */
async function untilRegistered(ns: { running: NameServer; address: string }, brokerName: string): Promise<undefined> {
  const deadline = performance.now() + REGISTRATION_LIMIT_MS
  while (!(brokerName in ns.running.routes.clusterInfo().brokerAddrTable)) {
    if (performance.now() > deadline)
      throw new Error(`broker ${brokerName} is not known to name server ${ns.address} after ${REGISTRATION_LIMIT_MS} ms`)
    await new Promise(resolve => setTimeout(resolve, BETWEEN_LOOKS_MS))
  }
}
