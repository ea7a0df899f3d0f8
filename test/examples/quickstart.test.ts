import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

/**
 * Runs the lines of examples/quickstart/README.md as they stand there. Only when the usual ports are taken on this machine,
 * the number in NAMESRV_ADDR is replaced and the server gets its ports from the environment.
 */
const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const messages = 1_000

let folder: string
const running: ChildProcess[] = []

beforeEach(async () => {
  // Another working folder, so that ./comet-data is not the user's; the lines find the same files in it.
  folder = await mkdtemp(join(tmpdir(), 'comet-quickstart-'))
  for (const name of ['package.json', 'scripts', 'examples']) await symlink(join(root, name), join(folder, name))
})
afterEach(async () => {
  for (const child of running.splice(0)) stop(child, 'SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

async function blocks(): Promise<string[]> {
  const readme = await readFile(join(root, 'examples/quickstart/README.md'), 'utf8')
  return [...readme.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(match => match[1]!)
}

const listening = (port: number): Promise<number | undefined> =>
  new Promise(done => {
    const server = createServer()
    server.once('error', () => done(undefined))
    server.listen({ port, host: '127.0.0.1' }, () => {
      const { port: got } = server.address() as { port: number }
      server.close(() => done(got))
    })
  })

/** The usual port, or a free one when that is taken. */
const portLike = async (usual: number): Promise<number> => (await listening(usual)) ?? (await listening(0))!

/** A shell with its own process group, so that what it starts ends with it. */
function shell(lines: string, env: Record<string, string>) {
  const child = spawn('sh', ['-e', '-c', lines], {
    cwd: folder,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.push(child)
  let output = ''
  let changed: () => void = () => {}
  const note = (chunk: Buffer): void => {
    output += chunk.toString()
    changed()
  }
  child.stdout.on('data', note)
  child.stderr.on('data', note)
  const ended = new Promise<number | null>(done => child.once('close', done))
  return {
    child,
    ended,
    output: () => output,
    /** Resolves once `isThere` holds for the output; rejects when the shell ends before. */
    until: (isThere: (text: string) => boolean) =>
      new Promise<void>((done, fail) => {
        changed = () => isThere(output) && done()
        changed()
        void ended.then(code => (isThere(output) ? done() : fail(new Error(`ended with ${code}: ${output.slice(-2_000)}`))))
      }),
  }
}

function stop(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, signal)
  } catch {
    // it has ended by itself
  }
}

const matches = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map(match => match[1]!)

describe.skipIf(process.platform === 'win32')('quick start', () => {
  it('does what its README says', { timeout: 120_000 }, async () => {
    const [start, send, receive, ...more] = await blocks()
    expect(more).toEqual([])
    const nsPort = await portLike(9876)
    const brokerPort = await portLike(10_911)
    const withPort = (lines: string): string => lines.replace(':9876', `:${nsPort}`)
    const ports = { COMET_NAMESERVER_PORT: String(nsPort), COMET_BROKER_PORT: String(brokerPort) }

    const server = shell(start!, nsPort === 9876 && brokerPort === 10_911 ? {} : ports)
    await server.until(text => /ready in \d+ ms/.test(text))

    const producer = shell(withPort(send!), {})
    expect(await producer.ended, producer.output().slice(-2_000)).toBe(0)
    const sent = matches(
      producer.output(),
      /^SendResult \[sendStatus=SEND_OK, msgId=([0-9A-F]{32}), offsetMsgId=[0-9A-F]{32}, messageQueue=MessageQueue \[topic=TopicTest, brokerName=\S+, queueId=\d+\], queueOffset=\d+\]$/gm,
    )
    expect(new Set(sent).size).toBe(messages)

    const received = (text: string): string[] => matches(text, /^Receive New Messages: \[.*msgId=([0-9A-F]{32}), .*\]$/gm)
    const consumer = shell(withPort(receive!), {})
    await consumer.until(text => received(text).length >= messages)
    stop(consumer.child, 'SIGINT')
    await consumer.ended
    expect(received(consumer.output()).sort()).toEqual([...sent].sort())

    stop(server.child, 'SIGTERM')
    await server.ended
    expect(existsSync(join(folder, 'comet-data', 'comet-serve.pid'))).toBe(false)
  })
})
