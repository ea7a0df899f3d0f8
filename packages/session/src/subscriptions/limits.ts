/** Limits and times of subscriptions. */
export interface SubscriptionLimits {
  /** Lease of a group subscription that names none, ms. */
  readonly leaseMs: number
  readonly minLeaseMs: number
  readonly maxLeaseMs: number
  /** Deliveries of a group after which a message goes to the dead letter topic (spec remoting 2: retryMaxTimes). */
  readonly maxAttempts: number
  /** How long a broker holds a request when there is nothing, ms. */
  readonly holdMs: number
  /** Messages of one pop and pops of one topic and broker under way at a time. */
  readonly popMessages: number
  readonly maxPops: number
  /** Group: what may wait here for the client, answers under way included, bytes. */
  readonly bufferBytes: number
  /** What one client may hold unsettled, whatever window it asks for. */
  readonly maxUnsettledMessages: number
  readonly maxUnsettledBytes: number
  /** One DELIVER frame. */
  readonly frameMessages: number
  readonly frameBytes: number
  /** Topics and brokers are looked up again after this time, ms. */
  readonly refreshMs: number
  /** Pause after a failed request: doubled from the first to the second, ms. */
  readonly minBackoffMs: number
  readonly maxBackoffMs: number
  /** Requests of one subscription that change or end leases, under way at a time. */
  readonly maxSettling: number
  /** Broadcast: one read of a queue. */
  readonly readMessages: number
  readonly readBytes: number
  /** Broadcast: recent batches kept per queue, and by all queues together, bytes. */
  readonly ringBytes: number
  readonly allRingsBytes: number
  /** Broadcast: older batches kept per queue for subscribers that catch up, bytes. */
  readonly catchUpBytes: number
  /** `drop-oldest`: messages of a queue that a subscriber may be behind. `latest-per-key`: keys kept. */
  readonly keepMessages: number
  /** `latest-per-key`: bytes kept. */
  readonly keepBytes: number
  /** `disconnect`: how long nothing may go although something waits, ms. */
  readonly tooSlowMs: number
}

export const defaultSubscriptionLimits: SubscriptionLimits = {
  leaseMs: 30_000,
  minLeaseMs: 1_000,
  maxLeaseMs: 12 * 3_600_000,
  maxAttempts: 16,
  holdMs: 15_000,
  popMessages: 256,
  maxPops: 4,
  bufferBytes: 512 * 1024,
  maxUnsettledMessages: 65_536,
  maxUnsettledBytes: 16 * 1024 * 1024,
  frameMessages: 256,
  frameBytes: 64 * 1024,
  refreshMs: 30_000,
  minBackoffMs: 200,
  maxBackoffMs: 10_000,
  maxSettling: 32,
  readMessages: 256,
  readBytes: 256 * 1024,
  ringBytes: 1024 * 1024,
  allRingsBytes: 64 * 1024 * 1024,
  catchUpBytes: 1024 * 1024,
  keepMessages: 1024,
  keepBytes: 256 * 1024,
  tooSlowMs: 10_000,
}
