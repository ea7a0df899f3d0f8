/** Limits of requests, besides those of sessions. Of one process, where nothing else is said. */
export interface HttpLimits {
  /** Messages of one request to send, and of one answer. */
  readonly maxMessages: number
  /** An answer takes no further messages when it has so many bytes of bodies. */
  readonly maxAnswerBytes: number
  /** Handles of one request. */
  readonly maxHandles: number
  /** How long `receive` may wait. */
  readonly maxWaitMs: number
  /** Requests that wait, of one subject and together. A token's `conns` replaces the first. */
  readonly maxWaitingPerSubject: number
  readonly maxWaiting: number
  readonly maxStreams: number
  /** A comment on a stream when nothing else was sent for so long; at least 1 s. */
  readonly heartbeatMs: number
  /** All bodies of requests that are being read or handled. */
  readonly maxInboundBytes: number
  /** The body of a request must be there by then. */
  readonly bodyMs: number
  /** Until its first use. */
  readonly ticketMs: number
  /** Tickets used in that time. */
  readonly maxUsedTickets: number
  /** Subjects whose rates are remembered. */
  readonly maxSubjects: number
}

export const defaultHttpLimits: HttpLimits = {
  maxMessages: 256,
  maxAnswerBytes: 1024 * 1024,
  maxHandles: 1024,
  maxWaitMs: 20_000,
  maxWaitingPerSubject: 100,
  maxWaiting: 10_000,
  maxStreams: 10_000,
  heartbeatMs: 15_000,
  maxInboundBytes: 64 * 1024 * 1024,
  bodyMs: 30_000,
  ticketMs: 30_000,
  maxUsedTickets: 100_000,
  maxSubjects: 10_000,
}
