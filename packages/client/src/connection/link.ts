import type { ClientFrame } from '@cometmq/protocol'
import * as CloseCode from '@cometmq/protocol/close-code'
import * as Kind from '@cometmq/protocol/kind'
import type { DeliveryLink } from '../channel.ts'
import type { ClientClock, Environment, TransportSocket } from '../environment.ts'
import type { BridgeError } from '../errors.ts'
import type { Slot } from './parts.ts'
import { lateMs, patienceMs, probeMs } from '../figures.ts'

/** The leases of one session on one node of the bridge: they move to the socket that resumes it hot. */
export class Line implements DeliveryLink {
  alive = true
  link: Link | undefined
  /** After each frame that went out. */
  sent: (() => void) | undefined

  send(frame: ClientFrame): boolean {
    const done = this.link?.send(frame) ?? false
    this.sent?.()
    return done
  }
}

/** What a link tells the connection. Nothing comes after `closed`. */
export interface LinkEvents {
  readonly environment: Environment
  opened(link: Link): void
  frame(link: Link, frame: readonly unknown[]): void
  closed(link: Link, code: number, reason: string): void
  /** For counters and observers. */
  counted(direction: 'in' | 'out', frame: readonly unknown[], bytes: number): void
}

/** One socket: sending, and whether the other end is still there. */
export class Link {
  readonly url: string
  readonly #events: LinkEvents
  readonly #clock: ClientClock
  readonly #socket: TransportSocket
  /** The session on this socket, from WELCOME on. */
  line: Line | undefined
  /** What HELLO listed, in order. */
  hello: readonly Slot[] = []
  /** ERR with no request: why it is about to close. */
  error: BridgeError | undefined
  /** ms, monotonic: when HELLO went out, when a GOAWAY's grace ends. */
  helloAt = 0
  leaveAt = Infinity
  rtt = 0
  #closed = false
  /** ms without a frame after which the other end is dead; 0 before WELCOME. */
  #patience = 0
  #heard = 0
  #timer: { cancel(): void } | undefined
  /** When the timer should fire, monotonic and by the wall clock: only one of them goes on during sleep, and which depends on the runtime. */
  #due = 0
  #dueWall = 0
  #probing = false
  #pings = 0
  #pingAt = 0

  constructor(url: string, events: LinkEvents) {
    this.url = url
    this.#events = events
    this.#clock = events.environment.clock
    this.#socket = events.environment.open(url, {
      onOpen: () => this.#closed || events.opened(this),
      onFrame: (frame, bytes) => this.#frame(frame, bytes),
      onClose: (code, reason) => this.#end(code, reason),
    })
  }

  get closed(): boolean {
    return this.#closed
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedBytes
  }

  send(frame: ClientFrame): boolean {
    if (this.#closed) return false
    this.#events.counted('out', frame, this.#socket.send(frame))
    return true
  }

  /** WELCOME has come. */
  live(heartbeatMs: number, maxFrame: number): void {
    this.#socket.setMaxFrame?.(maxFrame)
    this.#patience = heartbeatMs + patienceMs
    this.rtt = this.#heard - this.helloAt
    this.#arm(this.#patience)
  }

  /** Is the other end there? Any frame within a second says so. */
  probe(): void {
    if (!this.#patience || this.#probing || this.#closed) return
    this.#probing = true
    this.#ping()
    this.#arm(this.#events.environment.slow?.() ? 2 * probeMs : probeMs)
  }

  pong(n: number): void {
    if (n === this.#pings) this.rtt = this.#clock.monotonic() - this.#pingAt
  }

  /** Closes without waiting for the other end, which may be gone. */
  close(code: number, reason: string): void {
    if (this.#closed) return
    this.#socket.close(code, reason)
    this.#end(code, reason)
  }

  #frame(frame: unknown, bytes: number): void {
    if (this.#closed) return
    this.#heard = this.#clock.monotonic()
    if (this.#probing) {
      this.#probing = false
      this.#arm(this.#patience)
    }
    // Values from the same process are not checked by a codec.
    if (!Array.isArray(frame)) return this.close(CloseCode.PROTOCOL, 'not a frame')
    this.#events.counted('in', frame, bytes)
    this.#events.frame(this, frame)
  }

  #end(code: number, reason: string): void {
    if (this.#closed) return
    this.#closed = true
    this.#timer?.cancel()
    this.#events.closed(this, code, reason)
  }

  #ping(): void {
    this.#pingAt = this.#clock.monotonic()
    this.send([Kind.PING, ++this.#pings])
  }

  #arm(ms: number): void {
    this.#timer?.cancel()
    this.#due = this.#clock.monotonic() + ms
    this.#dueWall = this.#clock.now() + ms
    this.#timer = this.#clock.setTimeout(() => this.#tick(), ms)
  }

  #tick(): void {
    const now = this.#clock.monotonic()
    const late = Math.max(now - this.#due, this.#clock.now() - this.#dueWall) > lateMs
    const left = this.#patience - (now - this.#heard)
    if (late) {
      this.#probing = false
      this.probe()
    } else if (this.#probing || left <= 0) {
      this.close(CloseCode.NO_PONG, 'no sign of life')
    } else {
      // The answer carries the newest resume token and the round trip time.
      this.#ping()
      this.#arm(left)
    }
  }
}
