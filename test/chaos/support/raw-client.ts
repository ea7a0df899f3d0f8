import { once } from 'node:events'
import {
  decode,
  encodeFrame,
  type Entry,
  type ErrFrame,
  type Frame,
  type HelloOptions,
  Kind,
  type OkFrame,
  type WelcomeInfo,
} from '@cometmq/protocol'
import { WebSocket } from 'ws'

/** Speaks frames, also wrong ones: what an SDK would not send. */
export class RawClient {
  readonly socket: WebSocket
  readonly frames: (readonly unknown[])[] = []
  /** Undefined as long as it is open. */
  end: { readonly code: number; readonly reason: string } | undefined
  #rid = 0
  #changed: (() => void)[] = []

  constructor(url: string, options: ConstructorParameters<typeof WebSocket>[2] = {}) {
    this.socket = new WebSocket(url, ['cometmq.v1'], { perMessageDeflate: false, ...options })
    this.socket.on('message', (data: Buffer) => {
      this.frames.push(decode(data) as readonly unknown[])
      this.#tell()
    })
    this.socket.on('close', (code, reason) => {
      this.end = { code, reason: reason.toString() }
      this.#tell()
    })
    this.socket.on('error', () => {})
  }

  rid(): number {
    return ++this.#rid
  }

  async opened(): Promise<this> {
    await once(this.socket, 'open')
    return this
  }

  send(frame: Frame): void {
    this.socket.send(encodeFrame(frame))
  }

  async hello(more: Partial<HelloOptions> = {}): Promise<WelcomeInfo> {
    await this.opened()
    const rid = this.rid()
    this.send([Kind.HELLO, rid, { proto: 1, sdk: 'raw/1', runtime: 'node', maxFrame: 262_144, ...more }])
    const frame = await this.find(([kind]) => kind === Kind.WELCOME)
    return frame[2] as WelcomeInfo
  }

  /** The code of the answer: 0, or that of ERR. */
  async ask(make: (rid: number) => Frame): Promise<number> {
    const answer = await this.request(make)
    return answer[0] === Kind.OK ? 0 : answer[2]
  }

  async request(make: (rid: number) => Frame): Promise<OkFrame | ErrFrame> {
    const rid = this.rid()
    this.send(make(rid))
    return (await this.find(([kind, id]) => (kind === Kind.OK || kind === Kind.ERR) && id === rid)) as unknown as OkFrame
  }

  /** The code of the receipt. */
  async publish(make: (rid: number) => Frame): Promise<number> {
    const rid = this.rid()
    this.send(make(rid))
    const ofRid = (frame: readonly unknown[]) => (frame[1] as [number, number][]).find(receipt => receipt[0] === rid)
    return ofRid(await this.find(frame => frame[0] === Kind.RECEIPT && ofRid(frame) !== undefined))![1]
  }

  /** Entries delivered so far. */
  get entries(): Entry[] {
    return this.frames.filter(([kind]) => kind === Kind.DELIVER).flatMap(frame => frame[3] as Entry[])
  }

  /** The first frame that is wanted, now or later. Rejects when the socket ends. */
  async find(wanted: (frame: readonly unknown[]) => boolean): Promise<readonly unknown[]> {
    for (;;) {
      const found = this.frames.find(wanted)
      if (found) return found
      if (this.end) throw new Error(`closed with ${this.end.code} ${this.end.reason}`)
      await this.change()
    }
  }

  async closed(): Promise<{ readonly code: number; readonly reason: string }> {
    while (!this.end) await this.change()
    return this.end
  }

  /** Resolves with the next frame, or the end. */
  change(): Promise<void> {
    return new Promise(resolve => this.#changed.push(resolve))
  }

  #tell(): void {
    for (const resolve of this.#changed.splice(0)) resolve()
  }
}
