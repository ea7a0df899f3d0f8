import type { Ranges } from '@cometmq/protocol'

/** Ranges of ascending numbers. */
export function rangesOf(ascending: readonly number[]): number[] {
  const ranges: number[] = []
  for (const value of ascending) {
    if (ranges.length > 0 && ranges[ranges.length - 1] === value - 1) ranges[ranges.length - 1] = value
    else ranges.push(value, value)
  }
  return ranges
}

/**
 * Calls `visit` for each key of `map` inside the ranges, in ascending order when the map was filled so. Costs no more than the smaller of
 * both, so that a range of all numbers is no attack. `visit` may delete the key.
 */
export function visitRanges<T>(map: ReadonlyMap<number, T>, ranges: Ranges, visit: (key: number, value: T) => void): void {
  for (let index = 0; index + 1 < ranges.length; index += 2) {
    const low = ranges[index]!
    const high = ranges[index + 1]!
    if (high - low < map.size) {
      for (let key = low; key <= high; key++) {
        const value = map.get(key)
        if (value !== undefined) visit(key, value)
      }
    } else {
      for (const [key, value] of map) if (key >= low && key <= high) visit(key, value)
    }
  }
}
