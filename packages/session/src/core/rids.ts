/**
 * Which request ids were seen, exactly: all up to `highest`, but for the gaps. Ids mostly come in ascending order; gaps are those that a client
 * took and has not sent yet (a send that waits for its window), those of HELLO, and what a broken socket did not carry.
 */
export class Rids {
  highest = 0
  /** Pairs lo, hi, both inclusive; the newest last. */
  readonly #gaps: number[] = []

  /** The fast way: certainly never seen. */
  isNew(rid: number): boolean {
    return rid > this.highest
  }

  /** `count` ids from `rid` on have come; those not above `highest` change nothing. */
  note(rid: number, count = 1): void {
    const end = rid + count - 1
    if (end <= this.highest) return
    if (rid > this.highest + 1) {
      // The oldest is given up: what is in it counts as seen and is never executed.
      if (this.#gaps.length >= 2 * maxGaps) this.#gaps.splice(0, 2)
      this.#gaps.push(this.highest + 1, rid - 1)
    }
    this.highest = end
  }

  /** For an id that is not above `highest`: true, once, when it comes for the first time. */
  fill(rid: number): boolean {
    for (let at = this.#gaps.length - 2; at >= 0; at -= 2) {
      const lo = this.#gaps[at]!
      const hi = this.#gaps[at + 1]!
      if (rid < lo || rid > hi) continue
      if (lo === hi) this.#gaps.splice(at, 2)
      else if (rid === lo) this.#gaps[at] = lo + 1
      else if (rid === hi) this.#gaps[at + 1] = hi - 1
      else if (this.#gaps.length < 2 * maxGaps) this.#gaps.splice(at, 2, lo, rid - 1, rid + 1, hi)
      else this.#gaps.splice(at, 2, rid + 1, hi)
      return true
    }
    return false
  }
}

const maxGaps = 1024

export const forgottenText =
  'the result of this request is no longer kept; whether it was executed is not known: look at its effect before sending it again'
