import { describeConformance, runners } from './suite.ts'

for (const runner of runners) describeConformance(runner, { engine: 'ws', backend: 'comet' })
