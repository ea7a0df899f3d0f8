import { type Duplex } from 'node:stream'
import { type Timer } from './clock.ts'
import { type Reply, type Request } from './command.ts'
import { decodeCommand } from './codec/decode.ts'
import { encodeReply, encodeRequest } from './codec/encode.ts'
import { OutputBuffer, releaseBlocks } from './codec/output.ts'
import { Exchange, type LinkSetup } from './exchange.ts'
import { flushLater } from './flush.ts'
import { FrameError, FrameReader } from './frame.ts'

/** How long a closing connection may take to hand over its last output. */
const CLOSE_GRACE_MS = 3000

export interface ConnectionAddresses {
  readonly remoteAddress: string
  readonly localAddress: string
  readonly remoteHost: Buffer
}

/**
 * A link over a byte stream: a TCP or TLS socket, already connected. Output is gathered and written once per turn of the event loop; what
 * answers a received chunk leaves at its end.
 */
export class Connection extends Exchange {
  readonly remoteAddress: string
  readonly localAddress: string
  readonly remoteHost: Buffer
  readonly #stream: Duplex
  readonly #reader = new FrameReader()
  readonly #output = new OutputBuffer()
  /** Bytes given to the stream so far, and those it has passed on. */
  #writtenBytes = 0
  #takenBytes = 0
  #reading = false
  #paused = false
  #flushScheduled = false
  #lastActiveMs: number
  #idleTimer: Timer | null = null
  #graceTimer: Timer | null = null

  constructor(stream: Duplex, addresses: ConnectionAddresses, setup: LinkSetup) {
    super(setup)
    this.remoteAddress = addresses.remoteAddress
    this.localAddress = addresses.localAddress
    this.remoteHost = addresses.remoteHost
    this.#stream = stream
    this.#lastActiveMs = setup.clock.monotonic()
    this.#watchIdle(setup.limits.idleCloseMs)
    stream.on('data', (chunk: Buffer) => this.#received(chunk))
    stream.on('end', () => this.#end('the other end closed it'))
    stream.on('error', (error: Error) => this.#end(error.message))
    stream.on('close', () => this.#end('the stream was closed'))
  }

  /** Output gathered here or in the stream. */
  get outputBytes(): number {
    return this.#output.byteLength + this.#writtenBytes - this.#takenBytes
  }

  close(reason: string): void {
    if (this.closed) return
    this.flush()
    this.#logClosed(reason)
    this.closedBecause(reason)
    this.#stopTimers()
    this.#graceTimer = this.setup.clock.setTimeout(() => this.#stream.destroy(), CLOSE_GRACE_MS)
    this.#stream.end(() => this.#stream.destroy())
  }

  /** Writes what was gathered. */
  flush(): void {
    this.#flushScheduled = false
    if (this.closed || this.#output.byteLength === 0) return
    const { segments, blocks, bytes } = this.#output.take()
    this.#writtenBytes += bytes
    this.#lastActiveMs = this.setup.clock.monotonic()
    const last = segments.length - 1
    if (last > 0) this.#stream.cork()
    for (let i = 0; i < last; i++) this.#stream.write(segments[i])
    this.#stream.write(segments[last], () => this.#taken(bytes, blocks))
    if (last > 0) this.#stream.uncork()
    if (this.outputBytes > this.setup.limits.closeAboveOutputBytes)
      this.#abort(`it does not read: ${this.outputBytes} bytes wait for it`)
    else if (this.#paused) this.#resume()
  }

  protected override sendReply(opaque: number, reply: Reply): void {
    encodeReply(this.#output, opaque, reply, this.setup.stamp)
    this.#afterOutput()
  }

  protected override sendRequest(opaque: number, oneway: boolean, request: Request): void {
    encodeRequest(this.#output, opaque, oneway, request, this.setup.stamp)
    this.#afterOutput()
  }

  protected override outputFull(): boolean {
    return this.outputBytes > this.setup.limits.maxOutputBytes
  }

  protected override outputEnd(): number {
    return this.#writtenBytes + this.#output.byteLength
  }

  protected override outputLeft(): number {
    return this.#writtenBytes
  }

  #afterOutput(): void {
    if (this.#reading || this.#flushScheduled) return
    this.#flushScheduled = true
    flushLater(this)
  }

  #taken(bytes: number, blocks: readonly Buffer[]): void {
    releaseBlocks(blocks)
    this.#takenBytes += bytes
    if (this.#paused) this.#resume()
  }

  #received(chunk: Buffer): void {
    if (this.closed) return
    this.#lastActiveMs = this.setup.clock.monotonic()
    this.#reader.push(chunk)
    this.#read()
  }

  /** Handles the frames there are, as long as the peer keeps its limits, and writes the answers in one go. */
  #read(): void {
    const reader = this.#reader
    this.#reading = true
    try {
      while (!this.closed && !this.#overLimits() && reader.next())
        this.receive(decodeCommand(reader.bytes, reader.start, reader.end))
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      this.#protocolError(error)
    } finally {
      this.#reading = false
    }
    if (this.closed) return
    this.flush()
    if (this.#overLimits()) this.#pause()
  }

  #overLimits(): boolean {
    const limits = this.setup.limits
    return this.unanswered >= limits.maxUnansweredRequests || this.outputBytes > limits.maxOutputBytes
  }

  #pause(): void {
    if (this.#paused) return
    this.#paused = true
    this.#stream.pause()
  }

  #resume(): void {
    if (this.closed || this.#reading || this.#overLimits()) return
    this.#paused = false
    this.#read()
    if (!this.#paused && !this.closed) this.#stream.resume()
  }

  #protocolError(error: FrameError): void {
    this.setup.logger.warn('closing a connection whose bytes are no remoting frame', {
      peer: this.remoteAddress,
      reason: error.message,
    })
    this.close(error.message)
  }

  #watchIdle(delayMs: number): void {
    this.#idleTimer = this.setup.clock.setTimeout(() => {
      const silentMs = this.setup.clock.monotonic() - this.#lastActiveMs
      const limitMs = this.setup.limits.idleCloseMs
      if (silentMs >= limitMs) this.close(`silent for ${Math.round(silentMs)} ms`)
      else this.#watchIdle(limitMs - silentMs)
    }, delayMs)
  }

  #abort(reason: string): void {
    this.setup.logger.warn('closing a connection', { peer: this.remoteAddress, reason })
    this.#end(reason)
  }

  /** The stream is gone, or has to go at once. */
  #end(reason: string): void {
    this.#stopTimers()
    if (!this.closed) this.#logClosed(reason)
    this.closedBecause(reason)
    this.#stream.destroy()
  }

  #stopTimers(): void {
    this.#idleTimer?.cancel()
    this.#graceTimer?.cancel()
  }

  #logClosed(reason: string): void {
    this.setup.logger.debug('connection closed', { peer: this.remoteAddress, reason })
  }
}
