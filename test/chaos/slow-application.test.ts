import { connect } from '@cometmq/node'
import { afterEach, expect, it } from 'vitest'
import { Arrivals, collect, nightly, numbered, Publisher, some } from './support/load.ts'
import { memoryOf } from './support/memory.ts'
import { Site } from './support/processes.ts'

const RATE = 10_000
const SECONDS = nightly ? 20 : 2.5
/** Of each kind; what one of them costs is the mean. */
const SLOW = 5
const BODY_BYTES = 1_000
const PREFETCH = 64
const maxBytesEach = 1.5 * 1024 * 1024
const settleMs = 60_000

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

it.each(['group', 'broadcast'] as const)(
  `%s: ${SLOW} applications that take one message a second of ${RATE}: small buffers, and the others get everything`,
  async mode => {
    const site = await Site.start()
    closers.push(() => site.close())
    await site.topic('flood')
    const def = numbered('flood')
    const bridge = await site.bridge('bridge', { inspect: true })
    const through = () => {
      const connection = connect({ url: bridge.url, topics: [def], auth: () => site.token() })
      closers.push(() => connection.close())
      return connection
    }
    const consume = (connection: ReturnType<typeof through>, n: number, prefetch: { messages: number; bytes?: number }) =>
      mode === 'group'
        ? connection.consumer({ topics: ['flood'], group: `flood-${n}`, prefetch })
        : connection.consumer({ topics: ['flood'], mode, since: 'earliest', prefetch })
    // Not through the bridge: its memory is to be that of consumers.
    const source = connect({ servers: site.nameServer, topics: [def] })
    closers.push(() => source.close())
    const producer = source.producer('flood', { maxQueued: 100_000, maxBytesQueued: 256 * 1024 * 1024 })
    await producer.ready()
    const offer = (first: number): Publisher =>
      new Publisher(producer, { rate: RATE, from: first, bodyBytes: BODY_BYTES, maxUnanswered: 20_000 }).start()
    const seconds = (count: number): Promise<void> => new Promise(resolve => setTimeout(resolve, count * 1000))

    const fast = new Arrivals()
    const others = through()
    const collecting = collect(consume(others, 0, { messages: 1024, bytes: 8 * 1024 * 1024 }), fast)
    let rounds = 0
    /** Messages a second, from the first sent to the last one received. */
    const round = async (): Promise<number> => {
      const began = performance.now()
      const publisher = offer(rounds++ * 10_000_000)
      await seconds(SECONDS)
      await publisher.stop()
      const isComplete = await fast.all(publisher.acknowledged, settleMs)
      const rate = (publisher.sent * 1000) / (performance.now() - began)
      expect(isComplete, `round ${rounds}, missing: ${some(fast.missing(publisher.acknowledged))}`).toBe(true)
      return rate
    }
    // Once to get warm: the first is not compared with anything.
    await round()
    const aloneRate = nightly ? await round() : NaN

    const connections = Array.from({ length: SLOW }, through)
    for (const connection of connections) await connection.ready()
    const before = await memoryOf(bridge)
    let taken = 0
    let mostBuffered = 0
    const stopping = new AbortController()
    const stopped = new Promise(resolve => stopping.signal.addEventListener('abort', resolve))
    const look = setInterval(() => {
      for (const connection of connections) mostBuffered = Math.max(mostBuffered, connection.stats().buffered)
    }, 10)
    const slow = connections.map((connection, n) =>
      consume(connection, 1 + n, { messages: PREFETCH }).run(
        async message => {
          taken++
          await Promise.race([seconds(1), stopped])
          message.ack()
        },
        { signal: stopping.signal },
      ),
    )
    const besideRate = await round()
    const after = await memoryOf(bridge)
    clearInterval(look)
    stopping.abort()
    await Promise.all(slow)

    const each = (after.live - before.live) / SLOW
    const loss = nightly ? `, ${Math.round(aloneRate)}/s alone: ${(100 * (1 - besideRate / aloneRate)).toFixed(1)} % less` : ''
    console.log(
      `${mode}: ${Math.round(besideRate)}/s beside slow ones${loss}; ` +
        `${(each / 1024).toFixed(0)} KiB of live memory for each slow one, resident ${((after.rss - before.rss) / SLOW / 1024).toFixed(0)} KiB; ` +
        `at most ${mostBuffered} messages in an SDK, ${taken} taken`,
    )
    expect(taken).toBeGreaterThan(0)
    expect(mostBuffered).toBeGreaterThan(0)
    expect(mostBuffered).toBeLessThanOrEqual(PREFETCH)
    expect(each, `bytes of the bridge for each slow application`).toBeLessThanOrEqual(maxBytesEach)
    await Promise.all(connections.map(connection => connection.close()))
    await others.close()
    await collecting
  },
  120_000 + SECONDS * 4_000,
)
