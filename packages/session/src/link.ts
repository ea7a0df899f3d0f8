import type { Frame } from '@cometmq/protocol'

/** One connected client as a session sees it: a WebSocket of the bridge, or a client in the same process. */
export interface ClientLink {
  /** Unique in this process. */
  readonly id: number
  /**
   * Frames that are sent in one event-loop turn may go out in one write. Never throws; nothing happens on a closed link. A link that turns
   * frames into bytes encodes `wireFrame(frame)`: entries that many subscribers get are then encoded once for all of them.
   */
  send(frame: Frame): void
  /** Bytes handed over and not yet taken by the network. 0 for a link without a socket. */
  readonly bufferedBytes: number
  /** False above 75 % of the ceiling: hold back data (deliveries), not control frames. `drained` tells when it is true again. */
  readonly writable: boolean
  /** The client is over its rate: read nothing from it for so long. Optional: a link that cannot stop reading lets the session refuse. */
  pause?(ms: number): void
  /** `reason`: at most 123 bytes. */
  close(code: number, reason: string): void
}

/** What the owner of a link calls. Calls after `closed` do nothing. */
export interface ClientEnd {
  /** A decoded value that claims to be a frame. Byte strings in it stay valid and unchanged. */
  frame(value: unknown): void
  /** The link is writable again. */
  drained(): void
  /** The link is gone. Unless the client said BYE, the session waits for a resume. */
  closed(): void
}

/** Where the client comes from, told by whoever accepted the socket. */
export interface ClientContext {
  /** Address of the client, for limits and logs. */
  readonly address: string
  /** Origin header of a browser. */
  readonly origin?: string
  /** A token that was presented before HELLO (subprotocol item); HELLO's own wins. */
  readonly token?: string
}
