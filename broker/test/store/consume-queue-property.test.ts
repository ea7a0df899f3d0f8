import fc from 'fast-check'
import { it } from 'vitest'
import { Model, type Step } from './consume-queue-model.ts'

const queue = fc.nat({ max: 3 })
const lose = fc.oneof(fc.constant(0), fc.nat({ max: 30 }))

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      queue,
      count: fc.oneof(fc.nat({ max: 5 }), fc.nat({ max: 250 })),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('flush' as const), thorough: fc.boolean(), sync: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('kill' as const), lose }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('powerCut' as const), lose }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('truncate' as const), lose }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('expire' as const), part: fc.double({ min: 0, max: 1, noNaN: true }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rebuild' as const) }) },
)

it('queues hold what the log says, through flushes, crashes, truncation and retention', { timeout: 120_000 }, async () => {
  const runs = fc.asyncProperty(
    fc.array(step, { minLength: 1, maxLength: 30, size: 'max' }),
    fc.integer(),
    async (steps, seed) => {
      const model = new Model(seed)
      await model.start()
      for (const each of steps) {
        await model.run(each)
        await model.check()
      }
    },
  )
  await fc.assert(runs, { numRuns: Number(process.env['FC_RUNS'] ?? 150) })
})
