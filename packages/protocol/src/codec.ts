import type { Frame, Value } from './frames.ts'

/** Thrown by the decoder and by the frame check; nothing else is. The socket ends with 4502. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
}

export interface DecodeLimits {
  /** Default 16. */
  readonly maxDepth?: number
}

/** Appends MessagePack values to a buffer that grows and is used again. */
export interface Writer {
  /** One value. Numbers are integers up to 2^53−1 or float64. Throws ProtocolError for what the subset does not have. */
  value(value: Value): void
  /** Bytes so far. */
  readonly length: number
  /** A copy of what was written; the writer starts anew. */
  take(): Uint8Array
}
export declare function createWriter(initialBytes?: number): Writer
export declare function encode(value: Value): Uint8Array
/** Byte strings are views on `bytes`. Throws ProtocolError, never allocates more than 4 × the input. */
export declare function decode(bytes: Uint8Array, limits?: DecodeLimits): unknown
export declare function encodeFrame(frame: Frame): Uint8Array
