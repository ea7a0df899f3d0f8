import { bytes, type Connection, connect, topic } from '@cometmq/node'
import type { SubSpec } from '@cometmq/protocol'
import type { LoadOptions, LoadResult } from './bridge-load.ts'
import { RawSubscriber } from './bridge-raw.ts'

/** Tells the program that measures: it reads memory and CPU of the server at both moments. */
export interface Marks {
  begin(): void
  end(messages: number): LoadResult
}
type Run = (marks: Marks) => Promise<LoadResult>

const sleep = (ms: number): Promise<void> => new Promise(done => setTimeout(done, ms))
/** Never reached. */
const wide = [1e12, 1e15] as const
/** Broadcast messages on their way that not all have. */
const ahead = 64

const broadcastOf = (name: string, limit: readonly [number, number] = wide): SubSpec => ({
  mode: 'broadcast',
  topics: [[name, 0, '*']],
  start: 'latest',
  limit,
})

async function openMany(count: number, open: (index: number) => Promise<RawSubscriber>): Promise<RawSubscriber[]> {
  const all = new Array<RawSubscriber>(count)
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) {
      const index = next++
      all[index] = await open(index)
    }
  }
  await Promise.all(Array.from({ length: 50 }, worker))
  return all
}

const define = (name: string) => topic(name, { codec: bytes })
type Publisher = ReturnType<Connection<[ReturnType<typeof define>]>['producer']>

function publisherOf({ url, topic: name }: LoadOptions): Publisher {
  const connection = connect({ url: url!, topics: [define(name)] as const })
  return connection.producer(name)
}

const portOf = ({ url }: LoadOptions): number => Number(new URL(url!).port)

/** One publisher, many subscribed sockets; messages are deliveries. */
export async function broadcast(options: LoadOptions): Promise<Run> {
  const { connections, topic: name, bodyBytes } = options
  let deliveries = 0
  let wake = (): void => {}
  const taken = (entries: number): void => {
    deliveries += entries
    wake()
  }
  const spec = broadcastOf(name)
  const subscribers = await openMany(connections, index => RawSubscriber.open(portOf(options), index, spec, taken))
  const publisher = publisherOf(options)
  await publisher.ready()
  return async marks => {
    const value = new Uint8Array(bodyBytes)
    let sent = 0
    const publishFor = async (seconds: number): Promise<void> => {
      const until = performance.now() + seconds * 1000
      while (performance.now() < until) {
        if (sent - deliveries / connections < ahead) {
          sent++
          publisher.send(value).catch(() => {})
        } else {
          await new Promise<void>(resolve => {
            wake = resolve
            setTimeout(resolve, 50)
          })
        }
      }
    }
    await publishFor(options.warmup)
    const before = deliveries
    marks.begin()
    await publishFor(options.seconds)
    const result = marks.end(deliveries - before)
    for (let quiet = 0; quiet < 20 && deliveries < sent * connections; quiet++) await sleep(100)
    for (const subscriber of subscribers) subscriber.close()
    return { ...result, failed: sent * connections - deliveries }
  }
}

/** Sockets that subscribe and then say nothing; `messages` is their number. */
export async function idle(options: LoadOptions): Promise<Run> {
  const { connections, topic: name } = options
  const open = (index: number) => RawSubscriber.open(portOf(options), index, broadcastOf(name, [64, 1 << 20]), () => {})
  // Code is loaded and pools are filled.
  for (const subscriber of await openMany(100, open)) subscriber.close()
  await sleep(1_000)
  return async marks => {
    marks.begin()
    const all = await openMany(connections, open)
    await sleep(2_000)
    const result = marks.end(connections)
    for (const subscriber of all) subscriber.close()
    return result
  }
}

/** `rate` messages a second are offered; one subscriber takes all, `connections` others one a second. `messages`: what the fast one got. */
export async function slow(options: LoadOptions): Promise<Run> {
  const { connections, topic: name, bodyBytes, rate, seconds, warmup } = options
  const fast = await RawSubscriber.open(portOf(options), 0, broadcastOf(name), () => {})
  const publisher = publisherOf(options)
  await publisher.ready()
  const value = new Uint8Array(bodyBytes)
  let sent = 0
  const startedAt = performance.now()
  const timer = setInterval(() => {
    const due = ((performance.now() - startedAt) / 1000) * rate
    for (; sent < due; sent++) publisher.send(value).catch(() => {})
  }, 2)
  await sleep((warmup + seconds) * 1000)
  return async marks => {
    marks.begin()
    const before = fast.entries
    const window = [64, 1 << 20] as const
    const all = await openMany(connections, index =>
      RawSubscriber.open(portOf(options), index, broadcastOf(name, window), () => {}),
    )
    let taken = 0
    const limits = setInterval(() => {
      taken++
      for (const subscriber of all) subscriber.limit(window[0] + taken, window[1] + taken * 1024)
    }, 1_000)
    await sleep(seconds * 1000)
    const result = marks.end(fast.entries - before)
    clearInterval(timer)
    clearInterval(limits)
    for (const subscriber of [...all, fast]) subscriber.close()
    return result
  }
}
