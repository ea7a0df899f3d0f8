import { describe, expect, it } from 'vitest'
import { createRandom } from '../src/index.ts'

describe('createRandom', () => {
  it('the same seed gives the same run, another seed another', () => {
    const run = (seed: number): number[] => {
      const random = createRandom(seed)
      return Array.from({ length: 20 }, () => random.next())
    }
    expect(run(7)).toEqual(run(7))
    expect(run(7)).not.toEqual(run(8))
  })

  it('stays in range and reaches everything', () => {
    const random = createRandom(1)
    const counts = new Array<number>(10).fill(0)
    for (let round = 0; round < 10_000; round++) {
      const value = random.next()
      expect(value >= 0 && value < 1).toBe(true)
      counts[random.int(10)]!++
    }
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150)
    expect(random.int(1)).toBe(0)
    expect(random.int(2 ** 53)).toBeGreaterThan(2 ** 32)
    expect(new Set(random.bytes(2000)).size).toBe(256)
    expect(new Set(Array.from({ length: 100 }, () => random.pick(['a', 'b', 'c'])))).toEqual(new Set(['a', 'b', 'c']))
    expect(() => random.pick([])).toThrow(RangeError)
    expect(random.chance(0)).toBe(false)
    expect(random.chance(1)).toBe(true)
  })

  it('a fork does not depend on what is taken from its origin later', () => {
    const one = createRandom(5)
    const two = createRandom(5)
    const forkOne = one.fork()
    const forkTwo = two.fork()
    one.next()
    expect(forkOne.next()).toBe(forkTwo.next())
  })
})
