/** A seeded source of randomness: the same seed gives the same run. */
export interface Random {
  readonly seed: number
  /** 0 ≤ x < 1. */
  next(): number
  /** An integer, 0 ≤ x < `limit`; `limit` at most 2^53. */
  int(limit: number): number
  /** True with the given probability, default one half. */
  chance(probability?: number): boolean
  pick<T>(list: readonly T[]): T
  bytes(length: number): Uint8Array
  /** An independent stream, so that one part's consumption does not shift another's. */
  fork(): Random
}

/** mulberry32: 32 bits of state, good enough to choose faults. */
export function createRandom(seed: number): Random {
  let state = seed | 0
  const word = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  // 53 bits: the high part from one word, the low 21 bits from the next.
  const next = (): number => (word() * 2_097_152 + (word() >>> 11)) / 9_007_199_254_740_992
  return {
    seed,
    next,
    int: limit => Math.floor(next() * limit),
    chance: (probability = 0.5) => next() < probability,
    pick(list) {
      if (list.length === 0) throw new RangeError('nothing to pick from')
      return list[Math.floor(next() * list.length)]!
    },
    bytes: length => Uint8Array.from({ length }, () => word() & 0xff),
    fork: () => createRandom(word()),
  }
}
