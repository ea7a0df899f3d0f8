import type { ConsumerData, SubscriptionData } from '@cometmq/remoting'
import { Membership } from './membership.ts'
import type { ConsumerGroupInfo } from './types.ts'

/** Topics a group may be subscribed to. */
export const SUBSCRIPTIONS_PER_GROUP_MAX = 10_000

/** Java: org.apache.rocketmq.broker.client.ConsumerGroupInfo. Data of the group is shared by its members: the last heartbeat decides. */
export class ConsumerGroup implements ConsumerGroupInfo {
  readonly group: string
  readonly members = new Membership()
  readonly subscriptions = new Map<string, SubscriptionData>()
  consumeType: ConsumerData['consumeType']
  messageModel: ConsumerData['messageModel']
  consumeFromWhere: string
  /** Heartbeat V2: fingerprint of the last heartbeat, undefined before the first. */
  fingerprint: number | undefined = undefined

  constructor(data: ConsumerData) {
    this.group = data.groupName
    this.consumeType = data.consumeType
    this.messageModel = data.messageModel
    this.consumeFromWhere = data.consumeFromWhere
  }

  get channels(): Membership['channels'] {
    return this.members.channels
  }

  describe(data: ConsumerData): void {
    this.consumeType = data.consumeType
    this.messageModel = data.messageModel
    this.consumeFromWhere = data.consumeFromWhere
  }

  /**
   * Takes a member's full subscription: newer versions replace, topics no longer named go, except the group's retry topic.
   * Returns whether what is consumed has changed; a newer version of the same expression is no change.
   */
  subscribe(subscriptions: readonly SubscriptionData[]): boolean {
    let changed = false
    const named = new Set<string>([`%RETRY%${this.group}`])
    for (const subscription of subscriptions) {
      named.add(subscription.topic)
      const old = this.subscriptions.get(subscription.topic)
      if (old !== undefined && subscription.subVersion <= old.subVersion) continue
      if (old === undefined && this.subscriptions.size >= SUBSCRIPTIONS_PER_GROUP_MAX) continue
      this.subscriptions.set(subscription.topic, subscription)
      changed ||=
        old === undefined || old.subString !== subscription.subString || old.expressionType !== subscription.expressionType
    }
    for (const topic of this.subscriptions.keys()) {
      if (!named.has(topic)) changed = this.subscriptions.delete(topic) || changed
    }
    return changed
  }
}
