import * as CloseCode from '@cometmq/protocol/close-code'
import * as Kind from '@cometmq/protocol/kind'
import type { ClientClock } from '../environment.ts'
import type { Link } from './link.ts'
import type { Parts } from './parts.ts'
import type { Requests, Resumed } from './requests.ts'

interface Leaving {
  readonly link: Link
  /** The requests that were sent over it: from this id to before that one. */
  readonly from: number
  readonly to: number
  how: Resumed
  readonly grace: { cancel(): void }
}

/** Sockets that the connection has moved away from: they stay until what began on them is done. */
export class Retired {
  readonly #leaving = new Set<Leaving>()
  readonly #clock: ClientClock
  readonly #requests: Requests
  readonly #parts: Parts

  constructor(clock: ClientClock, requests: Requests, parts: Parts) {
    this.#clock = clock
    this.#requests = requests
    this.#parts = parts
  }

  /** `how`: what its successor knows of requests that stay without an answer. */
  add(link: Link, how: Resumed): void {
    const from = Math.max(0, ...[...this.#leaving].map(other => other.to))
    const graceMs = Math.max(0, link.leaveAt - this.#clock.monotonic())
    const grace = this.#clock.setTimeout(() => this.#bye(leaving), graceMs)
    const leaving: Leaving = { link, from, to: this.#requests.end, how, grace }
    this.#leaving.add(leaving)
    // Acks are sent in a burst: look when it is over.
    link.line!.sent = () => queueMicrotask(() => this.#check(leaving))
    queueMicrotask(() => this.#check(leaving))
  }

  owns(rid: number): boolean {
    for (const { from, to } of this.#leaving) if (rid >= from && rid < to) return true
    return false
  }

  /** A session that knows nothing has replaced the ones before. */
  forgotten(): void {
    for (const leaving of this.#leaving) leaving.how = 'none'
  }

  has(link: Link): boolean {
    return this.#of(link) !== undefined
  }

  /** A frame has come: it may have been the last answer. */
  frame(link: Link): void {
    const leaving = this.#of(link)
    if (leaving) this.#check(leaving)
  }

  /** Closed: the requests that it leaves behind. */
  closed(link: Link): { rids: number[]; how: Resumed } {
    const leaving = this.#of(link)!
    leaving.grace.cancel()
    this.#leaving.delete(leaving)
    link.line!.alive = false
    return { rids: this.#open(leaving), how: leaving.how }
  }

  get links(): Link[] {
    return [...this.#leaving].map(leaving => leaving.link)
  }

  #of(link: Link): Leaving | undefined {
    for (const leaving of this.#leaving) if (leaving.link === link) return leaving
    return undefined
  }

  #open({ from, to }: Leaving): number[] {
    return this.#requests.unanswered().filter(rid => rid >= from && rid < to)
  }

  #check(leaving: Leaving): void {
    const { line } = leaving.link
    if (!this.#leaving.has(leaving) || this.#open(leaving).length > 0) return
    for (const { part } of this.#parts.slots.values()) {
      if (part.busy ? part.busy(line!) : part.type === 'subscription') return
    }
    this.#bye(leaving)
  }

  #bye({ link }: Leaving): void {
    link.send([Kind.BYE, 0])
    link.close(CloseCode.NORMAL, '')
  }
}
