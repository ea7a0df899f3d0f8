import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root, shellLines } from './extract.ts'
import { output } from './processes.ts'

const comet = join(root, 'packages/cli/bin/comet.js')

export interface Server {
  /** With the addresses of this server in place of those that stand in documents. */
  here(code: string): string
  readonly url: string
  readonly httpUrl: string
  readonly nameServer: string
  /** Where it runs. */
  readonly folder: string
  stop(): Promise<void>
}

/**
 * What the shell blocks of a document start and create: key files, `comet serve` (ports are free ones, and `replaced` are other words of
 * the line), topics.
 */
export async function startServer(doc: string, replaced: Readonly<Record<string, string>> = {}): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'cometmq-docs-'))
  const lines = shellLines(doc)
  for (const line of lines) if (line.startsWith('comet token --new-key ')) await runComet(line, '', folder)
  const written = lines.find(line => line.startsWith('comet serve')) ?? 'comet serve --bridge-port 8080'
  const words = written.split(/\s+/).slice(2)
  const args = words.map(word => (words[words.indexOf(word) - 1] === '--bridge-port' ? '0' : (replaced[word] ?? word)))
  const places = ['--nameserver-port', '0', '--broker-port', '0', '--ready-file', 'ready.json']
  const child = spawn(process.execPath, [comet, 'serve', ...args, ...places], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (log += text))
  const stop = async (): Promise<void> => {
    await ended(child)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const { nameserver, bridge } = await ready(join(folder, 'ready.json'), child, () => log)
    const httpUrl = `http://${bridge.address}`
    for (const line of lines) if (line.startsWith('comet topic create ')) await runComet(line, nameserver.address)
    const here = (code: string): string =>
      code
        .replaceAll('ws://localhost:8080/ws', bridge.url)
        .replaceAll('http://localhost:8080', httpUrl)
        .replaceAll('127.0.0.1:9876', nameserver.address)
    return { here, url: bridge.url, httpUrl, nameServer: nameserver.address, folder, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** What `comet …` prints. */
export const runComet = (line: string, nameServer: string, cwd?: string): Promise<string> =>
  output('sh', ['-c', line.replace(/^comet/, `"${process.execPath}" "${comet}"`)], {
    env: { NAMESRV_ADDR: nameServer },
    ...(cwd !== undefined && { cwd }),
  })

interface Ready {
  readonly nameserver: { readonly address: string }
  readonly bridge: { readonly address: string; readonly url: string }
}

async function ready(file: string, child: ChildProcess, log: () => string): Promise<Ready> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`comet serve ended: ${log()}`)
    const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
    if (text.trimEnd().endsWith('}')) return JSON.parse(text) as Ready
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = new Promise<void>(resolve => child.once('exit', () => resolve()))
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 5_000)
  await exit
  clearTimeout(late)
}
