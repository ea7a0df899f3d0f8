import { encode } from './encode.ts'
import { overheadBytes } from './figures.ts'
import type { FragFrame } from './frames.ts'
import * as Kind from './kind.ts'
import { ProtocolError } from './protocol-error.ts'

/**
 * An encoded frame that is larger than `maxFrame` bytes as encoded FRAG frames, none of them larger. They must go out in order; other frames
 * may go between them. `fragId` must not be that of a frame still on its way. Throws RangeError when `maxFrame` is below 64.
 */
export function fragment(bytes: Uint8Array, maxFrame: number, fragId: number): Uint8Array[] {
  if (!(maxFrame >= 64)) throw new RangeError(`frame limit ${maxFrame} is below 64 bytes`)
  const step = maxFrame - overheadBytes
  const frames: Uint8Array[] = []
  for (let from = 0; from === 0 || from < bytes.length; from += step) {
    frames.push(encode([Kind.FRAG, fragId, frames.length, from + step >= bytes.length, bytes.subarray(from, from + step)]))
  }
  return frames
}

interface Incomplete {
  /** Grows; `bytes` of it are used. One buffer, so that many tiny fragments cost no more than their bytes. */
  buffer: Uint8Array
  bytes: number
  fragments: number
}

/** Puts the FRAG frames of one socket together. */
export class Reassembler {
  readonly #maxBytes: number
  readonly #maxConcurrent: number
  readonly #incomplete = new Map<number, Incomplete>()
  #heldBytes = 0

  /** `maxBytes`: largest frame, and all incomplete ones together. `maxConcurrent`: how many may be incomplete at a time. */
  constructor(maxBytes: number, maxConcurrent: number) {
    this.#maxBytes = maxBytes
    this.#maxConcurrent = maxConcurrent
  }

  /** The bytes of the whole frame with its last fragment, else null. Copies. Throws ProtocolError beyond the limits and when one is missing. */
  add(frame: FragFrame): Uint8Array | null {
    const [, id, index, last, piece] = frame
    let whole = this.#incomplete.get(id)
    if (index !== (whole ? whole.fragments : 0)) throw new ProtocolError(`fragment ${index} is out of order`)
    if (this.#heldBytes + piece.length > this.#maxBytes) throw new ProtocolError('too large in fragments')
    if (!whole) {
      if (!last && this.#incomplete.size >= this.#maxConcurrent) throw new ProtocolError('too many in fragments')
      whole = { buffer: new Uint8Array(piece.length), bytes: 0, fragments: 0 }
      this.#incomplete.set(id, whole)
    }
    this.#append(whole, piece)
    if (!last) return null
    this.#incomplete.delete(id)
    this.#heldBytes -= whole.bytes
    return whole.buffer.subarray(0, whole.bytes)
  }

  #append(whole: Incomplete, piece: Uint8Array): void {
    const bytes = whole.bytes + piece.length
    if (bytes > whole.buffer.length) {
      const larger = new Uint8Array(Math.min(this.#maxBytes, bytes * 2))
      larger.set(whole.buffer)
      whole.buffer = larger
    }
    whole.buffer.set(piece, whole.bytes)
    whole.bytes = bytes
    whole.fragments++
    this.#heldBytes += piece.length
  }
}
