/** Unanswered requests a broker may have; beyond that, items wait and so gather into larger batches. */
export class Slots {
  /** Names of brokers without a free slot. */
  readonly full = new Set<string>()
  readonly #max: number
  readonly #taken = new Map<string, number>()

  constructor(max: number) {
    this.#max = max
  }

  take(brokerName: string): void {
    const taken = (this.#taken.get(brokerName) ?? 0) + 1
    this.#taken.set(brokerName, taken)
    if (taken >= this.#max) this.full.add(brokerName)
  }

  release(brokerName: string): void {
    const taken = (this.#taken.get(brokerName) ?? 1) - 1
    if (taken <= 0) this.#taken.delete(brokerName)
    else this.#taken.set(brokerName, taken)
    if (taken < this.#max) this.full.delete(brokerName)
  }
}
