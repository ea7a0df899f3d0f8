import { type Entry, type Frame, Kind, type SubSpec } from '@cometmq/protocol'
import type { Where } from '../../src/principal.ts'
import type { Subscription, SubscriptionHost } from '../../src/subscription.ts'

/** Session and client in one: pumps at once unless it is stuck, and keeps what came. */
export class FakeClient implements SubscriptionHost {
  where: Where | null = null
  /** Not writable: nothing is pumped. */
  stuck = false
  readonly frames: Frame[] = []
  readonly entries = new Map<number, Entry>()
  readonly failures: unknown[] = []
  slow = 0
  subscription: Subscription | undefined
  #ready = false

  send(frame: Frame): void {
    this.frames.push(frame)
    if (frame[0] !== Kind.DELIVER) return
    frame[3].forEach((entry, index) => this.entries.set(frame[2] + index, entry))
  }

  ready(): void {
    this.#ready = true
    setImmediate(() => this.pump())
  }

  pump(budget = 16 * 1024): void {
    if (this.stuck || !this.#ready || !this.subscription) return
    this.#ready = false
    while (this.subscription.pump(budget) > 0) if (this.stuck) return
  }

  unstick(): void {
    this.stuck = false
    this.pump()
  }

  failed(_subscription: Subscription, error: unknown): void {
    this.failures.push(error)
  }

  tooSlow(): void {
    this.slow++
  }

  of<K extends Frame[0]>(kind: K): Extract<Frame, readonly [K, ...unknown[]]>[] {
    return this.frames.filter(frame => frame[0] === kind) as Extract<Frame, readonly [K, ...unknown[]]>[]
  }

  get bodies(): string[] {
    return [...this.entries.values()].map(entry => new TextDecoder().decode(entry[8]))
  }
}

export const groupSpec = (more: Partial<SubSpec> = {}): SubSpec => ({
  mode: 'group',
  group: 'G',
  topics: [['T', 0, '']],
  start: 'earliest',
  limit: [64, 1024 * 1024],
  ...more,
})

export const broadcastSpec = (more: Partial<SubSpec> = {}): SubSpec => ({
  mode: 'broadcast',
  topics: [['T', 0, '']],
  start: 'latest',
  limit: [64, 1024 * 1024],
  ...more,
})
