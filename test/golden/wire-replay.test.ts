import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { loadConfig, loadNameServerConfig, startBroker, startNameServer } from '@cometmq/broker'
import { createNodeDisk } from '@cometmq/broker/store'
import { type Command, createCaller, silentLogger, systemClock, tcpTransport } from '@cometmq/remoting'
import { describe, it } from 'vitest'
import { comparable, differences, holdsMessages, notBuiltNames, positionsOf } from './support/compare.ts'
import { decodeFrame, type Frame, frameBytes, isOneway, isResponse, ReplayConnection } from './support/replay.ts'
import { goldenLines } from './support/unpack.ts'

/** Requests that are not made, by code. */
const leftOutCodes = new Map<number, string>([
  [37, 'end of a transaction, not built'],
  [60, 'timer checkpoint for slaves, not built'],
  [61, 'timer metrics for slaves, not built'],
  [305, 'message filter server, not built'],
  [307, 'relayed to the recorded client, which is not there'],
  [309, 'relayed to the recorded client, which is not there'],
  [325, 'request-reply, not built'],
  [370, 'recall of a timed message, not built'],
])

/** Requests of which only the code of the answer is compared. */
const onlyCode = new Map<number, string>([
  [26, 'configuration'],
  [28, 'run time figures of process and machine'],
  [29, 'asks by a time of the recording'],
  [45, 'progress of delayed sends, which are left out'],
  [203, 'what is connected at the moment'],
  [315, 'rates'],
  [317, 'rates and times'],
  [319, 'configuration'],
  [907, 'replication figures'],
])

/** Header fields that only 5.5 answers, or with other values than 5.3. */
const only55 = [
  'totalTopicNum', // 5.5 answers request 21 in pages
  'totalGroupNum', // and request 201
  'wipeTopicCount', // it has two internal topics more
  'addTopicCount', // the same
]

/** Differences that are meant. */
const meant: [string, string][] = [
  ['.body.offsetTable.', 'of a group that pops, the offset committed here is that of the first message not settled, so that a broker taking over loses nothing'],
]
const popGroups = /offsetTable\.[^.]*@G_(pop|popo|popo2|peek|push)\./

/** Differences that are known faults of this release. */
const knownGaps: [string, string][] = [
  ['topicConfigTable.T_admin.order: true', "a name server's order configuration reaches the broker with its next registration, within 30 s; the replay does not wait for that"],
]

const recordings = ['5.3.3-java-json', '5.3.3-java-binary', '5.3.3-go', '5.3.3-mqadmin', '5.5.1-java-json', '5.5.1-mqadmin']
const WAIT_MS = 25_000
/** A pull that nothing came for waits this long instead of 15 s or more. */
const HELD_MS = '3000'
/** The first retry level is ten seconds; what was sent back is there again after that. */
const SENT_BACK_DELAY_MS = 11_000
/** Of the recorded leases this one ends, and what was popped comes back through the retry topic; requests after that keep their distance. */
const LEASE_MS = '10000'
const LEASE_DELAY_MS = 11_000
/** A recorded answer that took longer belongs to a pull that was held. */
const HELD_AT_LEAST_MS = 100

describe('recorded traffic is answered as recorded', () => {
  for (const name of recordings) {
    it.concurrent(name, { timeout: 240_000 }, async ({ expect }) => {
      await using servers = await startServers()
      if (name.endsWith('-go')) await createGoTopic(servers.address)
      const frames = goldenLines<Frame>(`wire/wire-${name}.jsonl.gz`)
      const replay = new Replay(servers, name, frames)
      for (const frame of frames) await replay.next(frame)
      replay.close()
      console.log(`${name}: ${replay.compared} answers compared; requests left out: ${JSON.stringify(replay.leftOut)}`)
      expect(replay.wrong).toEqual([])
      expect(replay.compared).toBeGreaterThan(50)
    })
  }
})

interface Servers extends AsyncDisposable {
  nameServer: number
  broker: number
  /** As answers name the broker. */
  address: string
}

