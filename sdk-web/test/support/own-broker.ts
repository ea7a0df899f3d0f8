import { createNodeDisk, loadConfig, loadNameServerConfig, startBroker, startNameServer } from '@cometmq/broker'
import { type Cluster, createCluster } from '@cometmq/cluster'
import { silentLogger, systemClock } from '@cometmq/remoting'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface OwnBroker {
  readonly cluster: Cluster
  readonly folder: string
  stopServers(): Promise<void>
  close(): Promise<void>
}

/** A name server and a broker of our own on loopback, and a client of them. */
export async function startOwnBroker(): Promise<OwnBroker> {
  const folder = await mkdtemp(join(tmpdir(), 'comet-bridge-'))
  const parts = { disk: createNodeDisk(), clock: systemClock, logger: silentLogger }
  const nsConfig = loadNameServerConfig({ sets: ['bindAddress=127.0.0.1', 'listenPort=0'] })
  const ns = await startNameServer({ ...parts, host: '127.0.0.1', port: 0, dataFolder: join(folder, 'ns'), config: nsConfig })
  const nameServer = `127.0.0.1:${ns.port}`
  const sets = [
    `storePathRootDir=${join(folder, 'b')}`,
    'bindAddress=127.0.0.1',
    'brokerIP1=127.0.0.1',
    'listenPort=0',
    'brokerName=b-1',
    `namesrvAddr=${nameServer}`,
  ]
  const broker = await startBroker({ ...parts, config: loadConfig({ sets }) })
  const cluster = createCluster({ nameServers: [nameServer], clock: systemClock, logger: silentLogger })
  let stopping: Promise<void> | undefined
  const stopServers = (): Promise<void> => (stopping ??= broker.close().then(() => ns.close()))
  return {
    cluster,
    folder,
    stopServers,
    close: async () => {
      await cluster.close()
      await stopServers()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
