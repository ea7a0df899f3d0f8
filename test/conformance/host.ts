import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { spawn, type ChildProcess } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createCluster } from '@cometmq/cluster'
import { silentLogger, systemClock } from '@cometmq/remoting'
import type { Target, TokenRequest } from '@cometmq/testkit/conformance'
import { SignJWT } from 'jose'
import { startControl } from './control-server.ts'

const comet = fileURLToPath(new URL('../../packages/cli/bin/comet.js', import.meta.url))

export interface HostOptions {
  readonly engine: 'uws' | 'ws'
  readonly backend: Target['backend']
  /** `host:port` of a running cluster; default: an own `comet serve`. */
  readonly nameServer?: string
}

export interface Host {
  /** Everything but `runtime`. */
  readonly target: Omit<Target, 'runtime'>
  readonly nameServer: string
  /** An empty folder for bundles. */
  readonly folder: string
  /** What the processes logged. */
  log(): string
  close(): Promise<void>
}

interface Ready {
  nameserver?: { port: number }
  bridge?: { port: number; url: string }
}

/** Broker, bridge and control server for one run of the suite. */
export async function startHost(options: HostOptions): Promise<Host> {
  const folder = mkdtempSync(join(tmpdir(), 'cometmq-conformance-'))
  const closers: (() => Promise<void> | void)[] = [() => rmSync(folder, { recursive: true, force: true })]
  const log: string[] = []
  const close = async (): Promise<void> => {
    for (const step of closers.splice(0).reverse()) await step()
  }
  try {
    const start = async (name: string, args: readonly string[]): Promise<{ ready: Ready; child: ChildProcess }> => {
      const readyFile = join(folder, `${name}.ready`)
      const child = spawn(process.execPath, [comet, ...args, '--ready-file', readyFile], {
        cwd: folder,
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      closers.push(() => stopped(child))
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => log.push(text))
      return { ready: await readyOf(name, child, readyFile, log), child }
    }
    let nameServer = options.nameServer
    if (nameServer === undefined) {
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
      ]
      nameServer = `127.0.0.1:${(await start('serve', args)).ready.nameserver!.port}`
    }
    const secret = randomBytes(32)
    const keyFile = join(folder, 'token.key')
    writeFileSync(keyFile, secret.toString('base64url'), { mode: 0o600 })
    const resumeFile = join(folder, 'resume.key')
    writeFileSync(resumeFile, randomBytes(32).toString('base64url'), { mode: 0o600 })
    const pagePort = await freePort()
    const common = [
      '--host',
      '127.0.0.1',
      '--port',
      '0',
      '--engine',
      options.engine,
      '--auth-key',
      keyFile,
      '--resume-key-file',
      resumeFile,
    ]
    const bridgeArguments = ['bridge', '-n', nameServer, ...common, '--origin', `http://127.0.0.1:${pagePort}`]
    const bridge = (await start('bridge', bridgeArguments)).ready.bridge!
    const cluster = createCluster({ nameServers: [nameServer], clock: systemClock, logger: silentLogger })
    closers.push(() => cluster.close())
    const run = `c${randomBytes(4).toString('hex')}`
    let spare = 0
    const control = await startControl({
      cluster,
      run,
      bridgePort: bridge.port,
      settleMs: options.backend === 'comet' ? 0 : 1000,
      token: request => tokenOf(secret, run, request),
      startBridge: async () => {
        const { ready, child } = await start(`bridge-${++spare}`, bridgeArguments)
        return {
          url: ready.bridge!.url,
          // A bridge that is told to stop sends its clients away first.
          goaway: async () => void child.kill('SIGTERM'),
          close: () => stopped(child),
        }
      },
    })
    closers.push(() => control.close())
    const target = { url: bridge.url, control: control.address, run, pagePort, backend: options.backend }
    return { target, nameServer, folder, log: () => log.join(''), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function tokenOf(secret: Uint8Array, run: string, request: TokenRequest): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  const rights = {
    pub: request.publish ?? [`${run}-*`],
    sub: request.subscribe ?? [{ topic: `${run}-*`, group: '*' }],
    inspect: request.inspect ?? true,
    client: 'server',
    conns: 1000,
    rate: 100_000,
    ...(request.where && { where: request.where }),
  }
  const token = new SignJWT({ cmq: rights })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(request.subject ?? 'suite')
    .setIssuedAt(now - 3600)
    .setExpirationTime(now + (request.ttlSeconds ?? 3600))
  if (request.notBeforeSeconds !== undefined) token.setNotBefore(now + request.notBeforeSeconds)
  return token.sign(request.forged ? randomBytes(32) : secret)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

const readyTimeoutMs = 30_000

async function readyOf(name: string, child: ChildProcess, file: string, log: readonly string[]): Promise<Ready> {
  const deadline = Date.now() + readyTimeoutMs
  for (;;) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`${name} did not start: ${log.join('').slice(-2000)}`)
    const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
    if (text.trimEnd().endsWith('}')) return JSON.parse(text) as Ready
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 5000)
  await ended
  clearTimeout(late)
}
