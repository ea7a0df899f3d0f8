import type { Entry } from '@cometmq/protocol'
import * as Flag from '@cometmq/protocol/flag'
import type { Signalled } from '../api.ts'
import { type Duration, durationMs } from '../duration.ts'
import { BridgeError } from '../errors.ts'
import { unsupported } from '../fail.ts'
import { withSignal } from '../signals.ts'
import type { TopicDef } from '../topic.ts'
import * as Op from './op.ts'
import type { Source } from './source.ts'
import { entryOverheadBytes } from '../figures.ts'

/** Until when messages are ours: one object for all that came in a frame. A clock that jumps, or stands still in sleep, must not hide it. */
export interface Lease {
  /** Epoch ms, and monotonic ms. */
  readonly wall: number
  readonly monotonic: number
}

const none: readonly string[] = []
const noProps: Readonly<Record<string, string>> = {}

/** The fields that are no part of MessageOf belong to the consumer. */
export class Delivered {
  readonly entry: Entry
  readonly seq: number
  readonly source: Source
  readonly def: TopicDef
  lease: Lease | undefined
  /** The application has it. */
  taken = false
  lost = false
  value: unknown
  raw: Uint8Array
  #controller: AbortController | undefined

  constructor(entry: Entry, seq: number, source: Source, def: TopicDef, lease: Lease | undefined) {
    this.entry = entry
    this.seq = seq
    this.source = source
    this.def = def
    this.lease = lease
    this.raw = entry[8]
  }

  get topic(): string {
    return this.def.name
  }
  get id(): string {
    return this.entry[3]
  }
  get tag(): string | undefined {
    return this.entry[7][1]
  }
  get keys(): readonly string[] {
    return this.entry[7][2] ?? none
  }
  get props(): Readonly<Record<string, string>> {
    return this.entry[7][3] ?? noProps
  }
  get group(): string | undefined {
    return this.entry[7][4]
  }
  get attempt(): number {
    return this.entry[5]
  }
  get redelivered(): boolean {
    return this.entry[5] > 1 || (this.entry[6] & Flag.resent) !== 0
  }
  get queue(): number {
    return this.entry[1]
  }
  get offset(): number {
    return this.entry[2]
  }
  get bornAt(): Date {
    return new Date(this.entry[4])
  }
  get bytes(): number {
    return this.entry[8].length + entryOverheadBytes
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.lost) this.#abort()
    }
    return this.#controller.signal
  }

  ack(): void {
    this.source.settle(this, Op.ack)
  }

  acked({ signal }: Signalled = {}): Promise<void> {
    return withSignal(this.source.confirm(this), signal)
  }

  nack({ after, reason }: { after?: Duration; reason?: string } = {}): void {
    this.source.settle(this, Op.nack, after === undefined ? null : durationMs(after, 'after'), reason)
  }

  extend(by: Duration): void {
    this.source.extend(this, durationMs(by, 'by'))
  }

  deadLetter(reason: string): void {
    this.source.settle(this, Op.dead, null, reason)
  }

  reply(_value: unknown): void {
    throw unsupported('reply()')
  }

  lose(): void {
    this.lost = true
    this.#abort()
  }

  #abort(): void {
    this.#controller?.abort(leaseLost(this))
  }
}

export const leaseLost = ({ id }: Delivered): BridgeError =>
  new BridgeError(40490, `the lease of ${id} is lost; the message comes again`)
