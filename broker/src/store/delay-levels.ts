const UNIT_MS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

export const DEFAULT_DELAY_LEVELS = '1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h'
export const SCHEDULE_TOPIC = 'SCHEDULE_TOPIC_XXXX'

/** `messageDelayLevel` as milliseconds, index 0 is level 1 (Java: ScheduleMessageService). Throws on text it does not understand. */
export function parseDelayLevels(text: string): number[] {
  return text
    .trim()
    .split(/\s+/)
    .map(part => {
      const match = /^(\d{1,9})([smhd])$/.exec(part)
      if (match === null) throw new Error(`messageDelayLevel: "${part}" is not a number followed by s, m, h or d`)
      return Number(match[1]) * UNIT_MS[match[2]!]!
    })
}

/** When a message of a level is due; a level above the last counts as the last one (spec store, 7.2). */
export function delayDueTime(levelsMs: readonly number[], level: number, storeTimestamp: number): number {
  const delayMs = levelsMs[Math.min(level, levelsMs.length) - 1]
  return storeTimestamp + (delayMs ?? 1000)
}
