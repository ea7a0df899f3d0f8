import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ReadyFile } from '../src/commands/server.ts'
import { run } from '../src/main.ts'
import { FakeIo } from './fake-io.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'comet-cli-bridge-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const readReady = async (name: string): Promise<ReadyFile> => JSON.parse(await readFile(join(folder, name), 'utf8')) as ReadyFile

/** A command in this process, once it has printed `ready`. */
async function started(ready: string, args: string[]) {
  const io = new FakeIo()
  const ended = run(args, io)
  const early = ended.then(code => {
    throw new Error(`ended with ${code}: ${io.stderr}`)
  })
  await Promise.race([io.printed(ready), early])
  early.catch(() => {})
  return { io, stop: () => (io.signal('SIGTERM'), ended) }
}

const serve = (...more: string[]) =>
  started('ready in', [
    'serve',
    ...['--data', join(folder, 'data'), '--ready-file', join(folder, 'serve.json')],
    ...['--nameserver-port', '0', '--broker-port', '0', ...more],
  ])

async function comet(...args: string[]) {
  const io = new FakeIo()
  io.cwd = folder
  return { code: await run(args, io), out: io.stdout, err: io.stderr }
}

describe('comet serve --bridge-port', () => {
  it('runs a bridge next to the broker, tells where, and keeps its resume key', async () => {
    const first = await serve('--bridge-port', '0', '--origin', 'http://localhost:5173')
    const { bridge } = await readReady('serve.json')
    expect(first.io.stdout).toContain(`bridge       ${bridge!.url} (`)
    expect(await (await fetch(`http://${bridge!.address}/readyz`)).text()).toBe('ready\n')
    const key = await readFile(join(folder, 'data/bridge/resume.key'), 'utf8')
    expect(await first.stop()).toBe(0)
    await expect(fetch(`http://${bridge!.address}/healthz`)).rejects.toThrow()
    const second = await serve('--bridge-port', '0')
    expect(await readFile(join(folder, 'data/bridge/resume.key'), 'utf8')).toBe(key)
    expect(await second.stop()).toBe(0)
  })

  it('runs none without the option', async () => {
    const server = await serve()
    expect((await readReady('serve.json')).bridge).toBeUndefined()
    expect(server.io.stdout).not.toContain('bridge ')
    expect(await server.stop()).toBe(0)
  })
})

