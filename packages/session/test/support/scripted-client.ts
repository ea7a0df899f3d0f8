import {
  checkServerFrame,
  type ClientFrame,
  decode,
  encodeFrame,
  type HelloOptions,
  Kind,
  messageIdOf,
  type Receipt,
  type ServerFrame,
  type WelcomeInfo,
} from '@cometmq/protocol'
import type { ClientContext, ClientEnd, ClientLink, Sessions } from '../../src/index.ts'

/** A frame of one kind. */
export type Of<K extends ServerFrame[0]> = Extract<ServerFrame, readonly [K, ...unknown[]]>

interface Waiting {
  readonly wanted: (frame: ServerFrame) => boolean
  readonly found: (frame: ServerFrame) => void
  readonly lost: (error: Error) => void
}

let nextLinkId = 1

/** A client without a socket. Every frame in both directions is encoded, decoded and checked as on the wire. */
export class ScriptedClient {
  /** All frames that came, in order. */
  readonly received: ServerFrame[] = []
  closed: { readonly code: number; readonly reason: string } | undefined
  /** What `link.writable` says. */
  writable = true
  /** How long the session asked the link not to read, in order. */
  readonly pauses: number[] = []
  session = ''
  #rid = 0
  #unseen: ServerFrame[] = []
  #waiting: Waiting[] = []
  #closedWaiting: (() => void)[] = []
  readonly #end: ClientEnd

  constructor(sessions: Sessions, context: ClientContext = { address: '127.0.0.1' }) {
    const isWritable = (): boolean => this.writable
    const link: ClientLink = {
      id: nextLinkId++,
      bufferedBytes: 0,
      get writable() {
        return isWritable()
      },
      send: frame => this.#receive(checkServerFrame(decode(encodeFrame(frame))) as ServerFrame),
      pause: ms => void this.pauses.push(ms),
      close: (code, reason) => this.#closed(code, reason),
    }
    this.#end = sessions.accept(link, context)
  }

  /** Numbers requests as an SDK does. `count`: as many are taken. */
  rid(count = 1): number {
    this.#rid += count
    return this.#rid - count + 1
  }

  /** The number that the next request would get. */
  get nextRid(): number {
    return this.#rid + 1
  }

  /** Goes on with the request numbers of an earlier socket. */
  continueFrom(client: ScriptedClient): this {
    this.#rid = client.#rid
    this.session = client.session
    return this
  }

  send(...frames: readonly ClientFrame[]): void {
    for (const frame of frames) this.raw(decode(encodeFrame(frame)))
  }

  /** A decoded value that need not be a frame. */
  raw(value: unknown): void {
    this.#end.frame(value)
  }

  drained(): void {
    this.writable = true
    this.#end.drained()
  }

  /** The socket breaks. */
  cut(): void {
    if (this.closed) return
    this.#closed(1006, '')
    this.#end.closed()
  }

  /** HELLO and its WELCOME. */
  async hello(options: Partial<HelloOptions> = {}): Promise<WelcomeInfo> {
    const rid = this.rid()
    this.send([Kind.HELLO, rid, { proto: 1, sdk: 'test/0', runtime: 'node', maxFrame: 262_144, ...options }])
    const [, answered, info] = await this.next(Kind.WELCOME)
    if (answered !== rid) throw new Error(`WELCOME answers ${answered}, not ${rid}`)
    this.session = info.session
    return info
  }

  /** The next frame of this kind that no one has asked for yet. Rejects when the link closes before it comes. */
  next<K extends ServerFrame[0]>(kind: K): Promise<Of<K>> {
    return this.nextThat(frame => frame[0] === kind) as Promise<Of<K>>
  }

  nextThat(wanted: (frame: ServerFrame) => boolean): Promise<ServerFrame> {
    const at = this.#unseen.findIndex(wanted)
    if (at >= 0) return Promise.resolve(this.#unseen.splice(at, 1)[0]!)
    if (this.closed) return Promise.reject(new Error(`closed: ${this.closed.code} ${this.closed.reason}`))
    return new Promise((found, lost) => this.#waiting.push({ wanted, found, lost }))
  }

  /** OK or ERR of a request. */
  answer(rid: number): Promise<Of<typeof Kind.OK> | Of<typeof Kind.ERR>> {
    return this.nextThat(frame => (frame[0] === Kind.OK || frame[0] === Kind.ERR) && frame[1] === rid) as never
  }

  /** Sends a request and waits for its OK or ERR. */
  request(make: (rid: number) => ClientFrame): Promise<Of<typeof Kind.OK> | Of<typeof Kind.ERR>> {
    const rid = this.rid()
    this.send(make(rid))
    return this.answer(rid)
  }

  /** Receipts by request id, as soon as there are `count` in all. */
  async receipts(count: number): Promise<Map<number, Receipt>> {
    const all = new Map<number, Receipt>()
    while (all.size < count) for (const receipt of (await this.next(Kind.RECEIPT))[1]) all.set(receipt[0], receipt)
    return all
  }

  messageId(rid: number): string {
    return messageIdOf(this.session, rid)
  }

  /** All frames of one kind so far. */
  all<K extends ServerFrame[0]>(kind: K): Of<K>[] {
    return this.received.filter((frame): frame is Of<K> => frame[0] === kind)
  }

  /** Resolves when the link is closed, by whichever side. */
  async whenClosed(): Promise<{ readonly code: number; readonly reason: string }> {
    if (!this.closed) await new Promise<void>(resolve => this.#closedWaiting.push(resolve))
    return this.closed!
  }

  #receive(frame: ServerFrame): void {
    if (this.closed) throw new Error('a frame was sent on a closed link')
    this.received.push(frame)
    const at = this.#waiting.findIndex(({ wanted }) => wanted(frame))
    if (at >= 0) this.#waiting.splice(at, 1)[0]!.found(frame)
    else this.#unseen.push(frame)
  }

  #closed(code: number, reason: string): void {
    if (this.closed) throw new Error('the link was closed twice')
    if (Buffer.byteLength(reason) > 123) throw new Error(`close reason of ${Buffer.byteLength(reason)} bytes`)
    this.closed = { code, reason }
    for (const { lost } of this.#waiting.splice(0)) lost(new Error(`closed: ${code} ${reason}`))
    for (const resolve of this.#closedWaiting.splice(0)) resolve()
  }
}
