import { maxUnansweredBatches, maxUnansweredBytes, maxUnansweredFullBatches, maxUnansweredSingles } from './limits.ts'

/** Requests of one broker that are not answered. */
class Unanswered {
  batches = 0
  singles = 0
  bytes = 0
}

/** How much brokers have to do. Items for one that has enough wait, and so gather into larger batches. */
export class Slots {
  /** Names of brokers that take no more single requests, batches, or batches as large as they may be. */
  readonly fullForSingles = new Set<string>()
  readonly fullForBatches = new Set<string>()
  readonly fullForFullBatches = new Set<string>()
  readonly #brokers = new Map<string, Unanswered>()

  take(brokerName: string, isSingle: boolean, bytes: number): void {
    this.#change(brokerName, isSingle, 1, bytes)
  }

  release(brokerName: string, isSingle: boolean, bytes: number): void {
    this.#change(brokerName, isSingle, -1, -bytes)
  }

  #change(brokerName: string, isSingle: boolean, by: number, bytes: number): void {
    let broker = this.#brokers.get(brokerName)
    if (broker === undefined) this.#brokers.set(brokerName, (broker = new Unanswered()))
    if (isSingle) broker.singles += by
    else broker.batches += by
    broker.bytes += bytes
    const { batches, singles } = broker
    if (batches === 0 && singles === 0) this.#brokers.delete(brokerName)
    const isFull = broker.bytes >= maxUnansweredBytes
    note(this.fullForSingles, brokerName, isFull || singles >= maxUnansweredSingles)
    note(this.fullForBatches, brokerName, isFull || batches >= maxUnansweredBatches)
    note(this.fullForFullBatches, brokerName, isFull || batches >= maxUnansweredFullBatches)
  }
}

function note(names: Set<string>, brokerName: string, isFull: boolean): void {
  if (isFull) names.add(brokerName)
  else names.delete(brokerName)
}
