import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ReadyFile } from '../src/commands/server.ts'
import { run } from '../src/main.ts'
import { FakeIo } from './fake-io.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'comet-cli-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** A server command in this process, once it has printed `ready`. */
async function started(ready: string, ...args: string[]) {
  const io = new FakeIo()
  const ended = run([...args, '--data', join(folder, 'data'), '--ready-file', join(folder, 'ready.json')], io)
  const early = ended.then(code => {
    throw new Error(`ended with ${code}: ${io.stderr}`)
  })
  await Promise.race([io.printed(ready), early])
  early.catch(() => {})
  const file = JSON.parse(await readFile(join(folder, 'ready.json'), 'utf8')) as ReadyFile
  return {
    io,
    file,
    async stop(): Promise<number> {
      io.signal('SIGTERM')
      return ended
    },
  }
}

async function comet(nameServer: string, args: string[], prepare: (io: FakeIo) => void = () => {}) {
  const io = new FakeIo()
  io.env = { NAMESRV_ADDR: nameServer }
  prepare(io)
  const code = await run(args, io)
  return { code, out: io.stdout, err: io.stderr }
}

const json = (text: string): { items: Record<string, unknown>[] } => JSON.parse(text) as { items: Record<string, unknown>[] }

describe('comet serve', () => {
  it('carries a topic from its creation over messages to its end, keeps data over a restart, and stops cleanly', async () => {
    const server = await started('ready in', 'serve', '--nameserver-port', '0', '--broker-port', '0', '--set', 'brokerName=b-1')
    const ns = server.file.nameserver!.address
    expect(server.file).toMatchObject({ pid: process.pid, broker: { name: 'b-1' }, dataFolder: join(folder, 'data') })
    expect(server.io.stdout).toContain(`export NAMESRV_ADDR=${ns}`)

    expect(await comet(ns, ['topic', 'create', 'orders', '--queues', '2'])).toMatchObject({ code: 0, err: '' })
    expect((await comet(ns, ['topic', 'ls', '-q'])).out).toBe('orders\n')

    const sent = await comet(ns, ['msg', 'send', 'orders', 'hello', '--tag', 'paid', '--key', 'k1', '-o', 'json'])
    expect(sent.code).toBe(0)
    const { msgId, offsetMsgId } = JSON.parse(sent.out) as { msgId: string; offsetMsgId: string }
    const lines = await comet(ns, ['msg', 'send', 'orders', '--lines', '--order-key', 'one', '--json', 'queue,offset'], io => {
      io.input = 'a\nb\nc\n'
    })
    const places = lines.out
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as { queue: number; offset: number })
    expect(new Set(places.map(place => place.queue)).size).toBe(1)

    expect(json((await comet(ns, ['msg', 'find', 'orders', '--key', 'k1', '-o', 'json'])).out).items).toMatchObject([
      { msgId, body: 'hello' },
    ])
    expect(await comet(ns, ['msg', 'find', 'orders', '--key', 'nothing'])).toMatchObject({ code: 3 })
    expect((await comet(ns, ['msg', 'get', offsetMsgId, '--body'])).out).toBe('hello')
    expect((await comet(ns, ['msg', 'get', msgId, '--topic', 'orders', '--body'])).out).toBe('hello')
    const at = `b-1/${places[0]!.queue}/${places[0]!.offset}`
    expect((await comet(ns, ['msg', 'get', '--topic', 'orders', '--at', at, '--body'])).out).toBe('a')

    const tail = await comet(ns, ['msg', 'tail', 'orders', '--since', 'start', '--limit', '4', '--json', 'body'])
    expect(
      tail.out
        .trimEnd()
        .split('\n')
        .map(line => (JSON.parse(line) as { body: string }).body)
        .sort(),
    ).toEqual(['a', 'b', 'c', 'hello'])
    expect(
      (await comet(ns, ['msg', 'tail', 'orders', '--since', 'start', '--limit', '1', '--tag', 'paid', '--json', 'body'])).out,
    ).toContain('hello')

    const info = JSON.parse((await comet(ns, ['topic', 'info', 'orders', '-o', 'json'])).out) as Record<string, unknown>
    expect(info).toMatchObject({ topic: 'orders', messages: 4, readQueues: 2 })
    expect((await comet(ns, ['group', 'ls'])).code).toBe(0)
    expect((await comet(ns, ['group', 'info', 'nobody'])).code).toBe(3)

    expect(await comet(ns, ['topic', 'rm', 'orders'])).toMatchObject({ code: 2 })
    expect(await comet(ns, ['topic', 'rm', 'orders', '--dry-run'])).toMatchObject({ code: 0 })

    expect(await server.stop()).toBe(0)
    expect(existsSync(join(folder, 'ready.json'))).toBe(false)
    expect(existsSync(join(folder, 'data', 'comet-serve.pid'))).toBe(false)

    const again = await started('ready in', 'serve', '--nameserver-port', '0', '--broker-port', '0', '--set', 'brokerName=b-1')
    const ns2 = again.file.nameserver!.address
    expect((await comet(ns2, ['msg', 'find', 'orders', '--key', 'k1', '--json', 'body'])).out).toContain('hello')
    const onTerminal = (answer: string) => (io: FakeIo) => {
      io.inIsTerminal = io.errIsTerminal = true
      io.answers.push(answer)
    }
    expect(await comet(ns2, ['topic', 'rm', 'orders'], onTerminal('order'))).toMatchObject({ code: 2 })
    expect(await comet(ns2, ['topic', 'rm', 'orders'], onTerminal('orders'))).toMatchObject({ code: 0 })
    expect(await comet(ns2, ['topic', 'info', 'orders'])).toMatchObject({ code: 3 })
    expect(await again.stop()).toBe(0)
  })

  it('names what is wrong with a setting, and a port that is taken', async () => {
    const bad = await comet('', [
      'serve',
      '--data',
      join(folder, 'bad'),
      '--nameserver-port',
      '0',
      '--set',
      'flushDiskTyp=SYNC_FLUSH',
    ])
    expect(bad).toMatchObject({ code: 1 })
    expect(bad.err).toContain('E_CONFIG')
    expect(bad.err).toContain('flushDiskType')

    const first = await started('boot success', 'nameserver', '--port', '0')
    const port = String(first.file.nameserver!.port)
    const second = await comet('', ['nameserver', '--data', join(folder, 'other'), '--port', port])
    expect(second).toMatchObject({ code: 1 })
    expect(second.err).toContain('E_PORT')
    expect(await first.stop()).toBe(0)
  })
})

describe('comet nameserver and comet broker', () => {
  it("print RocketMQ's lines and work together", async () => {
    const ns = await started('boot success', 'nameserver', '--port', '0')
    expect(ns.io.stdout).toBe('The Name Server boot success. serializeType=JSON\n')
    const address = ns.file.nameserver!.address
    const broker = await started('boot success', 'broker', '-n', address, '--broker-port', '0', '--set', 'brokerName=b-2')
    const own = broker.file.broker!.address
    expect(broker.io.stdout).toBe(`The broker[b-2, ${own}] boot success. serializeType=JSON and name server is ${address}\n`)
    expect(await broker.stop()).toBe(0)
    expect(await ns.stop()).toBe(0)
  })
})
