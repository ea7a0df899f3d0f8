import type { BenchContext } from '../lib/context.ts'
import { startBrokerProcess } from '../lib/broker-process.ts'
import { connectLoad, drive } from '../lib/load.ts'
import { sendTemplate } from '../lib/send-template.ts'
import { createTopic } from '../lib/topics.ts'
import type { Row } from '../lib/report.ts'

const QUEUES_PER_TOPIC = 1000

/** The same sends over 8, 1,000 and 10,000 queues, taking turns so that a drifting machine hits all alike. */
export async function queueRows(context: BenchContext): Promise<Row[]> {
  const counts = [8, 1000, 10_000]
  const rates = new Map<number, number[]>(counts.map(count => [count, []]))
  for (let turn = 0; turn < (context.quick ? 1 : 3); turn++) {
    for (const count of counts) {
      await context.withFolder(async folder => {
        const broker = await startBrokerProcess(folder, {
          settings: ['flushDiskType=ASYNC_FLUSH'],
          profile: context.profileOf(`queues ${count}, turn ${turn}`),
        })
        const address = broker.ready.broker.address
        const caller = connectLoad('JSON')
        try {
          const perTopic = Math.min(count, QUEUES_PER_TOPIC)
          for (let i = 0; i < count / perTopic; i++)
            await createTopic(caller, address, 'BenchQueues' + String(i).padStart(3, '0'), perTopic)
          const template = sendTemplate({
            topic: 'BenchQueues',
            queues: count,
            queuesPerTopic: perTopic,
            bodyBytes: 128,
            batch: 1,
            serialize: 'JSON',
          })
          await drive(address, template, { window: 1000, seconds: context.warmupSeconds })
          const result = await drive(address, template, { window: 1000, seconds: context.seconds })
          rates.get(count)!.push(result.messages / result.seconds)
        } finally {
          await caller.close()
          await broker.stop()
        }
      })
    }
  }
  const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
  const base = median(rates.get(8)!)
  return counts.map(count => {
    const value = median(rates.get(count)!)
    const goal = count === 10_000 ? { goal: { value: 0.9 * base } } : {}
    return {
      name: `send 128 B async, 1000 in flight, ${count} queues`,
      unit: 'messages/s',
      value,
      ...goal,
      detail: { 'of 8 queues': value / base },
    }
  })
}
