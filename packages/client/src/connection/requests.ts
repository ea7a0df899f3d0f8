import type { ClientFrame, Receipt, Value } from '@cometmq/protocol'
import * as Kind from '@cometmq/protocol/kind'
import type { Pending } from '../channel.ts'
import type { BridgeError } from '../errors.ts'
import { cancelled } from '../signals.ts'
import { guard, report } from './guard.ts'

export type Resumed = 'hot' | 'cold' | 'none'

/** Request ids and what waits for an answer. */
export class Requests {
  readonly pending = new Map<number, Pending>()
  #rid = 0
  /** Requests below this id may have reached a bridge. */
  #sentBelow = 0

  next(count = 1): number {
    const first = this.#rid + 1
    this.#rid += count
    return first
  }

  /** All ids taken so far are below this one. */
  get end(): number {
    return this.#rid + 1
  }

  /** Called with a socket, for everything up to now. */
  markSent(): void {
    this.#sentBelow = this.end
  }

  outcomeOf(rid: number): 'unknown' | 'not-executed' {
    return rid < this.#sentBelow ? 'unknown' : 'not-executed'
  }

  request(make: (rid: number) => ClientFrame, send: (frame: ClientFrame) => boolean, signal?: AbortSignal): Promise<Value> {
    return new Promise((resolve, reject) => {
      const rid = this.next()
      const frame = make(rid)
      let sent = false
      const abort = (): void => {
        if (this.pending.delete(rid)) send([Kind.CANCEL, rid])
        reject(cancelled(signal, sent ? 'unknown' : this.outcomeOf(rid)))
      }
      if (signal?.aborted) return abort()
      const settle =
        <T>(done: (value: T) => void) =>
        (value: T): void => {
          signal?.removeEventListener('abort', abort)
          done(value)
        }
      signal?.addEventListener('abort', abort)
      this.pending.set(rid, { ok: settle(resolve), fail: settle(reject), again: () => frame })
      sent = send(frame)
    })
  }

  receipts(receipts: readonly Receipt[]): void {
    for (const receipt of receipts) {
      const entry = this.#take(receipt[0])
      try {
        entry?.receipt?.(receipt)
      } catch (error) {
        report(error)
      }
    }
  }

  ok(rid: number, result: Value): void {
    const entry = this.#take(rid)
    if (entry) guard(() => entry.ok?.(result))
  }

  err(rid: number, error: BridgeError): void {
    const entry = this.#take(rid)
    if (entry) guard(() => entry.fail(error))
  }

  #take(rid: number): Pending | undefined {
    const entry = this.pending.get(rid)
    this.pending.delete(rid)
    return entry
  }

  /** Ids without an answer, ascending. */
  unanswered(): number[] {
    return [...this.pending.keys()].sort((a, b) => a - b)
  }

  /** Sends again what waits under these ids. */
  repeat(rids: readonly number[], resumed: Resumed, send: (frame: ClientFrame) => void): void {
    let last: Pending | undefined
    for (const rid of rids) {
      const entry = this.pending.get(rid)
      if (!entry || entry === last) continue
      last = entry
      const frame = guard(() => entry.again(rid < this.#sentBelow ? resumed : 'hot'))
      if (frame) send(frame)
    }
  }

  failAll(error: (outcome: 'unknown' | 'not-executed') => BridgeError): void {
    const entries = [...this.pending]
    this.pending.clear()
    for (const [rid, entry] of entries) guard(() => entry.fail(error(this.outcomeOf(rid))))
  }
}
