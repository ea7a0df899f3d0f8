import type { BenchContext } from '../lib/context.ts'
import { startBrokerProcess } from '../lib/broker-process.ts'
import type { Row } from '../lib/report.ts'

/** From starting the process until clients are accepted, on an empty folder, and what an idle broker keeps resident. */
export async function startupRows(context: BenchContext): Promise<Row[]> {
  const times: number[] = []
  const resident: number[] = []
  for (let run = 0; run < (context.quick ? 3 : 7); run++) {
    await context.withFolder(async folder => {
      const broker = await startBrokerProcess(folder)
      times.push(broker.readyMs)
      await new Promise(done => setTimeout(done, 3000))
      resident.push(broker.residentBytes() / 2 ** 20)
      await broker.stop()
    })
  }
  const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
  return [
    {
      name: 'comet serve ready',
      unit: 'ms',
      value: median(times),
      goal: { value: 1000, lower: true },
      detail: { worst: Math.max(...times) },
    },
    {
      name: 'idle memory',
      unit: 'MiB',
      value: median(resident),
      goal: { value: 120, lower: true },
      detail: { worst: Math.max(...resident) },
    },
  ]
}
