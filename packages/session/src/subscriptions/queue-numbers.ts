/**
 * Numbers of queues as entries and receipts carry them: broker ordinal × 65,536 + queue id. The ordinals are those of this process (the
 * order in which brokers were first seen), so that entries which many sessions share read the same for all of them.
 */
export interface QueueNumbers {
  of(brokerName: string, queueId: number): number
}

export function createQueueNumbers(): QueueNumbers {
  const ordinals = new Map<string, number>()
  return {
    of(brokerName, queueId) {
      let ordinal = ordinals.get(brokerName)
      if (ordinal === undefined) ordinals.set(brokerName, (ordinal = ordinals.size))
      return ordinal * 65_536 + queueId
    },
  }
}
