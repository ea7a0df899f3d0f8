import { type Logger } from '@cometmq/remoting'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { CliError } from '../errors.ts'
import { ExitCode } from '../exit-codes.ts'
import { type Io } from '../io.ts'
import { lineLogger, type LogFormat, type LogLevel } from '../logger.ts'
import {
  isRunning,
  processFilePath,
  readProcessFile,
  removeFile,
  type Role,
  writeProcessFile,
  writeWhole,
} from '../process-file.ts'
import { packageVersion } from '../version.ts'

/** What the three commands that run a server share: options, the folder, the process file, the ready file, stopping. */
export interface ServerOptions {
  data?: string
  host?: string
  config?: string
  set?: string[]
  readyFile?: string
  insecureListen?: boolean
  logLevel: LogLevel
  logFormat: LogFormat
}

export const dataFolderOf = (io: Io, options: { data?: string }): string => resolve(io.cwd, options.data ?? 'comet-data')

export const serverLogger = (io: Io, options: Pick<ServerOptions, 'logLevel' | 'logFormat'>): Logger =>
  lineLogger(io, options.logLevel, options.logFormat)

export interface Sources {
  file?: { name: string; text: string }
  sets: string[]
}

/** The configuration file and the settings of the command line; `defaults` give way to both. */
export function configSources(io: Io, options: ServerOptions, defaults: Readonly<Record<string, string>>): Sources {
  const file = options.config === undefined ? undefined : readConfigFile(resolve(io.cwd, options.config))
  const given = options.set ?? []
  const isGiven = (key: string): boolean =>
    given.some(set => set.slice(0, set.indexOf('=')).trim() === key) ||
    (file !== undefined && new RegExp(`^[ \\t]*${key}[ \\t]*[=: \\t]`, 'm').test(file.text))
  const sets = Object.entries(defaults).flatMap(([key, value]) => (isGiven(key) ? [] : `${key}=${value}`))
  return { ...(file ? { file } : {}), sets: [...sets, ...given] }
}

function readConfigFile(path: string): { name: string; text: string } {
  try {
    return { name: path, text: readFileSync(path, 'utf8') }
  } catch (cause) {
    throw new CliError('E_FILE', `the configuration file cannot be read`, (cause as Error).message, { cause })
  }
}

const loopback = /^(?:127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1|\[::1\]|localhost)$/
export const isLoopback = (host: string): boolean => loopback.test(host)

/** Nobody has to authenticate here, so an address that others reach must be asked for by name. */
export function checkListen(host: string, options: Pick<ServerOptions, 'insecureListen'>): void {
  if (isLoopback(host) || options.insecureListen) return
  throw new CliError(
    'E_INSECURE_LISTEN',
    `not listening on ${host}`,
    'anyone who reaches that address could read, write and delete everything',
  )
}

/** Refuses a data folder that a running server of one of `rivals` uses; E_DATA_IN_USE. */
function claimFolder(dataFolder: string, role: Role, rivals: readonly Role[]): void {
  for (const rival of rivals) {
    const file = readProcessFile(processFilePath(dataFolder, rival))
    if (file && file.pid !== process.pid && isRunning(file))
      throw new CliError(
        'E_DATA_IN_USE',
        `the data folder ${dataFolder} is in use`,
        `process ${file.pid} (comet ${rival}) works in it`,
      )
  }
  try {
    writeProcessFile(dataFolder, role, packageVersion())
  } catch (cause) {
    throw new CliError('E_FILE', `the data folder ${dataFolder} cannot be used`, (cause as Error).message, { cause })
  }
}

const releaseFolder = (dataFolder: string, role: Role): void => removeFile(processFilePath(dataFolder, role))

/** Turns what starting a server can throw into the three lines. */
function startFailure(error: unknown, dataFolder: string): unknown {
  if (!(error instanceof Error) || error instanceof CliError) return error
  const { code, problems } = error as { code?: string; problems?: readonly string[] }
  if (problems) return new CliError('E_CONFIG', 'the configuration cannot be used', problems.join('; '), { cause: error })
  if (code === 'EADDRINUSE' || code === 'EACCES' || code === 'EADDRNOTAVAIL')
    return new CliError('E_PORT', 'cannot listen', error.message, { cause: error })
  if (error.name === 'StoreInUseError')
    return new CliError('E_DATA_IN_USE', `the data folder ${dataFolder} is in use`, error.message, { cause: error })
  return error
}

