import {
  consumerGroupRequest,
  getConsumeStatsRequest,
  RequestCode,
  ResponseCode,
  type SubscriptionGroupConfig,
} from '@cometmq/remoting'
import { type ConsumerConnection, parseConsumerConnection, parseConsumeStats, parseGroupTable } from '../bodies.ts'
import { type CallOptions, type Calls, errorOfAnswer } from '../calls.ts'
import { ClusterError } from '../errors.ts'
import { checkGroup } from '../message.ts'
import { adminTimeoutMs, type BrokerAdmin } from './brokers.ts'
import { type BrokerInfo, type GroupInfo, type GroupMember, type GroupQueue, type GroupSummary } from './types.ts'

/** Groups asked about at the same time. */
const atOnce = 16

export class GroupAdmin {
  readonly #calls: Calls
  readonly #brokers: BrokerAdmin

  constructor(calls: Calls, brokers: BrokerAdmin) {
    this.#calls = calls
    this.#brokers = brokers
  }

  /** Names of all groups on all masters, sorted, those of the system included. */
  async names(options: CallOptions = {}): Promise<string[]> {
    return [...(await this.configs(options)).keys()].sort()
  }

  /** Settings of all groups; where brokers differ, those of the first. */
  async configs(options: CallOptions = {}): Promise<Map<string, SubscriptionGroupConfig>> {
    const all = new Map<string, SubscriptionGroupConfig>()
    const request = { code: RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG }
    for (const { address } of await this.#brokers.masters({}, options)) {
      const answer = await this.#calls.demand(
        'list of groups',
        address,
        request,
        options.timeoutMs ?? adminTimeoutMs,
        options.signal,
      )
      for (const [name, config] of Object.entries(parseGroupTable(answer.body))) if (!all.has(name)) all.set(name, config)
    }
    return all
  }

  /** Members and lag of each of `groups`. */
  async summaries(groups: readonly string[], options: CallOptions = {}): Promise<GroupSummary[]> {
    const masters = await this.#brokers.masters({}, options)
    const summaries: GroupSummary[] = []
    for (let start = 0; start < groups.length; start += atOnce) {
      const part = groups.slice(start, start + atOnce)
      summaries.push(...(await Promise.all(part.map(group => this.#summary(group, masters, options)))))
    }
    return summaries
  }

  /** Rejects with E_GROUP_NOT_FOUND when no broker has the group. */
  async info(group: string, options: CallOptions = {}): Promise<GroupInfo> {
    checkGroup(group)
    const masters = await this.#brokers.masters({}, options)
    const { queues, consumeTps } = await this.#stats(group, masters, options)
    const connections = await this.#connections(group, masters, options)
    const first = connections[0]
    if (!first && queues.length === 0 && !(await this.configs(options)).has(group))
      throw new ClusterError('E_GROUP_NOT_FOUND', `no group ${group}`, { why: 'no broker has it', outcome: 'not-executed' })
    const subscriptions = new Map(connections.flatMap(connection => Object.entries(connection.subscriptions)))
    return {
      group,
      state: first ? 'online' : 'offline',
      consumeType: first?.consumeType ?? '',
      model: first?.messageModel ?? '',
      startFrom: first?.consumeFromWhere ?? '',
      lag: lagOf(queues),
      consumeTps,
      members: uniqueMembers(connections),
      subscriptions: [...subscriptions].map(([topic, data]) => ({ topic, expression: data.expression, type: data.type })),
      queues,
    }
  }

  async #summary(group: string, masters: readonly BrokerInfo[], options: CallOptions): Promise<GroupSummary> {
    const { queues } = await this.#stats(group, masters, options)
    const connections = await this.#connections(group, masters, options)
    return {
      group,
      members: uniqueMembers(connections).length,
      model: connections[0]?.messageModel ?? '',
      lag: lagOf(queues),
      topics: new Set(queues.map(queue => queue.topic)).size,
    }
  }

  async #stats(
    group: string,
    masters: readonly BrokerInfo[],
    options: CallOptions,
  ): Promise<{ queues: GroupQueue[]; consumeTps: number }> {
    const queues: GroupQueue[] = []
    let consumeTps = 0
    const request = { code: RequestCode.GET_CONSUME_STATS, ext: getConsumeStatsRequest.encode({ consumerGroup: group }) }
    for (const { address } of masters) {
      const what = `progress of group ${group}`
      const answer = await this.#calls.demand(what, address, request, options.timeoutMs ?? adminTimeoutMs, options.signal)
      const stats = parseConsumeStats(answer.body)
      queues.push(...stats.queues)
      consumeTps += stats.consumeTps
    }
    return { queues: queues.sort(byQueue), consumeTps }
  }

  async #connections(group: string, masters: readonly BrokerInfo[], options: CallOptions): Promise<ConsumerConnection[]> {
    const connections: ConsumerConnection[] = []
    const request = { code: RequestCode.GET_CONSUMER_CONNECTION_LIST, ext: consumerGroupRequest.encode({ consumerGroup: group }) }
    for (const { address } of masters) {
      const what = `members of group ${group}`
      const answer = await this.#calls.ask(what, address, request, options.timeoutMs ?? adminTimeoutMs, options.signal)
      if (answer.code === ResponseCode.SUCCESS) connections.push(parseConsumerConnection(answer.body))
      else if (answer.code !== ResponseCode.CONSUMER_NOT_ONLINE) throw errorOfAnswer(what, address, answer)
    }
    return connections
  }
}

function uniqueMembers(connections: readonly ConsumerConnection[]): GroupMember[] {
  const members = new Map(connections.flatMap(connection => connection.members.map(member => [member.clientId, member] as const)))
  return [...members.values()].sort((a, b) => (a.clientId < b.clientId ? -1 : 1))
}

const lagOf = (queues: readonly GroupQueue[]): number => queues.reduce((total, queue) => total + queue.lag, 0)

const byQueue = (a: GroupQueue, b: GroupQueue): number =>
  compare(a.topic, b.topic) || compare(a.brokerName, b.brokerName) || a.queueId - b.queueId

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
