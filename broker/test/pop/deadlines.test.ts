import { createRandom, FakeClock } from '@cometmq/testkit'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Deadlines, type Timed } from '../../src/delivery/pop/deadlines.ts'

interface Item extends Timed {
  name: number
  due: number
}

const item = (name: number, due: number): Item => ({ name, due, tick: -1, slot: 0 })

describe('deadlines', () => {
  it('tell each item once, never early and at most 2 % and 10 ms late, and not those that were removed', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), seed => {
        const random = createRandom(seed)
        const clock = new FakeClock()
        const told = new Map<number, number>()
        const deadlines = new Deadlines<Item>(clock, each => {
          expect(told.has(each.name)).toBe(false)
          told.set(each.name, clock.monotonic())
        })
        const items: { item: Item; from: number; removed: boolean }[] = []
        for (let step = 0; step < 200; step++) {
          const ms = random.pick([0, 1, 10, 1000, 30_000, 4_000_000]) + random.int(1000)
          const added = { item: item(step, clock.monotonic() + ms), from: clock.monotonic(), removed: false }
          items.push(added)
          deadlines.add(added.item, ms)
          if (random.chance(0.3)) {
            const other = random.pick(items)
            if (!told.has(other.item.name)) other.removed = true
            deadlines.remove(other.item)
          }
          if (random.chance(0.1)) clock.advance(random.int(5000))
        }
        clock.advance(5_000_000)
        for (const { item: each, from, removed } of items) {
          const at = told.get(each.name)
          expect(at === undefined).toBe(removed)
          if (at === undefined) continue
          expect(at).toBeGreaterThanOrEqual(each.due)
          expect(at - each.due).toBeLessThanOrEqual(10 + (each.due - from) * 0.02)
        }
        expect(deadlines.count).toBe(0)
        expect(clock.pending).toBe(0)
      }),
      { numRuns: 30 },
    )
  })
})
