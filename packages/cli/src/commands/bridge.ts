import { type RunningBridge } from '@cometmq/bridge'
import { createCluster, parseNameServers } from '@cometmq/cluster'
import { type Logger, systemClock } from '@cometmq/remoting'
import { createSecureContext } from 'node:tls'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { defaultNameServer } from '../context.ts'
import { CliError } from '../errors.ts'
import { type Io } from '../io.ts'
import { type LogFormat, type LogLevel } from '../logger.ts'
import { removeFile, writeWhole } from '../process-file.ts'
import { packageVersion } from '../version.ts'
import { type AccessOptions, newResumeKey, resumeKeyOf, startBridgePart } from './bridge-parts.ts'
import { type Closers, runUntilSignal, serverLogger } from './server.ts'

export interface BridgeCommandOptions extends AccessOptions {
  nameserver?: string
  port: number
  host?: string
  tlsCert?: string
  tlsKey?: string
  resumeKeyFile?: string
  processes: number
  metrics: 'loopback' | 'all' | 'off'
  /** ms */
  drain: number
  readyFile?: string
  logLevel: LogLevel
  logFormat: LogFormat
}

/** What differs between a process of its own and one of several. */
export interface Place {
  port: number
  shared: boolean
  resumeKey: Uint8Array
  /** Distinguishes the processes of one machine. */
  node?: string
}

/** `comet bridge`: until a signal comes. Then clients are told to move, and it stops. */
export async function bridge(io: Io, options: BridgeCommandOptions): Promise<number> {
  const logger = serverLogger(io, options)
  const { default: processes } = await import('node:cluster')
  if (processes.isWorker) return (await import('./bridge-processes.ts')).runWorker(io, options, logger)
  checkOptions(options)
  if (options.processes > 1) return (await import('./bridge-processes.ts')).runPrimary(io, options, logger)
  return runUntilSignal(io, logger, '', async ({ closers }) => {
    const place = { port: options.port, shared: false, resumeKey: resumeKeyFor(io, options) }
    announce(io, options, closers, await startIn(io, options, { place, closers, logger }))
  })
}

/** Opens the client of the cluster and the bridge; both are closed by `closers`, after clients had time to leave. */
export async function startIn(
  io: Io,
  options: BridgeCommandOptions,
  { place, closers, logger }: { place: Place; closers: Closers; logger: Logger },
): Promise<RunningBridge> {
  const given = options.nameserver ?? io.env['NAMESRV_ADDR'] ?? ''
  const nameServers = parseNameServers(given.trim() === '' ? defaultNameServer : given)
  const cluster = createCluster({ nameServers, clock: systemClock, logger })
  closers.add(() => cluster.close())
  const tls = tlsFiles(io, options)
  const running = await startBridgePart(io, options, {
    host: options.host ?? '127.0.0.1',
    port: place.port,
    cluster,
    logger,
    resumeKey: place.resumeKey,
    more: {
      shared: place.shared,
      metrics: options.metrics,
      ...(tls ? { tls } : {}),
      ...(place.node === undefined ? {} : { node: place.node }),
    },
  })
  closers.add(() => stopBridge(running, options.drain))
  return running
}

/** Clients leave over the first half of the time, so that others are not met by all at once. */
export async function stopBridge(running: RunningBridge, graceMs: number): Promise<void> {
  await running.drain({ graceMs, spreadMs: Math.floor(graceMs / 2) })
  await running.close()
}

export function announce(
  io: Io,
  options: BridgeCommandOptions,
  closers: Closers,
  running: Pick<RunningBridge, 'url' | 'address' | 'port' | 'engine'>,
): void {
  const { url, address, port, engine } = running
  if (options.readyFile !== undefined) {
    const path = resolve(io.cwd, options.readyFile)
    const content = { pid: process.pid, bridge: { url, address, port }, processes: options.processes, version: packageVersion() }
    writeWhole(path, `${JSON.stringify(content, null, 2)}\n`)
    closers.add(() => removeFile(path))
  }
  const many = options.processes > 1 ? `, ${options.processes} processes` : ''
  io.out(`bridge       ${url} (${engine}${many})\n`)
}

export const resumeKeyFor = (io: Io, options: BridgeCommandOptions): Uint8Array =>
  options.resumeKeyFile === undefined ? newResumeKey() : resumeKeyOf(resolve(io.cwd, options.resumeKeyFile))

function checkOptions({ tlsCert, tlsKey }: BridgeCommandOptions): void {
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    throw new CliError('E_USAGE', 'TLS needs two files', 'only one of --tls-cert and --tls-key is given')
}

function tlsFiles(io: Io, { tlsCert, tlsKey }: BridgeCommandOptions): { certFile: string; keyFile: string } | undefined {
  if (tlsCert === undefined || tlsKey === undefined) return undefined
  const files = { certFile: resolve(io.cwd, tlsCert), keyFile: resolve(io.cwd, tlsKey) }
  try {
    // Engines do not say what is wrong with a file.
    createSecureContext({ cert: readFileSync(files.certFile), key: readFileSync(files.keyFile) })
  } catch (cause) {
    throw new CliError('E_CONFIG', 'certificate and key cannot be used', (cause as Error).message, { cause })
  }
  return files
}
