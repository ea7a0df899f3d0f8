import type { Clock, Logger, Timer } from '@cometmq/remoting'

/** Runs tasks again and again; a run that is not over delays its next one, a failed one is logged. */
export class BrokerTimers {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #timers = new Set<Timer>()
  #stopped = false

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
  }

  every(periodMs: number, what: string, task: () => void | Promise<void>): void {
    if (this.#stopped) return
    const timer = this.#clock.setTimeout(() => {
      this.#timers.delete(timer)
      void this.#run(what, task).then(() => this.every(periodMs, what, task))
    }, periodMs)
    this.#timers.add(timer)
  }

  stop(): void {
    this.#stopped = true
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }

  async #run(what: string, task: () => void | Promise<void>): Promise<void> {
    try {
      await task()
    } catch (error) {
      this.#logger.error(`${what} failed`, { error: String(error) })
    }
  }
}
