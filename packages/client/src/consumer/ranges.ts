import type { Ranges } from '@cometmq/protocol'

/** Adds a number to ascending `lo, hi` pairs. Numbers mostly come in order: the search begins at the end. */
export function addTo(ranges: number[], seq: number): void {
  let at = ranges.length
  while (at > 0 && ranges[at - 2]! > seq) at -= 2
  // Before `at`: ranges that begin at or below seq.
  if (at > 0 && ranges[at - 1]! >= seq) return
  const joinsLower = at > 0 && ranges[at - 1] === seq - 1
  const joinsUpper = at < ranges.length && ranges[at] === seq + 1
  if (joinsLower && joinsUpper) ranges.splice(at - 1, 2)
  else if (joinsLower) ranges[at - 1] = seq
  else if (joinsUpper) ranges[at] = seq
  else ranges.splice(at, 0, seq, seq)
}

export function holds(ranges: Ranges, seq: number): boolean {
  for (let at = 0; at < ranges.length; at += 2) if (seq >= ranges[at]! && seq <= ranges[at + 1]!) return true
  return false
}
