import type { PopenArgs, ServerFrame, SubArgs, Value } from '@cometmq/protocol'
import type { DeliveryLink, Part } from '../../src/channel.ts'
import type { BridgeError } from '../../src/errors.ts'

/** A producer or subscription that writes down what it is told. */
export class ScriptedPart implements Part {
  readonly id: number
  readonly type: Part['type']
  readonly log: string[] = []
  readonly frames: ServerFrame[] = []
  link: DeliveryLink | undefined
  lastSeq = 0
  /** Links with deliveries that are not settled. */
  readonly busyWith = new Set<DeliveryLink>()
  /** Runs in `opened`. */
  whenOpened: (() => void) | undefined

  constructor(id: number, type: Part['type'] = 'producer') {
    this.id = id
    this.type = type
  }

  openArgs(rid: number): PopenArgs | SubArgs {
    if (this.type === 'producer') return [rid, this.id, 'orders', { kind: 'normal' }]
    return [rid, this.id, { mode: 'group', group: 'g', topics: [['orders', 0, '*']], limit: [64, 1_048_576] }]
  }

  opened(how: 'new' | 'hot' | 'cold' | 'none', _result: Value, link: DeliveryLink): void {
    this.log.push(how)
    this.link = link
    this.whenOpened?.()
  }

  refused(error: BridgeError): void {
    this.log.push(`refused ${error.code}`)
  }

  disconnected(): void {
    this.log.push('disconnected')
  }

  frame(frame: ServerFrame): void {
    this.frames.push(frame)
  }

  ended(error: BridgeError | undefined): void {
    this.log.push(error ? `ended ${error.code}` : 'ended')
  }

  busy(link: DeliveryLink): boolean {
    return this.busyWith.has(link)
  }
}
