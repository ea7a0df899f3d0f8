import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Rids } from '../../src/core/rids.ts'

describe('request ids', () => {
  it('each is new exactly once, in whatever order they come', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ rid: fc.integer({ min: 1, max: 60 }), count: fc.integer({ min: 1, max: 5 }) })),
        frames => {
          const rids = new Rids()
          const seen = new Set<number>()
          for (const { rid, count } of frames) {
            if (rids.isNew(rid)) {
              rids.note(rid, count)
              for (let n = 0; n < count; n++) {
                expect(seen.has(rid + n)).toBe(false)
                seen.add(rid + n)
              }
              continue
            }
            for (let n = 0; n < count; n++) {
              const isNew = rids.isNew(rid + n) || rids.fill(rid + n)
              rids.note(rid + n)
              expect(isNew).toBe(!seen.has(rid + n))
              seen.add(rid + n)
            }
          }
        },
      ),
    )
  })

  it('remembers a thousand gaps, and gives up the oldest: those are never executed', () => {
    const rids = new Rids()
    for (let n = 1; n <= 3_000; n++) rids.note(2 * n)
    expect(rids.fill(1)).toBe(false)
    expect(rids.fill(2_001)).toBe(false)
    expect(rids.fill(5_999)).toBe(true)
    expect(rids.fill(5_999)).toBe(false)
  })
})
