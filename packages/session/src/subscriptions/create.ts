import { checkGroup, type Clock, type ClusterError, type Logger } from '@cometmq/cluster'
import { Kind, type SubInfo, type SubResult, type SubSpec } from '@cometmq/protocol'
import { RefusedError } from '../principal.ts'
import type { Subscription, SubscriptionHost, Subscriptions } from '../subscription.ts'
import { BroadcastSubscription } from './broadcast/broadcast-subscription.ts'
import { Feeds } from './broadcast/feeds.ts'
import { placesOf } from './broadcast/positions.ts'
import { expressionOf } from './filter.ts'
import { GroupSubscription } from './group/group-subscription.ts'
import { leaseTimes } from './group/lease.ts'
import { Siblings } from './group/siblings.ts'
import { defaultSubscriptionLimits, type SubscriptionLimits } from './limits.ts'
import { createQueueNumbers, type QueueNumbers } from './queue-numbers.ts'
import { createCounters, type Shared, type StreamingCluster } from './shared.ts'

export interface SubscriptionsOptions {
  readonly cluster: StreamingCluster
  readonly clock: Clock
  readonly logger: Logger
  readonly limits?: Partial<SubscriptionLimits>
  /** Those that receipts use. Default: own ones. */
  readonly numbers?: QueueNumbers
}

export function createSubscriptions(options: SubscriptionsOptions): Subscriptions {
  const { cluster, clock, logger } = options
  const shared: Shared = {
    clientId: cluster.clientId,
    clock,
    logger,
    popper: cluster.popper(),
    reader: cluster.reader(),
    limits: { ...defaultSubscriptionLimits, ...options.limits },
    numbers: options.numbers ?? createQueueNumbers(),
    counters: createCounters(),
  }
  const siblings = new Siblings()
  const feeds = new Feeds(shared)
  const open = new Set<Subscription>()
  const onClose = (subscription: Subscription): void => void open.delete(subscription)

  async function openGroup(host: SubscriptionHost, sid: number, spec: SubSpec): Promise<Opened> {
    const group = spec.group ?? ''
    if (group === '') throw new RefusedError(40000, 'a subscription in group mode needs the name of a group')
    try {
      checkGroup(group)
    } catch (error) {
      throw new RefusedError(40000, `${(error as ClusterError).message}: ${(error as ClusterError).why}`)
    }
    const leaseMs = spec.leaseMs ?? shared.limits.leaseMs
    checkLease(leaseMs, shared.limits)
    const expressions = spec.topics.map(expressionOf)
    const times = leaseTimes(leaseMs)
    const brokers = await Promise.all(spec.topics.map(([topic]) => shared.popper.brokersOf(topic)))
    const info = await groupInfo(shared, spec)
    const subscription = new GroupSubscription({ shared, siblings, host, sid, spec, group, expressions, times, onClose })
    return {
      subscription,
      result: { leaseMs },
      start: () => {
        subscription.tell([Kind.SUBINFO, sid, info])
        subscription.start(brokers)
      },
    }
  }

  async function openBroadcast(host: SubscriptionHost, sid: number, spec: SubSpec): Promise<Opened> {
    const expressions = spec.topics.map(expressionOf)
    const subscription = new BroadcastSubscription({ shared, feeds, host, sid, spec, expressions, onClose })
    try {
      const places = await Promise.all(
        spec.topics.map(async ([topic], topicIx) => {
          return placesOf(shared, feeds, await shared.reader.queuesOf(topic), { topicIx, start: spec.start ?? 'latest' })
        }),
      )
      return { subscription, result: {}, start: () => subscription.start(places.flat()) }
    } catch (error) {
      await subscription.close()
      throw error
    }
  }

  return {
    numbers: shared.numbers,
    async open(host, sid, spec) {
      if (spec.topics.length === 0) throw new RefusedError(40000, 'a subscription needs at least one topic')
      const { subscription, result, start } =
        spec.mode === 'group' ? await openGroup(host, sid, spec) : await openBroadcast(host, sid, spec)
      open.add(subscription)
      // After the session has answered SUB.
      setImmediate(start)
      return { subscription, result }
    },
    stats: () => ({ ...shared.counters }),
    async close() {
      await Promise.all([...open].map(subscription => subscription.close()))
    },
  }
}

interface Opened {
  readonly subscription: Subscription
  readonly result: SubResult
  readonly start: () => void
}

function checkLease(leaseMs: number, { minLeaseMs, maxLeaseMs }: SubscriptionLimits): void {
  if (leaseMs >= minLeaseMs && leaseMs <= maxLeaseMs) return
  throw new RefusedError(40015, `a lease of ${leaseMs} ms is not possible; ask for ${minLeaseMs} to ${maxLeaseMs} ms`)
}

async function groupInfo(shared: Shared, spec: SubSpec): Promise<SubInfo> {
  const lists = await Promise.all(spec.topics.map(([topic]) => shared.reader.queuesOf(topic)))
  const queues = lists.flat().map(({ topic, brokerName, queueId }) => {
    return [shared.numbers.of(brokerName, queueId), topic, brokerName, queueId, -1] as const
  })
  return { state: 'running', queues }
}
