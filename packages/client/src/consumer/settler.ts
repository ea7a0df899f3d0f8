import type { ClientFrame, Ranges } from '@cometmq/protocol'
import * as Kind from '@cometmq/protocol/kind'
import type { DeliveryLink } from '../channel.ts'
import type { ClientClock } from '../environment.ts'
import * as Op from './op.ts'
import { addTo } from './ranges.ts'

interface Batch {
  readonly argument: number | null
  readonly reason: string | undefined
  readonly ranges: number[]
}

/** Gathers settlements into ranges: out after a while, or a window of messages. */
export class Settler {
  link: DeliveryLink
  readonly #sid: number
  readonly #clock: ClientClock
  readonly #flushMessages: number
  readonly #flushMs: number
  readonly #batches: (Batch | undefined)[] = []
  #count = 0
  #timer: { cancel(): void } | undefined
  /** Could not be sent. */
  #unsent: ClientFrame[] = []
  /** Sent lately: may have been lost with a socket. The bridge settles each message once. */
  #recent: ClientFrame[] = []
  readonly #maxRecentFrames: number

  constructor(link: DeliveryLink, sid: number, clock: ClientClock, windowMessages: number, flushMs: number) {
    this.link = link
    this.#sid = sid
    this.#clock = clock
    this.#flushMs = flushMs
    this.#flushMessages = Math.max(16, windowMessages)
    this.#maxRecentFrames = 2 * windowMessages
  }

  get isEmpty(): boolean {
    return this.#count === 0 && this.#unsent.length === 0
  }

  add(op: Op.Op, seq: number, argument: number | null = null, reason?: string): void {
    let batch = this.#batches[op]
    if (batch && (batch.argument !== argument || batch.reason !== reason)) {
      this.#emit(op, batch)
      batch = undefined
    }
    batch ??= this.#batches[op] = { argument, reason, ranges: [] }
    addTo(batch.ranges, seq)
    if (++this.#count >= this.#flushMessages) this.flush()
    else this.#timer ??= this.#clock.setTimeout(this.flush, this.#flushMs)
  }

  readonly flush = (): void => {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#count = 0
    this.#batches.forEach((batch, op) => batch && this.#emit(op, batch))
  }

  /** The socket has changed, and the bridge still knows what was delivered. */
  repeat(): void {
    const frames = this.#recent.concat(this.#unsent)
    this.#recent = []
    this.#unsent = []
    for (const frame of frames) this.#send(frame)
    this.flush()
  }

  #emit(op: number, { argument, reason, ranges }: Batch): void {
    this.#batches[op] = undefined
    this.#send(frameOf(op, this.#sid, ranges, argument, reason))
  }

  #send(frame: ClientFrame): void {
    if (!this.link.send(frame)) this.#unsent.push(frame)
    else if (this.#recent.push(frame) > this.#maxRecentFrames) this.#recent.shift()
  }
}

function frameOf(op: number, sid: number, ranges: Ranges, argument: number | null, reason = ''): ClientFrame {
  if (op === Op.ack) return [Kind.ACK, sid, ranges]
  if (op === Op.acked) return [Kind.ACK, sid, ranges, true]
  if (op === Op.extend) return [Kind.EXTEND, sid, ranges, argument!]
  if (op === Op.dead) return [Kind.DEAD, sid, ranges, reason]
  return reason ? [Kind.NACK, sid, ranges, argument, reason] : [Kind.NACK, sid, ranges, argument]
}
