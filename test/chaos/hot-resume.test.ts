import { connect, type ConnState } from '@cometmq/node'
import { createRandom, type Random } from '@cometmq/testkit'
import { afterEach, expect, it } from 'vitest'
import { type Cut, CuttingProxy } from '../conformance/proxy.ts'
import { Arrivals, collect, numbered, Publisher, refusals, rounds, seed, some } from './support/load.ts'
import { Site } from './support/processes.ts'

const CUTS = rounds(40, 200)
const RATE = 5_000
const settleMs = 40_000

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** After so many more bytes, in a direction; every fourth cut is one that the bridge does not learn of. */
function cutWithin(random: Random, bytes: number): Cut {
  const after = 1 + random.int(bytes)
  return { ...(random.chance() ? { up: after } : { down: after }), halfOpen: random.chance(0.25) }
}

it.each(['uws', 'ws'] as const)(
  `%s: ${CUTS} hot resumes at ${RATE} messages a second both ways (COMET_SEED=${seed}): nothing lost, nothing twice`,
  async engine => {
    const random = createRandom(seed)
    const site = await Site.start()
    closers.push(() => site.close())
    const def = numbered(await site.topic('cut'))
    const bridge = await site.bridge('bridge', { engine })
    const proxy = await CuttingProxy.start(bridge.ready.bridge!.port)
    closers.push(() => proxy.close())
    const connection = connect({
      url: `ws://127.0.0.1:${proxy.port}/ws`,
      topics: [def],
      auth: () => site.token(),
      backoff: { min: 1, max: 10 },
    })
    closers.push(() => connection.close())
    const group = new Arrivals()
    const broadcast = new Arrivals()
    const failed: unknown[] = []
    const consumers = [
      connection.consumer({ topics: ['cut'], group: 'cutters', prefetch: { messages: 512 } }),
      connection.consumer({ topics: ['cut'], mode: 'broadcast', since: 'earliest', prefetch: { messages: 512 } }),
    ]
    const loops = consumers.map((consumer, at) =>
      collect(consumer, at === 0 ? group : broadcast).catch((error: unknown) => void failed.push(error)),
    )
    await connection.ready()
    const publisher = new Publisher(connection.producer('cut'), { rate: RATE }).start()

    const resumes: ConnState[] = []
    for await (const state of connection.states()) {
      if (state.type === 'closed') throw new Error(`closed after ${resumes.length} resumes`, { cause: state.error })
      // Some attempts do not even get through the handshake, which has about 1,000 bytes each way.
      if (state.type === 'connecting' && resumes.length > 0 && random.chance(0.2)) proxy.cut(cutWithin(random, 1_000))
      if (state.type !== 'open') continue
      resumes.push(state)
      if (resumes.length > CUTS) break
      proxy.cut(cutWithin(random, random.pick([300, 3_000, 60_000])))
    }
    await publisher.stop()
    const everyone = await Promise.all([
      group.all(publisher.acknowledged, settleMs),
      broadcast.all(publisher.acknowledged, settleMs),
    ])
    const rate = Math.round(publisher.rate)
    await connection.drain()
    await Promise.all(loops)

    const [first, ...rest] = resumes.map(state => state.type === 'open' && state.resumed)
    const what = `seed ${seed}, ${proxy.cuts} cuts, ${publisher.sent} messages at ${rate}/s`
    expect(first, what).toBe(false)
    expect(
      rest.filter(how => how !== 'hot'),
      what,
    ).toEqual([])
    expect(refusals(publisher), what).toEqual([])
    expect(failed, what).toEqual([])
    expect(
      everyone,
      `${what}; missing: ${some(group.missing(publisher.acknowledged))} in the group, ${some(broadcast.missing(publisher.acknowledged))} in broadcast`,
    ).toEqual([true, true])
    expect(some(group.duplicates), `${what}; twice in the group`).toBe('0')
    expect(some(broadcast.duplicates), `${what}; twice in broadcast`).toBe('0')
    console.log(`${engine}: ${rest.length} hot resumes, ${what}: 0 lost, 0 twice`)
  },
  60_000 + CUTS * 1_500,
)
