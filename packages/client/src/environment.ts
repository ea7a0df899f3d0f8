import type { Frame } from '@cometmq/protocol'

/** What differs between runtimes; each SDK package provides one. Nothing here runs at import time. */
export interface Environment {
  /** For HELLO: `web/0.1.0` and `chromium`. */
  readonly sdk: string
  readonly runtime: string
  readonly clock: ClientClock
  /** 0 (inclusive) to 1. */
  random(): number
  /** One attempt at one socket. Never throws: what goes wrong comes by `onClose`. */
  open(this: void, url: string, handlers: TransportHandlers): TransportSocket
  /** Calls back when the runtime woke up (page shown, online again, active): liveness is probed. Returns how to stop. */
  onWake?(wake: () => void): () => void
  /** False when the runtime knows that it has no network. */
  online?(): boolean
  /** True on a slow link type: a probe may take 2 s instead of 1 s. */
  slow?(): boolean
}

export interface ClientClock {
  /** Epoch ms. */
  now(): number
  /** ms, never goes back. */
  monotonic(): number
  setTimeout(task: () => void, delayMs: number): { cancel(): void }
}

/** Frames are values here: a WebSocket transport encodes and decodes them (and cuts into FRAG), one in the same process does not. */
export interface TransportSocket {
  /** Returns the bytes it took; 0 where there are none. */
  send(frame: Frame): number
  readonly bufferedBytes: number
  /** For FRAG, and what is sent at all: told by WELCOME. */
  setMaxFrame?(bytes: number): void
  close(code: number, reason: string): void
}

export interface TransportHandlers {
  onOpen(): void
  /** A decoded value; malformed bytes end the socket with 4502 before they get here. `bytes`: its size on the wire. */
  onFrame(frame: unknown, bytes: number): void
  /** Once, also when it never opened. 1006 when there was no close frame. */
  onClose(code: number, reason: string): void
}
