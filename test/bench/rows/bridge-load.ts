import { bytes, type Connection, connect, topic } from '@cometmq/node'
import { build, type Histogram } from 'hdr-histogram-js'
import { latencyOf, type Row } from '../lib/report.ts'
import { broadcast, idle, slow } from './bridge-fleet.ts'

/** What a load process is told. Times are seconds. */
export interface LoadOptions {
  task: keyof typeof tasks
  /** A bridge, or name servers for direct connections. */
  url?: string
  servers?: string
  topic: string
  groups: string[]
  connections: number
  /** publish: unanswered a connection; consume: messages that may wait at a connection. */
  window: number
  bodyBytes: number
  /** Messages of one sendBatch; 1: send. */
  batch: number
  warmup: number
  seconds: number
  /** consume: messages of each group, after which it ends. */
  expected: number
  /** roundtrip: messages a second. */
  rate: number
}

export interface LoadResult {
  messages: number
  seconds: number
  failed: number
  cpuSeconds: number
  latency?: NonNullable<Row['latency']>
}

type Any = Connection<[ReturnType<typeof define>]>
const define = (name: string) => topic(name, { codec: bytes })

const open = (options: LoadOptions): Any => {
  const topics = [define(options.topic)] as const
  const { url, servers } = options
  return (servers === undefined ? connect({ url: url!, topics }) : connect({ servers, topics })) as unknown as Any
}

const histogram = (): Histogram => build({ highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 })
const cpuSeconds = (since?: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1e6
}
const sleep = (ms: number): Promise<void> => new Promise(done => setTimeout(done, ms))

