import { Fifo } from '../fifo.ts'
import type { Shared } from '../shared.ts'
import type { Lease } from './lease.ts'
import type { Settler } from './settler.ts'

/** Messages fetched and not delivered yet. What waits too long is released while it is still ours, rather than delivered late. */
export class Waiting {
  readonly #shared: Shared
  readonly #settler: Settler
  /** There is room again. */
  readonly #freed: () => void
  readonly #leases = new Fifo<Lease>()
  #timer: { cancel(): void } | undefined
  #bytes = 0

  constructor(shared: Shared, settler: Settler, freed: () => void) {
    this.#shared = shared
    this.#settler = settler
    this.#freed = freed
  }

  get length(): number {
    return this.#leases.length
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Monotonic ms by which the first must be on its way; undefined when there is none. */
  get deliverBy(): number | undefined {
    return this.#leases.peek()?.deliverBy
  }

  add(lease: Lease): void {
    this.#leases.push(lease)
    this.#bytes += lease.size
    if (this.#timer === undefined) this.#watch()
  }

  /** The next one that is still good at `now`. */
  take(now: number): Lease | undefined {
    for (;;) {
      const lease = this.#leases.shift()
      if (lease === undefined) return undefined
      this.#bytes -= lease.size
      if (lease.deliverBy > now) return lease
      this.#settler.release(lease, 0)
    }
  }

  releaseAll(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#bytes = 0
    for (const lease of this.#leases.drain()) this.#settler.release(lease, 0)
  }

  #watch(): void {
    const { clock } = this.#shared
    const first = this.#leases.peek()
    if (first === undefined) return
    this.#timer = clock.setTimeout(() => this.#release(), Math.max(0, first.deliverBy - clock.monotonic()))
  }

  #release(): void {
    this.#timer = undefined
    const now = this.#shared.clock.monotonic()
    for (let lease = this.#leases.peek(); lease !== undefined && lease.deliverBy <= now; lease = this.#leases.peek()) {
      this.#leases.shift()
      this.#bytes -= lease.size
      this.#settler.release(lease, 0)
    }
    this.#watch()
    this.#freed()
  }
}
