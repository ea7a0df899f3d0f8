import { type BrokerChange, type Cluster, type QueueStats, type TopicInfo } from '@cometmq/cluster'
import { isDlqTopic, isRetryTopic, isSystemTopic } from '@cometmq/remoting'
import { callOptions, type CommonOptions, confirmByName, withCluster } from '../context.ts'
import { CliError } from '../errors.ts'
import { ExitCode } from '../exit-codes.ts'
import { type Io } from '../io.ts'
import { count, detail, type Noun, text, time } from '../output/columns.ts'
import { printedFieldNames, Printer } from '../output/printer.ts'
import { splitPairs } from './pairs.ts'

const rights = { rw: 6, r: 4, w: 2, none: 0 } as const
export const permText = (perm: number): string => `${perm & 4 ? 'r' : '-'}${perm & 2 ? 'w' : '-'}${perm & 1 ? 'x' : '-'}`

interface TopicRow {
  topic: string
  type: string
}

const topics: Noun<TopicRow> = {
  kind: 'topics',
  version: 1,
  nameOf: row => row.topic,
  columns: [text('topic', row => row.topic), text('type', row => row.type)],
}

const topicNoun: Noun<TopicInfo> = {
  kind: 'topic',
  version: 1,
  nameOf: row => row.topic,
  columns: [
    text('topic', row => row.topic),
    text('messageType', row => row.attributes['message.type'] ?? 'UNSPECIFIED'),
    count('messages', row => row.messages),
    count('readQueues', row => row.readQueues),
    count('writeQueues', row => row.writeQueues),
    text('order', row => row.order),
    text('groups', row => row.groups),
    detail('brokers', row => row.brokers.map(broker => ({ ...broker, perm: permText(broker.perm) }))),
    detail('queues', row => row.queues.map(queue => ({ ...queue }))),
    detail('attributes', row => row.attributes),
  ],
}

const queueNoun: Noun<QueueStats & { perm: string }> = {
  kind: 'queues',
  version: 1,
  nameOf: row => `${row.brokerName}/${row.queueId}`,
  columns: [
    text('broker', row => row.brokerName),
    count('queue', row => row.queueId),
    text('perm', row => row.perm),
    count('minOffset', row => row.minOffset),
    count('maxOffset', row => row.maxOffset),
    count('messages', row => row.maxOffset - row.minOffset),
    time('lastMessage', row => row.lastUpdate),
  ],
}

export const changes: Noun<BrokerChange & { name: string; action: string }> = {
  kind: 'changes',
  version: 1,
  nameOf: row => row.name,
  columns: [
    text('name', row => row.name),
    text('action', row => row.action),
    text('broker', row => row.brokerName),
    text('address', row => row.address),
    text('result', row => (row.ok ? 'ok' : 'failed')),
    text('error', row => row.error),
  ],
}

export async function list(io: Io, options: CommonOptions & { all?: boolean }): Promise<number> {
  if (printedFieldNames(io, topics, options)) return ExitCode.OK
  const rows = await withCluster(io, options, async cluster => {
    const names = await cluster.topics.list(callOptions(options))
    const system = await cluster.topics.systemNames(callOptions(options))
    return names.map(topic => ({ topic, type: typeOf(topic, system) }))
  })
  new Printer(io, topics, options).list(options.all ? rows : rows.filter(row => row.type === 'normal'))
  return ExitCode.OK
}

function typeOf(topic: string, system: ReadonlySet<string>): string {
  if (isRetryTopic(topic)) return 'retry'
  if (isDlqTopic(topic)) return 'dead-letter'
  return isSystemTopic(topic) || system.has(topic) ? 'system' : 'normal'
}

export async function info(io: Io, topic: string, options: CommonOptions): Promise<number> {
  if (printedFieldNames(io, topicNoun, options)) return ExitCode.OK
  const row = await withCluster(io, options, cluster => cluster.topics.info(topic, callOptions(options)))
  new Printer(io, topicNoun, options).one(row, () => {
    const perm = new Map(row.brokers.map(broker => [broker.brokerName, permText(broker.perm)]))
    io.out('\n')
    const { json: _fields, ...format } = options
    new Printer(io, queueNoun, format).list(row.queues.map(queue => ({ ...queue, perm: perm.get(queue.brokerName) ?? '' })))
  })
  return ExitCode.OK
}

export interface CreateOptions extends CommonOptions {
  queues: number
  perm: keyof typeof rights
  order?: boolean
  attribute?: string[]
  cluster?: string
  broker?: string
}

export async function create(io: Io, topic: string, options: CreateOptions): Promise<number> {
  if (printedFieldNames(io, changes, options)) return ExitCode.OK
  const wanted = {
    topic,
    readQueues: options.queues,
    writeQueues: options.queues,
    perm: rights[options.perm],
    order: options.order ?? false,
    attributes: splitPairs(options.attribute, '--attribute'),
  }
  const results = await withCluster(io, options, async cluster => {
    const target = targetOf(options)
    if (options.dryRun) return planned(cluster, target, options)
    const done = await cluster.topics.create(wanted, target, callOptions(options))
    await untilRouted(cluster, topic, options)
    return done
  })
  return printChanges(io, topic, options.dryRun ? 'would create' : 'create', results, options)
}

export async function remove(io: Io, topic: string, options: CommonOptions & { cluster?: string }): Promise<number> {
  if (printedFieldNames(io, changes, options)) return ExitCode.OK
  const results = await withCluster(io, options, async cluster => {
    await cluster.topics.route(topic, callOptions(options)) // an unknown name needs no question
    if (options.dryRun) return planned(cluster, targetOf(options), options)
    await confirmByName(io, options, 'delete topic', topic)
    return cluster.topics.remove(topic, targetOf(options), callOptions(options))
  })
  return printChanges(io, topic, options.dryRun ? 'would delete' : 'delete', results, options)
}

const targetOf = (options: { cluster?: string; broker?: string }): { cluster?: string; broker?: string } => ({
  ...(options.cluster === undefined ? {} : { cluster: options.cluster }),
  ...(options.broker === undefined ? {} : { broker: options.broker }),
})

async function planned(
  cluster: Cluster,
  target: { cluster?: string; broker?: string },
  options: CommonOptions,
): Promise<BrokerChange[]> {
  const masters = await cluster.brokers.masters(target, callOptions(options))
  return masters.map(({ brokerName, address }) => ({ brokerName, address, ok: true, error: undefined }))
}

function printChanges(io: Io, name: string, action: string, results: readonly BrokerChange[], options: CommonOptions): number {
  new Printer(io, changes, options).list(results.map(result => ({ ...result, name, action })))
  const failed = results.filter(result => !result.ok)
  if (failed.length === 0) return ExitCode.OK
  throw new CliError(
    'E_PARTIAL',
    `${action} ${name}: done in part`,
    failed.map(result => `${result.brokerName}: ${result.error}`).join('; '),
  )
}

const routeLimitMs = 5_000
const betweenLooksMs = 25

/** A broker tells the name server of a new topic on its own; the next command should find it. */
async function untilRouted(cluster: Cluster, topic: string, options: CommonOptions): Promise<void> {
  const deadline = performance.now() + routeLimitMs
  while (performance.now() < deadline) {
    const route = await cluster.routes.fetch(topic, callOptions(options))
    if (route && route.queueDatas.length > 0) return
    await new Promise(resolve => setTimeout(resolve, betweenLooksMs))
  }
}
