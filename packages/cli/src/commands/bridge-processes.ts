import { type EngineName } from '@cometmq/bridge'
import { type Logger } from '@cometmq/remoting'
import processes, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { CliError } from '../errors.ts'
import { type Io } from '../io.ts'
import { announce, type BridgeCommandOptions, resumeKeyFor, startIn } from './bridge.ts'
import { runUntilSignal } from './server.ts'

/** What the first process tells the others; a key does not belong into an environment. */
interface Order {
  port: number
  /** base64 */
  resumeKey: string
}
/** The first thing a new process says: what is sent before it listens would be lost. */
const ASKS = 'what to do?'
interface Ready {
  url: string
  address: string
  port: number
  engine: EngineName
}

/** A process that ends by itself is replaced after this pause. */
const RESTART_MS = 1_000
/** Beyond the time clients get to leave. */
const STOP_MS = 5_000

/** The process that was started: starts the others, replaces those that end, and passes the signal to stop on. */
export const runPrimary = (io: Io, options: BridgeCommandOptions, logger: Logger): Promise<number> =>
  runUntilSignal(io, logger, '', async ({ closers, stopped }) => {
    const order = { port: await freePort(options), resumeKey: Buffer.from(resumeKeyFor(io, options)).toString('base64') }
    const group = new ProcessGroup(order, options.drain, logger)
    closers.add(() => group.stop())
    const ready = await Promise.race([group.start(options.processes), stopped.then(() => undefined)])
    if (ready) announce(io, options, closers, ready)
  })

class ProcessGroup {
  readonly #order: Order
  readonly #drainMs: number
  readonly #logger: Logger
  readonly #workers = new Set<Worker>()
  #isStopping = false

  constructor(order: Order, drainMs: number, logger: Logger) {
    this.#order = order
    this.#drainMs = drainMs
    this.#logger = logger
  }

  /** Rejects when one of them ends before it is ready. */
  async start(count: number): Promise<Ready> {
    // The same command line again; whoever started this may have replaced its arguments.
    processes.setupPrimary({ exec: process.argv[1] as string, args: process.argv.slice(2) })
    const ready = await Promise.all(Array.from({ length: count }, () => this.#startOne()))
    return ready[0] as Ready
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    const left = [...this.#workers].map(worker => once(worker, 'exit'))
    for (const worker of this.#workers) worker.process.kill('SIGTERM')
    const timer = setTimeout(() => {
      for (const worker of this.#workers) worker.process.kill('SIGKILL')
    }, this.#drainMs + STOP_MS)
    await Promise.all(left)
    clearTimeout(timer)
  }

  #startOne(): Promise<Ready> {
    const worker = processes.fork()
    this.#workers.add(worker)
    return new Promise((resolve, reject) => {
      let isReady = false
      worker.on('message', (message: Ready | typeof ASKS) => {
        if (message === ASKS) return worker.send(this.#order)
        isReady = true
        return resolve(message)
      })
      worker.once('exit', (code, signal) => {
        this.#workers.delete(worker)
        const how = `process ${worker.process.pid} of the bridge ended with ${signal ?? `exit code ${code}`}`
        if (!isReady) reject(notStarted(how))
        if (!this.#isStopping && isReady) this.#replace(how)
      })
    })
  }

  #replace(how: string): void {
    this.#logger.error(`${how}; another takes its place`)
    setTimeout(() => {
      if (this.#isStopping) return
      this.#startOne().catch((error: Error) => this.#isStopping || this.#replace(error.message))
    }, RESTART_MS)
  }
}

const notStarted = (how: string): CliError =>
  new CliError('E_CONFIG', 'the bridge did not start', how, { whatToDo: 'its own message is above' })

/** Reserves nothing: finds out whether the port can be had, or which one. */
async function freePort({ host, port }: BridgeCommandOptions): Promise<number> {
  const server = createServer()
  server.listen({ host: host ?? '127.0.0.1', port, exclusive: true })
  await once(server, 'listening')
  const found = (server.address() as AddressInfo).port
  server.close()
  await once(server, 'close')
  return found
}

/** One of the processes. */
export const runWorker = (io: Io, options: BridgeCommandOptions, logger: Logger): Promise<number> => {
  const ordered = once(process, 'message') as Promise<[Order]>
  process.send?.(ASKS)
  return runUntilSignal(io, logger, '', async ({ closers, stopped }) => {
    // The channel to the first process must not keep this one alive.
    closers.add(() => process.disconnect())
    const order = await Promise.race([ordered, stopped])
    if (typeof order === 'string') return
    const [{ port, resumeKey }] = order
    const place = {
      port,
      shared: true,
      resumeKey: Buffer.from(resumeKey, 'base64'),
      node: `${hostname()}-${process.pid}`,
    }
    const { url, address, port: listening, engine } = await startIn(io, options, { place, closers, logger })
    process.send?.({ url, address, port: listening, engine } satisfies Ready)
  })
}
