import type { Ranges } from '@cometmq/protocol'
import { rangesOf, visitRanges } from '../ranges.ts'
import { type Lease, plainMessage } from './lease.ts'

const maxLost = 4096
/** A body that keeps alive an answer so much larger than itself is copied out of it. */
const pinnedFactor = 2
const pinnedBytes = 4096

/** What was delivered and is not settled, by seq, ascending; and which seqs were lost. */
export class Ledger {
  readonly #leases = new Map<number, Lease>()
  /** seq → size; the oldest are forgotten. */
  readonly #lost = new Map<number, number>()
  #bytes = 0
  /** No lease ends before this time. */
  #nextDeadline = Infinity

  get size(): number {
    return this.#leases.size
  }

  get bytes(): number {
    return this.#bytes
  }

  get nextDeadline(): number {
    return this.#leases.size === 0 ? Infinity : this.#nextDeadline
  }

  get latestDeadline(): number {
    let latest = -Infinity
    for (const lease of this.#leases.values()) latest = Math.max(latest, lease.deadline)
    return latest
  }

  add(lease: Lease): void {
    this.#leases.set(lease.seq, lease)
    this.#bytes += lease.size
    this.watch(lease.deadline)
  }

  get(seq: number): Lease | undefined {
    return this.#leases.get(seq)
  }

  /** A deadline that may be nearer than all others. */
  watch(deadline: number): void {
    if (deadline < this.#nextDeadline) this.#nextDeadline = deadline
  }

  /** Takes out what is there of the ranges and calls `settle`. */
  take(ranges: Ranges, settle: (lease: Lease) => void): void {
    visitRanges(this.#leases, ranges, (_seq, lease) => {
      this.#remove(lease)
      settle(lease)
    })
  }

  visit(ranges: Ranges, use: (lease: Lease) => void): void {
    visitRanges(this.#leases, ranges, (_seq, lease) => use(lease))
  }

  takeAll(): Lease[] {
    const all = [...this.#leases.values()]
    this.#leases.clear()
    this.#bytes = 0
    return all
  }

  /** Seqs after `seq`, ascending. */
  after(seq: number): number[] {
    const seqs: number[] = []
    for (const key of this.#leases.keys()) if (key > seq) seqs.push(key)
    return seqs
  }

  /** Drops what has ended by `now`; the seqs. Bodies that came before `pinnedSince` stop holding on to the answer they came in. */
  sweep(now: number, pinnedSince: number): number[] {
    const seqs: number[] = []
    let next = Infinity
    for (const [seq, lease] of this.#leases) {
      if (lease.deadline <= now && lease.busy === undefined) {
        this.#remove(lease)
        this.lose(lease)
        seqs.push(seq)
      } else {
        if (lease.busy === undefined) next = Math.min(next, lease.deadline)
        if (lease.receivedAt < pinnedSince) unpin(lease)
      }
    }
    this.#nextDeadline = next
    return seqs
  }

  lose(lease: Lease): void {
    this.#lost.set(lease.seq, lease.size)
    if (this.#lost.size > maxLost) this.#lost.delete(this.#lost.keys().next().value!)
  }

  /** Those of the ranges whose lease was lost. */
  lostIn(ranges: Ranges): number[] {
    const seqs: number[] = []
    if (this.#lost.size > 0) visitRanges(this.#lost, ranges, seq => seqs.push(seq))
    return rangesOf(seqs.sort((a, b) => a - b))
  }

  /** Lost ones after `seq`, ascending, and what they counted; their sizes count no more. */
  forgetSizesAfter(seq: number): { seqs: number[]; bytes: number } {
    const seqs: number[] = []
    let bytes = 0
    for (const [key, size] of this.#lost) {
      if (key <= seq) continue
      seqs.push(key)
      bytes += size
      this.#lost.set(key, 0)
    }
    return { seqs: seqs.sort((a, b) => a - b), bytes }
  }

  #remove(lease: Lease): void {
    this.#leases.delete(lease.seq)
    this.#bytes -= lease.size
  }
}

function unpin(lease: Lease): void {
  const { body } = lease.message
  if (body.buffer.byteLength > body.length * pinnedFactor + pinnedBytes) {
    lease.message = plainMessage(lease.message, lease.receipt, Uint8Array.from(body))
  }
}