export interface ReadyFile {
  pid: number
  nameserver?: { address: string; port: number }
  broker?: { name: string; address: string; port: number }
  bridge?: { url: string; address: string; port: number }
  dataFolder: string
  version: string
}

/** Written as a whole once everything is ready; goes away when the server stops. */
export function writeReadyFile(
  io: Io,
  options: ServerOptions,
  closers: Closers,
  ready: Omit<ReadyFile, 'pid' | 'version'>,
): void {
  if (options.readyFile === undefined) return
  const path = resolve(io.cwd, options.readyFile)
  const content: ReadyFile = { pid: process.pid, ...ready, version: packageVersion() }
  writeWhole(path, `${JSON.stringify(content, null, 2)}\n`)
  closers.add(() => removeFile(path))
}

/** npm passes a terminal's Ctrl-C on although the terminal sent it already: two signals this close are one. */
const sameSignalMs = 500

/** Signals to stop, from the moment this is made: also those that come while a server still starts. */
export class StopSignals {
  /** Resolves with the first one. */
  readonly first: Promise<string>
  readonly #unlisten: () => void
  readonly #keepAlive = setInterval(() => {}, 0x7fff_ffff)

  constructor(io: Io) {
    let stop: (signal: string) => void = () => {}
    this.first = new Promise<string>(resolve => (stop = resolve))
    let firstAt = Number.POSITIVE_INFINITY
    this.#unlisten = io.onStopSignal(signal => {
      const now = performance.now()
      if (now - firstAt > sameSignalMs) {
        io.err('stopped at once: what was in memory only is lost\n')
        io.exitNow(ExitCode.INTERRUPTED)
      }
      firstAt = Math.min(firstAt, now)
      stop(signal)
    })
  }

  end(): void {
    clearInterval(this.#keepAlive)
    this.#unlisten()
  }
}

/** What was opened, closed in reverse order. */
export class Closers {
  readonly #closers: (() => Promise<void> | void)[] = []

  add(closer: () => Promise<void> | void): void {
    this.#closers.push(closer)
  }

  async closeAll(): Promise<void> {
    for (let closer = this.#closers.pop(); closer; closer = this.#closers.pop()) await closer()
  }
}

/** `start` opens parts and prints; then this waits for a signal, closes in reverse order and gives the exit code. */
export const runServer = (io: Io, options: ServerOptions, server: Server): Promise<number> => {
  const logger = serverLogger(io, options)
  const dataFolder = dataFolderOf(io, options)
  return runUntilSignal(io, logger, dataFolder, async ({ closers, stopped }) => {
    claimFolder(dataFolder, server.role, server.rivals)
    closers.add(() => releaseFolder(dataFolder, server.role))
    await server.start({ dataFolder, logger, closers, stopped })
  })
}

/** The same for a server without a data folder of its own. */
export async function runUntilSignal(
  io: Io,
  logger: Logger,
  dataFolder: string,
  start: (starting: Pick<Starting, 'closers' | 'stopped'>) => Promise<void>,
): Promise<number> {
  const signals = new StopSignals(io)
  const closers = new Closers()
  try {
    await start({ closers, stopped: signals.first })
    const signal = await signals.first
    logger.info('stopping', { signal })
    return ExitCode.OK
  } catch (error) {
    throw startFailure(error, dataFolder)
  } finally {
    await closers.closeAll()
    signals.end()
  }
}

export interface Server {
  role: Role
  /** Roles that use the same files. */
  rivals: readonly Role[]
  start(start: Starting): Promise<void>
}

export interface Starting {
  dataFolder: string
  logger: Logger
  closers: Closers
  /** Resolves when a signal asks to stop. */
  stopped: Promise<string>
}

export const nameServerFolder = (dataFolder: string): string => join(dataFolder, 'namesrv')
