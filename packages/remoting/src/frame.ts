/**
 * Frames of the remoting protocol out of the chunks of a byte stream (spec: remoting, section 1.1;
 * Java: org.apache.rocketmq.remoting.netty.NettyDecoder).
 */

/** Largest whole frame, its length word included. */
export const MAX_FRAME_BYTES = 16_777_216

const LENGTH_WORD_BYTES = 4
/** Length word plus the word that holds serialize type and header length. */
const PREFIX_BYTES = 8
const FIRST_GATHER_BYTES = 4096
const NO_BYTES = Buffer.alloc(0)

/** The bytes are no frame, or the frame no command. The connection they came from cannot go on: its next frame's start is unknown. */
export class FrameError extends Error {
  override readonly name = 'FrameError'
}

/**
 * Cuts chunks into frames. `push` a chunk, then call `next` until it says false; after each true, `bytes`, `start` and `end` say where
 * the frame is, `start` being behind its length word. A frame wholly inside its chunk is not copied. One over several chunks is
 * gathered in a buffer that grows with the bytes that really came, whatever length was announced. Frames may be kept: no buffer is reused.
 */
export class FrameReader {
  bytes: Buffer = NO_BYTES
  start = 0
  end = 0
  #chunk: Buffer = NO_BYTES
  #position = 0
  #gathered: Buffer | null = null
  #gatheredBytes = 0
  readonly #maxFrameBytes: number

  constructor(maxFrameBytes = MAX_FRAME_BYTES) {
    this.#maxFrameBytes = maxFrameBytes
  }

  /** Bytes received and not yet handed out. */
  get pendingBytes(): number {
    return this.#gatheredBytes + this.#chunk.length - this.#position
  }

  /** Takes the next chunk. The one before may have frames left (reading was paused): then both are joined. */
  push(chunk: Buffer): void {
    const rest = this.#chunk.length - this.#position
    this.#chunk = rest === 0 ? chunk : Buffer.concat([this.#chunk.subarray(this.#position), chunk])
    this.#position = 0
  }

  /** True when there is a whole frame. Throws FrameError, after which the reader must not be used again. */
  next(): boolean {
    if (this.#gathered !== null) return this.#nextGathered()
    const chunk = this.#chunk
    const at = this.#position
    const available = chunk.length - at
    if (available === 0) return false
    const whole = this.#frameBytes(chunk, at, available)
    if (whole === 0 || whole > available) {
      this.#gather(Math.min(available, whole === 0 ? PREFIX_BYTES : whole), whole === 0 ? Infinity : whole)
      return false
    }
    this.#position = at + whole
    this.#found(chunk, at, whole)
    return true
  }

  #nextGathered(): boolean {
    if (this.#gatheredBytes < PREFIX_BYTES) this.#gather(PREFIX_BYTES - this.#gatheredBytes)
    const whole = this.#frameBytes(this.#gathered ?? NO_BYTES, 0, this.#gatheredBytes)
    if (whole === 0) return false
    this.#gather(whole - this.#gatheredBytes, whole)
    if (this.#gatheredBytes < whole || this.#gathered === null) return false
    this.#found(this.#gathered, 0, whole)
    this.#gathered = null
    this.#gatheredBytes = 0
    return true
  }

  #found(bytes: Buffer, at: number, whole: number): void {
    this.bytes = bytes
    this.start = at + LENGTH_WORD_BYTES
    this.end = at + whole
    // A used-up chunk must not be held by an idle connection.
    if (this.#position === this.#chunk.length) {
      this.#chunk = NO_BYTES
      this.#position = 0
    }
  }

  /** Moves up to `wanted` bytes from the chunk to the gathered ones. `limit`: size of the whole frame, when it is known. */
  #gather(wanted: number, limit = Infinity): void {
    const count = Math.min(wanted, this.#chunk.length - this.#position)
    const needed = this.#gatheredBytes + count
    if (this.#gathered === null || this.#gathered.length < needed) {
      const grown = Buffer.allocUnsafeSlow(this.#roomFor(needed, limit))
      this.#gathered?.copy(grown, 0, 0, this.#gatheredBytes)
      this.#gathered = grown
    }
    this.#chunk.copy(this.#gathered, this.#gatheredBytes, this.#position, this.#position + count)
    this.#gatheredBytes = needed
    this.#position += count
    if (this.#position === this.#chunk.length) {
      this.#chunk = NO_BYTES
      this.#position = 0
    }
  }

  /** The whole frame once an eighth of it is there; until then what is needed, doubled: announcing a length alone takes no memory. */
  #roomFor(needed: number, limit: number): number {
    if (limit <= needed * 8) return Math.max(limit, needed)
    return Math.min(Math.max(needed, 2 * (this.#gathered?.length ?? 0), FIRST_GATHER_BYTES), Math.max(limit, needed))
  }

  /** Size of the frame at `at`, its length word included; 0 while its prefix is incomplete. */
  #frameBytes(bytes: Buffer, at: number, available: number): number {
    if (available < LENGTH_WORD_BYTES) return 0
    const length = int32(bytes, at)
    if (length < LENGTH_WORD_BYTES || length > this.#maxFrameBytes - LENGTH_WORD_BYTES) {
      throw new FrameError(describeBadLength(bytes.subarray(at, at + available), length, this.#maxFrameBytes))
    }
    if (available < PREFIX_BYTES) return 0
    const headerBytes = int32(bytes, at + LENGTH_WORD_BYTES) & 0xff_ffff
    if (headerBytes > length - LENGTH_WORD_BYTES) {
      throw new FrameError(
        `the frame announces a header of ${headerBytes} bytes but has only ${length - LENGTH_WORD_BYTES} behind its prefix; ` +
          'the sender is broken or does not speak the RocketMQ remoting protocol',
      )
    }
    return length + LENGTH_WORD_BYTES
  }
}

const int32 = (bytes: Buffer, at: number): number =>
  ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)

const HTTP_START = /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT|TRACE|PRI|HTTP)[ /]/

function describeBadLength(bytes: Buffer, length: number, maxFrameBytes: number): string {
  const text = bytes.toString('latin1', 0, 16)
  if (HTTP_START.test(text)) {
    return 'the bytes are an HTTP message; this port speaks the RocketMQ remoting protocol, point the HTTP client or probe elsewhere'
  }
  if (bytes[0] === 0x16 && bytes[1] === 0x03) {
    return 'the bytes are a TLS handshake on a plain connection; enable TLS on this port or use a plain connection'
  }
  if (bytes[0] === 0x15 && bytes[1] === 0x03) {
    return 'the bytes are a TLS alert on a plain connection; the other end speaks TLS: enable TLS here, or disable it there'
  }
  if (text.startsWith('PROXY ') || text.startsWith('\r\n\r\n\0\r\nQUIT')) {
    return 'the bytes are a PROXY protocol header, which is not supported; switch it off in the load balancer'
  }
  if (text.startsWith('SSH-')) return 'the bytes are an SSH greeting; this port speaks the RocketMQ remoting protocol'
  const start = bytes.toString('hex', 0, 16)
  const limit = `a frame has 4 to ${maxFrameBytes - LENGTH_WORD_BYTES} bytes behind its length word`
  return `the bytes announce a frame of ${length} bytes (${limit}) and begin with ${start}; the sender is broken, its message too large, or it does not speak the RocketMQ remoting protocol`
}
