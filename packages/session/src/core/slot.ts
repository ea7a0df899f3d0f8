import type { Frame, SeekTarget, ServerFrame, SubResult, SubSpec } from '@cometmq/protocol'
import type { Where } from '../principal.ts'
import type { Subscription, SubscriptionHost } from '../subscription.ts'
import type { SessionHost } from './shared.ts'
import type { Subs } from './subs.ts'
import { refuse } from './errors.ts'

/** The place of one subscription in its session: what the subscription sees of the session, and where it stands in the queue. */
export class Slot implements SubscriptionHost {
  readonly sid: number
  readonly spec: SubSpec
  subscription: Subscription | undefined
  result: SubResult = {}
  opening: Promise<void> | undefined
  /** Stands in the queue of those with something to deliver. */
  queued = false
  closed = false
  readonly #subs: Subs
  readonly #session: SessionHost
  /** Frames that must not overtake the answer to SUB or WELCOME. */
  #held: ServerFrame[] | undefined = []
  #hasNews = false
  #limit: readonly [count: number, bytes: number] | undefined

  constructor(subs: Subs, session: SessionHost, sid: number, spec: SubSpec) {
    this.#subs = subs
    this.#session = session
    this.sid = sid
    this.spec = spec
  }

  get where(): Where | null {
    return this.#session.principal.where
  }

  send(frame: Frame): void {
    if (this.closed) return
    if (!this.#held) this.#subs.send(frame as ServerFrame)
    // Nothing is delivered while frames are held: these are a few of SUBINFO, GAP and LEASE.
    else if (this.#held.length < maxHeldFrames) this.#held.push(frame as ServerFrame)
  }

  ready(): void {
    if (this.closed || this.queued) return
    if (this.#held || !this.#session.attached) {
      this.#hasNews = true
      return
    }
    this.queued = true
    this.#subs.enqueue(this)
  }

  failed(_subscription: Subscription, error: unknown): void {
    this.#subs.failed(this, error)
  }

  tooSlow(): void {
    this.#subs.tooSlow(this)
  }

  opened(subscription: Subscription, result: SubResult): void {
    this.result = result
    if (this.closed) {
      void subscription.close().catch(() => undefined)
      return
    }
    this.subscription = subscription
    if (this.#limit) subscription.limit(...this.#limit)
  }

  /** Before it is open. */
  limit(count: number, bytes: number): void {
    this.#limit = [count, bytes]
  }

  async seek(target: SeekTarget): Promise<void> {
    if (!this.subscription) throw refuse(40091, `subscription ${this.sid} is not open yet`)
    await this.subscription.seek(target)
  }

  pump(budgetBytes: number): number {
    if (this.closed || !this.subscription) return 0
    return this.subscription.pump(budgetBytes)
  }

  hold(): void {
    this.#held ??= []
  }

  release(): void {
    const held = this.#held
    this.#held = undefined
    if (held) for (const frame of held) this.#subs.send(frame)
    if (this.#hasNews) {
      this.#hasNews = false
      this.ready()
    }
  }

  detach(): void {
    this.queued = false
    this.#hasNews = true
    this.#held = []
    this.subscription?.detach()
  }

  async end(): Promise<void> {
    this.closed = true
    await this.subscription?.close()
  }
}

const maxHeldFrames = 1024
