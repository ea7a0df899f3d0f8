import {
  ackMessageRequest,
  changeInvisibleTimeRequest,
  createCaller,
  decodeRecords,
  encodePopCheckPoint,
  encodeSendHeader,
  parsePoppedQueues,
  popMessageRequest,
  popMessageResponse,
  pullMessageRequest,
  RequestCode,
  ResponseCode,
  silentLogger,
  tcpTransport,
  type Caller,
  type Command,
} from '@cometmq/remoting'
import { createRandom, FakeClock, MemoryDisk, type Random } from '@cometmq/testkit'
import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { startBroker, type RunningBroker } from '../../src/broker.ts'
import { loadConfig } from '../../src/config.ts'

/** Runs of each property; `npm run test:nightly` does more. */
const RUNS = process.env['COMETMQ_NIGHTLY'] === undefined ? 12 : 250
const RETRY = '%RETRY%G_T'
const QUEUES = 2
const ADDRESS = 'in-process'
/** A lease ends at most this much late. */
const LATEST_MS = 6000

interface Held {
  topic: string
  queueId: number
  offset: number
  extraInfo: string
  /** Monotonic ms. */
  until: number
}

const placeOf = ({ topic, queueId, offset }: Pick<Held, 'topic' | 'queueId' | 'offset'>): string =>
  `${topic}@${queueId}@${offset}`

/** What is known of one message from outside. */
interface Known {
  /** Where it was first stored. */
  queueId: number
  offset: number
  held: Held | null
  /** An acknowledgement was answered. */
  acknowledged: boolean
  /** One was sent, and the broker died before it answered. */
  maybe: boolean
  /** The broker died while the message was being brought back: there may be two copies of it. */
  twins: boolean
}

/** One group that pops, acknowledges and changes times at random, over the lives of a broker that is killed in the middle of things. */
class World {
  readonly #random: Random
  readonly #clock = new FakeClock()
  readonly #end: 'killed' | 'power cut'
  readonly #known = new Map<string, Known>()
  /** Topic, queue and offset → until when it is held; for ever once it is acknowledged. */
  readonly #places = new Map<string, number>()
  #disk: MemoryDisk
  #broker!: RunningBroker
  #caller!: Caller
  #sent = 0

  constructor(seed: number, end: 'killed' | 'power cut') {
    this.#random = createRandom(seed)
    this.#end = end
    this.#disk = new MemoryDisk({ seed, clock: this.#clock })
  }

