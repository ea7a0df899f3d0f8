import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import {
  type BatchAck,
  type Caller,
  createCaller,
  decodeRecords,
  encodeBatchAck,
  encodeSendHeader,
  parsePoppedQueues,
  popMessageRequest,
  popMessageResponse,
  RequestCode,
  ResponseCode,
  silentLogger,
  systemClock,
  tcpTransport,
} from '@cometmq/remoting'
import { createRandom } from '@cometmq/testkit'
import { expect, it } from 'vitest'

/** 8 rounds by default; `npm run test:nightly` sets 60. */
const ROUNDS = Number(process.env['COMET_KILL_ROUNDS'] ?? (process.env['COMETMQ_NIGHTLY'] === undefined ? 8 : 60))
const SEED = Number(process.env['COMET_SEED'] ?? Date.now() % 1_000_000)
const QUEUES = 4
const PRODUCERS = 8
const CONSUMERS = 8
/** Acknowledged at once, so no lease of this length ends before; some consumers use the short one and acknowledge in time or not. */
const LONG_LEASE_MS = 20_000
const SHORT_LEASE_MS = 1000
const comet = resolve(import.meta.dirname, '../../packages/cli/bin/comet.js')

interface Ready {
  broker: { address: string }
}

async function start(folder: string): Promise<{ child: ChildProcess; ready: Ready }> {
  const readyFile = join(folder, 'ready.json')
  rmSync(readyFile, { force: true })
  const fixed = ['--host', '127.0.0.1', '--nameserver-port', '0', '--broker-port', '0', '--ready-file', readyFile]
  // Small files, so that kills also meet the ends of files and the compaction of the journal.
  const sets = [
    'mappedFileSizeCommitLog=1048576',
    'mappedFileSizeConsumeQueue=20000',
    'maxHashSlotNum=5000',
    'maxIndexNum=20000',
    'popJournalBytesMax=16384',
  ]
  const args = [comet, 'serve', '--data', join(folder, 'data'), ...fixed, ...sets.flatMap(set => ['--set', set])]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
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

/** What producers and consumers were told. */
class Told {
  /** Answered with SEND_OK. */
  readonly sent = new Set<string>()
  /** Acknowledged, and that was answered. */
  readonly acknowledged = new Set<string>()
  /** Acknowledgement under way when the broker died, or not known to be in time. */
  readonly maybe = new Set<string>()
  /** Topic, queue and offset of what was acknowledged: nothing may come from there again. */
  readonly places = new Set<string>()
  pops = 0
}

async function produce(caller: Caller, address: string, label: string, told: Told): Promise<void> {
  for (let n = 0; ; n++) {
    const text = `${label}-${n}`
    const ext = encodeSendHeader(RequestCode.SEND_MESSAGE_V2, {
      producerGroup: 'killers',
      topic: 'PopKill',
      defaultTopic: 'TBW102',
      defaultTopicQueueNums: QUEUES,
      queueId: n % QUEUES,
      sysFlag: 0,
      bornTimestamp: Date.now(),
      flag: 0,
    })
    try {
      const answer = await caller.call(address, { code: RequestCode.SEND_MESSAGE_V2, ext, body: Buffer.from(text) }, 10_000)
      if (answer.code === ResponseCode.SUCCESS) told.sent.add(text)
    } catch {
      return
    }
  }
}

interface Popped {
  texts: string[]
  places: string[]
  acks: BatchAck[]
}

/** Null when there is nothing. */
async function popOnce(caller: Caller, address: string, invisibleTime: number, pollTime: number): Promise<Popped | null> {
  const ext = popMessageRequest.encode({
    consumerGroup: 'G',
    topic: 'PopKill',
    queueId: -1,
    maxMsgNums: 64,
    invisibleTime,
    pollTime,
    initMode: 0,
  })
  const answer = await caller.call(address, { code: RequestCode.POP_MESSAGE, ext }, 30_000)
  if (answer.code !== ResponseCode.SUCCESS) return null
  const header = popMessageResponse.decode(answer.ext)
  const starts = parsePoppedQueues(header.startOffsetInfo!)
  const places: string[] = []
  const acks = parsePoppedQueues(header.msgOffsetInfo!).map(({ retry, queueId, offsets }, i): BatchAck => {
    const startOffset = starts[i]!.offsets[0]!
    const bits = new Uint8Array(((offsets[offsets.length - 1]! - startOffset) >> 3) + 1)
    for (const offset of offsets) {
      bits[(offset - startOffset) >> 3]! |= 1 << ((offset - startOffset) & 7)
      places.push(`${retry}@${queueId}@${offset}`)
    }
    const { popTime, reviveQid: reviveQueueId } = header
    return { consumerGroup: 'G', topic: 'PopKill', retry, startOffset, queueId, reviveQueueId, popTime, invisibleTime, bits }
  })
  const texts = decodeRecords(answer.body!).map(record => record.body.toString())
  return { texts, places, acks }
}

/** @param surely the lease cannot have ended: what is answered with success is settled. */
async function acknowledge(caller: Caller, address: string, popped: Popped, told: Told, surely: boolean): Promise<void> {
  for (const text of popped.texts) told.maybe.add(text)
  const body = encodeBatchAck({ brokerName: 'broker', acks: popped.acks })
  const answer = await caller.call(address, { code: RequestCode.BATCH_ACK_MESSAGE, body }, 10_000)
  if (answer.code !== ResponseCode.SUCCESS || !surely) return
  for (const text of popped.texts) told.acknowledged.add(text)
  for (const place of popped.places) told.places.add(place)
}

function check(popped: Popped, told: Told): void {
  const again = popped.places.find(place => told.places.has(place))
  if (again !== undefined)
    throw new Error(`${popped.texts[popped.places.indexOf(again)]} came again from ${again} after it was acknowledged`)
}

async function consume(caller: Caller, address: string, index: number, told: Told, faults: Error[]): Promise<void> {
  const isShort = index % 4 === 0
  for (let round = 0; ; round++) {
    try {
      const popped = await popOnce(caller, address, isShort ? SHORT_LEASE_MS : LONG_LEASE_MS, 2000)
      if (popped === null) continue
      told.pops++
      check(popped, told)
      // Some of the short leases are left to end.
      if (isShort && round % 2 === 0) continue
      await acknowledge(caller, address, popped, told, !isShort)
    } catch (error) {
      if (String(error).includes('came again')) faults.push(error as Error)
      return
    }
  }
}

/** Takes and acknowledges all that comes, until nothing has come for longer than any lease lasts. */
async function drain(caller: Caller, address: string, told: Told): Promise<void> {
  for (let quietSince = Date.now(); Date.now() - quietSince < LONG_LEASE_MS + 4000;) {
    const popped = await popOnce(caller, address, 60_000, 500)
    if (popped === null) continue
    check(popped, told)
    await acknowledge(caller, address, popped, told, true)
    quietSince = Date.now()
  }
}

it(
  `kill -9 of a broker with leases, ${ROUNDS} rounds (COMET_SEED=${SEED}): nothing is lost, nothing acknowledged comes again`,
  async () => {
    const random = createRandom(SEED)
    const folder = mkdtempSync(join(tmpdir(), 'comet-pop-kill-'))
    const told = new Told()
    const faults: Error[] = []
    try {
      for (let round = 0; round <= ROUNDS; round++) {
        const { child, ready } = await start(folder)
        const exited = new Promise(done => child.once('exit', done))
        const caller = newCaller()
        const { address } = ready.broker
        if (round === ROUNDS) {
          await drain(caller, address, told)
          child.kill('SIGTERM')
          await exited
          expect(child.exitCode).toBe(0)
          await caller.close()
          break
        }
        const before = told.acknowledged.size
        const work = [
          ...Array.from({ length: PRODUCERS }, (_, i) => produce(caller, address, `r${round}p${i}`, told)),
          ...Array.from({ length: CONSUMERS }, (_, i) => consume(caller, address, i, told, faults)),
        ]
        const target = before + 1 + random.int(3000)
        while (told.acknowledged.size < target && faults.length === 0) await new Promise(done => setTimeout(done, 1))
        process.kill(child.pid!, 'SIGKILL')
        await Promise.all(work)
        await exited
        await caller.close()
        expect(faults).toEqual([])
      }
      const lost = [...told.sent].filter(text => !told.maybe.has(text))
      expect(lost).toEqual([])
      expect(told.acknowledged.size).toBeGreaterThan(ROUNDS)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
  Math.max(120_000, ROUNDS * 10_000),
)
