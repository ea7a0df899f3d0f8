import { MemoryDisk } from '@cometmq/testkit'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { ConsumeQueue } from '../../src/store/consume-queue/queue.ts'
import { openQueues } from './consume-queue-model.ts'

/** A queue whose message `i` was stored at `times[i]`. */
async function queueOf(
  times: readonly number[],
): Promise<{ queue: ConsumeQueue; timeOf: (position: number) => Promise<number> }> {
  const queue = (await openQueues(new MemoryDisk())).getOrCreate('T', 0)
  times.forEach((_, index) => queue.append(index, index * 100, 100, 0, 0))
  return { queue, timeOf: async position => times[position / 100]! }
}

it('answers the examples of the specification', async () => {
  const { queue, timeOf } = await queueOf([1, 1, 1, 3, 3])
  const ask = (timestamp: number): Promise<number[]> =>
    Promise.all([queue.offsetByTime(timestamp, 'LOWER', timeOf), queue.offsetByTime(timestamp, 'UPPER', timeOf)])
  expect(await ask(2)).toEqual([3, 2])
  expect(await ask(1)).toEqual([0, 2])
  expect(await ask(3)).toEqual([3, 4])
  expect(await ask(4)).toEqual([5, 4])
  expect(await ask(0)).toEqual([0, 0])
})

it('has the first not older and the last not younger, across files', async () => {
  const gaps = fc.array(fc.nat({ max: 2 }), { maxLength: 350 })
  await fc.assert(
    fc.asyncProperty(gaps, fc.nat({ max: 400 }), async (steps, timestamp) => {
      let now = 1
      const times = steps.map(step => (now += step))
      const { queue, timeOf } = await queueOf(times)
      const first = times.findIndex(time => time >= timestamp)
      const last = times.findLastIndex(time => time <= timestamp)
      expect(await queue.offsetByTime(timestamp, 'LOWER', timeOf)).toBe(first === -1 ? times.length : first)
      expect(await queue.offsetByTime(timestamp, 'UPPER', timeOf)).toBe(Math.max(0, last))
    }),
  )
})

it('counts what is gone from the log as earlier, and gives min when a time cannot be read', async () => {
  const { queue } = await queueOf([0, 0, 5, 6])
  const timeOf = async (position: number): Promise<number> => [0, 0, 5, 6][position / 100]!
  expect(await queue.offsetByTime(1, 'LOWER', timeOf)).toBe(2)
  expect(await queue.offsetByTime(6, 'LOWER', async () => -1)).toBe(0)
  await queue.correctMin(150)
  expect(await queue.offsetByTime(1, 'UPPER', timeOf)).toBe(2)
  expect(await queue.offsetByTime(6, 'UPPER', async () => -1)).toBe(2)
})

it('passes position and size of the record', async () => {
  const queue = (await openQueues(new MemoryDisk())).getOrCreate('T', 0)
  queue.append(0, 7000, 123, 0, 0)
  const asked: number[][] = []
  const timeOf = async (position: number, size: number): Promise<number> => {
    asked.push([position, size])
    return 10
  }
  expect(await queue.offsetByTime(10, 'LOWER', timeOf)).toBe(0)
  expect(asked).toEqual([[7000, 123]])
})

it('gives 0 for an empty queue', async () => {
  const queue = (await openQueues(new MemoryDisk())).getOrCreate('T', 0)
  expect(await queue.offsetByTime(10, 'LOWER', async () => 1)).toBe(0)
  expect(await queue.offsetByTime(10, 'UPPER', async () => 1)).toBe(0)
})
