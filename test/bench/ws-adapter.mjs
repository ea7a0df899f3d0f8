// CometMQ for a comparison of message servers over WebSocket: `server` starts one, the default export has clients do the same as those of other
// products. Whoever compares calls server.install() first: it builds what is used here.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'

const here = dirname(fileURLToPath(import.meta.url))
const root = resolve(here, '../..')
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const sdk = () => import('../../.build/bench/ws-sdk.js')

/** Protection against abuse is off, as it is in the other products. */
const limits = ['framesPerSecond', 'frameBurst', 'inboundBytesPerSecond', 'newSocketsPerSecond', 'newSocketBurst']
/** Asks for many open files first. */
const manyFiles = 'ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"; exec "$@"'
const readyMs = 30_000

export const server = {
  version: `cometmq ${version}: name server, broker and bridge in one process`,

  async install() {
    const { buildBench, buildPackages } = await import('../../scripts/build.mjs')
    const cwd = process.cwd()
    try {
      await buildPackages({ ifStale: true })
      if (!existsSync(join(root, '.build/bench/ws-sdk.js')) || process.env.COMETMQ_REBUILD) await buildBench()
    } finally {
      process.chdir(cwd)
    }
  },

  /** Option `async`: a message is acknowledged when it is written, not when it is synced. The process's id is in dir/cometmq.pid. */
  async start({ dir, port, option }) {
    await server.install()
    mkdirSync(dir, { recursive: true })
    const readyFile = join(dir, 'ready.json')
    const args = ['serve', '--data', join(dir, 'data'), '--host', '127.0.0.1', '--ready-file', readyFile, '--engine', 'uws']
    args.push('--bridge-port', String(port), '--nameserver-port', String(port + 1), '--broker-port', String(port + 2))
    args.push('--set', `flushDiskType=${option === 'async' ? 'ASYNC_FLUSH' : 'SYNC_FLUSH'}`)
    for (const name of limits) args.push('--limit', `${name}=unlimited`)
    const log = openSync(join(dir, 'cometmq.log'), 'a')
    const profile = process.env.COMETMQ_PROFILE ? ['--cpu-prof', '--cpu-prof-dir', process.env.COMETMQ_PROFILE] : []
    const command = [process.execPath, ...profile, join(root, 'packages/cli/bin/comet.js'), ...args]
    const child = spawn('bash', ['-c', manyFiles, 'bash', ...command], { cwd: dir, detached: true, stdio: ['ignore', log, log] })
    child.unref()
    writeFileSync(join(dir, 'cometmq.pid'), String(child.pid))
    for (const end = Date.now() + readyMs; !existsSync(readyFile); await sleep(20)) {
      if (child.exitCode !== null || Date.now() > end) {
        throw new Error(`comet serve is not ready:\n${readFileSync(join(dir, 'cometmq.log'), 'utf8').slice(-2000)}`)
      }
    }
    return { url: `ws://127.0.0.1:${port}/ws`, pids: [child.pid], nameServer: `127.0.0.1:${port + 1}` }
  },
}

/** Administration, over the name server. */
async function manage({ nameServer }, work) {
  const { createCluster, parseNameServers, silentLogger, systemClock } = await sdk()
  const cluster = createCluster({ nameServers: parseNameServers(nameServer), clock: systemClock, logger: silentLogger })
  try {
    return await work(cluster)
  } finally {
    await cluster.close()
  }
}

const socketFrom = address =>
  class extends WebSocket {
    constructor(url, protocols) {
      super(url, protocols, { localAddress: address, perMessageDeflate: false })
    }
  }

/** One connection knows its topics from the start, so it is opened with the first one that is used. */
class Session {
  #options
  #connection
  #producer

  constructor(options) {
    this.#options = options
  }

  async #open(name) {
    if (this.#connection) return this.#connection
    const { connect, topic } = await sdk()
    return (this.#connection ??= connect({ ...this.#options, topics: [topic(name)] }))
  }

  publish(name, body) {
    // A buffer may be a piece of a pool that its owner uses again: it is sent at once or copied by whoever keeps it.
    return this.#producer ? this.#producer.send(body) : this.#publishFirst(name, body)
  }

  async #publishFirst(name, body) {
    const connection = await this.#open(name)
    return (this.#producer ??= connection.producer(name)).send(body)
  }

  async consume(name, group, onMessage) {
    const connection = await this.#open(name)
    const consumer = connection.consumer({
      topics: [name],
      group,
      lease: this.#options.leaseMs,
      since: 'earliest',
      prefetch: { messages: 500, bytes: 4 << 20 },
    })
    void (async () => {
      for await (const message of consumer) {
        onMessage(message.raw)
        message.ack()
      }
    })()
    await connection.ready()
  }

  async subscribe(name, onMessage) {
    const connection = await this.#open(name)
    const consumer = connection.consumer({ topics: [name], mode: 'broadcast' })
    const assigned = (async () => {
      for await (const event of consumer.events()) if (event.type === 'assigned') return
    })()
    void (async () => {
      for await (const message of consumer) onMessage(message.raw)
    })()
    await assigned
  }

  async close() {
    await this.#connection?.drain({ timeout: 2_000 })
  }
}

const sessionsOf = new WeakMap()

export default {
  sdk: `@cometmq/node ${version}`,
  promises: {
    publish: 'stored and, unless it is cometmq-async, synced to disk before the receipt',
    consume: 'one consumer group, leases, explicit ack (not confirmed)',
    subscribe: 'broadcast read of the log by offset, resumed after a cut',
  },
  groups: true,
  absent: {},
  pages: { publish: join(here, 'pages/publish.mjs'), consume: join(here, 'pages/consume.mjs') },
  settleMs: 8_000,

  async prepare(target, { topics, leaseMs, members }) {
    sessionsOf.set(target, leaseMs)
    // Order over all messages needs one queue.
    const queues = members.length === 1 ? 1 : 8
    await manage(target, async cluster => {
      for (const topic of topics) await cluster.topics.create({ topic, readQueues: queues, writeQueues: queues })
    })
  },

  async connect(target, { url, address }) {
    const backoff = { min: 100, max: 100 }
    const session = new Session({ url, WebSocket: socketFrom(address), backoff, leaseMs: sessionsOf.get(target) ?? 30_000 })
    return session
  },

  stored: (target, topic) => manage(target, async cluster => (await cluster.topics.info(topic)).messages),

  unacked: (target, topic, group) =>
    manage(target, async cluster => {
      const { lag } = await cluster.groups.info(group)
      return lag
    }),
}
