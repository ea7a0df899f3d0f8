import { decode, encode, Kind, type Frame, type Receipt, type ServerFrame, type Value, type WelcomeInfo } from '@cometmq/protocol'
import { Core } from '../../src/connection/core.ts'
import type { Environment } from '../../src/environment.ts'
import { ScriptedBridge, settle } from '../support/scripted-bridge.ts'

/** As a socket would: nothing gets across but what the protocol has. */
const overTheWire = (frame: unknown): unknown => decode(encode(frame as Value))

function coded(environment: Environment): Environment {
  return {
    ...environment,
    open(url, handlers) {
      const onFrame = (frame: unknown, bytes: number): void => handlers.onFrame(overTheWire(frame), bytes)
      const socket = environment.open(url, { ...handlers, onFrame })
      return {
        get bufferedBytes() {
          return socket.bufferedBytes
        },
        send: frame => socket.send(overTheWire(frame) as Frame),
        close: (code, reason) => socket.close(code, reason),
      }
    },
  }
}

/** A real connection; the test plays the bridge. */
export class Line {
  readonly bridge = new ScriptedBridge()
  readonly core = new Core({
    environment: coded(this.bridge.environment),
    urls: ['ws://a'],
    auth: undefined,
    backoff: { min: 250, max: 20_000, giveUpAfter: Infinity },
    idle: 2_000,
    observers: [],
  })

  get clock() {
    return this.bridge.clock
  }

  /** Accepts the newest socket and answers its HELLO. */
  async open(info: Partial<WelcomeInfo> = {}): Promise<void> {
    this.bridge.socket.accept()
    await settle()
    this.bridge.socket.welcome(info)
    await settle()
  }

  /** The socket breaks and the next one comes; 2 hot, 1 cold, 0 none. */
  async reopen(resumed: 0 | 1 | 2, info: Partial<WelcomeInfo> = {}): Promise<void> {
    this.bridge.socket.cut()
    await settle()
    await this.clock.advanceAsync(20_000)
    await this.open({ resumed, ...info })
  }

  async give(...frames: ServerFrame[]): Promise<void> {
    for (const frame of frames) this.bridge.socket.give(frame)
    await settle()
  }

  /** Answers with success, or with a code. */
  receipts(...rids: number[]): Promise<void> {
    return this.give([Kind.RECEIPT, rids.map(rid => [rid, 0, null, 0, rid * 10] as Receipt)])
  }

  /** Frames of this kind that came on the newest socket. */
  sent<K extends number>(kind: K): Extract<Frame, readonly [K, ...unknown[]]>[] {
    return this.bridge.socket.of(kind) as unknown as Extract<Frame, readonly [K, ...unknown[]]>[]
  }
}

export { settle }
