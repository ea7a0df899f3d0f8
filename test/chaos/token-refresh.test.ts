import { connect } from '@cometmq/node'
import { afterEach, expect, it } from 'vitest'
import { Arrivals, collect, nightly, numbered, Publisher, refusals, some } from './support/load.ts'
import { Site } from './support/processes.ts'

const TTL_SECONDS = 2
const REFRESHES = nightly ? 20 : 3
const settleMs = 20_000

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

it(`tokens of ${TTL_SECONDS} s are replaced ${REFRESHES} times under load: no error, the same socket`, async () => {
  const site = await Site.start()
  closers.push(() => site.close())
  const def = numbered(await site.topic('refreshed'))
  const bridge = await site.bridge()
  const reasons: string[] = []
  let enough = (): void => undefined
  const refreshed = new Promise<void>(resolve => (enough = resolve))
  const connection = connect({
    url: bridge.url,
    topics: [def],
    auth({ reason }) {
      reasons.push(reason)
      if (reasons.length > REFRESHES + 1) enough()
      return site.token({ ttlSeconds: TTL_SECONDS })
    },
  })
  closers.push(() => connection.close())
  const states: string[] = []
  const watching = (async () => {
    for await (const state of connection.states()) states.push(state.type)
  })()
  const arrivals = new Arrivals()
  const consumer = connection.consumer({ topics: ['refreshed'], group: 'refreshers' })
  let failure: unknown
  const collecting = collect(consumer, arrivals).catch((error: unknown) => (failure = error))
  await connection.ready()
  const publisher = new Publisher(connection.producer('refreshed'), { rate: 1_000 }).start()
  await refreshed
  await publisher.stop()
  const complete = await arrivals.all(publisher.acknowledged, settleMs)
  const { reconnects } = connection.stats()
  await connection.drain()
  await collecting
  await watching
  expect(new Set(reasons.slice(1))).toEqual(new Set(['refresh']))
  expect(reconnects).toBe(0)
  expect(states.filter(type => type === 'open')).toHaveLength(1)
  expect(refusals(publisher)).toEqual([])
  expect(failure).toBeUndefined()
  expect([complete, some(arrivals.missing(publisher.acknowledged))]).toEqual([true, '0'])
  expect(some(arrivals.duplicates)).toBe('0')
})
