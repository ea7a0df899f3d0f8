import { checkClientFrame, type ClientFrame, CloseCode, type HelloFrame, Kind, ProtocolError } from '@cometmq/protocol'
import type { ClientContext, ClientEnd, ClientLink } from '../link.ts'
import { closeReason, errFrame, type Fault } from './errors.ts'
import { maxEarlyBytes, maxEarlyFrames } from './limits.ts'
import type { Session } from './session.ts'
import { bytesOf } from './session-rates.ts'
import type { Shared } from './shared.ts'

export interface ConnectionEvents {
  hello(connection: Connection, frame: HelloFrame): void
  /** Once, whoever ended it. */
  ended(connection: Connection): void
}

/** One socket: HELLO first, then frames for its session, until it ends. */
export class Connection implements ClientEnd {
  readonly link: ClientLink
  readonly context: ClientContext
  session: Session | undefined
  /** Whose socket it is, once that is known. */
  subject: string | undefined
  readonly #shared: Shared
  readonly #events: ConnectionEvents
  #state: 'new' | 'greeting' | 'open' = 'new'
  #over = false
  #helloTimer: { cancel(): void } | undefined
  /** Frames that came before WELCOME went out. */
  #early: ClientFrame[] = []
  #earlyBytes = 0

  constructor(shared: Shared, link: ClientLink, context: ClientContext, events: ConnectionEvents) {
    this.#shared = shared
    this.link = link
    this.context = context
    this.#events = events
    this.#helloTimer = shared.clock.setTimeout(() => this.#helloLate(), shared.limits.helloMs)
  }

  get isClosed(): boolean {
    return this.#over
  }

  frame(value: unknown): void {
    if (this.#over) return
    this.#shared.counters.framesIn++
    try {
      const frame = checkClientFrame(value)
      if (frame !== null) this.#take(frame)
      else if (this.#state === 'open') this.session!.ignored()
    } catch (error) {
      this.#failed(error)
    }
  }

  drained(): void {
    if (!this.#over && this.#state === 'open') this.session?.drained()
  }

  closed(): void {
    if (this.#over) return
    this.#finish()
  }

  /** From this side. `reason` says `<code> <text>`. */
  end(code: number, reason: string): void {
    if (this.#over) return
    // First the session, so that nothing is sent behind the close.
    this.#finish()
    this.link.close(code, reason)
  }

  /** HELLO was refused. */
  refuse(rid: number, fault: Fault, code: number): void {
    if (this.#over) return
    this.#shared.counters.framesOut++
    this.link.send(errFrame(rid, fault))
    this.end(code, closeReason(fault.code, fault.text))
  }

  /** WELCOME went out; what came before it is executed now. */
  welcomed(): void {
    this.#state = 'open'
    const early = this.#early
    this.#early = []
    for (const frame of early) if (!this.#over) this.#dispatch(frame)
  }

  #take(frame: ClientFrame): void {
    if (this.#state === 'open') return this.session!.frame(frame)
    if (this.#state === 'greeting') return this.#keep(frame)
    if (frame[0] !== Kind.HELLO) throw new ProtocolError(`the first frame must be HELLO, not kind ${frame[0]}`)
    this.#helloTimer?.cancel()
    this.#state = 'greeting'
    this.#events.hello(this, frame)
  }

  #dispatch(frame: ClientFrame): void {
    try {
      this.session!.frame(frame)
    } catch (error) {
      this.#failed(error)
    }
  }

  #keep(frame: ClientFrame): void {
    this.#earlyBytes += bytesOf(frame)
    if (this.#early.length >= maxEarlyFrames || this.#earlyBytes > maxEarlyBytes) {
      const text = `more than ${maxEarlyFrames} frames or ${maxEarlyBytes} bytes before WELCOME`
      return this.end(CloseCode.OVERLOADED, closeReason(42990, text))
    }
    this.#early.push(frame)
  }

  #failed(error: unknown): void {
    if (error instanceof ProtocolError) return this.end(CloseCode.PROTOCOL, closeReason(40090, error.message))
    // A fault of ours must not take other clients with it.
    this.#shared.logger.error('a frame was not handled', { link: this.link.id, error: textOf(error) })
    if (this.session?.connection === this) this.session.leaving = true
    this.end(CloseCode.STATE_LOST, closeReason(50001, 'the bridge failed at a frame'))
  }

  #helloLate(): void {
    const text = `no HELLO within ${this.#shared.limits.helloMs} ms`
    this.refuse(0, { code: 40890, text, outcome: 'not-executed' }, CloseCode.NO_PONG)
  }

  #finish(): void {
    this.#over = true
    this.#helloTimer?.cancel()
    this.#early = []
    if (this.session?.connection === this) this.session.detach()
    this.#events.ended(this)
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))
