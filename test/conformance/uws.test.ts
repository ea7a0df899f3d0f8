import { describeConformance, runners } from './suite.ts'

for (const runner of runners) describeConformance(runner, { engine: 'uws', backend: 'comet' })
