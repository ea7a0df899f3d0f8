import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decide,
  diskMarks,
  initialState,
  judgeDisk,
  parseHours,
  Retention,
  type RetentionConfig,
  type RetentionFile,
} from '../../src/store/retention.ts'

const HOUR = 3_600_000
const config: RetentionConfig = {
  deleteWhen: '04',
  fileReservedTimeHours: 72,
  diskMaxUsedSpaceRatio: 75,
  diskSpaceCleanForciblyRatio: 85,
  diskSpaceWarningLevelRatio: 90,
  cleanFileForciblyEnable: true,
}
/** A local time of day, so that the tests mean the same in every zone. */
const at = (hour: number, minute = 0): number => new Date(2025, 5, 15, hour, minute).getTime()

/** Files that many hours old, oldest first, 100 bytes each. */
const files = (now: number, ...hours: number[]): RetentionFile[] =>
  hours.map((age, index) => ({ start: index * 100, modifiedAt: now - age * HOUR }))

const deleted = (given: Partial<RetentionConfig>, now: number, used: number[], ages: number[], manualRounds = 0): number[] =>
  decide({ ...config, ...given }, { files: files(now, ...ages), now, usedRatios: used }, { ...initialState, manualRounds })
    .deletePositions

describe('which files go', () => {
  const old = [100, 73, 72, 71.9, 1]
  it.each([
    { what: 'at the hour, files as old as the reserved time or older', now: at(4), used: [0.1], ages: old, goes: [0, 100, 200] },
    { what: 'still at the end of that hour', now: at(4, 59), used: [0.1], ages: old, goes: [0, 100, 200] },
    { what: 'none at another hour', now: at(5), used: [0.1], ages: old, goes: [] },
    { what: 'none just before the hour', now: at(3, 59), used: [0.1], ages: old, goes: [] },
    { what: 'none at the mark', now: at(5), used: [0.75], ages: old, goes: [] },
    { what: 'expired ones above 75 %, whatever the hour', now: at(5), used: [0.751], ages: old, goes: [0, 100, 200] },
    { what: 'the fuller partition counts', now: at(5), used: [0.1, 0.8], ages: old, goes: [0, 100, 200] },
    { what: 'all but the last above 85 %', now: at(5), used: [0.851], ages: old, goes: [0, 100, 200, 300] },
    { what: 'the same above 90 %', now: at(5), used: [0.95], ages: old, goes: [0, 100, 200, 300] },
    { what: 'never the last one', now: at(4), used: [0.99], ages: [1000], goes: [] },
    { what: 'none of none', now: at(4), used: [0.99], ages: [], goes: [] },
    { what: 'none behind one that stays', now: at(4), used: [0.1], ages: [100, 1, 100, 100], goes: [0] },
    {
      what: 'ten in a round',
      now: at(4),
      used: [0.1],
      ages: Array.from({ length: 15 }, () => 80),
      goes: Array.from({ length: 10 }, (_, i) => i * 100),
    },
  ])('$what', ({ now, used, ages, goes }) => {
    expect(deleted({}, now, used, ages)).toEqual(goes)
  })

  it('only expired ones above 85 % when cleanFileForciblyEnable is false', () => {
    expect(deleted({ cleanFileForciblyEnable: false }, at(5), [0.95], old)).toEqual([0, 100, 200])
  })

  it('at each of several hours', () => {
    const hours = Array.from({ length: 24 }, (_, hour) => hour).filter(
      hour => deleted({ deleteWhen: '04;16; 23' }, at(hour), [0], old).length > 0,
    )
    expect(hours).toEqual([4, 16, 23])
  })

  it('when asked, whatever the hour: expired ones, for twenty rounds', () => {
    const retention = new Retention(config)
    expect(retention.expired(files(at(9), ...old), 0.1, at(9))).toEqual([])
    retention.requestManualClean()
    for (let round = 0; round < 20; round++) expect(retention.expired(files(at(9), ...old), 0.1, at(9))).toEqual([0, 100, 200])
    expect(retention.expired(files(at(9), ...old), 0.1, at(9))).toEqual([])
  })

  it('always the oldest without a gap, at most ten, not the last', () => {
    const ratio = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 200 })), fc.nat({ max: 23 }), ratio, fc.nat({ max: 1 }), (ages, hour, used, manual) => {
        const goes = deleted({}, at(hour), [used], ages, manual)
        expect(goes).toEqual(goes.map((_, index) => index * 100))
        expect(goes.length).toBeLessThanOrEqual(Math.min(10, Math.max(0, ages.length - 1)))
        if (used <= 0.85) for (const start of goes) expect(ages[start / 100]).toBeGreaterThanOrEqual(72)
      }),
    )
  })
})

describe('whether messages are refused', () => {
  it('above 90 %, until the disk is down to 85 %', () => {
    const retention = new Retention(config)
    const refused = [0.5, 0.86, 0.9, 0.901, 0.9, 0.851, 0.85, 0.9, 0.91].map(used => retention.watermark(used) !== null)
    expect(refused).toEqual([false, false, false, true, true, true, false, false, true])
  })

  it('says how full, and what to do', () => {
    const reason = judgeDisk(config, 0.913, false).notWritable
    expect(reason).toBe(
      'the disk is too full: 91.3 % used, messages are refused above 90 % and accepted again at 85 %. Free space on it, or lower fileReservedTime',
    )
  })

  it('is part of a round, with memory', () => {
    const round = (used: number, isDiskFull: boolean): (string | boolean | null)[] => {
      const { notWritable, state } = decide(
        config,
        { files: [], now: 0, usedRatios: [0.2, used] },
        { isDiskFull, manualRounds: 0 },
      )
      return [notWritable === null, state.isDiskFull]
    }
    expect([round(0.95, false), round(0.87, true), round(0.87, false), round(0.8, true)]).toEqual([
      [false, true],
      [false, true],
      [true, false],
      [true, false],
    ])
  })
})

describe('configuration', () => {
  it.each([
    [{}, [0.75, 0.85, 0.9]],
    [{ diskMaxUsedSpaceRatio: 5, diskSpaceCleanForciblyRatio: 5, diskSpaceWarningLevelRatio: 5 }, [0.1, 0.3, 0.35]],
    [{ diskMaxUsedSpaceRatio: 99, diskSpaceCleanForciblyRatio: 99, diskSpaceWarningLevelRatio: 99 }, [0.95, 0.85, 0.9]],
    [{ diskMaxUsedSpaceRatio: 60, diskSpaceCleanForciblyRatio: 70, diskSpaceWarningLevelRatio: 80 }, [0.6, 0.7, 0.8]],
  ])('keeps the marks within bounds: %j', (given, marks) => {
    const { clean, cleanNow, refuse } = diskMarks({ ...config, ...given })
    expect([clean, cleanNow, refuse]).toEqual(marks)
  })

  it('reads hours, and refuses what is none', () => {
    expect(parseHours('04')).toEqual([4])
    expect(parseHours('04;4;23;')).toEqual([4, 4, 23])
    for (const wrong of ['24', '-1', 'four', '04,05', '4.5']) expect(() => parseHours(wrong)).toThrow(/is not an hour/)
    expect(() => new Retention({ ...config, deleteWhen: 'noon' })).toThrow(/deleteWhen=noon/)
  })
})
