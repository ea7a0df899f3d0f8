import type { BenchContext } from '../lib/context.ts'
import { startBrokerProcess } from '../lib/broker-process.ts'
import { connectLoad } from '../lib/load.ts'
import type { Row } from '../lib/report.ts'
import { createTopic } from '../lib/topics.ts'
import { figures, runLoad } from './bridge-process.ts'

const TOPIC = 'BenchDirect'
const QUEUES = 8

/** @cometmq/node with `servers`: single sends with 1,000 in flight, then the backlog by one group, then by ten at a time. */
export async function directRows(context: BenchContext): Promise<Row[]> {
  const rows: Row[] = []
  for (const flush of ['ASYNC_FLUSH', 'SYNC_FLUSH']) rows.push(...(await rowsWith(context, flush)))
  return rows
}

async function rowsWith(context: BenchContext, flush: string): Promise<Row[]> {
  const isAsync = flush === 'ASYNC_FLUSH'
  const what = isAsync ? 'async' : 'sync'
  return context.withFolder(async folder => {
    const settings = [`flushDiskType=${flush}`]
    const server = await startBrokerProcess(folder, { settings, profile: context.profileOf(`direct ${what}`) })
    const caller = connectLoad('JSON')
    const rows: Row[] = []
    try {
      await createTopic(caller, server.ready.broker.address, TOPIC, QUEUES)
      const common = { servers: server.ready.nameserver.address, topic: TOPIC, bodyBytes: 128 }
      const sendName = `direct: send 128 B ${what}, 1,000 in flight`
      const { warmupSeconds: warmup, seconds } = context
      const send = await runLoad(context, server, sendName, { ...common, task: 'publish', window: 1000, warmup, seconds })
      const goal = { value: isAsync ? 250_000 : 150_000 }
      rows.push({ name: sendName, unit: 'messages/s', latency: send.latency!, goal, ...figures(send) })
      if (!isAsync) return rows
      for (const groups of [1, 10]) {
        const name = groups === 1 ? 'direct: drain 128 B' : `direct: ${groups} groups`
        const names = Array.from({ length: groups }, (_, i) => `BenchDirect${groups}x${i}`)
        const expected = Math.floor(send.messages / groups)
        const drain = await runLoad(context, server, name, {
          ...common,
          task: 'consume',
          groups: names,
          window: 4096,
          expected,
        })
        rows.push({
          name,
          unit: groups === 1 ? 'messages/s' : 'deliveries/s',
          goal: { value: groups === 1 ? 700_000 : 300_000 },
          ...figures(drain),
        })
      }
      return rows
    } finally {
      await caller.close()
      await server.stop()
    }
  })
}
