/**
 * Which request ids were seen. On one socket they arrive in ascending order; after a hot resume the unanswered ones are repeated, and what the
 * old socket never carried comes for the first time: everything above `floor` that nothing is known of is new.
 */
export class Rids {
  highest = 0
  /** Highest id of all earlier sockets. */
  #floor = 0

  /** A new socket. */
  attach(): void {
    this.#floor = this.highest
  }

  /** The fast way: certainly never seen. */
  isNew(rid: number): boolean {
    return rid > this.highest
  }

  /** Not new, and nothing is known of it: may it be executed as if it were? */
  mayBeNew(rid: number): boolean {
    return rid > this.#floor
  }

  note(rid: number): void {
    if (rid > this.highest) this.highest = rid
  }
}

export const forgottenText =
  'the result of this request is no longer kept; whether it was executed is not known: look at its effect before sending it again'
