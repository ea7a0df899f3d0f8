import type { PopenResult } from '@cometmq/protocol'

/** What may be sent: the bridge's cumulative allowance, and the application's own bounds on what has no answer. */
export class SendWindow {
  readonly #maxInFlight: number
  readonly #maxBytesInFlight: number
  flyingCount = 0
  flyingBytes = 0
  /**
   * All of it: more than this can never go at once, and never more are unanswered. After hot resumes the allowance alone would permit more,
   * and the bridge keeps only a window's worth of receipts to repeat.
   */
  count = Infinity
  bytes = Infinity
  /** Cumulative since POPEN, as the bridge counts. */
  #sentCount = 0
  #sentBytes = 0
  #limitCount = 0
  #limitBytes = 0
  /** What of the frames sent before a hot resume the bridge has counted; the rest was lost with the socket. */
  #accepted = Infinity

  constructor(maxInFlight: number, maxBytesInFlight: number) {
    this.#maxInFlight = maxInFlight
    this.#maxBytesInFlight = maxBytesInFlight
  }

  opened(how: 'new' | 'hot' | 'cold' | 'none', { limit, accepted }: PopenResult): void {
    this.#accepted = Infinity
    if (how !== 'hot') {
      ;[this.count, this.bytes] = limit
      this.#sentCount = this.#sentBytes = this.#limitCount = this.#limitBytes = 0
    } else if (accepted) {
      ;[this.#sentCount, this.#sentBytes] = accepted
      this.#accepted = this.#sentCount
    }
    this.raise(...limit)
  }

  raise(count: number, bytes: number): void {
    this.#limitCount = Math.max(this.#limitCount, count)
    this.#limitBytes = Math.max(this.#limitBytes, bytes)
  }

  /** Messages go out: their number in the bridge's count. */
  sent(count: number, bytes: number): number {
    this.#sentBytes += bytes
    return (this.#sentCount += count)
  }

  /** A message has its outcome. */
  landed(bytes: number): void {
    this.flyingCount--
    this.flyingBytes -= bytes
  }

  /** Whether the bridge has counted up to this number. */
  hasCounted(at: number): boolean {
    return at <= this.#accepted
  }

  allows(count: number, bytes: number): boolean {
    return this.#sentCount + count <= this.#limitCount && this.#sentBytes + bytes <= this.#limitBytes
  }

  /** `whole`: cannot be cut, so that it may exceed our own bounds when nothing else is in flight. */
  fits(count: number, bytes: number, whole: boolean): boolean {
    if (!this.allows(count, bytes)) return false
    if (whole && this.flyingCount === 0) return true
    return this.flyingCount + count <= this.#mostInFlight && this.flyingBytes + bytes <= this.#maxBytesInFlight
  }

  get #mostInFlight(): number {
    return Math.min(this.#maxInFlight, this.count)
  }

  /** Behind what waits. */
  room(queuedCount: number, queuedBytes: number): { messages: number; bytes: number } {
    const messages = Math.min(this.#limitCount - this.#sentCount, this.#mostInFlight - this.flyingCount) - queuedCount
    const bytes = Math.min(this.#limitBytes - this.#sentBytes, this.#maxBytesInFlight - this.flyingBytes) - queuedBytes
    return { messages: Math.max(0, messages), bytes: Math.max(0, bytes) }
  }
}