/** Rate and CPU between two moments. */
class Meter {
  readonly #startedAt = performance.now()
  readonly #cpu = process.cpuUsage()
  end(messages: number, failed: number): LoadResult {
    return { messages, failed, seconds: (performance.now() - this.#startedAt) / 1000, cpuSeconds: cpuSeconds(this.#cpu) }
  }
}

type Prepared = () => Promise<LoadResult>

async function publish(options: LoadOptions): Promise<Prepared> {
  const { connections, window, bodyBytes, batch } = options
  const producers = Array.from({ length: connections }, () => open(options).producer(options.topic))
  for (const producer of producers) await producer.ready()
  return async () => {
    const value = new Uint8Array(bodyBytes).fill(120)
    const items = Array.from({ length: batch }, () => ({ value }))
    const times = histogram()
    let acked = 0
    let failed = 0
    let stopped = false
    let measuring = false
    let open = 0
    let done = (): void => {}
    const finished = new Promise<void>(resolve => (done = resolve))
    const over = (): void => void (--open === 0 && done())
    for (const producer of producers) {
      const fail = (): void => {
        failed++
        over()
      }
      const again = (): void => {
        acked++
        if (stopped) over()
        else producer.send(value).then(again, fail)
      }
      const againBatch = (results: readonly unknown[]): void => {
        acked += results.length
        if (stopped) over()
        else producer.sendBatch(items).then(againBatch, fail)
      }
      // One in a window is timed.
      const timed = async (): Promise<void> => {
        while (!stopped) {
          const at = performance.now()
          if (batch > 1) await producer.sendBatch(items)
          else await producer.send(value)
          acked += batch
          if (measuring) times.recordValue(Math.max(1, Math.round((performance.now() - at) * 1000)))
        }
        over()
      }
      open++
      timed().catch(fail)
      for (let i = 1; i < window / batch; i++) {
        open++
        if (batch > 1) producer.sendBatch(items).then(againBatch, fail)
        else producer.send(value).then(again, fail)
      }
    }
    await sleep(options.warmup * 1000)
    process.send?.({ type: 'measuring' })
    const before = acked
    const meter = new Meter()
    measuring = true
    await sleep(options.seconds * 1000)
    const result = meter.end(acked - before, failed)
    process.send?.({ type: 'measured' })
    stopped = true
    await finished
    return { ...result, failed, latency: latencyOf(times) }
  }
}

async function consume(options: LoadOptions): Promise<Prepared> {
  const { connections, window, groups, expected } = options
  const open_ = Array.from({ length: connections }, () => open(options))
  for (const connection of open_) await connection.ready()
  return async () => {
    const total = expected * groups.length
    const warm = Math.floor(total / 10)
    let seen = 0
    let meter: Meter | undefined
    let result: LoadResult | undefined
    const ended: Promise<unknown>[] = []
    const stop = new AbortController()
    for (const connection of open_) {
      for (const group of groups) {
        const consumer = connection.consumer({
          topics: [options.topic],
          group,
          prefetch: { messages: window, bytes: 16 << 20 },
          signal: stop.signal,
        })
        const loop = async (): Promise<void> => {
          for await (const message of consumer) {
            message.ack()
            if (++seen === warm) {
              meter = new Meter()
              process.send?.({ type: 'measuring' })
            } else if (seen === total) {
              result = meter!.end(total - warm, 0)
              process.send?.({ type: 'measured' })
              await sleep(100)
              stop.abort()
            }
          }
        }
        ended.push(loop())
      }
    }
    await Promise.all(ended)
    return result!
  }
}

/** Publishes at a fixed rate and consumes; latency is from when a message was due to the handler, in one process. */
async function roundtrip(options: LoadOptions): Promise<Prepared> {
  const { connections, window, groups, bodyBytes, rate } = options
  const publishers = Array.from({ length: connections }, () => open(options).producer(options.topic))
  const consumers = Array.from({ length: connections }, () =>
    open(options).consumer({ topics: [options.topic], group: groups[0]!, prefetch: { messages: window } }),
  )
  for (const producer of publishers) await producer.ready()
  return async () => {
    const times = histogram()
    let measuring = false
    let seen = 0
    let sent = 0
    let failed = 0
    for (const consumer of consumers)
      void (async () => {
        for await (const message of consumer) {
          message.ack()
          seen++
          const { raw } = message
          const due = new DataView(raw.buffer, raw.byteOffset).getFloat64(0)
          if (measuring) times.recordValue(Math.max(1, Math.round((performance.now() - due) * 1000)))
        }
      })()
    await sleep(1000)
    const startedAt = performance.now()
    const until = (seconds: number): Promise<void> =>
      new Promise(resolve => {
        const end = startedAt + seconds * 1000
        const tick = (): void => {
          const now = performance.now()
          if (now >= end) return resolve()
          for (let due = startedAt + (sent * 1000) / rate; due <= now; due = startedAt + (sent * 1000) / rate) {
            const value = new Uint8Array(bodyBytes)
            new DataView(value.buffer).setFloat64(0, due)
            publishers[sent++ % publishers.length]!.send(value).catch(() => failed++)
          }
          setTimeout(tick, 1)
        }
        tick()
      })
    await until(options.warmup)
    process.send?.({ type: 'measuring' })
    measuring = true
    const before = seen
    const meter = new Meter()
    await until(options.warmup + options.seconds)
    const result = meter.end(seen - before, failed)
    process.send?.({ type: 'measured' })
    return { ...result, latency: latencyOf(times) }
  }
}

/** For tasks that mark the time measured. */
const marked =
  (prepare: typeof broadcast) =>
  async (options: LoadOptions): Promise<Prepared> => {
    const run = await prepare(options)
    let meter: Meter
    const begin = (): void => {
      process.send?.({ type: 'measuring' })
      meter = new Meter()
    }
    const end = (messages: number): LoadResult => {
      const result = meter.end(messages, 0)
      process.send?.({ type: 'measured' })
      return result
    }
    return () => run({ begin, end })
  }

const tasks = { publish, consume, roundtrip, broadcast: marked(broadcast), idle: marked(idle), slow: marked(slow) }

process.once('message', (options: LoadOptions) => {
  void (async () => {
    const prepare: (options: LoadOptions) => Promise<Prepared> = tasks[options.task]
    const run = await prepare(options)
    process.send!({ type: 'ready' })
    await new Promise(resolve => process.once('message', resolve))
    process.send!({ type: 'result', result: await run() })
    process.disconnect()
    setTimeout(() => process.exit(0), 200)
  })().catch((error: unknown) => {
    console.error(error)
    process.exit(1)
  })
})
