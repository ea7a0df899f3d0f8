import { describe, expect, it } from 'vitest'
import { FakeClock } from '../src/index.ts'

describe('FakeClock', () => {
  it('stands still until moved', () => {
    const clock = new FakeClock(1000)
    expect([clock.now(), clock.monotonic()]).toEqual([1000, 0])
    clock.advance(5)
    expect([clock.now(), clock.monotonic()]).toEqual([1005, 5])
  })

  it('runs due timers in order of time, then of setting, each at its own time', () => {
    const clock = new FakeClock(0)
    const seen: string[] = []
    const note = (name: string) => () => seen.push(`${name}@${clock.now()}`)
    clock.setTimeout(note('c'), 30)
    clock.setTimeout(note('a'), 10)
    clock.setTimeout(note('b'), 10)
    clock.setTimeout(note('late'), 31)
    clock.advance(30)
    expect(seen).toEqual(['a@10', 'b@10', 'c@30'])
    expect(clock.pending).toBe(1)
  })

  it('runs timers that timers set, when they fall due on the way', () => {
    const clock = new FakeClock(0)
    let ticks = 0
    const tick = (): void => {
      ticks++
      clock.setTimeout(tick, 10)
    }
    clock.setTimeout(tick, 10)
    clock.advance(100)
    expect(ticks).toBe(10)
    expect(clock.pending).toBe(1)
  })

  it('cancelled timers do not run, one cancelled by another included', () => {
    const clock = new FakeClock()
    const seen: number[] = []
    const second = clock.setTimeout(() => seen.push(2), 2)
    clock.setTimeout(() => second.cancel(), 1)
    clock.advance(10)
    expect(seen).toEqual([])
    expect(clock.pending).toBe(0)
  })

  it('a timer that advances the clock does not set it back', () => {
    const clock = new FakeClock(0)
    clock.setTimeout(() => clock.advance(50), 10)
    clock.advance(20)
    expect(clock.monotonic()).toBe(60)
  })

  it('jump moves only the wall clock', () => {
    const clock = new FakeClock(1000)
    let ran = false
    clock.setTimeout(() => (ran = true), 10)
    clock.jump(-500)
    expect([clock.now(), clock.monotonic(), ran]).toEqual([500, 0, false])
    clock.jump(10_000)
    expect(ran).toBe(false)
    clock.advance(10)
    expect(ran).toBe(true)
  })

  it('advanceAsync lets what a timer started go on before the next', async () => {
    const clock = new FakeClock()
    const seen: string[] = []
    clock.setTimeout(() => {
      void Promise.resolve()
        .then(() => undefined)
        .then(() => seen.push('first, later'))
    }, 1)
    clock.setTimeout(() => seen.push('second'), 2)
    await clock.advanceAsync(2)
    expect(seen).toEqual(['first, later', 'second'])
  })
})
