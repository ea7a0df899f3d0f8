import type { BenchContext } from '../lib/context.ts'
import { type BrokerProcess, startBrokerProcess } from '../lib/broker-process.ts'
import { connectLoad } from '../lib/load.ts'
import type { Row } from '../lib/report.ts'
import { createTopic } from '../lib/topics.ts'
import { figures, noLimits, runLoad } from './bridge-process.ts'

const TOPIC = 'BenchBridge'
const FLOOD_TOPIC = 'BenchFlood'
const QUEUES = 8
/** Enough of them that what the process gains anyway counts little. */
const SLOW = 200

/** Name server, broker and bridge in one process (`comet serve --bridge-port`), clients in another. */
export async function withBridge<T>(
  context: BenchContext,
  name: string,
  task: (server: BrokerProcess) => Promise<T>,
  { flush = 'SYNC_FLUSH', limits = noLimits } = {},
): Promise<T> {
  return context.withFolder(async folder => {
    const settings = [`flushDiskType=${flush}`]
    const server = await startBrokerProcess(folder, { settings, limits, profile: context.profileOf(name) })
    const caller = connectLoad('JSON')
    try {
      for (const topic of [TOPIC, FLOOD_TOPIC]) await createTopic(caller, server.ready.broker.address, topic, QUEUES)
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

/** Many sockets: one message to all of them, silent ones, slow ones; and what a client notices of others that flood. */
export async function bridgeSocketRows(context: BenchContext): Promise<Row[]> {
  const rows: Row[] = []
  const { warmupSeconds: warmup, seconds, quick } = context
  const common = (server: BrokerProcess) => ({ url: server.ready.bridge!.url, topic: TOPIC, warmup, seconds })
  await withBridge(context, 'bridge broadcast', async server => {
    const name = 'bridge: broadcast 256 B to 2,000 sockets'
    const load = await runLoad(context, server, name, { ...common(server), task: 'broadcast', connections: 2_000 })
    const encoded = await metric(server, 'batches_encoded_total')
    const { value, detail } = figures(load)
    const more = { ...detail, 'batches encoded': encoded, 'messages out': await metric(server, 'messages_out_total') }
    rows.push({ name, unit: 'deliveries/s', value, goal: { value: 500_000 }, detail: more })
  })
  await withBridge(context, 'bridge idle', async server => {
    const count = quick ? 2_000 : 10_000
    const name = `bridge: memory of ${count} idle sockets`
    const load = await runLoad(context, server, name, { ...common(server), task: 'idle', connections: count })
    const value = load.serverBytes / count / 1000
    rows.push({ name, unit: 'kB/socket', value, goal: { value: 20, lower: true } })
  })
  await withBridge(context, 'bridge slow', async server => {
    const name = 'bridge: memory of a client that takes 1 of 10,000/s'
    const options = { ...common(server), task: 'slow' as const, connections: SLOW, rate: 10_000 }
    const load = await runLoad(context, server, name, options)
    const value = load.serverBytes / SLOW / 2 ** 20
    const others = load.messages / load.seconds / 10_000
    rows.push({ name, unit: 'MiB', value, goal: { value: 1.5, lower: true }, detail: { 'of the rate at others': others } })
  })
  rows.push(...(await floodRows(context)))
  return rows
}

/** With the bridge's own limits: p99 from publish to handler at 100/s, alone and while eight sockets send all they can. */
async function floodRows(context: BenchContext): Promise<Row[]> {
  const { warmupSeconds: warmup, seconds } = context
  return withBridge(
    context,
    'bridge flood',
    async server => {
      const url = server.ready.bridge!.url
      const one = { url, topic: TOPIC, task: 'roundtrip' as const, connections: 1, rate: 100, warmup, seconds }
      const alone = await runLoad(context, server, 'flood: alone', one)
      const flood = { url, topic: FLOOD_TOPIC, connections: 8, warmup: 1, seconds: warmup + seconds + 2 }
      const flooding = runLoad(context, server, 'flood: others', flood)
      const among = await runLoad(context, server, 'flood: among others', { ...one, groups: ['BenchAmong'] })
      const others = await flooding
      const value = among.latency!.p99 / alone.latency!.p99
      const detail = {
        'p99 alone µs': alone.latency!.p99,
        'p99 among others µs': among.latency!.p99,
        'flood/s': others.messages / others.seconds,
      }
      return [{ name: 'bridge: p99 at 100/s while others flood', unit: 'times', value, goal: { value: 2, lower: true }, detail }]
    },
    { flush: 'SYNC_FLUSH', limits: [] },
  )
}

/** One figure of the bridge's /metrics. */
async function metric(server: BrokerProcess, name: string): Promise<number> {
  const text = await (await fetch(`http://${server.ready.bridge!.address}/metrics`)).text()
  return Number(new RegExp(`^cometmq_bridge_${name} (\\S+)`, 'm').exec(text)?.[1])
}
