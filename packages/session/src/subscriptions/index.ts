export { createSubscriptions, type SubscriptionsOptions } from './create.ts'
export { defaultSubscriptionLimits, type SubscriptionLimits } from './limits.ts'
export { type QueueNumbers, createQueueNumbers } from './queue-numbers.ts'
export type { StreamingCluster } from './shared.ts'
