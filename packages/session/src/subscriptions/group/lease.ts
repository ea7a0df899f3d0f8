import type { PoppedMessage, PopReceipt } from '@cometmq/cluster'
import { entryOverheadBytes } from '../window.ts'

/** Monotonic ms: when messages came, until when they must be on their way to the client, and until when they can be settled. */
export interface Hold {
  readonly receivedAt: number
  readonly deliverBy: number
  readonly deadline: number
}

/** A message that this client holds, or will. Those of one answer share their times. */
export class Lease {
  /** Kept until it is settled: for delivering it again after a resume, and for the dead letter topic. */
  message: PoppedMessage
  receipt: PopReceipt
  /** 0 until it is delivered. */
  seq = 0
  readonly topicIx: number
  /** Number of the queue as the client sees it. */
  readonly queue: number
  /** What it counts in the window. */
  readonly size: number
  #hold: Hold
  /** A change of its receipt is under way; settling waits for it. */
  busy: Promise<void> | undefined = undefined

  constructor(message: PoppedMessage, topicIx: number, queue: number, hold: Hold) {
    this.message = message
    this.receipt = message.receipt
    this.topicIx = topicIx
    this.queue = queue
    this.size = message.body.length + entryOverheadBytes
    this.#hold = hold
  }

  get receivedAt(): number {
    return this.#hold.receivedAt
  }
  get deliverBy(): number {
    return this.#hold.deliverBy
  }
  get deadline(): number {
    return this.#hold.deadline
  }

  extend(deadline: number): void {
    this.#hold = { ...this.#hold, deadline }
  }
}

/**
 * A lease is taken for longer than the client is told: what a message waits here, and the way of its settlement, must not shorten the time
 * the client has.
 */
export interface LeaseTimes {
  readonly leaseMs: number
  /** What the broker is asked for. */
  readonly invisibleMs: number
  /** From receipt to the latest delivery. */
  readonly waitMs: number
  /** From receipt to the end, by our clock: a margin before the broker's. */
  readonly holdMs: number
}

export function leaseTimes(leaseMs: number): LeaseTimes {
  const slack = Math.min(10_000, Math.max(1_000, Math.round(leaseMs / 4)))
  const safety = Math.min(1_000, slack / 2)
  return { leaseMs, invisibleMs: leaseMs + slack, waitMs: slack - safety, holdMs: leaseMs + slack - safety }
}

/** Delay of a repetition by attempt, seconds when a NACK names none. */
const backoffSeconds = [1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800]

/** attempt: 1 is the first delivery. */
export const nackDelayMs = (attempt: number): number =>
  1000 * backoffSeconds[Math.min(Math.max(attempt, 1), backoffSeconds.length) - 1]!

/** The same message with another receipt and body. Messages of a cluster are views on the answer they came in, with getters. */
export function plainMessage(message: PoppedMessage, receipt: PopReceipt, body: Uint8Array): PoppedMessage {
  const { topic, queueId, queueOffset, msgId, bornTimestamp, storeTimestamp, reconsumeTimes, flag, properties } = message
  const { compression, physicalOffset } = message
  const facts = { topic, queueId, queueOffset, msgId, bornTimestamp, storeTimestamp, reconsumeTimes, flag, properties }
  return { ...facts, compression, physicalOffset, body, receipt }
}