async function startServers(): Promise<Servers> {
  const folder = mkdtempSync(join(tmpdir(), 'cometmq-replay-'))
  const shared = { disk: createNodeDisk(), clock: systemClock, logger: silentLogger }
  const nameServer = await startNameServer({ ...shared, host: '127.0.0.1', port: 0, dataFolder: folder, config: loadNameServerConfig({}) })
  const sets = {
    listenPort: 0,
    bindAddress: '127.0.0.1',
    brokerIP1: '127.0.0.1',
    brokerClusterName: 'golden',
    brokerName: 'broker-a',
    namesrvAddr: nameServer.address,
    storePathRootDir: join(folder, 'store'),
    mappedFileSizeCommitLog: 1_048_576,
    maxHashSlotNum: 500,
    maxIndexNum: 2000,
    defaultTopicQueueNums: 4,
  }
  const config = loadConfig({ sets: Object.entries(sets).map(([key, value]) => `${key}=${value}`) })
  // Pops begin with queue 0 and look into the retry topic first.
  const broker = await startBroker({ ...shared, config, random: () => 0 })
  return {
    nameServer: nameServer.port,
    broker: broker.port,
    address: broker.address,
    [Symbol.asyncDispose]: async () => {
      await broker.close()
      await nameServer.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The Go recording began with this topic in place. */
async function createGoTopic(address: string): Promise<void> {
  const caller = createCaller({ transport: tcpTransport, clock: systemClock, logger: silentLogger })
  const ext = { topic: 'T_go', defaultTopic: 'TBW102', readQueueNums: '2', writeQueueNums: '2', perm: '6', topicFilterType: 'SINGLE_TAG', topicSysFlag: '0', order: 'false' }
  await caller.call(address, { code: 17, ext }, WAIT_MS)
  await caller.close()
}

const isRetryTopic = (frame: Frame): boolean => decodeFrame(frameBytes(frame)).ext?.['topic']?.startsWith('%RETRY%') ?? false

class Replay {
  readonly wrong: string[] = []
  readonly leftOut: Record<string, number> = {}
  compared = 0
  readonly #servers: Servers
  readonly #connections = new Map<number, ReplayConnection>()
  readonly #asked = new Map<string, Frame>()
  /** Log position in the recording → ours. */
  readonly #positions = new Map<number, number>()
  readonly #recordedAddress: string
  readonly #version: string
  /** Pop time in the recording → ours. */
  readonly #popTimes = new Map<string, string>()
  /** The last message sent back: its time in the recording and ours. */
  #sentBack: { t: number; at: number } | null = null
  /** The pop whose lease ends. */
  #leased: { t: number; at: number } | null = null

  constructor(servers: Servers, name: string, frames: readonly Frame[]) {
    this.#servers = servers
    this.#version = name.slice(0, 5)
    this.#recordedAddress = `127.0.0.2:${frames.some(frame => frame.port === 19_776) ? 19_811 : 19_911}`
  }

  async next(frame: Frame): Promise<void> {
    if (frame.dir === '>' && !isResponse(frame)) return this.#ask(frame)
    const request = this.#asked.get(`${frame.conn}:${frame.opaque}`)
    if (frame.dir === '<' && isResponse(frame) && request !== undefined) return this.#compare(request, frame)
  }

  async #ask(frame: Frame): Promise<void> {
    const reason = this.#whyLeftOut(frame)
    if (reason !== null) {
      this.leftOut[reason] = (this.leftOut[reason] ?? 0) + 1
      return
    }
    const toNameServer = frame.port === 19_876 || frame.port === 19_776
    const open = this.#connections.get(frame.conn)
    const connection = open ?? (await ReplayConnection.open(toNameServer ? this.#servers.nameServer : this.#servers.broker))
    this.#connections.set(frame.conn, connection)
    await this.#untilDelivered(frame)
    connection.send(frameBytes(this.#withOurTimes(frame), this.#mapped(frame)))
    if (frame.code === 36) this.#sentBack = { t: frame.t, at: Date.now() }
    if (frame.code === 200_050 && decodeFrame(frameBytes(frame)).ext?.['invisibleTime'] === LEASE_MS) this.#leased = { t: frame.t, at: Date.now() }
    if (!isOneway(frame)) this.#asked.set(`${frame.conn}:${frame.opaque}`, frame)
  }

  /** What was sent back arrives after a delay, in the recording as here: requests about it keep their distance. */
  async #untilDelivered(frame: Frame): Promise<void> {
    if (this.#leased !== null && frame.code === 200_050) {
      const wait = this.#leased.at + Math.min(frame.t - this.#leased.t, LEASE_DELAY_MS) - Date.now()
      if (wait > 0) await delay(wait)
    }
    if (this.#sentBack === null || (frame.code !== 11 && frame.code !== 14) || !isRetryTopic(frame)) return
    const wait = this.#sentBack.at + Math.min(frame.t - this.#sentBack.t, SENT_BACK_DELAY_MS) - Date.now()
    if (wait > 0) await delay(wait)
  }

  #whyLeftOut(frame: Frame): string | null {
    const reason = leftOutCodes.get(frame.code)
    if (reason !== undefined) return `${frame.code} ${reason}`
    if (frame.note === 'waiting for revive') return 'how long it takes until a message comes back: two seconds longer there'
    const command = decodeFrame(frameBytes(frame))
    const text = JSON.stringify(command.ext) + (command.body?.toString('latin1') ?? '')
    return notBuiltNames.test(text) ? 'about topics and groups of what is not built' : null
  }

  /** Log positions are ours in requests 33 and 36; pulls are held for a shorter time. */
  #mapped(frame: Frame): Record<string, string> {
    const ext = decodeFrame(frameBytes(frame)).ext ?? {}
    const position = this.#positions.get(Number(ext['offset']))
    if ((frame.code === 33 || frame.code === 36) && position !== undefined) return { offset: String(position) }
    if (ext['bornTime'] !== undefined) return { bornTime: '0' }
    if (ext['extraInfo'] !== undefined) return { extraInfo: this.#ourTimes(ext['extraInfo']) }
    return ext['suspendTimeoutMillis'] === undefined || isRetryTopic(frame) ? {} : { suspendTimeoutMillis: HELD_MS }
  }

  /** A batch acknowledgement names pop times in its body. */
  #withOurTimes(frame: Frame): Frame {
    if (frame.code !== 200_151) return frame
    const body = this.#ourTimes(Buffer.from(frame.bodyHex, 'hex').toString())
    return { ...frame, bodyHex: Buffer.from(body).toString('hex') }
  }

  #ourTimes(text: string): string {
    for (const [recorded, ours] of this.#popTimes) text = text.replaceAll(recorded, ours)
    return text
  }

  async #compare(request: Frame, response: Frame): Promise<void> {
    const answer = await this.#connections.get(request.conn)!.answer(request.opaque, WAIT_MS)
    const asked = decodeFrame(frameBytes(request)).ext ?? {}
    const where = `${request.note}: request ${request.code} ${asked['topic'] ?? asked['b'] ?? asked['group'] ?? ''}`
    if (answer === undefined) return void this.wrong.push(`${where}: no answer`)
    this.compared++
    const recordedAnswer = decodeFrame(frameBytes(response))
    this.#learn(request.code, recordedAnswer, answer)
    const recorded = comparable(request.code, recordedAnswer, this.#recordedAddress)
    const ours = comparable(request.code, answer, this.#servers.address)
    // More may have arrived before the held answer was written.
    if (holdsMessages.has(request.code) && response.t - request.t > HELD_AT_LEAST_MS) delete recorded.ext['maxOffset']
    if (this.#version === '5.5.1') for (const name of only55) delete recorded.ext[name]
    const found = onlyCode.has(request.code) ? differences(recorded.code, ours.code, '.code') : differences(recorded, ours)
    const texts = found.map(difference => `${where}${difference}`)
    const isMeant = (text: string): boolean => meant.some(([part]) => text.includes(part)) && popGroups.test(text)
    this.wrong.push(...texts.filter(text => !isMeant(text) && !knownGaps.some(([gap]) => text.includes(gap))))
  }

  #learn(requestCode: number, recorded: Command, ours: Command): void {
    const [recordedTime, ourTime] = [recorded.ext?.['popTime'], ours.ext?.['popTime']]
    if (recordedTime !== undefined && ourTime !== undefined && recordedTime !== '0') this.#popTimes.set(recordedTime, ourTime)
    const pairs = holdsMessages.has(requestCode)
      ? [positionsOf(recorded.body ?? Buffer.alloc(0)), positionsOf(ours.body ?? Buffer.alloc(0))]
      : [positionsOfIds(recorded.ext?.['msgId']), positionsOfIds(ours.ext?.['msgId'])]
    pairs[0]!.forEach((position, i) => {
      const own = pairs[1]![i]
      if (own !== undefined) this.#positions.set(position, own)
    })
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close()
  }
}

const positionsOfIds = (ids: string | undefined): number[] => ids?.split(',').map(id => Number.parseInt(id.slice(-16), 16)) ?? []
