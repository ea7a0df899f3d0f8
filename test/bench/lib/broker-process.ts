import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What `comet serve --ready-file` writes. */
export interface ReadyFile {
  pid: number
  nameserver: { address: string; port: number }
  broker: { name: string; address: string; port: number }
  /** Only with `limits`. */
  bridge?: { url: string; address: string; port: number }
}

export interface BrokerProcess {
  ready: ReadyFile
  /** Milliseconds from spawn until the ready file was there. */
  readyMs: number
  residentBytes(): number
  /** CPU seconds used so far. */
  cpuSeconds(): number
  stop(): Promise<void>
}

/** The bench runs from .build/bench; the checkout is above. */
function findComet(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'packages/cli/bin/comet.js'))) {
    const parent = dirname(folder)
    if (parent === folder) throw new Error('packages/cli/bin/comet.js not found: run `npm run build` first')
    folder = parent
  }
  return resolve(folder, 'packages/cli/bin/comet.js')
}

/**
 * Starts `comet serve` on free ports in a process of its own, so that load and broker do not share an event loop. `limits`: with a bridge
 * that has these (`--limit`).
 */
export async function startBrokerProcess(
  folder: string,
  options: { settings?: string[]; limits?: string[]; profile?: { folder: string; name: string } | undefined } = {},
): Promise<BrokerProcess> {
  const readyFile = join(folder, 'ready.json')
  rmSync(readyFile, { force: true })
  const { profile } = options
  const node =
    profile === undefined
      ? []
      : [
          '--cpu-prof',
          '--cpu-prof-dir',
          profile.folder,
          '--cpu-prof-name',
          profile.name.replace(/[^\w.-]+/g, '-') + '.cpuprofile',
        ]
  const args = [
    'serve',
    '--data',
    join(folder, 'data'),
    '--host',
    '127.0.0.1',
    '--nameserver-port',
    '0',
    '--broker-port',
    '0',
    '--ready-file',
    readyFile,
  ]
  for (const setting of options.settings ?? []) args.push('--set', setting)
  if (options.limits) args.push('--bridge-port', '0', '--engine', 'uws')
  for (const limit of options.limits ?? []) args.push('--limit', limit)
  const startedAt = performance.now()
  const child = spawn(process.execPath, [...node, findComet(), ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  let errors = ''
  child.stderr.on('data', chunk => (errors = (errors + String(chunk)).slice(-4000)))
  while (!existsSync(readyFile)) {
    if (child.exitCode !== null) throw new Error(`comet serve stopped with ${child.exitCode}: ${errors}`)
    await new Promise(done => setTimeout(done, 2))
  }
  const readyMs = performance.now() - startedAt
  const ready = JSON.parse(readFileSync(readyFile, 'utf8')) as ReadyFile
  return {
    ready,
    readyMs,
    residentBytes: () => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0) * 1024,
    cpuSeconds: () => cpuSecondsOf(child),
    stop: () => stop(child),
  }
}

function cpuSecondsOf(child: ChildProcess): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGTERM')
  await gone
}
