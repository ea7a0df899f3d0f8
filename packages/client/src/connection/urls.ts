/** Which address is tried next: the last that worked, then the others in random order, then all over again. */
export class Urls {
  readonly #given: readonly string[]
  readonly #random: () => number
  #round: string[] = []
  #last: string | undefined

  constructor(given: readonly string[], random: () => number) {
    this.#given = given
    this.#random = random
  }

  /** `avoid`: not this one, when there is another. */
  next(avoid?: string): string {
    if (this.#round.length === 0) this.#round = this.#order()
    if (this.#round[0] === avoid && this.#round.length > 1) this.#round.push(this.#round.shift()!)
    return this.#round.shift()!
  }

  worked(url: string): void {
    this.#last = url
    this.#round = []
  }

  /** To be tried before all others. */
  prefer(url: string): void {
    this.#round = [url, ...this.#order().filter(other => other !== url)]
  }

  #order(): string[] {
    const order = [...this.#given]
    for (let i = order.length - 1; i > 0; i--) {
      const j = Math.floor(this.#random() * (i + 1))
      ;[order[i], order[j]] = [order[j]!, order[i]!]
    }
    const last = this.#last
    if (last === undefined) return order
    // One that a GOAWAY brought is forgotten when it stops working.
    if (!order.includes(last)) this.#last = undefined
    return [last, ...order.filter(url => url !== last)]
  }
}
