import { createCluster } from '@cometmq/cluster'
import { type Logger, systemClock } from '@cometmq/remoting'
import { type Io } from '../io.ts'
import { removeFile } from '../process-file.ts'
import {
  claimFolder,
  dataFolderOf,
  releaseFolder,
  type ServerOptions,
  serverLogger,
  startFailure,
  untilStopped,
  writeReadyFile,
} from './server.ts'
import { startBrokerPart, startNameServerPart } from './start-parts.ts'

export interface ServeOptions extends ServerOptions {
  nameserverPort: number
  brokerPort?: number
}

/** `comet serve`: name server and broker in this process, until a signal comes. */
export async function serve(io: Io, options: ServeOptions): Promise<number> {
  const started = performance.now()
  const dataFolder = dataFolderOf(io, options)
  const logger = serverLogger(io, options)
  claimFolder(dataFolder, 'serve', ['serve', 'broker', 'nameserver'])
  const closers: (() => Promise<void>)[] = [async () => releaseFolder(dataFolder, 'serve')]
  const close = async (): Promise<void> => {
    for (const closer of closers.reverse()) await closer()
  }
  try {
    const ns = await startNameServerPart(io, options, { dataFolder, port: options.nameserverPort, logger, ownSettings: false })
    closers.push(() => ns.running.close())
    const broker = await startBrokerPart(io, options, { dataFolder, port: options.brokerPort, nameServers: ns.address, logger })
    closers.push(() => broker.running.close())
    await untilRegistered(ns.address, broker.name, logger)
    writeReadyFile(io, options, {
      nameserver: { address: ns.address, port: ns.running.port },
      broker: { name: broker.name, address: broker.running.address, port: broker.running.port },
      dataFolder,
    })
    if (options.readyFile !== undefined) closers.push(async () => removeFile(options.readyFile!))
    io.out(`name server  ${ns.listening}\n`)
    io.out(`broker       ${broker.listening} (${broker.name}, clients are told ${broker.running.address})\n`)
    io.out(`data         ${dataFolder}\n`)
    io.out(`clients      export NAMESRV_ADDR=${ns.address}\n`)
    io.out(`ready in ${Math.round(performance.now() - started)} ms\n`)
  } catch (error) {
    await close()
    throw startFailure(error, dataFolder)
  }
  return untilStopped(io, logger, close)
}

const registrationLimitMs = 10_000
const betweenLooksMs = 20

/** Ready means that a client finds the broker through the name server. */
export async function untilRegistered(nameServer: string, brokerName: string, logger: Logger): Promise<void> {
  const cluster = createCluster({ nameServers: [nameServer], clock: systemClock, logger })
  const deadline = performance.now() + registrationLimitMs
  try {
    for (;;) {
      const brokers = await cluster.brokers.list()
      if (brokers.some(broker => broker.brokerName === brokerName)) return
      if (performance.now() > deadline)
        throw new Error(`broker ${brokerName} is not known to name server ${nameServer} after ${registrationLimitMs} ms`)
      await new Promise(resolve => setTimeout(resolve, betweenLooksMs))
    }
  } finally {
    await cluster.close()
  }
}
