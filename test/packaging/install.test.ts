import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { installInto } from './support/install.ts'
import { type Packed, packAll } from './support/packed.ts'
import { run, runNode, start, type Started, stop } from './support/run.ts'

// Compilers and package managers: slow where everything else is tested at the same time.
vi.setConfig({ testTimeout: 120_000 })

interface Ready {
  readonly nameserver: { readonly address: string }
  readonly bridge: { readonly url: string }
}

let folder: string
let packages: ReadonlyMap<string, Packed>
let noRegistry: string | undefined
let served: Started | undefined

/** One empty project for each package, so that none lives on what another one brought. */
const projectOf = (name: string): string => join(folder, name.replace(/\W/g, '-'))
const ready = (): Ready => served!.ready as Ready
const comet = (...args: string[]): Promise<string> => run(projectOf('cometmq'), 'npx', ['--no-install', 'comet', ...args])

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cometmq-install-'))
  packages = await packAll(folder)
  for (const name of ['cometmq', '@cometmq/web', '@cometmq/node', '@cometmq/bridge'])
    noRegistry ??= await installInto(projectOf(name), packages, name)
  if (noRegistry !== undefined) return
  const readyFile = join(folder, 'ready.json')
  const ports = ['--nameserver-port', '0', '--broker-port', '0', '--bridge-port', '0']
  const program = join('node_modules', 'cometmq', 'bin', 'comet.js')
  const places = ['--data', join(folder, 'data'), '--ready-file', readyFile]
  served = await start(projectOf('cometmq'), readyFile, [program, 'serve', ...ports, ...places])
}, 300_000)
afterAll(async () => {
  if (served) await stop(served.child)
  rmSync(folder, { recursive: true, force: true })
})

const runSample = (name: string, file: string, ...args: string[]): Promise<string> => {
  const project = projectOf(name)
  copyFileSync(join(import.meta.dirname, 'consumer', file), join(project, file))
  // Node.js 20 has no WebSocket of its own without being asked.
  const flags = process.versions.node.startsWith('20.') ? ['--experimental-websocket'] : []
  return runNode(project, ...flags, file, ...args)
}

describe('installed from their tarballs into empty projects', () => {
  it('npx comet version', async ({ skip }) => {
    if (noRegistry !== undefined) skip(noRegistry)
    expect(await comet('version')).toMatch(/^comet 0\.1\.0 /)
  })

  it('comet serve runs, and the command works with it', async ({ skip }) => {
    if (noRegistry !== undefined) skip(noRegistry)
    expect(ready().bridge.url).toMatch(/^ws:\/\/127\.0\.0\.1:\d+/)
    await comet('topic', 'create', 'Packaging', '-n', ready().nameserver.address)
    expect(await comet('topic', 'ls', '-n', ready().nameserver.address)).toContain('Packaging')
  })

  it('@cometmq/web sends and consumes through the bridge', async ({ skip }) => {
    if (noRegistry !== undefined) skip(noRegistry)
    const options = JSON.stringify({ url: ready().bridge.url })
    expect(await runSample('@cometmq/web', 'round-trip.js', '@cometmq/web', options)).toBe('{"by":"@cometmq/web"}\n')
  })

  it('@cometmq/node does without a bridge', async ({ skip }) => {
    if (noRegistry !== undefined) skip(noRegistry)
    const options = JSON.stringify({ servers: ready().nameserver.address })
    expect(await runSample('@cometmq/node', 'round-trip.js', '@cometmq/node', options)).toBe('{"by":"@cometmq/node"}\n')
  })

  it('@cometmq/bridge starts', async ({ skip }) => {
    if (noRegistry !== undefined) skip(noRegistry)
    const output = await runSample('@cometmq/bridge', 'bridge.js', ready().nameserver.address, 'auto')
    expect(JSON.parse(output)).toEqual({ status: 200, engine: expect.stringMatching(/^(uws|ws)$/) as string })
  })
})
