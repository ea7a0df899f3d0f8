import type { BenchContext } from '../lib/context.ts'
import { startBrokerProcess } from '../lib/broker-process.ts'
import { connectLoad, drive } from '../lib/load.ts'
import type { Row } from '../lib/report.ts'
import { sendTemplate } from '../lib/send-template.ts'
import { createTopic } from '../lib/topics.ts'

const QUEUES = 8
const LOADS = [
  { window: 1, batch: 1 },
  { window: 64, batch: 1 },
  { window: 1000, batch: 1 },
  { window: 64, batch: 32 },
] as const

/**
 * Sends over TCP to a broker process, with this process as the load: 1, 64 and 1,000 in flight, singles and batches, both header forms.
 * A broker of its own for each row: none carries what an earlier one left behind.
 */
export async function remotingSendRows(context: BenchContext): Promise<Row[]> {
  const rows: Row[] = []
  for (const flush of ['ASYNC_FLUSH', 'SYNC_FLUSH'] as const)
    for (const serialize of ['JSON', 'ROCKETMQ'] as const)
      for (const load of LOADS) rows.push(await sendRow(context, flush, serialize, load))
  return rows
}

async function sendRow(
  context: BenchContext,
  flush: 'ASYNC_FLUSH' | 'SYNC_FLUSH',
  serialize: 'JSON' | 'ROCKETMQ',
  { window, batch }: (typeof LOADS)[number],
): Promise<Row> {
  const isAsync = flush === 'ASYNC_FLUSH'
  const name = `send 128 B ${isAsync ? 'async' : 'sync'} ${serialize}, ${window} in flight${batch > 1 ? `, batches of ${batch}` : ''}`
  return context.withFolder(async folder => {
    const broker = await startBrokerProcess(folder, { settings: [`flushDiskType=${flush}`], profile: context.profileOf(name) })
    const address = broker.ready.broker.address
    const caller = connectLoad(serialize)
    try {
      await createTopic(caller, address, 'BenchSend000', QUEUES)
      const template = sendTemplate({ topic: 'BenchSend', queues: QUEUES, bodyBytes: 128, batch, serialize })
      await drive(address, template, { window, seconds: context.warmupSeconds })
      const cpu = broker.cpuSeconds()
      const result = await drive(address, template, { window, seconds: context.seconds })
      if (result.failed > 0) throw new Error(`${result.failed} sends were refused`)
      const goal = !isAsync ? undefined : batch > 1 ? 500_000 : window === 1000 ? 120_000 : undefined
      return {
        name,
        unit: 'messages/s',
        value: result.messages / result.seconds,
        latency: result.latency,
        ...(goal === undefined ? {} : { goal: { value: goal } }),
        detail: { 'broker CPU': (broker.cpuSeconds() - cpu) / result.seconds },
      }
    } finally {
      await caller.close()
      await broker.stop()
    }
  })
}
