import {
  ResponseCode,
  startServer,
  type Clock,
  type Handler,
  type HandlerTable,
  type Logger,
  type Timer,
} from '@cometmq/remoting'
import { replaceWholeFile, type Disk } from '../store/disk.ts'
import type { NameServerContext, NameServerSettings } from './context.ts'
import { KvConfig } from './kv-config.ts'
import { registerHandlers } from './register-handlers.ts'
import { routeHandlers } from './route-handlers.ts'
import { RouteTable, type RouteLimits } from './route-table.ts'
import { settingsHandlers } from './settings-handlers.ts'

export interface NameServerOptions {
  host: string
  /** 0 takes a free one. */
  port: number
  /** Holds kvConfig.json and namesrv.properties, unless the configuration names other places. */
  dataFolder: string
  disk: Disk
  clock: Clock
  logger: Logger
  config: NameServerSettings
  limits?: Partial<RouteLimits>
  /**
   * Queries of clients wait until this resolves: a name server that starts together with its only broker then never tells a client
   * that there is none.
   */
  queriesAfter?: Promise<void>
}

export interface NameServer {
  /** `ip:port` it listens on. */
  readonly address: string
  readonly port: number
  /** For a link inside the process. */
  readonly handlers: HandlerTable
  readonly routes: RouteTable
  close(): Promise<void>
}

/** Starts a name server. Rejects when the port is taken or kvConfig.json is unusable. */
export async function startNameServer(options: NameServerOptions): Promise<NameServer> {
  const { host, port, clock, logger, config } = options
  const context = await makeContext(options)
  const queries = options.queriesAfter === undefined ? routeHandlers(context) : held(routeHandlers(context), options.queriesAfter)
  const handlers: HandlerTable = new Map([...registerHandlers(context), ...queries, ...settingsHandlers(context)])
  const limits = { idleCloseMs: config.serverChannelMaxIdleTimeSeconds * 1000 }
  const server = await startServer({ host, port, handlers, clock, logger, limits })
  const scan = startScan(context)
  return {
    address: server.address,
    port: server.port,
    handlers,
    routes: context.routes,
    async close() {
      scan.cancel()
      await server.close()
      await context.kv.saved()
    },
  }
}

function held(handlers: [number, Handler][], until: Promise<void>): [number, Handler][] {
  let isOpen = false
  const opened = until.then(() => void (isOpen = true))
  return handlers.map(([code, handler]) => [
    code,
    (request, peer) =>
      isOpen ? handler(request, peer) : opened.then(() => handler(request, peer) ?? { code: ResponseCode.SUCCESS }),
  ])
}

async function makeContext({ disk, dataFolder, clock, logger, config, limits }: NameServerOptions): Promise<NameServerContext> {
  return {
    routes: new RouteTable(limits),
    kv: await KvConfig.load({ disk, path: config.kvConfigPath || `${dataFolder}/kvConfig.json`, clock, logger }),
    settings: config,
    clock,
    logger,
    startedAt: clock.monotonic(),
    saveSettings: () =>
      replaceWholeFile(disk, config.configStorePath || `${dataFolder}/namesrv.properties`, Buffer.from(config.fileText())),
  }
}

/** Drops silent brokers every scanNotActiveBrokerInterval. */
function startScan({ routes, settings, clock, logger }: NameServerContext): Timer {
  let timer: Timer
  const again = (): void => {
    timer = clock.setTimeout(() => {
      for (const broker of routes.expire(clock.monotonic()))
        logger.warn(
          `broker ${broker.brokerName}/${broker.brokerId} at ${broker.brokerAddr} is silent and dropped from all routes`,
        )
      again()
    }, settings.scanNotActiveBrokerInterval)
  }
  again()
  return { cancel: () => timer.cancel() }
}
