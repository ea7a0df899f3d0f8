import type { Receipt } from '@cometmq/protocol'

/** Numbers of a receipt: request id, queue, offset. */
const width = 3
const firstReceipts = 16

/**
 * The last receipts of a producer. Nearly all say "stored" and nothing else: they are kept as numbers, so that thousands of them cost the
 * garbage collector nothing.
 */
export class KeptReceipts {
  readonly #max: number
  #numbers = new Float64Array(0)
  /** Those that say more, by place. */
  readonly #others = new Map<number, Receipt>()
  #next = 0
  #count = 0

  constructor(max: number) {
    this.#max = max
  }

  add(receipt: Receipt): void {
    const place = this.#next
    if (place * width >= this.#numbers.length) this.#grow()
    this.#next = place + 1 === this.#max ? 0 : place + 1
    if (this.#count < this.#max) this.#count++
    if (this.#others.size > 0) this.#others.delete(place)
    const [rid, code, msgId, queue, offset, extra] = receipt
    const numbers = this.#numbers
    numbers[place * width] = rid
    numbers[place * width + 1] = queue
    numbers[place * width + 2] = offset
    if (code !== 0 || msgId !== null || extra !== undefined) this.#others.set(place, receipt)
  }

  /** Linear. */
  get(rid: number): Receipt | undefined {
    const numbers = this.#numbers
    for (let place = 0; place < this.#count; place++) {
      if (numbers[place * width] !== rid) continue
      return this.#others.get(place) ?? [rid, 0, null, numbers[place * width + 1]!, numbers[place * width + 2]!]
    }
    return undefined
  }

  /** Few clients ever fill it. */
  #grow(): void {
    const receipts = Math.min(this.#max, Math.max(firstReceipts, (this.#numbers.length / width) * 2))
    const larger = new Float64Array(receipts * width)
    larger.set(this.#numbers)
    this.#numbers = larger
  }
}
