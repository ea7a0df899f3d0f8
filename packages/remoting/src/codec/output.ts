/** Output of one link, gathered until the next write. */

const BLOCK_BYTES = 65_536
/** Blocks kept for reuse by all links of the process: 16 MiB at most. */
const MAX_FREE_BLOCKS = 256
/** Bodies from this size on travel as they are; smaller ones are copied, as one large write beats many small ones. */
const MIN_BYTES_TO_SHARE = 16_384

const freeBlocks: Buffer[] = []
const NO_BLOCK = Buffer.alloc(0)

/** What one write takes. Give `blocks` back with `releaseBlocks` when the bytes have been written. */
export interface Gathered {
  readonly segments: readonly Buffer[]
  readonly blocks: readonly Buffer[]
  readonly bytes: number
}

export function releaseBlocks(blocks: readonly Buffer[]): void {
  for (const block of blocks) {
    if (block.length === BLOCK_BYTES && freeBlocks.length < MAX_FREE_BLOCKS) freeBlocks.push(block)
  }
}

/**
 * Bytes to be written, in blocks from a pool. Reserve room, write into `block` at `position`, move `position`. Without output it holds no memory.
 */
export class OutputBuffer {
  block: Buffer = NO_BLOCK
  position = 0
  #segmentStart = 0
  #segments: Buffer[] = []
  #blocks: Buffer[] = []
  #segmentBytes = 0

  /** Bytes gathered since the last `take`. */
  get byteLength(): number {
    return this.#segmentBytes + this.position - this.#segmentStart
  }

  /** Makes room for `bytes` in one piece at `position` of `block`. */
  reserve(bytes: number): void {
    if (this.block.length - this.position >= bytes) return
    this.#endSegment()
    this.block = bytes <= BLOCK_BYTES ? (freeBlocks.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES)) : Buffer.allocUnsafeSlow(bytes)
    this.#blocks.push(this.block)
    this.position = 0
    this.#segmentStart = 0
  }

  /** Appends a body. A large one is not copied: it must not change until it is written. */
  append(body: Buffer): void {
    if (body.length < MIN_BYTES_TO_SHARE) {
      this.reserve(body.length)
      this.block.set(body, this.position)
      this.position += body.length
      return
    }
    this.#endSegment()
    this.#segmentStart = this.position
    this.#segments.push(body)
    this.#segmentBytes += body.length
  }

  /** Hands everything over and starts anew. */
  take(): Gathered {
    const bytes = this.byteLength
    this.#endSegment()
    const gathered = { segments: this.#segments, blocks: this.#blocks, bytes }
    this.block = NO_BLOCK
    this.position = 0
    this.#segmentStart = 0
    this.#segments = []
    this.#blocks = []
    this.#segmentBytes = 0
    return gathered
  }

  #endSegment(): void {
    if (this.position === this.#segmentStart) return
    this.#segments.push(this.block.subarray(this.#segmentStart, this.position))
    this.#segmentBytes += this.position - this.#segmentStart
    this.#segmentStart = this.position
  }
}
