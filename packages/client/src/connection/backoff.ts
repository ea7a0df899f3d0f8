/** ms */
export interface Backoff {
  readonly min: number
  readonly max: number
  /** How long in one go without a connection; Infinity: for ever. */
  readonly giveUpAfter: number
}

/** Full jitter: anything from 0 to a ceiling that doubles from `min` to `max`. The first attempt is 0. */
export const delayOf = (attempt: number, backoff: Backoff, random: () => number): number =>
  random() * Math.min(backoff.max, backoff.min * 2 ** attempt)
