import { type ErrFrame, Kind, type OkFrame, type Value } from '@cometmq/protocol'
import { errFrame, type Fault, faultOf } from './errors.ts'
import { maxControlResults, maxRunningRequests } from './limits.ts'
import { forgottenText, type Rids } from './rids.ts'
import type { SessionHost } from './shared.ts'

/** A control request that is under way. */
export interface Running {
  readonly signal: AbortSignal
  /** The client gave up and was answered; what comes out of it is to be undone. */
  readonly cancelled: boolean
}

export interface RequestWork {
  /** `undefined` is OK without a result. */
  run(request: Running): Promise<Value> | Value
  /** After the answer has gone out. */
  done?(): void
  /** It succeeded after the client had cancelled it. */
  undo?(): void
  /** Read only: the answer is not kept, a repetition is executed again. */
  readonly repeatable?: boolean
  /** What a CANCEL is told about it. Default: unknown. */
  readonly cancelled?: 'not-executed' | 'unknown'
}

interface Entry extends Running {
  readonly controller: AbortController
  cancelled: boolean
  readonly work: RequestWork
}

/** Requests with an OK or ERR answer: executed once for each request id, answered again when repeated. */
export class Requests {
  readonly #host: SessionHost
  readonly #rids: Rids
  readonly #running = new Map<number, Entry>()
  readonly #done = new Map<number, OkFrame | ErrFrame>()

  constructor(host: SessionHost, rids: Rids) {
    this.#host = host
    this.#rids = rids
  }

  get running(): number {
    return this.#running.size
  }

  begin(rid: number, work: RequestWork): void {
    if (this.#repeated(rid, work)) return
    this.#rids.note(rid)
    if (this.#running.size >= maxRunningRequests)
      return this.#answer(rid, errFrame(rid, tooMany(this.#running.size)), work.repeatable)
    const controller = new AbortController()
    const entry: Entry = { signal: controller.signal, controller, cancelled: false, work }
    this.#running.set(rid, entry)
    let result: Promise<Value> | Value
    try {
      result = work.run(entry)
    } catch (error) {
      return this.#failed(rid, entry, error)
    }
    if (!(result instanceof Promise)) return this.#succeeded(rid, entry, result)
    result.then(
      value => this.#succeeded(rid, entry, value),
      (error: unknown) => this.#failed(rid, entry, error),
    )
  }

  /** A refusal without execution; kept as any answer. */
  refuse(rid: number, fault: Fault): void {
    if (this.#repeated(rid, undefined)) return
    this.#rids.note(rid)
    this.#answer(rid, errFrame(rid, fault), false)
  }

  /** Nothing happens for what is answered, or is no control request: its answer is on its way. */
  cancel(rid: number): void {
    const entry = this.#running.get(rid)
    if (!entry || entry.cancelled) return
    entry.cancelled = true
    const outcome = entry.work.cancelled ?? 'unknown'
    this.#answer(rid, errFrame(rid, { code: 49990, text: 'cancelled by the client', outcome }), entry.work.repeatable)
    entry.controller.abort()
  }

  /** The session is over. */
  abort(): void {
    for (const entry of this.#running.values()) {
      entry.cancelled = true
      entry.controller.abort()
    }
  }

  #repeated(rid: number, work: RequestWork | undefined): boolean {
    if (this.#rids.isNew(rid)) return false
    const done = this.#done.get(rid)
    if (done) {
      this.#host.send(done)
      return true
    }
    if (this.#running.has(rid)) return true
    if (work?.repeatable || this.#rids.fill(rid)) return false
    this.#host.send(errFrame(rid, { code: 40991, text: forgottenText, outcome: 'unknown' }))
    return true
  }

  #succeeded(rid: number, entry: Entry, value: Value): void {
    this.#running.delete(rid)
    if (entry.cancelled) return entry.work.undo?.()
    this.#answer(rid, value === undefined ? [Kind.OK, rid] : [Kind.OK, rid, value], entry.work.repeatable)
    entry.work.done?.()
  }

  #failed(rid: number, entry: Entry, error: unknown): void {
    this.#running.delete(rid)
    if (entry.cancelled) return
    const fault = faultOf(error)
    if (fault.code === 50001)
      this.#host.shared.logger.error('request failed', { session: this.#host.id, rid, error: textOf(error) })
    this.#answer(rid, errFrame(rid, fault), entry.work.repeatable)
  }

  #answer(rid: number, frame: OkFrame | ErrFrame, repeatable: boolean | undefined): void {
    this.#host.send(frame)
    if (repeatable) return
    if (this.#done.size >= maxControlResults) this.#done.delete(this.#done.keys().next().value!)
    this.#done.set(rid, frame)
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))

const tooMany = (count: number): Fault => ({
  code: 42990,
  text: `${count} requests of this session are not answered yet; wait for their answers`,
  outcome: 'not-executed',
  retryAfter: 1_000,
})
