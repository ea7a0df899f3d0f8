import { describeConformance, runners } from './suite.ts'

for (const engine of ['uws', 'ws'] as const)
  for (const runner of runners) describeConformance(runner, { engine, backend: 'comet' })
