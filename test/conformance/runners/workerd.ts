import { spawn } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { CaseResult, Target } from '@cometmq/testkit/conformance'
import { bundle } from './bundle.ts'
import type { Runner } from './types.ts'

const workerd = fileURLToPath(new URL('../../../node_modules/.bin/workerd', import.meta.url))

const config = (port: number): string => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "worker.js", esModule = embed "worker.js")],
      compatibilityDate = "2026-01-01",
      globalOutbound = "loopback",
    )),
    (name = "loopback", network = (allow = ["private", "public"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
`

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

/** Answer of a Worker, made of the bundle of an entry, to one request with a JSON body. */
export async function inWorker(entry: string, folder: string, body: unknown): Promise<unknown> {
  await bundle(entry, `${folder}/worker.js`)
  const port = await freePort()
  writeFileSync(`${folder}/config.capnp`, config(port))
  const child = spawn(workerd, ['serve', `${folder}/config.capnp`], { stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  child.stdout.on('data', (part: Buffer) => (log += part.toString()))
  child.stderr.on('data', (part: Buffer) => (log += part.toString()))
  try {
    const response = await posted(`http://127.0.0.1:${port}/`, JSON.stringify(body), () => child.exitCode !== null)
    const text = await response.text()
    if (!response.ok) throw new Error(`the Worker failed: ${text}`)
    return JSON.parse(text)
  } catch (error) {
    throw new Error(`workerd: ${String(error)}\n${log.slice(-4000)}`, { cause: error })
  } finally {
    child.kill()
  }
}

/** The Worker runs the whole suite inside one request. */
export const workerdRunner: Runner = {
  name: 'workerd',
  missing: () => (existsSync(workerd) ? undefined : 'the package `workerd` is not installed'),
  run: async (target: Target, folder: string) => (await inWorker('worker', folder, target)) as CaseResult[],
}

/** Repeats until the server accepts connections. */
async function posted(url: string, body: string, gone: () => boolean): Promise<Response> {
  for (;;) {
    try {
      return await fetch(url, { method: 'POST', body })
    } catch (error) {
      if (gone() || (error as { cause?: { code?: string } }).cause?.code !== 'ECONNREFUSED') throw error
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
}
