import type { Ranges } from '@cometmq/protocol'
import { Fifo } from '../fifo.ts'
import type { Cursor } from './cursor.ts'

/** One DELIVER frame that the client may not have. */
interface Segment {
  readonly firstSeq: number
  count: number
  readonly cursor: Cursor
  /** Of the cursor when it was sent: a seek makes it void. */
  readonly epoch: number
  readonly offsets: Float64Array
  readonly sizes: Float64Array
}

/** One GAP frame that the client may not have. */
export interface Notice {
  /** Last seq before it. */
  readonly seq: number
  readonly cursor: Cursor
  readonly epoch: number
  readonly from: number
  readonly to: number
  readonly cause: string
}

const maxNotices = 1024

/** What was sent and not taken by the application: where a resumed client goes on. */
export class Sent {
  readonly #segments = new Fifo<Segment>()
  #notices: Notice[] = []
  /** Highest seq acknowledged. */
  acked = 0

  add(segment: Segment): void {
    this.#segments.push(segment)
  }

  notice(notice: Notice): void {
    if (this.#notices.length === maxNotices) this.#notices.shift()
    this.#notices.push(notice)
  }

  /** The client has everything up to the highest seq: frames of a socket come in order. */
  ack(ranges: Ranges, lastSeq: number): void {
    for (let index = 1; index < ranges.length; index += 2) this.acked = Math.max(this.acked, Math.min(ranges[index]!, lastSeq))
    for (let first = this.#segments.peek(); first !== undefined; first = this.#segments.peek()) {
      if (first.firstSeq + first.count - 1 > this.acked) break
      this.#segments.shift()
    }
    if (this.#notices.length > 0 && this.#notices[0]!.seq < this.acked) {
      this.#notices = this.#notices.filter(({ seq }) => seq >= this.acked)
    }
  }

  /**
   * The client has nothing after `lastSeq`: cursors go back to the first entry it has not seen. Returns the bytes that count no more, and the
   * notices to be repeated.
   */
  rewind(lastSeq: number): { bytes: number; notices: Notice[] } {
    let bytes = 0
    for (const segment of this.#segments.drain()) {
      const seen = Math.min(segment.count, Math.max(0, lastSeq + 1 - segment.firstSeq))
      for (let index = seen; index < segment.count; index++) bytes += segment.sizes[index]!
      if (seen < segment.count && segment.epoch === segment.cursor.epoch) segment.cursor.back(segment.offsets[seen]!)
      segment.count = seen
      if (seen > 0) this.#segments.push(segment)
    }
    const notices = this.#notices.filter(
      ({ seq, cursor, epoch, from }) => seq >= lastSeq && epoch === cursor.epoch && from < cursor.offset,
    )
    this.#notices = this.#notices.filter(({ seq }) => seq < lastSeq)
    return { bytes, notices }
  }
}
