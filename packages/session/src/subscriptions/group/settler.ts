import type { ClusterError } from '@cometmq/cluster'
import { isLasting, type Shared, textOf } from '../shared.ts'
import { type Lease, plainMessage } from './lease.ts'

const maxTries = 5
const retryMs = 250

/** Brings settlements to the broker: acks in batches, the rest one by one with bounded concurrency; repeats what may pass. */
export class Settler {
  readonly #shared: Shared
  /** Requests under way. */
  readonly #running = new Set<Promise<void>>()
  readonly #waiting: (() => Promise<void>)[] = []
  #active = 0

  constructor(shared: Shared) {
    this.#shared = shared
  }

  /** `failed` is called for those that could not be acknowledged: they will be delivered again. */
  ack(leases: readonly Lease[], failed: (lease: Lease) => void): void {
    if (leases.length > 0) this.#track(this.#ack(leases, failed))
  }

  /** Visible again after `delayMs`. */
  release(lease: Lease, delayMs: number): void {
    this.#enqueue(() => this.#attempt(lease, () => this.#shared.popper.changeInvisible(lease.receipt, delayMs), 'nack'))
  }

  deadLetter(lease: Lease, failed?: () => void): void {
    this.#enqueue(() =>
      this.#attempt(
        lease,
        () => this.#shared.popper.deadLetter(plainMessage(lease.message, lease.receipt, lease.message.body)),
        'dead letter',
        failed,
      ),
    )
  }

  /** Something else that settlements have to wait for. */
  track(work: Promise<void>): void {
    this.#track(work)
  }

  /** Resolves when all that was begun until now, and what that began, has been tried. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  /** Resolves when all that is under way now has been tried. */
  async now(): Promise<void> {
    await Promise.all(this.#running)
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#running.delete(tracked))
    this.#running.add(tracked)
  }

  #enqueue(task: () => Promise<void>): void {
    this.#track(
      new Promise<void>(resolve => {
        this.#waiting.push(() => task().then(resolve))
        this.#next()
      }),
    )
  }

  #next(): void {
    while (this.#active < this.#shared.limits.maxSettling) {
      const task = this.#waiting.shift()
      if (task === undefined) return
      this.#active++
      void task().then(() => {
        this.#active--
        this.#next()
      })
    }
  }

  async #ack(leases: readonly Lease[], failed: (lease: Lease) => void): Promise<void> {
    const { clock, logger, popper } = this.#shared
    let open = leases
    for (let attempt = 1; ; attempt++) {
      let errors: ReadonlyMap<unknown, ClusterError>
      try {
        const answers = await popper.ack(open.map(lease => lease.receipt))
        errors = new Map(answers.map(answer => [answer.receipt, answer.error]))
      } catch (error) {
        errors = new Map(open.map(lease => [lease.receipt, error as ClusterError]))
      }
      if (errors.size === 0) return
      const again: Lease[] = []
      for (const lease of open) {
        const error = errors.get(lease.receipt)
        if (error === undefined) continue
        if (this.#mayPass(error, attempt, lease)) again.push(lease)
        else {
          logger.debug('a message could not be acknowledged; it will be delivered again', {
            topic: lease.message.topic,
            why: textOf(error),
          })
          failed(lease)
        }
      }
      if (again.length === 0) return
      open = again
      await new Promise<void>(resolve => clock.setTimeout(resolve, retryMs * attempt))
    }
  }

  async #attempt(lease: Lease, work: () => Promise<unknown>, what: string, failed?: () => void): Promise<void> {
    const { clock, logger } = this.#shared
    for (let attempt = 1; ; attempt++) {
      try {
        await work()
        return
      } catch (error) {
        if (!this.#mayPass(error, attempt, lease)) {
          logger.debug(`${what} failed; the message comes back when its lease ends`, {
            topic: lease.message.topic,
            why: textOf(error),
          })
          failed?.()
          return
        }
      }
      await new Promise<void>(resolve => clock.setTimeout(resolve, retryMs * attempt))
    }
  }

  #mayPass(error: unknown, attempt: number, lease: Lease): boolean {
    const code = (error as ClusterError).code
    if (attempt >= maxTries || isLasting(error) || code === 'E_NOT_FOUND') return false
    return this.#shared.clock.monotonic() + retryMs * attempt < lease.deadline
  }
}
