import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { root, type Sample } from './extract.ts'
import { bundle, write } from './processes.ts'
import { ended, type Server } from './server.ts'

const config = (port: number, script: string, vars: string): string => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "worker.js", esModule = embed "${script}")],
      compatibilityDate = "2026-01-01",
      globalOutbound = "loopback",
      bindings = [${vars}],
    )),
    (name = "loopback", network = (allow = ["private", "public"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
`

/** The answers of the Worker to a POST and a GET, one a line. */
export async function runWorker(sample: Sample, folder: string, server: Server): Promise<string> {
  const script = await bundle(write(folder, sample, server), 'neutral')
  const port = await freePort()
  writeFileSync(join(folder, 'config.capnp'), config(port, script.slice(folder.length + 1), variables(sample, server)))
  const child = spawn(join(root, 'node_modules/.bin/workerd'), ['serve', join(folder, 'config.capnp')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let log = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (log += text))
  const asked = async (init: RequestInit): Promise<string> => {
    const response = await answered(`http://127.0.0.1:${port}/`, init, () => child.exitCode !== null)
    const text = await response.text()
    if (!response.ok) throw new Error(`the Worker answered ${response.status}: ${text}\n${log}`)
    return text
  }
  try {
    const body = JSON.stringify({ id: 17 })
    return `${await asked({ method: 'POST', body })}\n${await asked({})}`
  } finally {
    await ended(child)
  }
}

/** What wrangler.toml has below [vars]. */
const variables = ({ files }: Sample, server: Server): string =>
  [...(files.get('wrangler.toml') ?? '').split('[vars]')[1]!.matchAll(/^(\w+) = "(.*)"$/gm)]
    .map(([, name, value]) => `(name = "${name}", text = "${server.here(value!)}")`)
    .join(', ')

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

/** Repeats until the Worker listens. */
async function answered(url: string, init: RequestInit, gone: () => boolean): Promise<Response> {
  for (;;) {
    try {
      return await fetch(url, init)
    } catch (error) {
      if (gone() || (error as { cause?: { code?: string } }).cause?.code !== 'ECONNREFUSED') throw error
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
}
