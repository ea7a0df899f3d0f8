import { createSessionsWith } from './core/sessions.ts'
import { createSubscriptions } from './subscriptions/index.ts'
import type { Sessions, SessionsOptions } from './types.ts'

/** The server half of `cometmq.v1` over one cluster. Close it before the cluster. */
export function createSessions(options: SessionsOptions): Sessions {
  const { cluster, clock, logger, limits } = options
  const leases = limits?.leaseMs === undefined ? {} : { limits: { leaseMs: limits.leaseMs } }
  return createSessionsWith(options, createSubscriptions({ cluster, clock, logger, ...leases }))
}
