import { type GroupInfo, type GroupMember, type GroupQueue, type GroupSummary } from '@cometmq/cluster'
import { isSystemGroup } from '@cometmq/remoting'
import { callOptions, type CommonOptions, withCluster } from '../context.ts'
import { ExitCode } from '../exit-codes.ts'
import { type Io } from '../io.ts'
import { count, detail, type Noun, text, time } from '../output/columns.ts'
import { printedFieldNames, Printer } from '../output/printer.ts'

const groups: Noun<GroupSummary> = {
  kind: 'groups',
  version: 1,
  nameOf: row => row.group,
  columns: [
    text('group', row => row.group),
    count('members', row => row.members),
    text('model', row => row.model.toLowerCase()),
    count('topics', row => row.topics),
    count('lag', row => row.lag),
  ],
}

const groupNoun: Noun<GroupInfo> = {
  kind: 'group',
  version: 1,
  nameOf: row => row.group,
  columns: [
    text('group', row => row.group),
    text('state', row => row.state),
    text('consumeType', row => row.consumeType),
    text('model', row => row.model.toLowerCase()),
    text('startFrom', row => row.startFrom),
    count('lag', row => row.lag),
    count('consumeTps', row => row.consumeTps),
    detail('members', row => row.members.map(member => ({ ...member }))),
    detail('subscriptions', row => row.subscriptions.map(subscription => ({ ...subscription }))),
    detail('queues', row => row.queues.map(queue => ({ ...queue }))),
  ],
}

const memberNoun: Noun<GroupMember> = {
  kind: 'members',
  version: 1,
  nameOf: row => row.clientId,
  columns: [text('member', row => row.clientId), text('address', row => row.address), text('language', row => row.language)],
}

const subscriptionNoun: Noun<GroupInfo['subscriptions'][number]> = {
  kind: 'subscriptions',
  version: 1,
  nameOf: row => row.topic,
  columns: [text('topic', row => row.topic), text('expression', row => row.expression), text('type', row => row.type)],
}

const progress: Noun<GroupQueue> = {
  kind: 'queues',
  version: 1,
  nameOf: row => `${row.topic}/${row.brokerName}/${row.queueId}`,
  columns: [
    text('topic', row => row.topic),
    text('broker', row => row.brokerName),
    count('queue', row => row.queueId),
    count('brokerOffset', row => row.brokerOffset),
    count('consumerOffset', row => row.consumerOffset),
    count('lag', row => row.lag),
    count('inFlight', row => row.inFlight),
    time('lastConsumed', row => row.lastConsumed),
  ],
}

export async function list(io: Io, options: CommonOptions & { all?: boolean }): Promise<number> {
  if (printedFieldNames(io, groups, options)) return ExitCode.OK
  const printer = new Printer(io, groups, options)
  const rows = await withCluster(io, options, async cluster => {
    const names = (await cluster.groups.names(callOptions(options))).filter(name => options.all || !isSystemGroup(name))
    return cluster.groups.summaries(names, callOptions(options))
  })
  printer.list(rows)
  return ExitCode.OK
}

export async function info(io: Io, group: string, options: CommonOptions): Promise<number> {
  if (printedFieldNames(io, groupNoun, options)) return ExitCode.OK
  const row = await withCluster(io, options, cluster => cluster.groups.info(group, callOptions(options)))
  const { json: _fields, ...format } = options
  new Printer(io, groupNoun, options).one(row, () => {
    const section = <Row>(noun: Noun<Row>, rows: readonly Row[]): void => {
      if (rows.length === 0) return
      io.out('\n')
      new Printer(io, noun, format).list(rows)
    }
    section(memberNoun, row.members)
    section(subscriptionNoun, row.subscriptions)
    section(progress, row.queues)
  })
  return ExitCode.OK
}
