import type { Clock, Timer } from '@cometmq/remoting'
import { Counter, type StatsSnapshot } from './counters.ts'

/** Names of request 315 (spec remoting, 3.8; Java: org.apache.rocketmq.common.stats.Stats). */
export type StatsName =
  | 'TOPIC_PUT_NUMS'
  | 'TOPIC_PUT_SIZE'
  | 'GROUP_GET_NUMS'
  | 'GROUP_GET_SIZE'
  | 'BROKER_PUT_NUMS'
  | 'BROKER_GET_NUMS'
  | 'SNDBCK_PUT_NUMS'

const NAMES: readonly StatsName[] = [
  'TOPIC_PUT_NUMS',
  'TOPIC_PUT_SIZE',
  'GROUP_GET_NUMS',
  'GROUP_GET_SIZE',
  'BROKER_PUT_NUMS',
  'BROKER_GET_NUMS',
  'SNDBCK_PUT_NUMS',
]

const SAMPLE_MS = 10_000
const SAMPLES_PER_HOUR_STEP = 60
const SAMPLES_PER_DAY_STEP = 360
/** Keys of one name; further keys are not counted, so that made-up names cannot fill memory. */
const MAX_KEYS_PER_NAME = 50_000
const IDLE_DROP_MS = 24 * 3_600_000

/**
 * What the broker counts, for 28 and 315. Keys: topic for TOPIC_*, `topic@group` for GROUP_* and SNDBCK_PUT_NUMS, the
 * cluster's name for BROKER_*.
 */
export class BrokerStats {
  readonly bootTimestamp: number
  readonly puts = new Counter()
  readonly putBytes = new Counter()
  readonly putFailures = new Counter()
  readonly getFound = new Counter()
  readonly getMiss = new Counter()
  readonly getMessages = new Counter()
  /** Longest read for a pull so far, ms. */
  getTimeMaxMs = 0
  putYesterdayMorning = 0
  putTodayMorning = 0
  getYesterdayMorning = 0
  getTodayMorning = 0

  readonly #clock: Clock
  readonly #tables = new Map<StatsName, Map<string, Counter>>(NAMES.map(name => [name, new Map<string, Counter>()]))
  #putTopic = ''
  #topicPuts: Counter | null = null
  #topicPutBytes: Counter | null = null
  #brokerPuts: Counter | null = null
  #timer: Timer | null = null
  #samples = 0
  #day: string

  constructor(clock: Clock) {
    this.#clock = clock
    this.bootTimestamp = clock.now()
    this.#day = localDay(this.bootTimestamp)
    this.#sampleAll()
    this.#tick()
  }

  /** The counter of a key, made when missing; null when the table is full. */
  counter(name: StatsName, key: string): Counter | null {
    const table = this.#tables.get(name)!
    const known = table.get(key)
    if (known !== undefined) return known
    if (table.size >= MAX_KEYS_PER_NAME) return null
    const counter = new Counter()
    const now = this.#clock.monotonic()
    counter.lastGrowth = now
    for (const window of ['minute', 'hour', 'day'] as const) counter.sample(window, now)
    table.set(key, counter)
    return counter
  }

  put(topic: string, cluster: string, messages: number, bytes: number): void {
    this.puts.add(messages)
    this.putBytes.add(bytes)
    // Sends come in runs of one topic: three lookups less for each.
    if (topic !== this.#putTopic) this.#findPutCounters(topic, cluster)
    this.#topicPuts?.add(messages)
    this.#topicPutBytes?.add(bytes)
    this.#brokerPuts?.add(messages)
  }

  #findPutCounters(topic: string, cluster: string): void {
    this.#putTopic = topic
    this.#topicPuts = this.counter('TOPIC_PUT_NUMS', topic)
    this.#topicPutBytes = this.counter('TOPIC_PUT_SIZE', topic)
    this.#brokerPuts = this.counter('BROKER_PUT_NUMS', cluster)
  }

  get(topic: string, group: string, cluster: string, messages: number, bytes: number): void {
    this.getFound.add(1)
    this.getMessages.add(messages)
    const key = topic + '@' + group
    this.counter('GROUP_GET_NUMS', key)?.add(messages)
    this.counter('GROUP_GET_SIZE', key)?.add(bytes)
    this.counter('BROKER_GET_NUMS', cluster)?.add(messages)
  }

  sentBack(topic: string, group: string): void {
    this.counter('SNDBCK_PUT_NUMS', topic + '@' + group)?.add(1)
  }

  /** Null when the name or the key has no counts. */
  view(name: string, key: string): { minute: StatsSnapshot; hour: StatsSnapshot; day: StatsSnapshot } | null {
    const counter = this.#tables.get(name as StatsName)?.get(key)
    if (counter === undefined) return null
    const now = this.#clock.monotonic()
    return { minute: counter.minute(now), hour: counter.hour(now), day: counter.day(now) }
  }

  /** Messages per second over the last minute of one key; 0 when unknown. */
  tps(name: StatsName, key: string): number {
    return this.#tables.get(name)?.get(key)?.minute(this.#clock.monotonic()).tps ?? 0
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  readonly #tick = (): void => {
    this.#timer = this.#clock.setTimeout(() => {
      this.#sampleAll()
      this.#tick()
    }, SAMPLE_MS)
  }

  #sampleAll(): void {
    // Idle counters are dropped below: look up again.
    this.#putTopic = ''
    const at = this.#clock.monotonic()
    const hour = this.#samples % SAMPLES_PER_HOUR_STEP === 0
    const day = this.#samples % SAMPLES_PER_DAY_STEP === 0
    this.#samples++
    for (const counter of [this.puts, this.putBytes, this.putFailures, this.getFound, this.getMiss, this.getMessages]) {
      this.#sample(counter, at, hour, day)
    }
    for (const table of this.#tables.values()) {
      for (const [key, counter] of table) {
        this.#sample(counter, at, hour, day)
        if (day && at - counter.lastGrowth > IDLE_DROP_MS) table.delete(key)
      }
    }
    this.#turnOfDay()
  }

  #sample(counter: Counter, at: number, hour: boolean, day: boolean): void {
    counter.sample('minute', at)
    if (hour) counter.sample('hour', at)
    if (day) counter.sample('day', at)
  }

  #turnOfDay(): void {
    const today = localDay(this.#clock.now())
    if (today === this.#day) return
    this.#day = today
    this.putYesterdayMorning = this.putTodayMorning
    this.getYesterdayMorning = this.getTodayMorning
    this.putTodayMorning = this.puts.sum
    this.getTodayMorning = this.getMessages.sum
  }
}

const localDay = (at: number): string => new Date(at).toDateString()
