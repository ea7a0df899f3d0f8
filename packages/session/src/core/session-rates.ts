import { type ClientFrame, Kind } from '@cometmq/protocol'
import type { SessionLimits } from '../types.ts'
import type { Fault } from './errors.ts'
import { frameOverheadBytes } from './limits.ts'
import { RateLimit } from './rate.ts'

/** In bursts of debt: so far over the rate requests are refused, and so far over it the socket ends. */
const refusedDebt = 1
const bannedDebt = 4

/**
 * Frames and bytes a second of one session. A transport that stops reading at the same rate never lets a client get into much debt;
 * what happens here is for those that cannot. Debt below one burst: nothing but a hint to pause; below four: requests are refused with 42990;
 * more: 4507.
 */
export class SessionRates {
  readonly #frames: RateLimit
  readonly #bytes: RateLimit

  /** `perSecond`: frames, from the token; null: the limit of the bridge. */
  constructor(limits: SessionLimits, perSecond: number | null, now: number) {
    const frames = perSecond ?? limits.framesPerSecond
    this.#frames = new RateLimit(frames, perSecond === null ? limits.frameBurst : Math.max(2, perSecond * 2), now)
    const bytes = limits.inboundBytesPerSecond
    // A whole window, or the largest message, may come at once.
    this.#bytes = new RateLimit(bytes, 2 * Math.max(bytes, limits.maxBodyBytes, limits.publishWindowBytes), now)
  }

  /** Undefined: within its rate. `count`: 0 for what only answers deliveries, whose number the bridge itself decides. */
  take(size: number, now: number, count = 1): { waitMs: number; banned: boolean; fault: Fault | undefined } | undefined {
    const frames = this.#frames.take(count, now)
    const bytes = this.#bytes.take(size, now)
    const debt = Math.max(frames, bytes)
    if (debt === 0) return undefined
    const waitMs = Math.max(this.#frames.waitMs, this.#bytes.waitMs)
    return { waitMs, banned: debt > bannedDebt, fault: debt > refusedDebt ? tooFast(waitMs) : undefined }
  }
}

const tooFast = (retryAfter: number): Fault => ({
  code: 42990,
  text: 'this connection sends more than the bridge takes from it; send less often, or more messages in one frame',
  outcome: 'not-executed',
  retryAfter,
})

/** Acknowledgements, limits and pongs come as often as deliveries are taken. */
export const countsAsFrame = (kind: number): boolean => (kind < Kind.ACK || kind > Kind.LIMIT) && kind !== Kind.PONG

/** About what it is on the wire: its bodies, and 64 bytes for each. */
export function bytesOf(frame: ClientFrame): number {
  if (frame[0] === Kind.SEND) return frame[5].length + frameOverheadBytes
  if (frame[0] !== Kind.SENDB) return frameOverheadBytes
  let bytes = frameOverheadBytes
  for (const entry of frame[4]) bytes += entry[1].length + frameOverheadBytes
  return bytes
}
