import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Runs a command to its end and gives its standard output; the error of a failure carries the end of what it printed. */
export async function output(
  command: string,
  args: readonly string[],
  options: { cwd?: string; timeoutMs?: number } = {},
): Promise<string> {
  try {
    const { stdout } = await run(command, args, {
      cwd: options.cwd,
      timeout: options.timeoutMs ?? 300_000,
      maxBuffer: 64 * 1024 * 1024,
    })
    return stdout
  } catch (error) {
    const { stdout, stderr, message } = error as Error & { stdout?: string; stderr?: string }
    const printed = `${stdout ?? ''}${stderr ?? ''}`.trim().slice(-600)
    throw new Error(printed === '' ? message : printed, { cause: error })
  }
}

/** Resolves when the process has ended. */
export const ended = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise(resolve => child.once('exit', () => resolve()))

/** Sends a signal and waits for the end; kills after `limitMs`. */
export async function stop(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL', limitMs = 60_000): Promise<void> {
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs)
  await ended(child)
  clearTimeout(timer)
}

/** A process whose lines of standard output are handed over as they come. */
export function start(
  command: string,
  args: readonly string[],
  onLine: (line: string) => void,
  options: { cwd?: string } = {},
): ChildProcess {
  const child = spawn(command, args, { cwd: options.cwd, stdio: ['pipe', 'pipe', 'pipe'] })
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    lines.forEach(onLine)
  })
  return child
}

/** The first result that is not undefined; asks again every 100 ms. */
export async function poll<T>(what: string, limitMs: number, ask: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + limitMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (Date.now() > end) throw new Error(`${what}: not within ${limitMs} ms`)
    await delay(100)
  }
}

/** A free loopback port with `neighbours` free ports on each side (a Java broker also takes port - 2 and port + 1). */
export async function freePort(neighbours: number): Promise<number> {
  for (;;) {
    const port = await listenOnce(0)
    if (port === undefined || port < 1024 + neighbours || port > 65_535 - neighbours) continue
    const around = Array.from({ length: 2 * neighbours + 1 }, (_, i) => port - neighbours + i)
    const free = await Promise.all(around.map(listenOnce))
    if (!free.includes(undefined)) return port
  }
}

const listenOnce = (port: number): Promise<number | undefined> =>
  new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined))
    })
  })
