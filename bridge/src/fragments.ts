import { encodeFrame, Kind, ProtocolError } from '@cometmq/protocol'

/** Bytes of a large frame that go into one FRAG frame: small enough that what is said in between does not wait long. */
const PIECE_BYTES = 65_536
/** Head of a FRAG frame: array, kind, id, index, last, head of the bytes. */
const HEAD_BYTES = 32
/** Large frames that may arrive at the same time. */
const MAX_OPEN = 4

/** Cuts an encoded frame into encoded FRAG frames, each of at most `maxFrameBytes`. */
export function cutFrame(bytes: Uint8Array, fragId: number, maxFrameBytes: number): Uint8Array[] {
  const size = Math.max(HEAD_BYTES, Math.min(PIECE_BYTES, maxFrameBytes) - HEAD_BYTES)
  const pieces: Uint8Array[] = []
  for (let from = 0, index = 0; from < bytes.length; from += size, index++) {
    const piece = bytes.subarray(from, from + size)
    pieces.push(encodeFrame([Kind.FRAG, fragId, index, from + size >= bytes.length, piece]))
  }
  return pieces
}

interface Open {
  readonly pieces: Uint8Array[]
}

/** Puts FRAG frames together again. Holds at most `maxBytes`. */
export class Assembler {
  readonly #maxBytes: number
  readonly #open = new Map<number, Open>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** The encoded frame when this was its last piece. Throws ProtocolError for pieces that do not fit, TooLargeError over the limit. */
  add(frame: readonly unknown[]): Uint8Array | undefined {
    const [, fragId, index, last, bytes] = frame
    if (!Number.isSafeInteger(fragId) || typeof last !== 'boolean' || !(bytes instanceof Uint8Array))
      throw new ProtocolError('FRAG: not a fragment')
    const open = this.#openOf(fragId as number)
    if (index !== open.pieces.length) throw new ProtocolError('FRAG: a piece is missing or out of order')
    this.#bytes += bytes.length
    if (this.#bytes > this.#maxBytes) throw new TooLargeError(this.#maxBytes)
    open.pieces.push(bytes)
    if (!last) return undefined
    this.#open.delete(fragId as number)
    const whole = Buffer.concat(open.pieces)
    this.#bytes -= whole.length
    return whole
  }

  #openOf(fragId: number): Open {
    let open = this.#open.get(fragId)
    if (open === undefined) {
      if (this.#open.size >= MAX_OPEN) throw new ProtocolError(`FRAG: more than ${MAX_OPEN} frames in pieces`)
      open = { pieces: [] }
      this.#open.set(fragId, open)
    }
    return open
  }
}

export class TooLargeError extends Error {
  override readonly name = 'TooLargeError'
  constructor(maxBytes: number) {
    super(`more than ${maxBytes} bytes`)
  }
}
