import type { Clock, Logger, Timer } from '@cometmq/cluster'
import {
  checkClientFrame,
  CloseCode,
  decode,
  encodeFrame,
  type FragFrame,
  fragment,
  type Frame,
  Kind,
  ProtocolError,
  Reassembler,
} from '@cometmq/protocol'
import { type ClientEnd, type ClientLink, wireFrame } from '@cometmq/session'
import { type EngineSocket, type SocketHandlers } from './engine/types.ts'
import { type Flushable, flushLater } from './turn.ts'

/** What all links of a bridge share. */
export interface LinkSettings {
  /** What WELCOME tells; a larger inbound frame ends the link with 4505. */
  readonly maxFrameBytes: number
  /** All pieces of inbound frames that came in pieces, together. */
  readonly maxAssembledBytes: number
  /** The engine's. */
  readonly maxBufferedBytes: number
  /** Held here beyond what the engine takes: large frames in pieces. Over it the link ends with 4406. */
  readonly maxQueuedBytes: number
  /** Inbound messages that wait while reading is paused, each with 256 bytes on top. Over it the link ends with 4507. */
  readonly maxHeldBytes: number
  readonly clock: Clock
  readonly logger: Logger
  readonly counters: LinkCounters
}

export interface LinkCounters {
  framesIn: number
  framesOut: number
  bytesIn: number
  bytesOut: number
  /** Writes to sockets; fewer than frames when frames share one. */
  writes: number
  protocolErrors: number
}

export const newCounters = (): LinkCounters => ({
  framesIn: 0,
  framesOut: 0,
  bytesIn: 0,
  bytesOut: 0,
  writes: 0,
  protocolErrors: 0,
})

/** Data stops at this part of the ceiling; the rest is for control frames. */
const DATA_PART = 0.75
/** RFC 6455, section 5.5. */
const MAX_REASON_BYTES = 123
const INTERNAL_ERROR = 1011
/** A client that takes less than this cannot be told anything. */
const LEAST_FRAME_BYTES = 1_024
/** A large frame goes in pieces this small, so that what is said in between does not wait long. */
const PIECE_BYTES = 65_536
/** What a message that waits costs besides its bytes: a client must not hold much memory with tiny ones. */
const HELD_OVERHEAD_BYTES = 256
/** Inbound frames in pieces at the same time. */
const MAX_INCOMPLETE = 4

let lastId = 0

/** A session's client behind a WebSocket: frames are values on one side and bytes on the other. */
export class SocketLink implements ClientLink, SocketHandlers, Flushable {
  readonly id = ++lastId
  readonly #socket: EngineSocket
  readonly #settings: LinkSettings
  readonly #dataBytes: number
  readonly #assembler: Reassembler
  readonly #end: ClientEnd
  /** Sent in this turn. */
  #turn: Uint8Array[] = []
  #turnBytes = 0
  /** Earlier frames the engine has no place for. */
  #backlog: Uint8Array[] = []
  #backlogBytes = 0
  /** Frames of this turn that may go before the backlog. */
  #urgent: Uint8Array[] = []
  #isScheduled = false
  #isClosed = false
  /** Somebody was told that this is not writable. */
  #wasFull = false
  #peerMaxFrameBytes: number
  #lastFragId = 0
  #isPaused = false
  /** What came while reading is paused; from `#heldFrom` on it is still to be handled. */
  #held: Uint8Array[] = []
  #heldFrom = 0
  #heldBytes = 0
  #pauseTimer: Timer | undefined

  constructor(socket: EngineSocket, settings: LinkSettings, accept: (link: ClientLink) => ClientEnd) {
    this.#socket = socket
    this.#settings = settings
    this.#dataBytes = settings.maxBufferedBytes * DATA_PART
    this.#peerMaxFrameBytes = settings.maxFrameBytes
    this.#assembler = new Reassembler(settings.maxAssembledBytes, MAX_INCOMPLETE)
    this.#end = accept(this)
  }

