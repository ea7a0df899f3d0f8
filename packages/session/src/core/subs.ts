import { checkGroup, checkTopic } from '@cometmq/cluster'
import {
  CloseCode,
  type ClientFrame,
  errorOf,
  Kind,
  type ServerFrame,
  type SubArgs,
  type SubResult,
  type SubSpec,
} from '@cometmq/protocol'
import { closeReason, errFrame, faultOf, refuse } from './errors.ts'
import { maxLeaseMs, maxTopicsPerSub, maxTurnBytes, minLeaseMs, quantumBytes } from './limits.ts'
import { checkName } from './publishing.ts'
import { allows } from './scopes.ts'
import type { SessionHost } from './shared.ts'
import { Slot } from './slot.ts'
import { isSystemGroup, isSystemTopic } from './system-names.ts'

/** The subscriptions of one session: opening, closing, and who may deliver next. */
export class Subs {
  readonly #host: SessionHost
  readonly #slots = new Map<number, Slot>()
  /** Those with something to deliver, in turn. */
  #queue: Slot[] = []
  #pumping = false
  #highest = 0
  #closing = new Set<Promise<void>>()

  constructor(host: SessionHost) {
    this.#host = host
  }

  get(sid: number): Slot | undefined {
    return this.#slots.get(sid)
  }

  has(sid: number): boolean {
    return this.#slots.has(sid)
  }

