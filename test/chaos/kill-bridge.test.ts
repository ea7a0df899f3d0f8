import { createRandom } from '@cometmq/testkit'
import { afterEach, expect, it } from 'vitest'
import { refusals, rounds, seed, some } from './support/load.ts'
import { Members } from './support/members.ts'
import { Site } from './support/processes.ts'

const KILLS = rounds(5, 50)
const RATE = 500
const recoverMs = 20_000
const settleMs = 40_000

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

it(
  `a bridge killed with -9 ${KILLS} times (COMET_SEED=${seed}), another one up: nothing lost, what comes twice is marked`,
  async () => {
    const random = createRandom(seed)
    const site = await Site.start()
    closers.push(() => site.close())
    await site.topic('killed')
    const bridges = [await site.bridge('one'), await site.bridge('two')]
    const urls = bridges.map(bridge => bridge.url)
    const members = await Members.start({ site, topic: 'killed', urls, publishers: 2, groupConsumers: 2, rate: RATE })
    closers.push(() => members.close())
    await members.progress(50, recoverMs)
    for (let kill = 0; kill < KILLS; kill++) {
      // Where messages are on their way; with luck the others are somewhere else.
      const victim = bridges.find(bridge => members.nodes.includes(bridge.pid))!
      await victim.kill()
      await members.progress(100 + random.int(300), recoverMs)
      await victim.start()
    }
    const [group, broadcast] = await members.settle(settleMs)
    const { acknowledged } = members
    const sent = members.publishers.reduce((sum, publisher) => sum + publisher.sent, 0)
    const what = `seed ${seed}, ${KILLS} kills, ${sent} messages`
    const resumes = members.states.flat().filter(state => state.type === 'open' && state.resumed === 'cold').length
    console.log(
      `${what}, ${resumes} cold resumes: group ${members.group.duplicates.length} twice, broadcast ${members.broadcast.duplicates.length} twice`,
    )
    await members.close()
    expect(members.publishers.flatMap(refusals), what).toEqual([])
    expect(members.failures, what).toEqual([])
    expect(some(members.group.missing(acknowledged)), `${what}; missing in the group`).toBe('0')
    expect(some(members.broadcast.missing(acknowledged)), `${what}; missing in broadcast`).toBe('0')
    expect([group, broadcast]).toEqual([true, true])
    expect(some(members.group.unmarkedDuplicates), `${what}; twice in the group, not marked`).toBe('0')
    expect(some(members.broadcast.unmarkedDuplicates), `${what}; twice in broadcast, not marked`).toBe('0')
    expect(resumes).toBeGreaterThanOrEqual(KILLS)
  },
  120_000 + KILLS * 8_000,
)
