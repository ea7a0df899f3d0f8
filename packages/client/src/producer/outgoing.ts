import type { ClientFrame, Meta, Receipt as WireReceipt } from '@cometmq/protocol'
import * as Flag from '@cometmq/protocol/flag'
import * as Kind from '@cometmq/protocol/kind'
import type { Receipt } from '../api.ts'
import type { Pending } from '../channel.ts'
import { BridgeError } from '../errors.ts'
import * as State from './state.ts'

const noBytes = new Uint8Array(0)

/** One message from `send` to its outcome. */
export class Outgoing {
  meta: Meta = {}
  /** Empty until it is encoded. */
  body: Uint8Array = noBytes
  flags: number
  state: number = State.preparing
  rid = 0
  /** All messages of an atomic batch, this one among them. */
  batch: readonly Outgoing[] | undefined
  /** Not repeated on another socket. */
  fleeting = false
  /** Epoch ms. */
  expiresAt = 0
  /** After it is settled: listeners and timers to remove, flushes to tell. */
  after: (() => void)[] | undefined
  readonly resolve: (receipt: Receipt) => void
  readonly reject: (error: BridgeError) => void

  constructor(flags: number, resolve: (receipt: Receipt) => void, reject: (error: BridgeError) => void) {
    this.flags = flags
    this.resolve = resolve
    this.reject = reject
  }

  finish(): void {
    this.state = State.settled
    if (this.after) for (const done of this.after.splice(0)) done()
  }
}

/** What a frame in flight needs of its producer. */
export interface FlightOwner {
  readonly pid: number
  readonly repeats: boolean
  settle(item: Outgoing, receipt: WireReceipt | undefined, error?: BridgeError): void
  pend(flight: Flight): void
  /** Before they go again; false: they wait in the queue instead. */
  repeat(flight: Flight, resumed: 'hot' | 'cold' | 'none'): boolean
}

/** The messages of one SEND or SENDB, under consecutive request ids. */
export class Flight implements Pending {
  readonly owner: FlightOwner
  rid: number
  items: readonly Outgoing[]
  flags: number
  /** The producer's count of messages when it went out. */
  at = 0

  constructor(owner: FlightOwner, rid: number, items: readonly Outgoing[], flags: number) {
    this.owner = owner
    this.rid = rid
    this.items = items
    this.flags = flags
  }

  receipt(receipt: WireReceipt): void {
    const item = this.items[receipt[0] - this.rid]
    if (item) this.owner.settle(item, receipt)
  }

  fail(error: BridgeError): void {
    for (const item of this.items) this.owner.settle(item, undefined, error)
  }

  /** Only what has no answer is sent again; behind a gap in the request ids a flight of its own begins. */
  again(resumed: 'hot' | 'cold' | 'none'): ClientFrame | undefined {
    for (const item of this.items) {
      if (!item.fleeting && (resumed !== 'none' || this.owner.repeats)) continue
      const lost = new BridgeError(60003, 'the connection was lost before the answer came', { outcome: 'unknown' })
      this.owner.settle(item, undefined, lost)
    }
    const from = this.items.findIndex(isOpen)
    if (from < 0) return undefined
    const length = this.items.slice(from).findIndex(item => !isOpen(item))
    const end = length < 0 ? this.items.length : from + length
    if (end < this.items.length) {
      const rest = new Flight(this.owner, this.rid + end, this.items.slice(end), this.flags)
      rest.at = this.at
      this.owner.pend(rest)
    }
    this.rid += from
    this.items = this.items.slice(from, end)
    if (resumed !== 'hot') this.flags |= Flag.resent
    return this.owner.repeat(this, resumed) ? this.frame() : undefined
  }

  frame(): ClientFrame {
    const { items, flags, rid } = this
    const { pid } = this.owner
    const [{ meta, body, flags: own }] = items as readonly [Outgoing]
    if (items.length === 1 && !(flags & Flag.atomic)) return [Kind.SEND, rid, pid, flags | own, meta, body]
    // Flags of an entry are added to those of the frame.
    const common = items.reduce((all, item) => all & item.flags, own)
    const entries = items.map(item =>
      item.flags === common ? ([item.meta, item.body] as const) : ([item.meta, item.body, item.flags] as const),
    )
    return [Kind.SENDB, rid, pid, flags | common, entries]
  }
}

const isOpen = (item: Outgoing): boolean => item.state === State.sent
