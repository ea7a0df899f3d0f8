import type { Shared } from '../shared.ts'

/** Policy `disconnect`: calls back when something has waited for `tooSlowMs` and nothing went. */
export class SlowWatch {
  readonly #shared: Shared
  readonly #tooSlow: () => void
  #timer: { cancel(): void } | undefined

  constructor(shared: Shared, tooSlow: () => void) {
    this.#shared = shared
    this.#tooSlow = tooSlow
  }

  /** Something waits. */
  blocked(): void {
    this.#timer ??= this.#shared.clock.setTimeout(() => {
      this.#timer = undefined
      this.#tooSlow()
    }, this.#shared.limits.tooSlowMs)
  }

  /** Something went, or nothing waits. */
  free(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }
}
