import { type Clock } from '@cometmq/remoting'

/**
 * From which answer time on a broker is left alone, and for how long. A single slow answer means little; from about half
 * a second on something is wrong over there, and the pause grows with it.
 */
const pauses: readonly { fromMs: number; pauseMs: number }[] = [
  { fromMs: 5_000, pauseMs: 30_000 },
  { fromMs: 3_000, pauseMs: 15_000 },
  { fromMs: 1_500, pauseMs: 8_000 },
  { fromMs: 600, pauseMs: 2_500 },
]
const failurePauseMs = 10_000
const maxRememberedBrokers = 4_096

/** Remembers which brokers were slow or failed, so that sends go elsewhere while there is an elsewhere. */
export class Avoidance {
  readonly #clock: Clock
  readonly #until = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A send was answered after `elapsedMs`. */
  answered(brokerName: string, elapsedMs: number): void {
    const pause = pauses.find(step => elapsedMs >= step.fromMs)
    if (pause) this.#remember(brokerName, pause.pauseMs)
    else this.#until.delete(brokerName)
  }

  failed(brokerName: string): void {
    this.#remember(brokerName, failurePauseMs)
  }

  isAvoided(brokerName: string): boolean {
    const until = this.#until.get(brokerName)
    if (until === undefined) return false
    if (until > this.#clock.monotonic()) return true
    this.#until.delete(brokerName)
    return false
  }

  #remember(brokerName: string, pauseMs: number): void {
    this.#until.delete(brokerName)
    if (this.#until.size >= maxRememberedBrokers) this.#until.delete(this.#until.keys().next().value!)
    this.#until.set(brokerName, this.#clock.monotonic() + pauseMs)
  }
}
