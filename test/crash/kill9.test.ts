import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import {
  type Caller,
  createCaller,
  decodeRecords,
  encodeSendHeader,
  pullMessageRequest,
  pullMessageResponse,
  RequestCode,
  ResponseCode,
  sendMessageResponse,
  silentLogger,
  systemClock,
  tcpTransport,
} from '@cometmq/remoting'
import { createRandom } from '@cometmq/testkit'
import { expect, it } from 'vitest'

/** 20 rounds by default; `npm run test:nightly` sets 200. */
const ROUNDS = Number(process.env['COMET_KILL_ROUNDS'] ?? (process.env['COMETMQ_NIGHTLY'] === undefined ? 20 : 200))
const SEED = Number(process.env['COMET_SEED'] ?? Date.now() % 1_000_000)
const QUEUES = 4
const PRODUCERS = 32
const comet = resolve(import.meta.dirname, '../../packages/cli/bin/comet.js')

interface Ready {
  pid: number
  broker: { address: string }
}

interface Acknowledged {
  text: string
  queueId: number
  queueOffset: number
}

async function start(folder: string): Promise<{ child: ChildProcess; ready: Ready }> {
  const readyFile = join(folder, 'ready.json')
  rmSync(readyFile, { force: true })
  const args = [
    'serve',
    '--data',
    join(folder, 'data'),
    '--host',
    '127.0.0.1',
    '--nameserver-port',
    '0',
    '--broker-port',
    '0',
    '--ready-file',
    readyFile,
  ]
  // Small files, so that kills also meet the ends of files; sync flush is the default.
  args.push(
    '--set',
    'mappedFileSizeCommitLog=1048576',
    '--set',
    'mappedFileSizeConsumeQueue=20000',
    '--set',
    'maxHashSlotNum=5000',
    '--set',
    'maxIndexNum=20000',
  )
  const child = spawn(process.execPath, [comet, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  let output = ''
  child.stderr.on('data', chunk => (output += String(chunk)))
  while (!existsSync(readyFile)) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`comet serve ended with ${child.exitCode}: ${output}`)
    await new Promise(done => setTimeout(done, 5))
  }
  return { child, ready: JSON.parse(readFileSync(readyFile, 'utf8')) as Ready }
}

const newCaller = (): Caller => createCaller({ transport: tcpTransport, clock: systemClock, logger: silentLogger })

/** Sends until the connection breaks; only what was answered with SEND_OK counts. */
async function produce(caller: Caller, address: string, label: string, acknowledged: Acknowledged[]): Promise<void> {
  for (let n = 0; ; n++) {
    const text = `${label}-${n}`
    const ext = encodeSendHeader(RequestCode.SEND_MESSAGE_V2, {
      producerGroup: 'killers',
      topic: 'KillTest',
      defaultTopic: 'TBW102',
      defaultTopicQueueNums: QUEUES,
      queueId: n % QUEUES,
      sysFlag: 0,
      bornTimestamp: Date.now(),
      flag: 0,
      properties: `KEYS\x01${text}\x02`,
    })
    try {
      const answer = await caller.call(
        address,
        { code: RequestCode.SEND_MESSAGE_V2, ext, body: Buffer.from(text.padEnd(50 + (n % 400), '.')) },
        10_000,
      )
      if (answer.code !== ResponseCode.SUCCESS) continue
      const { queueId, queueOffset } = sendMessageResponse.decode(answer.ext)
      acknowledged.push({ text, queueId: queueId!, queueOffset: queueOffset! })
    } catch {
      return
    }
  }
}

/** Reads a whole queue as a consumer does: every offset in turn, no gap. */
async function readQueue(caller: Caller, address: string, queueId: number): Promise<Map<number, string>> {
  const found = new Map<number, string>()
  for (let offset = 0; ;) {
    const ext = pullMessageRequest.encode({
      consumerGroup: 'killers',
      topic: 'KillTest',
      queueId,
      queueOffset: offset,
      maxMsgNums: 32,
      sysFlag: 4,
      commitOffset: 0,
      suspendTimeoutMillis: 0,
      subscription: '*',
      subVersion: 0n,
      expressionType: 'TAG',
    })
    const answer = await caller.call(address, { code: RequestCode.PULL_MESSAGE, ext }, 10_000)
    if (answer.code !== ResponseCode.SUCCESS) return found
    for (const record of decodeRecords(answer.body!)) {
      expect(record.queueOffset, `queue ${queueId} has a gap`).toBe(offset++)
      found.set(record.queueOffset, Buffer.from(record.body).toString().replace(/\.+$/, ''))
    }
    expect(pullMessageResponse.decode(answer.ext).nextBeginOffset).toBe(offset)
  }
}

it(
  `kill -9, ${ROUNDS} rounds (COMET_SEED=${SEED}): every acknowledged message is where its answer said`,
  async () => {
    const random = createRandom(SEED)
    const folder = mkdtempSync(join(tmpdir(), 'comet-kill-'))
    const acknowledged: Acknowledged[] = []
    try {
      for (let round = 0; round <= ROUNDS; round++) {
        const { child, ready } = await start(folder)
        const exited = new Promise(done => child.once('exit', done))
        const caller = newCaller()
        const address = ready.broker.address
        const queues = await Promise.all(Array.from({ length: QUEUES }, (_, queueId) => readQueue(caller, address, queueId)))
        for (const { text, queueId, queueOffset } of acknowledged) {
          if (queues[queueId]!.get(queueOffset) !== text)
            throw new Error(`round ${round}: ${text} is not at queue ${queueId} offset ${queueOffset}`)
        }
        if (round === ROUNDS) {
          child.kill('SIGTERM')
          await exited
          expect(child.exitCode).toBe(0)
          await caller.close()
          break
        }
        const before = acknowledged.length
        const producers = Array.from({ length: PRODUCERS }, (_, i) => produce(caller, address, `r${round}p${i}`, acknowledged))
        const target = before + 1 + random.int(3000)
        while (acknowledged.length < target) await new Promise(done => setTimeout(done, 1))
        process.kill(child.pid!, 'SIGKILL')
        await Promise.all(producers)
        await exited
        await caller.close()
      }
      expect(acknowledged.length).toBeGreaterThan(ROUNDS)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
  Math.max(120_000, ROUNDS * 8000),
)
