import type { RecordReader, RunRecord } from './journal-records.ts'
import { Lease } from './lease.ts'
import type { PopQueue } from './pop-queue.ts'
import { PopStates } from './states.ts'

const nothing = (): void => undefined

/** Builds the state that a journal tells of. Records that are read twice change nothing. */
export class RestoreReader implements RecordReader {
  readonly states = new PopStates()
  /** Orderly queues, the last state of each, by `topic@group@queueId`. */
  readonly orders = new Map<string, string>()
  /** The last record says that the broker stopped in order. */
  cleanStop = false
  readonly #byNumber = new Map<number, PopQueue>()

  queue(number: number, identity: { group: string; topic: string; queueId: number }, next: number): void {
    this.cleanStop = false
    if (this.#byNumber.has(number)) return
    const old = this.states.find(identity.group, identity.topic, identity.queueId)
    if (old !== undefined) this.#forget(old)
    this.#byNumber.set(number, this.states.add(identity, next, number))
  }

  run(number: number, run: RunRecord): void {
    this.cleanStop = false
    const queue = this.#byNumber.get(number)
    if (queue === undefined || run.start < queue.next || run.span < 1) return
    const lease = new Lease(queue, run.start, run.span, run)
    if (run.words.length > 0) lease.setWords(run.words)
    queue.restore(lease)
  }

  settled(number: number, first: number, count: number): void {
    this.cleanStop = false
    const queue = this.#byNumber.get(number)
    if (queue === undefined) return
    const end = Math.min(first + count, queue.next)
    for (let offset = first; offset < end; offset++) queue.settle(offset, nothing)
  }

  moved(number: number, moved: { offset: number; popTime: number; invisibleMs: number; suspended: boolean }): void {
    this.cleanStop = false
    this.#byNumber.get(number)?.move(moved.offset, moved, nothing)
  }

  at(number: number, next: number): void {
    this.cleanStop = false
    this.#byNumber.get(number)?.reposition(next, nothing)
  }

  skipped(number: number, next: number): void {
    this.cleanStop = false
    this.#byNumber.get(number)?.skipTo(next)
  }

  gone(number: number): void {
    this.cleanStop = false
    const queue = this.#byNumber.get(number)
    if (queue !== undefined) this.#forget(queue)
  }

  order(json: string): void {
    this.cleanStop = false
    const { key } = JSON.parse(json) as { key?: unknown }
    if (typeof key === 'string') this.orders.set(key, json)
  }

  complete(): void {
    this.cleanStop = false
  }

  closed(): void {
    this.cleanStop = true
  }

  #forget(queue: PopQueue): void {
    queue.reposition(queue.next, nothing)
    this.states.remove(queue)
    this.#byNumber.delete(queue.number)
  }
}
