import type { BenchContext } from '../lib/context.ts'
import { type BrokerProcess, startBrokerProcess } from '../lib/broker-process.ts'
import { connectLoad } from '../lib/load.ts'
import type { Row } from '../lib/report.ts'
import { createTopic } from '../lib/topics.ts'
import { figures, noLimits, runLoad } from './bridge-process.ts'

const TOPIC = 'BenchBridge'
const QUEUES = 8

/** Name server, broker and bridge in one process (`comet serve --bridge-port`), clients in another. */
export async function withBridge<T>(
  context: BenchContext,
  name: string,
  task: (server: BrokerProcess) => Promise<T>,
  flush = 'SYNC_FLUSH',
): Promise<T> {
  return context.withFolder(async folder => {
    const settings = [`flushDiskType=${flush}`]
    const server = await startBrokerProcess(folder, { settings, limits: noLimits, profile: context.profileOf(name) })
    const caller = connectLoad('JSON')
    try {
      await createTopic(caller, server.ready.broker.address, TOPIC, QUEUES)
      return await task(server)
    } finally {
      await caller.close()
      await server.stop()
    }
  })
}

/** Acknowledged publishing, a group that consumes what was published, and both at a fixed rate; synced before the receipt. */
export async function bridgeRows(context: BenchContext): Promise<Row[]> {
  const rows: Row[] = []
  const { warmupSeconds: warmup, seconds } = context
  const publish = async (server: BrokerProcess, batch: number): Promise<number> => {
    const name = `bridge: publish 256 B, 16 sockets${batch > 1 ? `, batches of ${batch}` : ''}`
    const url = server.ready.bridge!.url
    const load = await runLoad(context, server, name, { url, topic: TOPIC, connections: 16, batch, warmup, seconds })
    const goal = { value: batch > 1 ? 400_000 : 100_000 }
    rows.push({ name, unit: 'messages/s', latency: load.latency!, goal, ...figures(load) })
    return load.messages
  }
  await withBridge(context, 'bridge publish', async server => {
    const stored = await publish(server, 1)
    const name = 'bridge: deliver and ack 256 B, a group of 4 sockets'
    const options = { url: server.ready.bridge!.url, topic: TOPIC, task: 'consume' as const, connections: 4, window: 1024 }
    const drain = await runLoad(context, server, name, { ...options, expected: stored })
    rows.push({ name, unit: 'messages/s', goal: { value: 200_000 }, ...figures(drain) })
  })
  await withBridge(context, 'bridge batches', server => publish(server, 32))
  await withBridge(context, 'bridge round trip', async server => {
    const name = 'bridge: publish, deliver, ack at 10,000/s'
    const options = { url: server.ready.bridge!.url, topic: TOPIC, task: 'roundtrip' as const, connections: 4, rate: 10_000 }
    const trip = await runLoad(context, server, name, { ...options, warmup, seconds })
    const { detail, value } = figures(trip)
    const latency = trip.latency!
    const ms = { p50: latency.p50 / 1000, p99: latency.p99 / 1000 }
    rows.push({
      name: `${name}: p50`,
      unit: 'ms',
      value: ms.p50,
      latency,
      goal: { value: 2, lower: true },
      detail: { ...detail, rate: value },
    })
    rows.push({ name: `${name}: p99`, unit: 'ms', value: ms.p99, goal: { value: 10, lower: true } })
  })
  return rows
}
