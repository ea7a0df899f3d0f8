import type { PoppedMessage } from '@cometmq/cluster'

/** A subscription that can take messages which were popped for another one. */
export interface Sibling {
  /** False: it has no room, or does not deliver now. */
  adopt(topicIx: number, brokerName: string, messages: readonly PoppedMessage[]): boolean
}

/**
 * Subscriptions of this process that want the same: messages that were popped for one which went away meanwhile go to another one at once,
 * instead of coming again from the broker as a second attempt.
 */
export class Siblings {
  readonly #byKey = new Map<string, Map<Sibling, number>>()

  add(key: string, sibling: Sibling, topicIx: number): void {
    let members = this.#byKey.get(key)
    if (members === undefined) this.#byKey.set(key, (members = new Map<Sibling, number>()))
    members.set(sibling, topicIx)
  }

  remove(key: string, sibling: Sibling): void {
    const members = this.#byKey.get(key)
    members?.delete(sibling)
    if (members?.size === 0) this.#byKey.delete(key)
  }

  /** Whether somebody took them. */
  offer(key: string, from: Sibling, brokerName: string, messages: readonly PoppedMessage[]): boolean {
    for (const [member, topicIx] of this.#byKey.get(key) ?? []) {
      if (member !== from && member.adopt(topicIx, brokerName, messages)) return true
    }
    return false
  }
}
