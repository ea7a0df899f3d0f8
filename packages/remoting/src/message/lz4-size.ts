import { MessageFormatError } from './errors.ts'

/**
 * Splits LZ4 frames and computes how large they become, without decompressing: the native decoder has no limit of its own, and
 * 16 MiB of input could ask it for 4 GiB (format: LZ4 frame 1.6.4, LZ4 block).
 */

const FRAME_MAGIC = 0x184d2204
const SKIPPABLE_MAGIC = 0x184d2a50

/** Each frame, skippable ones left out. Throws MessageFormatError when one is damaged or all together exceed `maxBytes`. */
export function splitLz4Frames(bytes: Buffer, maxBytes: number): Buffer[] {
  const frames: Buffer[] = []
  let total = 0
  for (let at = 0; at < bytes.length;) {
    const magic = uint32(bytes, at)
    let end: number
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) end = at + 8 + uint32(bytes, at + 4)
    else {
      if (magic !== FRAME_MAGIC) throw fault(`no frame begins at byte ${at}`)
      const walker = new FrameWalker(bytes, at, maxBytes - total)
      end = walker.walk()
      total += walker.size
      frames.push(bytes.subarray(at, end))
    }
    if (end > bytes.length) throw fault('it ends early')
    at = end
  }
  return frames
}

class FrameWalker {
  size = 0
  readonly #bytes: Buffer
  readonly #flags: number
  readonly #maxBytes: number
  #at: number

  constructor(bytes: Buffer, start: number, maxBytes: number) {
    this.#bytes = bytes
    this.#maxBytes = maxBytes
    this.#flags = byte(bytes, start + 4)
    const contentSizeBytes = (this.#flags & 0x08) === 0 ? 0 : 8
    const dictionaryBytes = (this.#flags & 0x01) === 0 ? 0 : 4
    this.#at = start + 6 + contentSizeBytes + dictionaryBytes + 1
    if (contentSizeBytes > 0 && uint32(bytes, start + 10) !== 0) throw fault('it claims 4 GiB or more')
    if (contentSizeBytes > 0 && uint32(bytes, start + 6) > maxBytes) throw tooLarge()
  }

  /** Returns the index after the frame. */
  walk(): number {
    const blockChecksumBytes = (this.#flags & 0x10) === 0 ? 0 : 4
    while (true) {
      const header = uint32(this.#bytes, this.#at)
      this.#at += 4
      if (header === 0) return this.#at + ((this.#flags & 0x04) === 0 ? 0 : 4)
      const length = header & 0x7fffffff
      if (length > this.#bytes.length - this.#at) throw fault('it ends early')
      if (header >>> 31 === 1) this.#grow(length)
      else this.#measureBlock(this.#at, this.#at + length)
      this.#at += length + blockChecksumBytes
    }
  }

  #grow(bytes: number): void {
    this.size += bytes
    if (this.size > this.#maxBytes) throw tooLarge()
  }

  /** Sequences: token, literals, and except in the last one a 2-byte distance and a match of at least 4 bytes. */
  #measureBlock(start: number, end: number): void {
    const bytes = this.#bytes
    let at = start
    const lengthFrom = (nibble: number): number => {
      let length = nibble
      if (nibble < 15) return length
      while (at < end) {
        const more = bytes[at++]!
        length += more
        if (more < 255) return length
      }
      throw fault('a length runs out of its block')
    }
    while (at < end) {
      const token = bytes[at++]!
      const literals = lengthFrom(token >> 4)
      at += literals
      if (at > end) throw fault('literals run out of their block')
      this.#grow(literals)
      if (at === end) return
      at += 2
      if (at > end) throw fault('a distance runs out of its block')
      this.#grow(lengthFrom(token & 15) + 4)
    }
  }
}

function byte(bytes: Buffer, at: number): number {
  const value = bytes[at]
  if (value === undefined) throw fault('it ends early')
  return value
}

/** Little-endian. */
function uint32(bytes: Buffer, at: number): number {
  if (at + 4 > bytes.length) throw fault('it ends early')
  return bytes.readUInt32LE(at)
}

const fault = (what: string): MessageFormatError => new MessageFormatError(`the LZ4 body is damaged: ${what}`)
const tooLarge = (): MessageFormatError => new MessageFormatError('the LZ4 body grows beyond the limit when decompressed')
