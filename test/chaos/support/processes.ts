import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Cluster, createCluster } from '@cometmq/cluster'
import { silentLogger, systemClock } from '@cometmq/remoting'
import { signToken, type TokenRights } from './tokens.ts'

const comet = fileURLToPath(new URL('../../../packages/cli/bin/comet.js', import.meta.url))
const readyTimeoutMs = 30_000
const stopTimeoutMs = 20_000

interface Ready {
  readonly nameserver?: { readonly port: number }
  readonly broker?: { readonly port: number }
  readonly bridge?: { readonly port: number; readonly url: string }
}

/** One `comet` command that can be started again and again. */
export class CometProcess {
  readonly name: string
  readonly #folder: string
  readonly #args: readonly string[]
  readonly #log: string[]
  #output = ''
  #child: ChildProcess | undefined
  #ready: Ready | undefined

  constructor(parts: { name: string; folder: string; log: string[]; args: readonly string[]; nodeArgs: readonly string[] }) {
    this.name = parts.name
    this.#folder = parts.folder
    this.#log = parts.log
    this.#args = [...parts.nodeArgs, comet, ...parts.args]
  }

  get ready(): Ready {
    if (!this.#ready) throw new Error(`${this.name} was never started`)
    return this.#ready
  }

  get url(): string {
    return this.ready.bridge!.url
  }

  get pid(): number {
    return this.#child!.pid!
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  async start(): Promise<this> {
    const file = join(this.#folder, `${this.name}.ready`)
    rmSync(file, { force: true })
    const child = spawn(process.execPath, [...this.#args, '--ready-file', file], {
      cwd: this.#folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#log.push(text)
        this.#output += text
      })
    const deadline = Date.now() + readyTimeoutMs
    for (;;) {
      if (!this.isRunning || Date.now() > deadline)
        throw new Error(`${this.name} did not start: ${this.#log.join('').slice(-2000)}`)
      const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
      if (text.trimEnd().endsWith('}')) {
        this.#ready = JSON.parse(text) as Ready
        return this
      }
      await new Promise(resolve => setTimeout(resolve, 10))
    }
  }

  /** Everything that it wrote to standard output and error. */
  get output(): string {
    return this.#output
  }

  /** kill -9. */
  kill(): Promise<void> {
    return this.#end('SIGKILL')
  }

  /** SIGTERM; resolves with the exit code. */
  async stop(): Promise<number | null> {
    await this.#end('SIGTERM')
    return this.#child?.exitCode ?? null
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (!child || !this.isRunning) return
    const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
    child.kill(signal)
    const late = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs)
    await ended
    clearTimeout(late)
  }
}

export interface BridgeFlags {
  readonly engine?: 'uws' | 'ws'
  readonly drain?: string
  /** For `memoryOf`. */
  readonly inspect?: boolean
  readonly more?: readonly string[]
}

/** A broker with its name server, bridges of one resume key, and tokens for them. */
export class Site {
  readonly folder = mkdtempSync(join(tmpdir(), 'cometmq-chaos-'))
  readonly server: CometProcess
  readonly #secret = randomBytes(32)
  readonly #log: string[] = []
  readonly #processes: CometProcess[] = []
  #cluster: Cluster | undefined

  private constructor(ports: readonly [nameServer: number, broker: number], more: readonly string[]) {
    const data = join(this.folder, 'data')
    this.server = this.#process('serve', [
      'serve',
      ...['--data', data, '--host', '127.0.0.1'],
      ...['--nameserver-port', String(ports[0]), '--broker-port', String(ports[1])],
      ...more,
    ])
    this.#secretFile('token.key', this.#secret)
    this.#secretFile('resume.key', randomBytes(32))
  }

  /** `more`: further arguments of `comet serve`. */
  static async start(more: readonly string[] = []): Promise<Site> {
    const site = new Site([await lastingPort(), await lastingPort()], more)
    try {
      await site.server.start()
    } catch (error) {
      await site.close()
      throw error
    }
    return site
  }

  get nameServer(): string {
    return `127.0.0.1:${this.server.ready.nameserver!.port}`
  }

  get cluster(): Cluster {
    return (this.#cluster ??= createCluster({ nameServers: [this.nameServer], clock: systemClock, logger: silentLogger }))
  }

  /** Everything that was written to standard output and error. */
  get log(): string {
    return this.#log.join('')
  }

  async topic(name: string, queues = 4): Promise<string> {
    await this.cluster.topics.create({ topic: name, readQueues: queues, writeQueues: queues })
    return name
  }

  async bridge(
    name = 'bridge',
    { engine = 'uws', drain = '3s', inspect = false, more = [] }: BridgeFlags = {},
  ): Promise<CometProcess> {
    const bridge = this.#process(
      name,
      [
        'bridge',
        ...['-n', this.nameServer, '--host', '127.0.0.1', '--port', String(await lastingPort())],
        ...['--engine', engine, '--drain', drain],
        ...['--auth-key', join(this.folder, 'token.key'), '--resume-key-file', join(this.folder, 'resume.key')],
        ...more,
      ],
      inspect ? ['--inspect=127.0.0.1:0'] : [],
    )
    return bridge.start()
  }

  token(rights: TokenRights = {}): Promise<string> {
    return signToken(this.#secret, rights)
  }

  async close(): Promise<void> {
    await this.#cluster?.close()
    for (const running of this.#processes.splice(0).reverse()) await running.kill()
    rmSync(this.folder, { recursive: true, force: true })
  }

  #process(name: string, args: readonly string[], nodeArgs: readonly string[] = []): CometProcess {
    const made = new CometProcess({ name, folder: this.folder, log: this.#log, args, nodeArgs })
    this.#processes.push(made)
    return made
  }

  #secretFile(name: string, secret: Uint8Array): void {
    writeFileSync(join(this.folder, name), Buffer.from(secret).toString('base64url'), { mode: 0o600 })
  }
}

/** Not one that the system gives to outgoing connections: between two starts somebody else would get it. */
async function lastingPort(): Promise<number> {
  for (;;) {
    const port = randomInt(12_000, 32_000)
    const server = createServer()
    const isFree = await new Promise<boolean>(resolve => {
      server.once('error', () => resolve(false))
      server.listen({ host: '127.0.0.1', port, exclusive: true }, () => resolve(true))
    })
    if (!isFree) continue
    await new Promise(resolve => server.close(resolve))
    return port
  }
}
