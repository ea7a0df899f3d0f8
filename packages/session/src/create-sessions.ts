import { createSessionsWith } from './core/sessions.ts'
import { createQueueNumbers, createSubscriptions } from './subscriptions/index.ts'
import type { Sessions, SessionsOptions } from './types.ts'

/** The server half of `cometmq.v1` over one cluster. Close it before the cluster. */
export function createSessions(options: SessionsOptions): Sessions {
  const { cluster, clock, logger, limits } = options
  // Receipts and deliveries call a queue by the same number.
  const numbers = createQueueNumbers()
  const leases = limits?.leaseMs === undefined ? {} : { limits: { leaseMs: limits.leaseMs } }
  const subscriptions = createSubscriptions({ cluster, clock, logger, numbers, ...leases })
  return createSessionsWith(options, {
    subscriptions,
    queueNumber: ({ brokerName, queueId }) => numbers.of(brokerName, queueId),
  })
}
