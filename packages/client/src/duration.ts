import { BridgeError } from './errors.ts'

/** Milliseconds, or a number with its unit: `"30s"`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds, whole. Throws INVALID_ARGUMENT: not a duration, or negative. */
export function durationMs(duration: Duration, name = 'duration'): number {
  const parts = /^([\d.]+)(ms|s|m|h|d)$/.exec(String(duration))
  const ms = typeof duration === 'number' ? duration : parts ? Number(parts[1]) * unitMs[parts[2]!]! : NaN
  if (ms >= 0) return Math.round(ms)
  throw new BridgeError(60004, `${name} must be milliseconds or like "30s", not ${JSON.stringify(duration)}`)
}
