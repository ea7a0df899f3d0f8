import { type Cluster } from '@cometmq/cluster'
import { systemClock } from '@cometmq/remoting'
import { CliError } from './errors.ts'
import { type Io } from './io.ts'
import { lineLogger } from './logger.ts'
import { type OutputOptions } from './output/printer.ts'

/** Options every command that talks to a cluster takes. */
export interface CommonOptions extends OutputOptions {
  nameserver?: string
  /** ms */
  timeout?: number
  debug?: boolean
  yes?: boolean
  /** False after --no-input. */
  input?: boolean
  dryRun?: boolean
}

/** Which name servers to ask: -n, else NAMESRV_ADDR, else the one `comet serve` starts. */
export const defaultNameServer = '127.0.0.1:9876'

/** Runs `task` with a client of the cluster and closes it afterwards, however the task ends. */
export async function withCluster<T>(io: Io, options: CommonOptions, task: (cluster: Cluster) => Promise<T>): Promise<T> {
  const { createCluster, parseNameServers } = await import('@cometmq/cluster')
  const given = options.nameserver ?? io.env['NAMESRV_ADDR'] ?? ''
  const cluster = createCluster({
    nameServers: parseNameServers(given.trim() === '' ? defaultNameServer : given),
    clock: systemClock,
    logger: lineLogger(io, options.debug ? 'debug' : 'error', 'text'),
  })
  try {
    return await task(cluster)
  } finally {
    await cluster.close()
  }
}

/** What the calls of a cluster take. */
export const callOptions = (options: CommonOptions, signal?: AbortSignal): { timeoutMs?: number; signal?: AbortSignal } => ({
  ...(options.timeout === undefined ? {} : { timeoutMs: options.timeout }),
  ...(signal === undefined ? {} : { signal }),
})

/** Before something is destroyed: asks for its name on a terminal, wants --yes elsewhere. Rejects with E_CONFIRM. */
export async function confirmByName(io: Io, options: CommonOptions, action: string, name: string): Promise<void> {
  if (options.yes) return
  if (options.input === false || !io.inIsTerminal || !io.errIsTerminal)
    throw new CliError('E_CONFIRM', `${action} ${name} needs a confirmation`, 'nobody can be asked here')
  const typed = await io.ask(`${action} ${name}? This cannot be undone. Type its name to go on: `)
  if (typed.trim() !== name) throw new CliError('E_CONFIRM', `nothing was done`, `the name typed is not ${name}`)
}
