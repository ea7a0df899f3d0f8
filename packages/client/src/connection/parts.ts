import type { ErrFrame, OkFrame, PopenArgs, ServerFrame, SubArgs, Value } from '@cometmq/protocol'
import * as Kind from '@cometmq/protocol/kind'
import type { Channel, Part } from '../channel.ts'
import type { BridgeError } from '../errors.ts'
import { errError } from './failures.ts'
import { guard } from './guard.ts'
import type { Line, Link } from './link.ts'
import type { Resumed } from './requests.ts'
import { retryMs } from '../figures.ts'

/** A part that is attached. */
export interface Slot {
  readonly part: Part
  /** The session of this moment has it; an earlier one had. */
  open: boolean
  ever: boolean
  retry: { cancel(): void } | undefined
}

export interface HelloParts {
  readonly slots: readonly Slot[]
  readonly producers: readonly PopenArgs[]
  readonly subs: readonly SubArgs[]
  readonly seen: readonly (readonly [sid: number, lastSeq: number])[]
}

/** Producers and subscriptions, and their opening. */
export class Parts {
  readonly slots = new Map<number, Slot>()
  readonly #channel: Channel
  readonly #current: () => Link | undefined
  #id = 0

  constructor(channel: Channel, current: () => Link | undefined) {
    this.#channel = channel
    this.#current = current
  }

  nextId(): number {
    return ++this.#id
  }

  attach(part: Part): void {
    const slot: Slot = { part, open: false, ever: false, retry: undefined }
    this.slots.set(part.id, slot)
    this.open(slot)
  }

  detach(id: number): void {
    this.slots.get(id)?.retry?.cancel()
    this.slots.delete(id)
  }

  /** Opens a part on the current socket, if there is one. */
  open(slot: Slot): void {
    const link = this.#current()
    const { part } = slot
    if (!link || slot.open || this.slots.get(part.id) !== slot) return
    const { pending } = this.#channel
    const rid = this.#channel.nextRid()
    pending.set(rid, {
      ok: result => link === this.#current() && this.#opened(slot, 'none', result, link),
      fail: error => link === this.#current() && this.#refused(slot, error),
      // HELLO has it.
      again: () => void pending.delete(rid),
    })
    const args = part.openArgs(rid)
    this.#channel.send(part.type === 'producer' ? [Kind.POPEN, ...(args as PopenArgs)] : [Kind.SUB, ...(args as SubArgs)])
  }

  /** Everything that is attached, for HELLO; `slots` in the order of the answers. */
  hello(): HelloParts {
    const all = [...this.slots.values()]
    const producers = all.filter(slot => slot.part.type === 'producer')
    const subs = all.filter(slot => slot.part.type !== 'producer')
    const args = (slot: Slot): PopenArgs | SubArgs => slot.part.openArgs(this.#channel.nextRid())
    return {
      slots: producers.concat(subs),
      producers: producers.map(args) as PopenArgs[],
      subs: subs.map(args) as SubArgs[],
      seen: subs.map(({ part, open }) => [part.id, open ? (part.lastSeq ?? 0) : 0]),
    }
  }

  /** The answers of WELCOME to what HELLO listed; then what has been attached since. */
  welcome(link: Link, how: Resumed, results: readonly (OkFrame | ErrFrame)[]): void {
    const listed = link.hello
    listed.forEach((slot, index) => {
      const result = results[index]
      if (result?.[0] === Kind.OK) this.#opened(slot, slot.open || how === 'cold' ? how : 'none', result[2], link)
      else if (result) this.#refused(slot, errError(result))
    })
    for (const slot of this.slots.values()) {
      if (listed.includes(slot) || (slot.open && how === 'hot')) continue
      slot.open = false
      this.open(slot)
    }
  }

  frame(id: number, frame: ServerFrame, line: Line): void {
    const slot = this.slots.get(id)
    if (slot) guard(() => slot.part.frame(frame, line))
  }

  /** ERR about a part that was open. */
  failed(id: number, error: BridgeError): void {
    const slot = this.slots.get(id)
    if (slot) this.#refused(slot, error)
  }

  disconnected(): void {
    for (const slot of this.slots.values()) {
      slot.retry?.cancel()
      if (slot.open) guard(() => slot.part.disconnected())
    }
  }

  ended(error: BridgeError | undefined): void {
    const all = [...this.slots.values()]
    this.slots.clear()
    for (const { part, retry } of all) {
      retry?.cancel()
      guard(() => part.ended(error))
    }
  }

  #opened(slot: Slot, how: Resumed, result: Value, link: Link): void {
    const { part, ever } = slot
    if (this.slots.get(part.id) !== slot) return this.#unwanted(part)
    slot.open = slot.ever = true
    guard(() => part.opened(ever ? how : 'new', result, link.line!))
  }

  /** For the moment (tried again), or for good. */
  #refused(slot: Slot, error: BridgeError): void {
    const { part } = slot
    if (this.slots.get(part.id) !== slot) return
    if (slot.open) guard(() => part.disconnected())
    slot.open = false
    if (error.retryable) {
      slot.retry = this.#channel.clock.setTimeout(() => this.open(slot), error.retryAfter ?? retryMs)
    } else {
      this.slots.delete(part.id)
      guard(() => part.refused(error))
    }
  }

  /** Detached while it was being opened. */
  #unwanted(part: Part): void {
    if (part.type === 'subscription') this.#channel.request(rid => [Kind.UNSUB, rid, part.id, 0]).catch(() => undefined)
  }
}