  get bufferedBytes(): number {
    return this.#turnBytes + this.#backlogBytes + this.#socket.bufferedBytes
  }

  get writable(): boolean {
    const isWritable = this.bufferedBytes < this.#dataBytes
    if (!isWritable) this.#wasFull = true
    return isWritable
  }

  send(frame: Frame): void {
    if (this.#isClosed) return
    let bytes: Uint8Array
    try {
      bytes = encodeFrame(wireFrame(frame))
    } catch (error) {
      this.#defect('a frame cannot be encoded', error)
      return
    }
    this.#settings.counters.framesOut++
    this.#turnBytes += bytes.length
    if (bytes.length > this.#peerMaxFrameBytes) {
      const pieceBytes = Math.min(PIECE_BYTES, this.#peerMaxFrameBytes)
      for (const piece of fragment(bytes, pieceBytes, ++this.#lastFragId)) this.#turn.push(piece)
    } else if (this.#backlog.length > 0 && mayOvertake(frame[0])) this.#urgent.push(bytes)
    else this.#turn.push(bytes)
    this.#schedule()
  }

  close(code: number, reason: string): void {
    if (this.#isClosed) return
    this.flush()
    this.#isClosed = true
    this.#forget()
    this.#socket.close(code, cutReason(reason))
  }

  message(bytes: Uint8Array, binary: boolean): void {
    if (this.#isClosed) return
    const { counters, maxFrameBytes } = this.#settings
    counters.framesIn++
    counters.bytesIn += bytes.length
    if (!binary) this.#refuse('40090 text messages are not part of cometmq.v1')
    else if (bytes.length > maxFrameBytes) this.#refuse(`41390 a frame has more than ${maxFrameBytes} bytes`, CloseCode.TOO_LARGE)
    else if (this.#isPaused) this.#hold(bytes)
    else this.#receive(bytes)
  }

  /** uWebSockets cannot stop reading, so the link holds back what comes. */
  pause(ms: number): void {
    if (this.#isClosed) return
    this.#isPaused = true
    this.#pauseTimer?.cancel()
    this.#pauseTimer = this.#settings.clock.setTimeout(() => this.#resume(), ms)
  }

  drained(): void {
    if (this.#isClosed) return
    if (this.#backlog.length > 0) this.#pump()
    this.#tellWritable()
  }

  closed(): void {
    this.#isClosed = true
    this.#forget()
    this.#end.closed()
  }

  /** At the end of a turn: everything said in it goes out in one write. */
  flush(): void {
    this.#isScheduled = false
    if (this.#isClosed) return
    const { counters } = this.#settings
    counters.bytesOut += this.#turnBytes
    if (this.#urgent.length > 0) {
      // The quarter above the mark for data is for these.
      const taken = this.#write(this.#urgent)
      if (taken < this.#urgent.length) return this.#slow()
      this.#urgent = []
    }
    const turn = this.#turn
    this.#turn = []
    if (this.#backlog.length === 0) this.#backlog = turn
    else for (const bytes of turn) this.#backlog.push(bytes)
    this.#backlogBytes += sizeOf(turn)
    this.#turnBytes = 0
    this.#pump()
    if (this.#backlogBytes > this.#settings.maxQueuedBytes) this.#slow()
    else this.#tellWritable()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    flushLater(this)
  }

  /** Gives the engine what it has place for. The rest goes when it has drained. */
  #pump(): void {
    while (this.#backlog.length > 0) {
      const place = this.#dataBytes - this.#socket.bufferedBytes
      if (place <= 0) return
      const backlog = this.#backlog
      let bytes = 0
      let count = 0
      while (count < backlog.length && bytes < place) bytes += (backlog[count++] as Uint8Array).length
      const batch = count === backlog.length ? backlog : backlog.slice(0, count)
      const taken = this.#write(batch)
      this.#backlogBytes -= taken === count ? bytes : sizeOf(batch.slice(0, taken))
      this.#backlog = taken === backlog.length ? [] : backlog.slice(taken)
      if (taken < count) return
    }
  }

  #write(messages: readonly Uint8Array[]): number {
    this.#settings.counters.writes++
    return this.#socket.sendAll(messages)
  }

  #tellWritable(): void {
    if (!this.#wasFull || this.bufferedBytes >= this.#dataBytes) return
    this.#wasFull = false
    this.#end.drained()
  }

  #receive(bytes: Uint8Array): void {
    let value: unknown
    try {
      value = decode(bytes)
      if (Array.isArray(value) && value[0] === Kind.FRAG) {
        const whole = this.#assembler.add(checkClientFrame(value) as FragFrame)
        if (whole === null) return
        value = decode(whole)
        if (Array.isArray(value) && value[0] === Kind.FRAG) throw new ProtocolError('FRAG: a fragment within fragments')
      }
    } catch (error) {
      if (error instanceof ProtocolError) return this.#refuse(`40090 ${error.message}`)
      return this.#defect('a frame cannot be decoded', error)
    }
    if (Array.isArray(value) && value[0] === Kind.HELLO) this.#learnMaxFrame(value[2])
    try {
      this.#end.frame(value)
    } catch (error) {
      this.#defect('a frame cannot be handled', error)
    }
  }

  #hold(bytes: Uint8Array): void {
    this.#heldBytes += bytes.length + HELD_OVERHEAD_BYTES
    if (this.#heldBytes > this.#settings.maxHeldBytes) this.close(CloseCode.BANNED_RATE, '42990 far over the rate')
    else this.#held.push(bytes)
  }

  #resume(): void {
    this.#isPaused = false
    while (this.#heldFrom < this.#held.length && !this.#isClosed) {
      const bytes = this.#held[this.#heldFrom++] as Uint8Array
      this.#heldBytes -= bytes.length + HELD_OVERHEAD_BYTES
      this.#receive(bytes)
      // What is handled may pause again.
      if (this.#isPaused as boolean) break
    }
    // Now and then, so that a long list is not moved with each frame.
    if (this.#heldFrom * 2 < this.#held.length) return
    this.#held.splice(0, this.#heldFrom)
    this.#heldFrom = 0
  }

  #learnMaxFrame(options: unknown): void {
    const { maxFrame } = (options ?? {}) as { maxFrame?: unknown }
    if (typeof maxFrame !== 'number' || !(maxFrame >= LEAST_FRAME_BYTES)) return
    this.#peerMaxFrameBytes = Math.min(maxFrame, this.#settings.maxFrameBytes)
  }

  #refuse(reason: string, code: number = CloseCode.PROTOCOL): void {
    this.#settings.counters.protocolErrors++
    this.close(code, reason)
  }

  #slow(): void {
    this.#isClosed = true
    this.#forget()
    this.#socket.close(CloseCode.SLOW, 'the client does not read what it is sent')
  }

  #defect(what: string, error: unknown): void {
    this.#settings.logger.error(what, { link: this.id, error })
    this.close(INTERNAL_ERROR, '50001 internal error')
  }

  #forget(): void {
    this.#turn = []
    this.#urgent = []
    this.#backlog = []
    this.#turnBytes = 0
    this.#backlogBytes = 0
    this.#held = []
    this.#heldFrom = 0
    this.#pauseTimer?.cancel()
  }
}

/** What does not depend on the deliveries that wait in front of it. */
const mayOvertake = (kind: Kind): boolean =>
  kind === Kind.RECEIPT || kind === Kind.PING || kind === Kind.PONG || kind === Kind.OK || kind === Kind.ERR

function sizeOf(messages: readonly Uint8Array[]): number {
  let bytes = 0
  for (const message of messages) bytes += message.length
  return bytes
}

/** At most 123 bytes, not cut within a character. */
function cutReason(reason: string): string {
  const bytes = Buffer.from(reason)
  if (bytes.length <= MAX_REASON_BYTES) return reason
  let end = MAX_REASON_BYTES
  while (((bytes[end] as number) & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end)
}
