const SLAB_BYTES = 1024 * 1024

/**
 * Buffers for answers, cut from larger ones: one allocation outside the heap serves a hundred answers. What is handed out is never
 * handed out again; a slab goes when the last answer cut from it is gone.
 */
export class Slab {
  #slab: Buffer = Buffer.alloc(0)
  #used = 0

  /** `bytes` of memory with arbitrary content. */
  take(bytes: number): Buffer {
    if (bytes > SLAB_BYTES / 4) return Buffer.allocUnsafeSlow(bytes)
    if (this.#used + bytes > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
      this.#used = 0
    }
    const start = this.#used
    this.#used += bytes
    return this.#slab.subarray(start, this.#used)
  }
}
