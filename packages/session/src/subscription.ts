import type { Frame, Ranges, SeekTarget, SubResult, SubSpec } from '@cometmq/protocol'
import type { Where } from './principal.ts'
import type { QueueNumbers } from './subscriptions/queue-numbers.ts'

/** What a subscription needs of its session. */
export interface SubscriptionHost {
  /** Hands a frame to the client; only called while attached. */
  send(frame: Frame): void
  /** There is something to deliver: the session calls `pump` when the link is writable and it is this subscription's turn. */
  ready(subscription: Subscription): void
  /** The subscription cannot go on (topic deleted, permission of the cluster …): the client gets ERR with the sid, and it is closed. */
  failed(subscription: Subscription, error: unknown): void
  /** Close the socket with 4406: policy `disconnect`. */
  tooSlow(subscription: Subscription): void
  readonly where: Where | null
}

/** One subscription of one session, attached to a socket or waiting for a resume. Made by `openSubscription`. */
export interface Subscription {
  readonly sid: number
  readonly spec: SubSpec
  /** Longest time until the last lease held ends, ms; 0 without leases. */
  readonly leaseLeftMs: number
  /** Messages delivered or buffered and not settled. */
  readonly outstanding: number
  /**
   * Delivers what there is, within the client's limit, in DELIVER frames of together about `budgetBytes` (one batch more at most).
   * Returns the bytes sent; 0 when there is nothing to send.
   */
  pump(budgetBytes: number): number
  ack(ranges: Ranges, confirm: boolean): void
  nack(ranges: Ranges, afterMs: number | null, reason: string | undefined): void
  extend(ranges: Ranges, ms: number): void
  dead(ranges: Ranges, reason: string): void
  limit(maxSeq: number, maxBytes: number): void
  /** Broadcast, and group with the scope for it. */
  seek(target: SeekTarget): Promise<void>
  lag(): Promise<{ messages: number; ageMs: number }>
  /** The socket is gone: fetching stops; leases are kept. */
  detach(): void
  /** Hot resume: everything after `lastSeq` that is not settled is sent again with its old seq. Returns how many. */
  attach(lastSeq: number): number
  /** No more deliveries; acks go on. */
  stop(): void
  /** Group: unsettled messages are released at once (nack without delay). Resolves when that has been tried. */
  close(): Promise<void>
}

/** Everything subscriptions share: shared readers, poppers, limits, counters. */
export interface Subscriptions {
  /** What `queue` means in entries; receipts of the same process use the same numbers. */
  readonly numbers: QueueNumbers
  /** Checks the topics at the cluster. Rejects with RefusedError. */
  open(host: SubscriptionHost, sid: number, spec: SubSpec): Promise<{ subscription: Subscription; result: SubResult }>
  stats(): {
    readonly subscriptions: number
    readonly messagesOut: number
    /** DELIVER frames. */
    readonly batchesOut: number
    /** Entry lists that were encoded for them, or would have been for a client behind a socket. */
    readonly batchesEncoded: number
    readonly leasesLost: number
  }
  close(): Promise<void>
}
