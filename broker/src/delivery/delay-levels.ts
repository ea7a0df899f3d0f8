import { parseDelayLevels } from '../store/delay-levels.ts'

/** Delay levels (spec store, 7.2; Java: ScheduleMessageService). Level n is the n-th entry of messageDelayLevel, from 1. */
export interface DelayLevels {
  readonly max: number
  /** Milliseconds of a level from 1 to max. */
  delayMs(level: number): number
  /** The level a DELAY property asks for: 0 for none, capped at max. */
  parse(value: string): number
}

/** Throws when the text cannot be read: messages would be due at a wrong time. */
export function delayLevels(text: string): DelayLevels {
  const delays = parseDelayLevels(text)
  return {
    max: delays.length,
    delayMs: level => delays[level - 1]!,
    parse(value) {
      if (value === '') return 0
      const level = Number(value)
      return Number.isInteger(level) && level > 0 ? Math.min(level, delays.length) : 0
    },
  }
}
