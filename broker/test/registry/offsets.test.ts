import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LockTable, OffsetTable } from '../../src/registry/index.ts'
import { world } from './tools.ts'

const small = fc.constantFrom('a', 'b', 'c')
const operation = fc.oneof(
  fc.record({ kind: fc.constant('commit' as const), group: small, topic: small, queueId: fc.nat(2), offset: fc.nat(1000) }),
  fc.record({ kind: fc.constant('reset' as const), group: small, topic: small, queueId: fc.nat(2), offset: fc.nat(1000) }),
  fc.record({ kind: fc.constant('take' as const), group: small, topic: small, queueId: fc.nat(2) }),
  fc.record({ kind: fc.constant('removeGroup' as const), group: small }),
  fc.record({ kind: fc.constant('removeTopic' as const), topic: small }),
  fc.record({ kind: fc.constant('clone' as const), group: small, to: small, topic: small }),
)

describe('offsets', () => {
  it('is what a plain map with resets is, also after saving and loading', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 60 }), async operations => {
        const options = world()
        const offsets = await OffsetTable.load(options)
        const committed = new Map<string, number>()
        const resets = new Map<string, number>()
        const matching = (map: Map<string, number>, test: (parts: string[]) => boolean) =>
          [...map.keys()].filter(key => test(key.split('/')))
        for (const step of operations) {
          if (step.kind === 'removeGroup') {
            offsets.removeGroup(step.group)
            for (const map of [committed, resets])
              for (const key of matching(map, ([group]) => group === step.group)) map.delete(key)
          } else if (step.kind === 'removeTopic') {
            offsets.removeTopic(step.topic)
            for (const map of [committed, resets])
              for (const key of matching(map, ([, topic]) => topic === step.topic)) map.delete(key)
          } else if (step.kind === 'clone') {
            offsets.clone(step.group, step.to, step.topic)
            for (let q = 0; q < 3; q++) {
              const offset = committed.get(`${step.group}/${step.topic}/${q}`)
              if (offset !== undefined) committed.set(`${step.to}/${step.topic}/${q}`, offset)
            }
          } else {
            const { group, topic, queueId } = step
            const key = `${group}/${topic}/${queueId}`
            if (step.kind === 'take') {
              expect(offsets.takeReset(group, topic, queueId)).toBe(resets.get(key) ?? -1)
              resets.delete(key)
            } else if (step.kind === 'reset') {
              offsets.reset(group, topic, queueId, step.offset)
              resets.set(key, step.offset)
              committed.set(key, step.offset)
            } else {
              expect(offsets.commit(group, topic, queueId, step.offset)).toBe(!resets.has(key))
              if (!resets.has(key)) committed.set(key, step.offset)
            }
          }
        }
        const expected: Record<string, Record<string, number>> = {}
        for (const group of ['a', 'b', 'c']) {
          for (const topic of ['a', 'b', 'c']) {
            for (let q = 0; q < 3; q++) {
              const key = `${group}/${topic}/${q}`
              expect(offsets.hasReset(group, topic, q)).toBe(resets.has(key))
              expect(offsets.query(group, topic, q)).toBe(resets.get(key) ?? committed.get(key) ?? -1)
              const offset = committed.get(key)
              if (offset !== undefined) (expected[`${topic}@${group}`] ??= {})[q] = offset
            }
          }
        }
        for (const group of ['a', 'b', 'c']) {
          expect(offsets.topicsOf(group).sort()).toEqual(
            ['a', 'b', 'c'].filter(topic => expected[`${topic}@${group}`] !== undefined),
          )
          expect(offsets.groupsOf(group).sort()).toEqual(
            ['a', 'b', 'c'].filter(other => expected[`${group}@${other}`] !== undefined),
          )
        }
        expect(offsets.table()).toEqual(expected)
        await offsets.save()
        expect((await OffsetTable.load(options)).table()).toEqual(expected)
      }),
      { numRuns: 50 },
    )
  })

  it('writes nothing when nothing has changed', async () => {
    const options = world()
    const offsets = await OffsetTable.load(options)
    offsets.commit('G', 'T', 0, 5)
    await offsets.save()
    const gate = options.disk.faults.hold({ operation: 'open', times: 10 })
    await offsets.save()
    expect(gate.waiting).toBe(0)
    gate.open()
  })

  it('steps its version every 500 commits', async () => {
    const offsets = await OffsetTable.load(world())
    for (let i = 0; i < 499; i++) offsets.commit('G', 'T', 0, i)
    expect(offsets.dataVersion.counter).toBe(0)
    offsets.commit('G', 'T', 0, 499)
    expect(offsets.dataVersion.counter).toBe(1)
  })

  it('takes the first query of a queue as unknown, and a pull offset as memory only', async () => {
    const options = world()
    const offsets = await OffsetTable.load(options)
    offsets.setPullOffset('G', 'T', 1, 9)
    expect([offsets.query('G', 'T', 1), offsets.pullOffset('G', 'T', 1), offsets.pullOffset('G', 'T', 0)]).toEqual([-1, 9, -1])
    await offsets.save()
    expect((await OffsetTable.load(options)).pullOffset('G', 'T', 1)).toBe(-1)
  })

  it('refuses new offsets beyond its limit, old ones go on', async () => {
    const offsets = await OffsetTable.load({ ...world(), offsetsMax: 2 })
    offsets.commit('G', 'T', 0, 1)
    offsets.commit('G', 'T', 1, 1)
    expect(() => offsets.commit('G', 'T', 2, 1)).toThrow(/at most 2 offsets/)
    expect(offsets.commit('G', 'T', 1, 7)).toBe(true)
    offsets.removeGroup('G')
    expect(offsets.commit('H', 'T', 2, 1)).toBe(true)
  })
})

describe('queue locks', () => {
  const queue = (queueId: number) => ({ topic: 'T', brokerName: 'b', queueId })

  it('grants a queue to one client, until it unlocks or is silent for 60 s', () => {
    const { clock, logger } = world()
    const locks = new LockTable({ clock, logger })
    expect(locks.lock('G', [queue(0), queue(1)], 'one')).toEqual([queue(0), queue(1)])
    expect(locks.lock('G', [queue(1), queue(2)], 'two')).toEqual([queue(2)])
    expect(locks.lock('H', [queue(1)], 'two')).toEqual([queue(1)])
    locks.unlock('G', [queue(0)], 'two')
    expect(locks.lock('G', [queue(0)], 'two')).toEqual([])
    locks.unlock('G', [queue(0)], 'one')
    expect(locks.lock('G', [queue(0)], 'two')).toEqual([queue(0)])
    clock.advance(60_000)
    expect(locks.lock('G', [queue(1)], 'two')).toEqual([])
    clock.advance(1)
    expect(locks.isAnyLocked('G')).toBe(false)
    expect(locks.lock('G', [queue(1)], 'two')).toEqual([queue(1)])
    expect(locks.isAnyLocked('G')).toBe(true)
  })

  it('goes by the steady clock, and makes room of expired locks at its limit', () => {
    const { clock, logger } = world()
    const locks = new LockTable({ clock, logger, locksMax: 2 })
    locks.lock('G', [queue(0), queue(1)], 'one')
    clock.jump(3_600_000)
    expect(locks.lock('G', [queue(2)], 'one')).toEqual([])
    expect(logger.lines.filter(line => line.level === 'warn')).toHaveLength(1)
    clock.advance(60_001)
    expect(locks.lock('G', [queue(2)], 'one')).toEqual([queue(2)])
  })
})
