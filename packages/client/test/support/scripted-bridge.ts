import {
  type ClientFrame,
  type Frame,
  type HelloOptions,
  Kind,
  type OkFrame,
  type ServerFrame,
  type WelcomeInfo,
} from '@cometmq/protocol'
import { FakeClock } from '@cometmq/testkit'
import type { Environment, TransportHandlers, TransportSocket } from '../../src/environment.ts'

/** One turn of the event loop: promises that are ready have run. */
export const settle = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/** The other end of the client core, in memory: a test plays it frame by frame. Time stands still until the test moves it. */
export class ScriptedBridge {
  readonly clock = new FakeClock()
  /** Every attempt, in order. */
  readonly sockets: ScriptedSocket[] = []
  readonly environment: Environment
  /** What `random()` answers. */
  chance = 0.5
  online = true
  /** Accepts sockets and answers HELLO (hot when a token is shown), so that a test can begin behind that. */
  automatic = false
  readonly #wakers = new Set<() => void>()

  constructor() {
    this.environment = {
      sdk: 'test/0',
      runtime: 'node',
      clock: this.clock,
      random: () => this.chance,
      open: (url, handlers) => this.#open(url, handlers),
      onWake: wake => {
        this.#wakers.add(wake)
        return () => this.#wakers.delete(wake)
      },
      online: () => this.online,
    }
  }

  /** The newest socket. */
  get socket(): ScriptedSocket {
    const last = this.sockets.at(-1)
    if (!last) throw new Error('the client has not opened a socket')
    return last
  }

  /** As when a page is shown again. */
  wake(): void {
    for (const wake of this.#wakers) wake()
  }

  get listening(): boolean {
    return this.#wakers.size > 0
  }

  #open(url: string, handlers: TransportHandlers): TransportSocket {
    const socket = new ScriptedSocket(url, handlers)
    this.sockets.push(socket)
    if (this.automatic) {
      queueMicrotask(() => {
        socket.accept()
        socket.welcome({ resumed: socket.hello.resume ? 2 : 0 })
      })
    }
    return socket
  }
}

export class ScriptedSocket implements TransportSocket {
  readonly url: string
  readonly #handlers: TransportHandlers
  /** What the client has sent. */
  readonly received: ClientFrame[] = []
  /** Set when the client closed it, or the test. */
  closed: { readonly code: number; readonly reason: string } | undefined
  bufferedBytes = 0
  maxFrame = 0

  constructor(url: string, handlers: TransportHandlers) {
    this.url = url
    this.#handlers = handlers
  }

  // The client's side

  send(frame: Frame): number {
    if (!this.closed) this.received.push(frame as ClientFrame)
    return 10
  }

  setMaxFrame(bytes: number): void {
    this.maxFrame = bytes
  }

  close(code: number, reason: string): void {
    this.closed ??= { code, reason }
  }

  // The test's side

  accept(): void {
    this.#handlers.onOpen()
  }

  /** Gives the client a frame. */
  give(frame: ServerFrame | readonly unknown[]): void {
    if (!this.closed) this.#handlers.onFrame(frame, 20)
  }

  /** The network breaks, or the bridge closes. */
  cut(code = 1006, reason = ''): void {
    if (this.closed) return
    this.closed = { code, reason }
    this.#handlers.onClose(code, reason)
  }

  get hello(): HelloOptions {
    const frame = this.received.find(frame => frame[0] === Kind.HELLO)
    if (!frame) throw new Error('no HELLO has come')
    return frame[2]
  }

  /** Answers HELLO; everything it lists is opened. */
  welcome(info: Partial<WelcomeInfo> = {}): void {
    const { producers = [], subs = [] } = this.hello
    const popen = producers.map(([rid]): OkFrame => [Kind.OK, rid, { limit: [256, 4_194_304] }])
    const sub = subs.map(([rid]): OkFrame => [Kind.OK, rid, { leaseMs: 30_000 }])
    this.give([
      Kind.WELCOME,
      1,
      {
        session: '0123456789ABCDEF0123',
        epoch: 1,
        node: 'a',
        resumeToken: 'sealed',
        resumed: 0,
        now: 0,
        hb: 25_000,
        pong: 8_000,
        limits: { maxFrame: 262_144, maxBody: 4_194_304, maxProperties: 16_384, maxSubs: 64, maxProducers: 32 },
        features: [],
        results: [...popen, ...sub],
        ...info,
      },
    ])
  }

  /** Frames of one kind that came after HELLO. */
  of(kind: number): ClientFrame[] {
    return this.received.filter(frame => frame[0] === kind)
  }

  /** The frames that came since the last call. */
  news(): ClientFrame[] {
    const from = this.#read
    this.#read = this.received.length
    return this.received.slice(from)
  }
  #read = 0
}