  async start(): Promise<void> {
    const sets = [
      'listenPort=0',
      'bindAddress=127.0.0.1',
      'brokerIP1=127.0.0.1',
      'brokerName=broker-a',
      'storePathRootDir=/data',
      'mappedFileSizeCommitLog=65536',
      'mappedFileSizeConsumeQueue=2000',
      'maxHashSlotNum=500',
      'maxIndexNum=2000',
      'popJournalBytesMax=4096',
    ]
    this.#broker = await startBroker({
      config: loadConfig({ sets }),
      disk: this.#disk,
      clock: this.#clock,
      logger: silentLogger,
      random: () => this.#random.next(),
    })
    const inProcess = new Map([[ADDRESS, this.#broker.handlers]])
    this.#caller = createCaller({ transport: tcpTransport, clock: this.#clock, logger: silentLogger, inProcess })
  }

  async die(): Promise<void> {
    for (const known of this.#known.values())
      if (!known.acknowledged && (known.held === null || known.held.until <= this.#clock.monotonic())) known.twins = true
    this.#disk = this.#end === 'killed' ? this.#disk.kill() : this.#disk.crash()
    await this.#stop()
  }

  async stop(): Promise<void> {
    await this.#stop()
  }

  async #stop(): Promise<void> {
    await this.#caller.close()
    await this.#broker.close().catch(() => undefined)
  }

  call(code: number, ext: Record<string, string> | null, body: Buffer | null = null): Promise<Command> {
    return this.#caller.call(ADDRESS, { code, ext, body }, 1_000_000_000)
  }

  /** One random step. Resolves when it is answered, or when the broker is dead. */
  async step(): Promise<void> {
    const dice = this.#random.int(100)
    if (dice < 25) await this.#send()
    else if (dice < 55) await this.#pop(1 + this.#random.int(9), this.#random.pick([1000, 5000, 60_000]))
    else if (dice < 80) await this.#acknowledge()
    else if (dice < 90) await this.#changeTime()
    else await this.#clock.advanceAsync(this.#random.int(4000))
  }

  async #send(): Promise<void> {
    const text = `m${this.#sent++}`
    const ext = encodeSendHeader(RequestCode.SEND_MESSAGE_V2, {
      producerGroup: 'P',
      topic: 'T',
      defaultTopic: 'TBW102',
      defaultTopicQueueNums: QUEUES,
      queueId: this.#random.int(QUEUES),
      sysFlag: 0,
      bornTimestamp: 1,
      flag: 0,
    })
    const answer = await this.call(RequestCode.SEND_MESSAGE_V2, ext, Buffer.from(text))
    if (answer.code !== ResponseCode.SUCCESS) return
    const [queueId, offset] = [Number(answer.ext!['queueId']), Number(answer.ext!['queueOffset'])]
    this.#known.set(text, { queueId, offset, held: null, acknowledged: false, maybe: false, twins: false })
  }

  /** Returns how many messages came. */
  async #pop(maxMsgNums: number, invisibleTime: number): Promise<number> {
    const ext = popMessageRequest.encode({
      consumerGroup: 'G',
      topic: 'T',
      queueId: -1,
      maxMsgNums,
      invisibleTime,
      pollTime: 0,
      initMode: 0,
    })
    const until = this.#clock.monotonic() + invisibleTime
    const answer = await this.call(RequestCode.POP_MESSAGE, ext)
    if (answer.code !== ResponseCode.SUCCESS) return 0
    const header = popMessageResponse.decode(answer.ext)
    const starts = parsePoppedQueues(header.startOffsetInfo!)
    const places = parsePoppedQueues(header.msgOffsetInfo!).flatMap(({ retry, queueId, offsets }, i) =>
      offsets.map(offset => ({ retry, queueId, offset, startOffset: starts[i]!.offsets[0]! })),
    )
    const messages = decodeRecords(answer.body!)
    messages.forEach((message, i) => {
      const { retry, queueId, offset, startOffset } = places[i]!
      const { popTime, reviveQid: reviveQueueId } = header
      const extraInfo = encodePopCheckPoint({
        startOffset,
        popTime,
        invisibleTime,
        reviveQueueId,
        retry,
        brokerName: 'broker-a',
        queueId,
        offset,
      })
      const topic = retry === 0 ? 'T' : RETRY
      this.#came(message.body.toString(), { topic, queueId, offset, extraInfo, until })
    })
    return messages.length
  }

  #came(text: string, held: Held): void {
    const known = this.#known.get(text)
    // Stored, and its answer was lost.
    if (known === undefined) {
      this.#known.set(text, { queueId: held.queueId, offset: held.offset, held, acknowledged: false, maybe: false, twins: false })
      return
    }
    const place = placeOf(held)
    if (this.#end === 'killed' && (this.#places.get(place) ?? 0) > this.#clock.monotonic())
      throw new Error(`${text} came twice from ${place} within its lease, or after it was acknowledged`)
    this.#places.set(place, held.until)
    if (this.#end === 'killed' && !known.twins) {
      if (known.acknowledged) throw new Error(`${text} was acknowledged and came again`)
      if (known.held !== null && known.held.until > this.#clock.monotonic())
        throw new Error(`${text} came twice within its lease`)
    }
    known.held = held
    known.acknowledged = known.maybe = false
  }

  #anyHeld(): Known | undefined {
    const held = [...this.#known.values()].filter(known => known.held !== null && !known.acknowledged)
    return held.length === 0 ? undefined : this.#random.pick(held)
  }

  async #acknowledge(known = this.#anyHeld()): Promise<void> {
    if (known === undefined) return
    const { topic, queueId, offset, extraInfo, until } = known.held!
    const wasMaybe = known.maybe
    known.maybe = true
    const ext = ackMessageRequest.encode({ consumerGroup: 'G', topic, queueId, offset, extraInfo })
    const answer = await this.call(RequestCode.ACK_MESSAGE, ext)
    if (answer.code !== ResponseCode.SUCCESS) return
    // After the end of a lease it says yes and does nothing, or is just in time.
    if (until < this.#clock.monotonic() - LATEST_MS) known.maybe = wasMaybe
    if (until <= this.#clock.monotonic() || known.held === null) return
    known.acknowledged = true
    known.held = null
    this.#places.set(placeOf({ topic, queueId, offset }), Infinity)
  }

  async #changeTime(): Promise<void> {
    const known = this.#anyHeld()
    if (known === undefined) return
    const { held } = known
    const { topic, queueId, offset, extraInfo, until } = held!
    const invisibleTime = this.#random.pick([0, 2000, 30_000])
    const changedUntil = this.#clock.monotonic() + invisibleTime
    // Whatever becomes of it, the message may come from now on.
    known.held = null
    this.#places.set(placeOf(held!), 0)
    const ext = changeInvisibleTimeRequest.encode({ consumerGroup: 'G', topic, queueId, offset, extraInfo, invisibleTime })
    const answer = await this.call(RequestCode.CHANGE_MESSAGE_INVISIBLETIME, ext)
    if (answer.code !== ResponseCode.SUCCESS || until <= this.#clock.monotonic() || known.held !== null) return
    const fields = extraInfo.split(' ')
    fields[0] = String(offset)
    fields[1] = answer.ext!['popTime']!
    fields[2] = String(invisibleTime)
    known.held = { topic, queueId, offset, extraInfo: fields.join(' '), until: changedUntil }
    this.#places.set(placeOf(known.held), changedUntil)
  }

  /** The committed offset has not passed a message that is neither acknowledged nor stored once more. */
  async checkFloor(): Promise<void> {
    const copies = new Map<string, number>()
    for (const text of await this.#textsOf(RETRY)) copies.set(text, 1)
    for (let queueId = 0; queueId < QUEUES; queueId++) {
      const where = { consumerGroup: 'G', topic: 'T', queueId: String(queueId), setZeroIfNotFound: 'true' }
      const floor = Number((await this.call(RequestCode.QUERY_CONSUMER_OFFSET, where)).ext?.['offset'] ?? 0)
      for (const [text, known] of this.#known) {
        if (known.queueId !== queueId || known.offset >= floor || known.acknowledged || known.maybe) continue
        if (!copies.has(text)) throw new Error(`${text} at ${queueId}-${known.offset} lies before the committed offset ${floor}`)
      }
    }
  }

  async #textsOf(topic: string): Promise<string[]> {
    const texts: string[] = []
    for (let queueOffset = 0; ;) {
      const ext = pullMessageRequest.encode({
        consumerGroup: 'Reader',
        topic,
        queueId: 0,
        queueOffset,
        maxMsgNums: 32,
        sysFlag: 4,
        commitOffset: 0,
        suspendTimeoutMillis: 0,
        subscription: '*',
        subVersion: 0n,
      })
      const answer = await this.call(RequestCode.PULL_MESSAGE, ext)
      if (answer.code !== ResponseCode.SUCCESS) return texts
      const records = decodeRecords(answer.body!)
      texts.push(...records.map(record => record.body.toString()))
      queueOffset += records.length
    }
  }

  /** Everything that is left comes, is acknowledged, and then nothing comes any more. */
  async drain(): Promise<void> {
    for (let quiet = 0; quiet < 3;) {
      await this.#clock.advanceAsync(65_000)
      for (let turns = 0; turns < 20; turns++) await new Promise(resolve => setImmediate(resolve))
      quiet = (await this.#pop(32, 60_000)) === 0 ? quiet + 1 : 0
      for (const known of this.#known.values()) if (known.held !== null) await this.#acknowledge(known)
    }
    for (const [text, known] of this.#known) if (!known.acknowledged && !known.maybe) throw new Error(`${text} was lost`)
  }
}

async function lives(seed: number, end: 'killed' | 'power cut'): Promise<void> {
  const random = createRandom(seed + 1)
  const world = new World(seed, end)
  for (let life = 0; life < 4; life++) {
    await world.start()
    await world.checkFloor()
    for (let step = random.int(150); step > 0; step--) await world.step()
    await world.checkFloor()
    if (random.chance(0.2)) {
      await world.stop()
      continue
    }
    // Some are under way.
    const last = Array.from({ length: random.int(6) }, () => world.step().catch(() => undefined))
    for (let turns = random.int(4); turns > 0; turns--) await new Promise(resolve => setImmediate(resolve))
    await world.die()
    await Promise.all(last)
  }
  await world.start()
  await world.checkFloor()
  await world.drain()
  await world.stop()
}

describe('pops, acknowledgements, changes and deaths at random', () => {
  it('killed: nothing is lost, what was acknowledged does not come again, nothing comes twice within its lease', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1_000_000), seed => lives(seed, 'killed')),
      { numRuns: RUNS },
    )
  }, 600_000)

  it('power cut: nothing is lost', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1_000_000), seed => lives(seed, 'power cut')),
      { numRuns: RUNS },
    )
  }, 600_000)
})
