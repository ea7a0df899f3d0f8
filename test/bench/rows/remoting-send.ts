import { createTopic } from '../lib/topics.ts'
import type { BenchContext } from '../lib/context.ts'
import { startBrokerProcess } from '../lib/broker-process.ts'
import { connectLoad, drive } from '../lib/load.ts'
import type { Row } from '../lib/report.ts'
import { sendTemplate } from '../lib/send-template.ts'

const QUEUES = 8

/** Sends over TCP to a broker process, with this process as the load: 1, 64 and 1,000 in flight, singles and batches, both header forms. */
export async function remotingSendRows(context: BenchContext): Promise<Row[]> {
  const rows: Row[] = []
  for (const flush of ['ASYNC_FLUSH', 'SYNC_FLUSH']) {
    await context.withFolder(async folder => {
      const broker = await startBrokerProcess(folder, {
        settings: [`flushDiskType=${flush}`],
        profileFolder: context.profileFolder,
      })
      const address = broker.ready.broker.address
      try {
        for (const serialize of ['JSON', 'ROCKETMQ'] as const) {
          const caller = connectLoad(serialize)
          await createTopic(caller, address, 'BenchSend000', QUEUES)
          for (const [window, batch] of [
            [1, 1],
            [64, 1],
            [1000, 1],
            [64, 32],
          ] as const) {
            const template = sendTemplate({ topic: 'BenchSend', queues: QUEUES, bodyBytes: 128, batch, serialize })
            await drive(address, template, { window, seconds: context.warmupSeconds })
            const cpu = broker.cpuSeconds()
            const result = await drive(address, template, { window, seconds: context.seconds })
            if (result.failed > 0) throw new Error(`${result.failed} sends were refused`)
            const name = `send 128 B ${flush === 'SYNC_FLUSH' ? 'sync' : 'async'} ${serialize}, ${window} in flight${batch > 1 ? `, batches of ${batch}` : ''}`
            const value = result.messages / result.seconds
            const goal =
              flush === 'ASYNC_FLUSH' && window === 1000
                ? { goal: { value: 120_000 } }
                : batch > 1 && flush === 'ASYNC_FLUSH'
                  ? { goal: { value: 500_000 } }
                  : {}
            rows.push({
              name,
              unit: 'messages/s',
              value,
              latency: result.latency,
              ...goal,
              detail: { 'broker CPU': (broker.cpuSeconds() - cpu) / result.seconds },
            })
          }
          await caller.close()
        }
      } finally {
        await broker.stop()
      }
    })
  }
  return rows
}
