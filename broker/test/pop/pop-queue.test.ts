import { createRandom } from '@cometmq/testkit'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readRecords, RecordKind, RecordWriter } from '../../src/delivery/pop/journal-records.ts'
import type { Lease } from '../../src/delivery/pop/lease.ts'
import { PopQueue } from '../../src/delivery/pop/pop-queue.ts'
import { RestoreReader } from '../../src/delivery/pop/restore.ts'

const START = 1000
const time = (popTime: number, suspended = false) => ({ popTime, invisibleMs: 60_000, suspended })

/** The same in the simplest way: every message that is in flight, with the pop time that settles it. */
class Model {
  next = START
  readonly open = new Map<number, number>()

  get floor(): number {
    return this.open.size === 0 ? this.next : Math.min(...this.open.keys())
  }
}

/** A queue under random use, its model, and the journal of both. */
class Run {
  readonly total = { messages: 0 }
  readonly queue = new PopQueue('G', 'T', 3, START, this.total)
  readonly model = new Model()
  readonly records = new RecordWriter()
  readonly released = new Set<Lease>()
  #popTime = 1

  constructor() {
    this.queue.number = 7
    this.records.queue(7, this.queue, START)
  }

  readonly #release = (lease: Lease): void => void this.released.add(lease)

  step(random: ReturnType<typeof createRandom>): void {
    const { queue, model, records } = this
    const dice = random.int(100)
    if (dice < 30) {
      const span = 1 + random.int(100)
      const all = Array.from({ length: span }, (_, i) => queue.next + i)
      const chosen = random.chance(0.4) ? all : all.filter(() => random.chance(0.3))
      if (chosen.length === 0) return
      const popTime = ++this.#popTime
      const lease = queue.handOut(span, time(popTime), chosen)
      records.run(7, lease)
      for (const offset of chosen) model.open.set(offset, popTime)
      model.next += span
    } else if (dice < 80) {
      const offset = this.#anyOffset(random)
      const right = random.chance(0.9)
      const popTime = right ? (model.open.get(offset) ?? 1) : 0
      const settled = queue.settle(offset, this.#release, popTime)
      expect(settled).toBe(right && model.open.delete(offset))
      if (settled) records.settled(7, offset, 1)
    } else if (dice < 93) {
      const offset = this.#anyOffset(random)
      const popTime = ++this.#popTime
      const lease = queue.move(offset, time(popTime), this.#release)
      expect(lease !== undefined).toBe(model.open.has(offset))
      if (lease === undefined) return
      records.moved(7, lease)
      model.open.set(offset, popTime)
    } else if (dice < 97) {
      const to = queue.next + random.int(50)
      queue.skipTo(to)
      records.offset(RecordKind.SKIPPED, 7, to)
      model.next = to
    } else if (dice === 99) {
      const to = START + random.int(500)
      queue.reposition(to, this.#release)
      records.offset(RecordKind.AT, 7, to)
      model.next = to
      model.open.clear()
    }
  }

  #anyOffset(random: ReturnType<typeof createRandom>): number {
    const open = [...this.model.open.keys()]
    if (open.length === 0 || random.chance(0.2)) return START + random.int(this.model.next - START + 5)
    return random.chance() ? random.pick(open) : open[0]!
  }

  snapshot(): RecordWriter {
    const into = new RecordWriter()
    const { queue } = this
    const first = [...queue.runs()][0]
    into.queue(7, queue, first?.start ?? queue.next)
    for (const run of queue.runs()) into.run(7, run)
    for (const lease of queue.moved()) into.moved(7, lease)
    into.offset(RecordKind.SKIPPED, 7, queue.next)
    return into
  }
}

const stateOf = (queue: PopQueue) => {
  const open: [number, number][] = []
  for (let offset = queue.floor; offset < queue.next; offset++) {
    const holder = queue.holderOf(offset)
    if (holder !== undefined) open.push([offset, holder.popTime])
  }
  return { next: queue.next, floor: queue.floor, open, inFlight: queue.inFlight }
}
const modelState = ({ next, floor, open }: Model) => ({
  next,
  floor,
  open: [...open].sort(([a], [b]) => a - b),
  inFlight: open.size,
})

function replay(bytes: Buffer): ReturnType<typeof stateOf> {
  const reader = new RestoreReader()
  expect(readRecords(bytes, reader)).toBe(bytes.length)
  return stateOf(reader.states.find('G', 'T', 3)!)
}

describe('a queue of leases', () => {
  it('is what the simplest model is, live and read from its journal', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.integer({ min: 1, max: 400 }), (seed, steps) => {
        const random = createRandom(seed)
        const run = new Run()
        for (let step = 0; step < steps; step++) run.step(random)
        expect(stateOf(run.queue)).toEqual(modelState(run.model))
        expect(run.total.messages).toBe(run.model.open.size)
        expect(replay(run.records.bytes())).toEqual(modelState(run.model))
        // Leases that are told to be released hold nothing, and those that hold something are not.
        for (const lease of run.queue.leases()) expect(run.released.has(lease)).toBe(false)
      }),
      { numRuns: 100 },
    )
  })

  it('records that stand in a snapshot already change nothing behind it', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.integer({ min: 1, max: 200 }), fc.nat(200), (seed, steps, more) => {
        const random = createRandom(seed)
        const run = new Run()
        for (let step = 0; step < steps; step++) run.step(random)
        const before = run.records.length
        for (let step = 0; step < more; step++) run.step(random)
        const snapshot = run.snapshot().bytes()
        const late = run.records.bytes().subarray(before)
        expect(replay(Buffer.concat([snapshot, late]))).toEqual(modelState(run.model))
      }),
      { numRuns: 100 },
    )
  })

  it('a torn or damaged journal is read up to the damage', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.nat(100_000), fc.boolean(), (seed, where, torn) => {
        const random = createRandom(seed)
        const run = new Run()
        const ends: number[] = []
        for (let step = 0; step < 30; step++) {
          run.step(random)
          ends.push(run.records.length)
        }
        const bytes = Buffer.from(run.records.bytes())
        const at = where % bytes.length
        if (!torn) bytes[at]! ^= 1 << (seed & 7)
        const end = readRecords(torn ? bytes.subarray(0, at) : bytes, new RestoreReader())
        expect(end).toBeLessThanOrEqual(at)
        const first = firstRecordEnd(run.records.bytes())
        expect(end === 0 || end === first || ends.includes(end)).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  it('keeps one settled run in the middle of many no longer than needed', () => {
    const total = { messages: 0 }
    const queue = new PopQueue('G', 'T', 0, 0, total)
    const nothing = (): void => undefined
    queue.handOut(1, time(1))
    for (let i = 1; i < 10_000; i++) {
      queue.handOut(1, time(i + 1))
      queue.settle(i, nothing)
    }
    // Only the first is open: all others must be gone, or memory would grow as long as it stays so.
    expect([...queue.runs()]).toHaveLength(1)
    expect(queue.runsKept).toBeLessThan(100)
    expect(queue.floor).toBe(0)
    queue.settle(0, nothing)
    expect(queue.floor).toBe(10_000)
  })
})

const firstRecordEnd = (bytes: Buffer): number => 8 + bytes.readInt32BE(0)
