import { type RunningBroker, type NameServer } from '@cometmq/broker'
import { formatAddress, type Logger, systemClock } from '@cometmq/remoting'
import { join } from 'node:path'
import { type Io } from '../io.ts'
import { checkListen, configSources, isLoopback, nameServerFolder, type ServerOptions } from './server.ts'

const loadBroker = () => import('@cometmq/broker')

/** Where clients of this machine reach what listens on `host`. */
const reachable = (host: string, port: number): string =>
  formatAddress(host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host, port)

/** `port`: that of the command line, when given. */
export async function startNameServerPart(
  io: Io,
  options: ServerOptions,
  parts: { dataFolder: string; port: number | undefined; logger: Logger; ownSettings: boolean; queriesAfter?: Promise<void> },
) {
  const { createNodeDisk, loadNameServerConfig, startNameServer } = await loadBroker()
  const folder = nameServerFolder(parts.dataFolder)
  const defaults = {
    bindAddress: options.host ?? '127.0.0.1',
    kvConfigPath: join(folder, 'kvConfig.json'),
    configStorePath: join(folder, 'namesrv.properties'),
  }
  // With `comet serve` file and settings are the broker's.
  const sources = configSources(
    io,
    parts.ownSettings ? options : { logLevel: options.logLevel, logFormat: options.logFormat },
    defaults,
  )
  const config = loadNameServerConfig({ ...sources, sets: [...sources.sets, ...asSet('listenPort', parts.port)] })
  checkListen(config.bindAddress, options)
  const running: NameServer = await startNameServer({
    host: config.bindAddress,
    port: config.listenPort,
    dataFolder: folder,
    config,
    disk: createNodeDisk(),
    clock: systemClock,
    logger: parts.logger,
    ...(parts.queriesAfter === undefined ? {} : { queriesAfter: parts.queriesAfter }),
  })
  return {
    running,
    address: reachable(config.bindAddress, running.port),
    listening: formatAddress(config.bindAddress, running.port),
  }
}

export async function startBrokerPart(
  io: Io,
  options: ServerOptions,
  parts: { dataFolder: string; port: number | undefined; nameServers: string | undefined; logger: Logger },
) {
  const { createNodeDisk, loadConfig, startBroker } = await loadBroker()
  const host = options.host ?? '127.0.0.1'
  const defaults = {
    bindAddress: host,
    storePathRootDir: parts.dataFolder,
    // What clients are told must be what is listened on, unless that is every address.
    ...(isLoopback(host) || (host !== '0.0.0.0' && host !== '::')
      ? { brokerIP1: host === 'localhost' ? '127.0.0.1' : host }
      : {}),
  }
  const sources = configSources(io, options, defaults)
  const config = loadConfig({
    ...sources,
    sets: [...sources.sets, ...asSet('listenPort', parts.port), ...asSet('namesrvAddr', parts.nameServers)],
  })
  checkListen(config.bindAddress, options)
  const running: RunningBroker = await startBroker({
    config,
    disk: createNodeDisk(),
    clock: systemClock,
    logger: parts.logger,
    ...(sources.file ? { configFile: sources.file.name } : {}),
  })
  return {
    running,
    name: config.brokerName,
    nameServers: config.namesrvAddr,
    listening: formatAddress(config.bindAddress, running.port),
  }
}

const asSet = (key: string, value: string | number | undefined): string[] => (value === undefined ? [] : [`${key}=${value}`])