describe('comet bridge', () => {
  it.each(['ws', 'uws'])('runs in front of a cluster on %s and stops on a signal', async engine => {
    const server = await serve()
    const { nameserver } = await readReady('serve.json')
    const ready = join(folder, 'bridge.json')
    const args = ['bridge', '-n', nameserver!.address, '--port', '0', '--engine', engine, '--ready-file', ready]
    const bridge = await started('bridge ', args)
    const file = await readReady('bridge.json')
    expect(file).toMatchObject({ pid: process.pid, processes: 1 })
    expect(bridge.io.stdout).toBe(`bridge       ${file.bridge!.url} (${engine})\n`)
    expect(await (await fetch(`http://${file.bridge!.address}/readyz`)).text()).toBe('ready\n')

    const second = await comet('bridge', '-n', nameserver!.address, '--port', String(file.bridge!.port), '--engine', engine)
    expect(second).toMatchObject({ code: 1, out: '' })
    expect(second.err).toContain('E_PORT')
    expect(await bridge.stop()).toBe(0)
    expect(existsSync(ready)).toBe(false)
    expect(await server.stop()).toBe(0)
  })

  it('listens beyond loopback only with authentication, or when it is asked for by name', async () => {
    const open = await comet('bridge', '--port', '0', '--host', '0.0.0.0')
    expect(open).toMatchObject({ code: 1, out: '' })
    expect(open.err).toContain('E_INSECURE_LISTEN')
    await writeFile(join(folder, 'secret'), 'ab'.repeat(32))
    const withKey = await started('bridge ', ['bridge', '--port', '0', '--host', '0.0.0.0', '--auth-key', join(folder, 'secret')])
    expect(await withKey.stop()).toBe(0)
    const none = await comet('bridge', '--port', '0', '--host', '0.0.0.0', '--auth-none')
    expect(none.err).toContain('E_INSECURE_LISTEN')
    const named = await started('bridge ', ['bridge', '--port', '0', '--host', '0.0.0.0', '--insecure-listen'])
    expect(await named.stop()).toBe(0)
  })

  it('says what is wrong with a setting, and never shows a key', async () => {
    await writeFile(join(folder, 'short'), 'sEcRet')
    const bad: [string[], string][] = [
      [['--origin', 'shop.example'], 'is no origin'],
      [['--origin', 'https://shop.example/path'], 'more than an origin'],
      [['--auth-key', 'missing'], 'E_FILE'],
      [['--auth-key', 'short'], 'HS256 needs 32'],
      [['--auth-issuer', 'me'], '--auth-key'],
      [['--auth-jwks', 'jwks.json'], 'is no address'],
      [['--auth-jwks', 'ftp://login.example/jwks'], 'is no address'],
      [['--auth-none', '--auth-key', 'short'], '--auth-none goes with no other'],
      [['--resume-key-file', 'short'], 'less than 32'],
      [['--tls-cert', 'short'], 'TLS needs two files'],
      [['--tls-cert', 'short', '--tls-key', 'short'], 'certificate and key'],
      [['--processes', '0'], 'at least 1'],
      [['--metrics', 'everyone'], 'Allowed choices'],
    ]
    for (const [args, words] of bad) {
      const { code, err, out } = await comet('bridge', '--port', '0', ...args)
      expect(err).toContain(words)
      expect(err).toMatch(/^E_\w+: .+\n {2}why: .+\n {2}try: .+\n$/)
      expect(err).not.toContain('sEcRet')
      expect([code === 0, out]).toEqual([false, ''])
    }
  })
})

describe.skipIf(process.platform === 'win32')('several processes', () => {
  const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..')
  beforeAll(() => promisify(execFile)(process.execPath, [join(root, 'scripts/build.mjs'), '--if-stale']), 120_000)

  it.each(['ws', 'uws'])('share a port on %s, one that dies is replaced, and all stop together', async engine => {
    const server = await serve()
    const { nameserver } = await readReady('serve.json')
    const args = ['--port', '0', '--processes', '2', '--engine', engine, '--log-level', 'info', '--drain', '100ms']
    const comet = join(root, 'packages/cli/bin/comet.js')
    const child = spawn(process.execPath, [comet, 'bridge', '-n', nameserver!.address, ...args], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const ended = once(child, 'close')
    let text = ''
    let changed = (): void => {}
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (piece: Buffer) => {
        text += piece.toString()
        changed()
      })
    }
    const until = async (isTrue: () => boolean): Promise<void> => {
      while (!isTrue()) await new Promise<void>(wait => (changed = wait))
    }
    const readies = (): number => text.split('bridge is ready').length - 1
    await until(() => readies() === 2 && text.includes('2 processes'))
    const base = /ws:(\/\/[^/]+)\/ws \(/.exec(text)![1]!
    const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').catch(() => '')
    if (children !== '') {
      process.kill(Number(children.split(' ')[0]), 'SIGKILL')
      await until(() => readies() === 3)
      expect(text).toContain('another takes its place')
    }
    expect(await (await fetch(`http:${base}/healthz`)).text()).toBe('ok\n')
    child.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
    await expect(fetch(`http:${base}/healthz`)).rejects.toThrow()
    expect(await server.stop()).toBe(0)
  })

  it('end when one cannot start', async () => {
    await writeFile(join(folder, 'key'), 'x')
    const comet = join(root, 'packages/cli/bin/comet.js')
    const args = [comet, 'bridge', '--port', '0', '--processes', '2', '--auth-key', 'key']
    const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
    let text = ''
    child.stderr.on('data', (piece: Buffer) => (text += piece.toString()))
    expect(await once(child, 'close')).toEqual([1, null])
    expect(text).toContain('the bridge did not start')
    expect(text).toContain('HS256 needs 32')
  })
})
