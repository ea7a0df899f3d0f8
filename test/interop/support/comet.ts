import { appendFileSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { poll, start, stop } from './process.ts'
import type { Server } from './server.ts'
import { temporaryFolder } from './java.ts'

const command = fileURLToPath(new URL('../../../packages/cli/bin/comet.js', import.meta.url))

/** INTEROP_LOG=FILE keeps what the broker logs. */
export interface CometOptions {
  data: string
  /** Configuration keys, given as --set. */
  settings?: Record<string, string>
}

interface Ready {
  pid: number
  nameserver: { port: number }
  broker: { name: string; port: number }
}

/** Starts `comet serve` on free ports; resolves when it says it is ready. */
export async function startComet(options: CometOptions): Promise<Server> {
  const home = temporaryFolder('ready')
  const readyFile = join(home, 'ready.json')
  const lines: string[] = []
  const sets = Object.entries(options.settings ?? {}).flatMap(([key, value]) => ['--set', `${key}=${value}`])
  const args = [
    'serve',
    '--data',
    options.data,
    '--host',
    '127.0.0.1',
    '--nameserver-port',
    '0',
    '--broker-port',
    '0',
    '--ready-file',
    readyFile,
  ]
  const child = start(process.execPath, [command, ...args, ...sets], line => lines.push(line), { cwd: home })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => lines.push(text))
  const ready = await poll('comet serve', 30_000, async () => {
    if (child.exitCode !== null) throw new Error(`comet serve stopped with ${child.exitCode}: ${lines.join('\n').slice(-1500)}`)
    if (!existsSync(readyFile)) return undefined
    const text = readFileSync(readyFile, 'utf8')
    return text.trimEnd().endsWith('}') ? (JSON.parse(text) as Ready) : undefined
  })
  const log = process.env['INTEROP_LOG']
  if (log !== undefined) child.stderr?.on('data', (text: string) => appendFileSync(log, text))
  return {
    nameServer: `127.0.0.1:${ready.nameserver.port}`,
    broker: `127.0.0.1:${ready.broker.port}`,
    brokerName: ready.broker.name,
    cluster: options.settings?.['brokerClusterName'] ?? 'DefaultCluster',
    stop: async signal => {
      await stop(child, signal)
      rmSync(home, { recursive: true, force: true })
    },
  }
}
