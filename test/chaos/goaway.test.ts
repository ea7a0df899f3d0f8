import { afterEach, expect, it } from 'vitest'
import { refusals, rounds, some } from './support/load.ts'
import { Members } from './support/members.ts'
import { Site } from './support/processes.ts'

/** All bridges, one after the other, so many times. */
const ROLLS = rounds(1, 5)
const recoverMs = 30_000
const settleMs = 40_000

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

it(
  'a rolling restart of three bridges: publishers see no error, consumers lose nothing',
  async () => {
    const site = await Site.start()
    closers.push(() => site.close())
    await site.topic('rolling')
    const bridges = await Promise.all(['one', 'two', 'three'].map(name => site.bridge(name, { drain: '4s' })))
    const urls = bridges.map(bridge => bridge.url)
    const members = await Members.start({ site, topic: 'rolling', urls, publishers: 3, groupConsumers: 3, rate: 400 })
    closers.push(() => members.close())
    await members.progress(50, recoverMs)
    let moved = 0
    for (let roll = 0; roll < ROLLS; roll++)
      for (const bridge of bridges) {
        moved += members.nodes.filter(pid => pid === bridge.pid).length
        // Load goes on while it drains and after it has gone.
        const [code] = await Promise.all([bridge.stop(), members.progress(200, recoverMs)])
        expect(code, `exit code of bridge ${bridge.name}`).toBe(0)
        await bridge.start()
        await members.progress(100, recoverMs)
      }
    const settled = await members.settle(settleMs)
    const { acknowledged } = members
    await members.close()
    const later = members.states.flatMap(states => states.slice(states.findIndex(state => state.type === 'open')))
    console.log(
      `${ROLLS * bridges.length} bridges drained, publishers were at them ${moved} times; ${acknowledged.size} messages, group ${members.group.duplicates.length} twice, broadcast ${members.broadcast.duplicates.length} twice`,
    )
    expect(members.publishers.flatMap(refusals)).toEqual([])
    expect(members.failures).toEqual([])
    expect(some(members.group.missing(acknowledged)), 'missing in the group').toBe('0')
    expect(some(members.broadcast.missing(acknowledged)), 'missing in broadcast').toBe('0')
    expect(settled).toEqual([true, true])
    expect(some(members.group.unmarkedDuplicates), 'twice in the group, not marked').toBe('0')
    expect(some(members.broadcast.duplicates), 'twice in broadcast').toBe('0')
    // Those that were told to leave moved; nobody was cut off.
    expect(moved).toBeGreaterThan(0)
    expect(later.filter(state => state.type === 'connecting')).toEqual([])
  },
  60_000 + ROLLS * 60_000,
)
