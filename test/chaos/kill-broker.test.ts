import { createRandom } from '@cometmq/testkit'
import { afterEach, expect, it } from 'vitest'
import { rounds, seed, some } from './support/load.ts'
import { Members } from './support/members.ts'
import { Site } from './support/processes.ts'

const KILLS = rounds(3, 20)
const recoverMs = 60_000
const settleMs = 60_000

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

it(
  `the broker killed with -9 ${KILLS} times under the bridge (COMET_SEED=${seed}): nothing acknowledged is lost`,
  async () => {
    const random = createRandom(seed)
    const site = await Site.start()
    closers.push(() => site.close())
    await site.topic('restarted')
    const { url } = await site.bridge()
    const members = await Members.start({ site, topic: 'restarted', urls: [url], publishers: 2, groupConsumers: 2, rate: 500 })
    closers.push(() => members.close())
    await members.progress(50, recoverMs)
    for (let kill = 0; kill < KILLS; kill++) {
      await site.server.kill()
      await site.server.start()
      await members.progress(100 + random.int(500), recoverMs)
    }
    const settled = await members.settle(settleMs)
    const { acknowledged } = members
    const opened = members.states.flat().filter(state => state.type === 'open').length
    await members.close()
    const refused = members.publishers.reduce((sum, publisher) => sum + publisher.refused.size, 0)
    const what = `seed ${seed}, ${KILLS} kills, ${acknowledged.size} messages acknowledged`
    console.log(
      `${what}; group ${members.group.duplicates.length} twice (${members.group.unmarkedDuplicates.length} not marked), broadcast ${members.broadcast.duplicates.length} twice; sends refused: ${refused}`,
    )
    expect(members.failures, what).toEqual([])
    expect(some(members.group.missing(acknowledged)), `${what}; missing in the group`).toBe('0')
    expect(some(members.broadcast.missing(acknowledged)), `${what}; missing in broadcast`).toBe('0')
    expect(settled).toEqual([true, true])
    // Clients notice nothing but sends that take long or fail: they stay connected.
    expect(opened, what).toBe(members.connections.length)
  },
  120_000 + KILLS * 15_000,
)