  /** Frames of the subscription are held until `release`: the answer to SUB, or WELCOME, goes first. */
  async open(args: SubArgs): Promise<SubResult> {
    const [, sid, spec] = args
    const { limits, subscriptions } = this.#host.shared
    if (this.#slots.has(sid)) throw refuse(40000, `subscription ${sid} is open already; numbers are never used again`)
    checkSpec(this.#host, spec)
    if (this.#slots.size >= limits.maxSubs)
      throw refuse(42993, `a session may have ${limits.maxSubs} subscriptions; close one or put topics together`)
    const slot = new Slot(this, this.#host, sid, spec)
    this.#slots.set(sid, slot)
    if (sid > this.#highest) this.#highest = sid
    try {
      const opened = subscriptions.open(slot, sid, spec)
      slot.opening = opened.then(({ subscription, result }) => slot.opened(subscription, result))
      await slot.opening
    } catch (error) {
      this.#forget(slot)
      throw error
    }
    if (slot.closed) throw refuse(49990, 'closed while it was being opened', { outcome: 'not-executed' })
    if (!this.#host.connected) slot.detach()
    return slot.result
  }

  /** Hot resume: sends again what the client does not have. */
  async resume(sid: number, lastSeq: number): Promise<SubResult> {
    const slot = this.#slots.get(sid)!
    slot.hold()
    // It may just be being opened.
    await slot.opening
    const redelivered = slot.subscription?.attach(lastSeq) ?? 0
    return { ...slot.result, redelivered }
  }

  release(sid: number): void {
    // Without a WELCOME it goes on being held; that releases it.
    if (this.#host.attached) this.#slots.get(sid)?.release()
  }

  /** Resolves when its messages have been released; does nothing when there is none. */
  async close(sid: number): Promise<void> {
    const slot = this.#slots.get(sid)
    if (!slot) return
    this.#forget(slot)
    await this.#end(slot)
  }

  closeAllBut(wanted: ReadonlySet<number>): void {
    for (const sid of this.#slots.keys()) if (!wanted.has(sid)) void this.close(sid)
  }

  /** New scopes: those not allowed any more are closed; their numbers. */
  closeForbidden(): number[] {
    const lost = [...this.#slots.values()].filter(slot => !allowed(this.#host, slot.spec)).map(slot => slot.sid)
    for (const sid of lost) void this.close(sid)
    return lost
  }

  /** No more deliveries, acknowledgements go on. */
  stop(): void {
    for (const slot of this.#slots.values()) slot.subscription?.stop()
  }

  detach(): void {
    this.#queue = []
    for (const slot of this.#slots.values()) slot.detach()
  }

  /** Until the first lease held ends, ms; Infinity when none is held. */
  get leaseLeftMs(): number {
    let least = Infinity
    for (const slot of this.#slots.values()) {
      const left = slot.subscription?.leaseLeftMs ?? 0
      if (left > 0 && left < least) least = left
    }
    return least
  }

  async end(): Promise<void> {
    const slots = [...this.#slots.values()]
    this.#slots.clear()
    this.#queue = []
    for (const slot of slots) void this.#end(slot)
    await Promise.all(this.#closing)
  }

  /** Settling frames of subscriptions that were closed a moment ago are nothing unusual; of those that never were, they are told. */
  settle(frame: Extract<ClientFrame, readonly [34 | 35 | 36 | 37 | 39, number, ...unknown[]]>): void {
    const slot = this.#slots.get(frame[1])
    if (!slot) {
      if (frame[1] <= this.#highest) return
      const text = `subscription ${frame[1]} was never opened in this session`
      return this.#host.send(errFrame(0, { code: 40091, text, outcome: 'not-executed' }, { sid: frame[1] }))
    }
    const { subscription } = slot
    if (!subscription) {
      if (frame[0] === Kind.LIMIT) slot.limit(frame[2], frame[3])
      return
    }
    switch (frame[0]) {
      case Kind.ACK:
        return subscription.ack(frame[2], frame[3] === true)
      case Kind.NACK:
        return subscription.nack(frame[2], frame[3], frame[4])
      case Kind.EXTEND:
        return subscription.extend(frame[2], frame[3])
      case Kind.DEAD:
        return subscription.dead(frame[2], frame[3])
      case Kind.LIMIT:
        return subscription.limit(frame[2], frame[3])
    }
  }

  /** Called by a slot whose subscription has something; it may be delivering right now. */
  enqueue(slot: Slot): void {
    this.#queue.push(slot)
    this.#host.flushSoon()
  }

  /**
   * Round robin by bytes: each gets about 16 kB, then the next. Stops when the link is full (`drained` goes on), or after 256 kB, to let the
   * others of this node have their turn.
   */
  pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    let bytes = 0
    try {
      while (this.#queue.length > 0 && bytes < maxTurnBytes && this.#host.writable) {
        const slot = this.#queue.shift()!
        slot.queued = false
        const sent = slot.pump(quantumBytes)
        bytes += sent
        if (sent > 0 && !slot.queued && !slot.closed) {
          slot.queued = true
          this.#queue.push(slot)
        }
      }
    } finally {
      this.#pumping = false
    }
    if (this.#queue.length > 0 && this.#host.writable) this.#host.flushSoon()
  }

  /** A subscription that cannot go on. */
  failed(slot: Slot, error: unknown): void {
    if (slot.closed) return
    const fault = faultOf(error)
    if (fault.code === 50001)
      this.#host.shared.logger.error('subscription failed', { session: this.#host.id, sid: slot.sid, error: String(error) })
    this.#host.send(errFrame(0, fault, { sid: slot.sid }))
    void this.close(slot.sid)
  }

  tooSlow(slot: Slot): void {
    this.#host.disconnect(CloseCode.SLOW, closeReason(CloseCode.SLOW, `subscription ${slot.sid} was not read for too long`))
  }

  send(frame: ServerFrame): void {
    this.#host.send(frame)
  }

  #forget(slot: Slot): void {
    if (this.#slots.get(slot.sid) === slot) this.#slots.delete(slot.sid)
  }

  #end(slot: Slot): Promise<void> {
    const closing = slot.end().catch((error: unknown) => {
      const { logger } = this.#host.shared
      logger.warn('subscription not closed cleanly', { session: this.#host.id, sid: slot.sid, why: faultOf(error).text })
    })
    this.#closing.add(closing)
    void closing.then(() => this.#closing.delete(closing))
    return closing
  }
}

/** Names, topics and rights of a subscription. Throws RefusedError. */
export function checkSpec(host: Pick<SessionHost, 'principal'>, spec: SubSpec): void {
  if (spec.topics.length === 0) throw refuse(40000, 'a subscription needs at least one topic')
  if (spec.topics.length > maxTopicsPerSub) throw refuse(40000, `a subscription may have ${maxTopicsPerSub} topics`)
  for (const [topic, filterType] of spec.topics) {
    checkName('topic', topic, checkTopic)
    if (isSystemTopic(topic)) throw refuse(40390, `topic ${topic} is RocketMQ's own; clients do not subscribe to it`)
    if (filterType === 2) throw refuse(50101, 'SQL92 filters are not supported by this bridge; filter by tags')
  }
  if (new Set(spec.topics.map(([topic]) => topic)).size < spec.topics.length)
    throw refuse(40000, 'a topic stands twice in one subscription; join its tags with ||')
  if (spec.mode === 'group') checkGroupSpec(spec)
  if (!allowed(host, spec)) throw refuse(40390, deniedText(spec), { hint: 'ask for a token with this topic and group in `sub`' })
}

function checkGroupSpec(spec: SubSpec): void {
  if (spec.group === undefined) throw refuse(40000, 'a subscription in group mode needs a group')
  checkName('group', spec.group, checkGroup)
  if (isSystemGroup(spec.group)) throw refuse(40390, `group ${spec.group} is RocketMQ's own; choose another name`)
  if (spec.leaseMs !== undefined && !(spec.leaseMs >= minLeaseMs && spec.leaseMs <= maxLeaseMs))
    throw refuse(40015, `a lease of ${spec.leaseMs} ms was asked for; it must be ${minLeaseMs} to ${maxLeaseMs} ms`)
}

const allowed = (host: Pick<SessionHost, 'principal'>, spec: SubSpec): boolean =>
  spec.topics.every(([topic]) =>
    allows(
      host.principal.scopes,
      spec.mode === 'group' ? { type: 'group', topic, group: spec.group ?? '' } : { type: 'broadcast', topic },
    ),
  )

const deniedText = (spec: SubSpec): string => {
  const topics = spec.topics.map(([topic]) => topic).join(', ')
  return spec.mode === 'group'
    ? `the token does not allow group ${spec.group ?? ''} to read topic ${topics}`
    : `the token does not allow reading topic ${topics} as a broadcast (that needs a scope for all groups: \`*\`)`
}

/** For the closing of parts after a change of rights. */
export const scopeLost = {
  code: 40390,
  text: 'the new token does not allow this any more',
  outcome: errorOf(40390)!.outcome,
}
