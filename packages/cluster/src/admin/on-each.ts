import { ClusterError } from '../errors.ts'
import { type BrokerChange, type BrokerInfo } from './types.ts'

/** Runs a change on each broker in turn; rejects with the first error when none took it. */
export async function onEach(
  brokers: readonly BrokerInfo[],
  change: (broker: BrokerInfo) => Promise<void>,
): Promise<BrokerChange[]> {
  const changes: BrokerChange[] = []
  let first: ClusterError | undefined
  for (const broker of brokers) {
    const { brokerName, address } = broker
    try {
      await change(broker)
      changes.push({ brokerName, address, ok: true, error: undefined })
    } catch (error) {
      if (!(error instanceof ClusterError) || error.code === 'E_ABORTED') throw error
      first ??= error
      changes.push({ brokerName, address, ok: false, error: error.why })
    }
  }
  if (first && changes.every(change => !change.ok)) throw first
  return changes
}
