import type { ClientFrame, PopenArgs, Receipt, ServerFrame, SubArgs, Value } from '@cometmq/protocol'
import type { ClientClock } from './environment.ts'
import type { BridgeError } from './errors.ts'

/**
 * What producers and consumers see of the connection. The connection opens with the first part that is attached (or `ready()`), and closes
 * `idle` (2 s) after the last was detached.
 */
export interface Channel {
  readonly clock: ClientClock
  readonly isOpen: boolean
  /** Session id of this moment; undefined before the first WELCOME. */
  readonly session: string | undefined
  readonly maxBodyBytes: number
  /** Takes `count` consecutive request ids; the first is returned. */
  nextRid(count?: number): number
  /** Numbers of parts (pid, sid), never used again. */
  nextPartId(): number
  /** A part exists until it is detached: it is in every HELLO. */
  attach(part: Part): void
  detach(part: Part): void
  /** Answers by request id. What is added is kept over reconnects until it is answered, removed, or `lost` is called. */
  readonly pending: Map<number, Pending>
  /** Sends on the current socket, or does nothing when there is none. */
  send(frame: ClientFrame): boolean
  /** A request with an OK or ERR answer, sent now or with the next connection; CANCEL goes out when the signal fires. */
  request(make: (rid: number) => ClientFrame, signal?: AbortSignal): Promise<Value>
  /** Runs `work` (exactly once) inside the spans of all observers; without observers it is a plain call. */
  span<X>(name: string, attributes: Record<string, string | number>, work: () => X): X
}

/** One unanswered request. */
export interface Pending {
  /** RECEIPT (code 0 or not), or OK and ERR as such. */
  receipt?(receipt: Receipt): void
  ok?(result: Value): void
  fail(error: BridgeError): void
  /**
   * The frame to send again after a reconnect; called once for an object that stands under several consecutive rids, in the order of rids,
   * after `opened` of all parts. `resumed` tells whether the bridge knows what became of the request under this rid (hot; also when it was
   * never sent), would store it under the same id (cold), or nothing (none: a new session). Undefined: it has been failed or will be sent
   * by its part.
   */
  again(resumed: 'hot' | 'cold' | 'none'): ClientFrame | undefined
}

/** The socket (or its hot successors) that deliveries came from: acks must go back there. */
export interface DeliveryLink {
  /** False when the lease of everything that came over it is lost to us. */
  readonly alive: boolean
  send(frame: ClientFrame): boolean
}

/** A producer or a subscription. */
export interface Part {
  readonly id: number
  readonly type: 'producer' | 'subscription'
  /** For HELLO, POPEN and SUB. `rid` is given by the connection. Called again at each connect: a broadcast answers with its cursor. */
  openArgs(rid: number): PopenArgs | SubArgs
  /** Subscription: highest seq received without a gap, for a hot resume. */
  readonly lastSeq?: number
  /** Subscription: messages that wait for the application. */
  readonly buffered?: number
  /**
   * Open on this socket. 'new' is the first time; 'none' means reconnected without the old session. May come without `disconnected` before
   * it: the connection has moved, and deliveries that came before are settled over the link they came from. What is sent in this call goes
   * out after the repeated requests.
   */
  opened(how: 'new' | 'hot' | 'cold' | 'none', result: Value, link: DeliveryLink): void
  refused(error: BridgeError): void
  /** The socket is gone; `opened` or `ended` follows. */
  disconnected(): void
  /** PLIMIT, DELIVER, ACKED, SUBINFO, GAP, LEASE with this id; also from the old socket while moving (`link` tells). */
  frame(frame: ServerFrame, link: DeliveryLink): void
  /** The connection has closed for good. */
  ended(error: BridgeError | undefined): void
  /** Subscription: whether deliveries of this link are still unsettled, or their acks not sent. Asked while moving to another node. */
  busy?(link: DeliveryLink): boolean
  /** Flush, or stop deliveries and settle what is held; then detach. Resolves after `timeoutMs` at the latest. */
  drain?(timeoutMs: number, signal?: AbortSignal): Promise<PartReport>
}

/** What became of messages in a drain: sends answered, deliveries acknowledged, deliveries given back, and those whose fate is not known. */
export interface PartReport {
  readonly flushed: number
  readonly acked: number
  readonly released: number
  readonly lost: number
}
