import { checkGroup, checkTopic, type MessageQueue, type SendItem } from '@cometmq/cluster'
import {
  CloseCode,
  Flag,
  Kind,
  messageIdOf,
  type PopenArgs,
  type PopenResult,
  type Receipt,
  type SendbFrame,
  type SendFrame,
} from '@cometmq/protocol'
import { closeReason, failedReceipt, type Fault, refuse } from './errors.ts'
import { raiseDelayMs } from './limits.ts'
import { isFault, itemOf, type MessageRules, type ProducerKind } from './message.ts'
import { SessionProducer } from './producer.ts'
import type { Principal } from '../principal.ts'
import { forgottenText, type Rids } from './rids.ts'
import { allows } from './scopes.ts'
import { type RunOwner, SendRun } from './send-run.ts'
import type { SessionHost } from './shared.ts'
import { isSystemGroup, isSystemTopic } from './system-names.ts'

/** The producers of one session, and the receipts it owes. */
export class Publishing implements RunOwner {
  readonly #host: SessionHost
  readonly #rids: Rids
  readonly #producers = new Map<number, SessionProducer>()
  readonly #opening = new Map<number, Promise<PopenResult>>()
  #receipts: Receipt[] = []
  #touched: SessionProducer[] = []
  #raiseTimer: { cancel(): void } | undefined
  #ended = false

  constructor(host: SessionHost, rids: Rids) {
    this.#host = host
    this.#rids = rids
  }

  has(pid: number): boolean {
    return this.#producers.has(pid) || this.#opening.has(pid)
  }

  /** Hot resume: the window goes on. A producer that is just being opened is waited for. */
  resumed(pid: number): PopenResult | Promise<PopenResult> {
    const producer = this.#producers.get(pid)
    if (!producer) return this.#opening.get(pid)!
    return { limit: producer.raised(), accepted: [producer.acceptedCount, producer.acceptedBytes] }
  }

  open(args: PopenArgs, signal: AbortSignal): Promise<PopenResult> {
    const pid = args[1]
    if (this.has(pid)) return Promise.reject(refuse(40000, `producer ${pid} is open already; numbers are never used again`))
    const opening = this.#open(args, signal).finally(() => {
      if (this.#opening.get(pid) === opening) this.#opening.delete(pid)
    })
    this.#opening.set(pid, opening)
    return opening
  }

  /** Permission, kind and topic are checked here once, not with each message. */
  async #open(args: PopenArgs, signal: AbortSignal): Promise<PopenResult> {
    const [, pid, topic, spec] = args
    const { limits, cluster } = this.#host.shared
    checkName('topic', topic, checkTopic)
    if (spec.group !== undefined) {
      checkName('group', spec.group, checkGroup)
      if (isSystemGroup(spec.group)) throw refuse(40390, `group ${spec.group} is RocketMQ's own; choose another name`)
    }
    this.#checkRight(topic)
    const kind = kindOf(spec.kind)
    if (this.#producers.size + this.#opening.size >= limits.maxProducers) throw tooMany(limits.maxProducers)
    await cluster.routes.forPublishing(topic, { signal })
    // The token may have been changed meanwhile, and the session be over.
    this.#checkRight(topic)
    if (signal.aborted || this.#ended) throw refuse(50390, 'the session has ended')
    const window = { count: limits.publishWindowMessages, bytes: limits.publishWindowBytes }
    const producer = new SessionProducer(pid, topic, kind, window)
    this.#producers.set(pid, producer)
    return { limit: [producer.limitCount, producer.limitBytes] }
  }

  close(pid: number): void {
    this.#opening.delete(pid)
    this.#producers.delete(pid)
  }

  /** Those of `open` that are not in `wanted` were closed while the client was away. */
  closeAllBut(wanted: ReadonlySet<number>): void {
    for (const pid of this.#producers.keys()) if (!wanted.has(pid)) this.#producers.delete(pid)
  }

  /** New scopes: numbers of the producers that are not allowed any more; they are closed. */
  closeForbidden(): number[] {
    const lost: number[] = []
    for (const producer of this.#producers.values())
      if (!allows(this.#host.principal.scopes, { type: 'publish', topic: producer.topic })) lost.push(producer.pid)
    for (const pid of lost) this.#producers.delete(pid)
    return lost
  }

  send(frame: SendFrame, refused: Fault | undefined): void {
    const [, rid, pid, flags, meta, body] = frame
    const producer = this.#producers.get(pid)
    const oneway = (flags & Flag.oneway) !== 0
    if (!producer) return this.#noProducer(rid, 1, pid, oneway)
    if (!this.#isNew(rid, producer, oneway)) return
    if (!this.#accept(producer, 1, body.length)) return
    const item = refused ?? itemOf(this.#rules(producer), flags, meta, body, messageIdOf(this.#host.id, rid))
    if (isFault(item)) return this.answered(producer, failedReceipt(rid, item), body.length, oneway)
    const items = [item]
    this.#host.shared.sender.submit(items, new SendRun(this, producer, oneway, items, rid))
  }

  sendBatch(frame: SendbFrame, refused: Fault | undefined): void {
    const [, rid, pid, flags, entries] = frame
    const count = entries.length
    if (count === 0) return
    // No window is that large; nothing is looked at or answered one by one.
    if (count > this.#host.shared.limits.publishWindowMessages) return this.#overrun(pid)
    const producer = this.#producers.get(pid)
    const oneway = (flags & Flag.oneway) !== 0
    if (!producer) return this.#noProducer(rid, count, pid, oneway)
    const fresh = this.#freshEntries(rid, entries, producer, oneway)
    const total = fresh ? fresh.length : count
    if (total === 0) return
    let bytes = 0
    for (let n = 0; n < total; n++) bytes += entries[fresh ? fresh[n]! : n]![1].length
    if (!this.#accept(producer, total, bytes)) return
    const rules = this.#rules(producer)
    const items: SendItem[] = []
    const bad: { index: number; fault: Fault }[] = []
    // Only when something was left out: else request ids simply follow each other.
    let rids: number[] | undefined = fresh ? [] : undefined
    for (let n = 0; n < total; n++) {
      const index = fresh ? fresh[n]! : n
      const [meta, body, own = 0] = entries[index]!
      const item = refused ?? itemOf(rules, flags | own, meta, body, messageIdOf(this.#host.id, rid + index))
      if (isFault(item)) {
        bad.push({ index, fault: item })
        rids ??= Array.from(items, (_, before) => rid + before)
      } else {
        items.push(item)
        rids?.push(rid + index)
      }
    }
    const atomic = (flags & Flag.atomic) !== 0
    const wrong = atomic && bad.length === 0 ? atomicFault(items) : undefined
    if (atomic && (bad.length > 0 || wrong)) return this.#failAll({ producer, rid, entries, fresh, oneway }, bad, wrong)
    for (const { index, fault } of bad)
      this.answered(producer, failedReceipt(rid + index, fault), entries[index]![1].length, oneway)
    if (items.length === 0) return
    const run = new SendRun(this, producer, oneway, items, rids ?? rid)
    if (atomic) this.#host.shared.sender.submitAtomic(items, run)
    else this.#host.shared.sender.submit(items, run)
  }

  queueNumber(queue: MessageQueue): number {
    return this.#host.shared.subscriptions.numbers.of(queue.brokerName, queue.queueId)
  }

  answered(producer: SessionProducer, receipt: Receipt, bytes: number, oneway: boolean): void {
    if (this.#ended) return
    producer.answered(bytes)
    if (!oneway) {
      producer.keep(receipt)
      if (this.#host.attached) this.#receipts.push(receipt)
    }
    if (!producer.touched) {
      producer.touched = true
      this.#touched.push(producer)
    }
    this.#host.flushSoon()
  }

  /** End of a turn: everything that was answered in it, in one frame; then the windows. */
  flush(): void {
    if (this.#receipts.length > 0) {
      const receipts = this.#receipts
      this.#receipts = []
      this.#host.send([Kind.RECEIPT, receipts])
    }
    for (const producer of this.#touched) {
      producer.touched = false
      const raise = producer.raise
      if (raise === 2) this.#tell(producer)
      else if (raise === 1) this.#tellSoon()
    }
    this.#touched.length = 0
  }

  /** The socket is gone: the client will ask again for what it did not get. */
  detach(): void {
    this.#receipts = []
    this.#raiseTimer?.cancel()
    this.#raiseTimer = undefined
  }

  /** Results that are still to come go nowhere. */
  end(): void {
    this.#ended = true
    this.detach()
    this.#producers.clear()
    this.#touched.length = 0
  }

  #tell(producer: SessionProducer): void {
    if (!this.#host.attached || this.#producers.get(producer.pid) !== producer) return
    const [count, bytes] = producer.raised()
    this.#host.send([Kind.PLIMIT, producer.pid, count, bytes])
  }

  /** Less than a quarter of the window: one timer for all, so that a client that sends one by one does not get a PLIMIT for each. */
  #tellSoon(): void {
    if (this.#raiseTimer || !this.#host.attached) return
    this.#raiseTimer = this.#host.shared.clock.setTimeout(() => {
      this.#raiseTimer = undefined
      for (const producer of this.#producers.values()) if (producer.raise > 0) this.#tell(producer)
    }, raiseDelayMs)
  }

  /** Indexes of the entries to execute; undefined: all. What was seen before is answered again. */
  #freshEntries(rid: number, entries: SendbFrame[4], producer: SessionProducer, oneway: boolean): number[] | undefined {
    if (this.#rids.isNew(rid)) {
      this.#rids.note(rid, entries.length)
      return undefined
    }
    const fresh: number[] = []
    for (let index = 0; index < entries.length; index++) if (this.#isNew(rid + index, producer, oneway)) fresh.push(index)
    return fresh
  }

  /** Notes it when it is; else answers what is known of it. */
  #isNew(rid: number, producer: SessionProducer, oneway: boolean): boolean {
    if (this.#rids.isNew(rid)) {
      this.#rids.note(rid)
      return true
    }
    const known = producer.known(rid)
    if (known === 'running') return false
    if (known === undefined && this.#rids.fill(rid)) return true
    if (!oneway) this.#say(known ?? failedReceipt(rid, { code: 40991, text: forgottenText, outcome: 'unknown' }))
    return false
  }

  #say(receipt: Receipt): void {
    this.#receipts.push(receipt)
    this.#host.flushSoon()
  }

  #noProducer(rid: number, count: number, pid: number, oneway: boolean): void {
    this.#rids.note(rid, count)
    if (oneway) return
    const text = `producer ${pid} is not open in this session (never opened, refused, or closed with the token's rights)`
    for (let n = 0; n < count; n++) this.#say(failedReceipt(rid + n, { code: 40091, text, outcome: 'not-executed' }))
  }

  #accept(producer: SessionProducer, count: number, bytes: number): boolean {
    if (producer.accept(count, bytes)) {
      this.#host.shared.counters.messagesIn += count
      return true
    }
    this.#overrun(producer.pid)
    return false
  }

  #overrun(pid: number): void {
    const text = `producer ${pid} sent more than PLIMIT allows`
    this.#host.disconnect(CloseCode.LIMIT_OVERRUN, closeReason(42991, text))
  }

  #rules(producer: SessionProducer): MessageRules {
    const { limits, clock } = this.#host.shared
    return {
      topic: producer.topic,
      kind: producer.kind,
      scopes: this.#host.principal.scopes,
      maxBodyBytes: limits.maxBodyBytes,
      maxPropertyBytes: limits.maxPropertyBytes,
      now: clock.now(),
    }
  }

  /** All or nothing: the faulty ones get their own reason, the others that of their batch. */
  #failAll(batch: Batch, bad: readonly { index: number; fault: Fault }[], wrong: Fault | undefined): void {
    const { producer, rid, entries, fresh, oneway } = batch
    const text = `the batch is atomic and another of its messages was refused: ${bad[0]?.fault.text ?? ''}`
    const others: Fault = wrong ?? { code: 40000, text, outcome: 'not-executed' }
    const faults = new Map(bad.map(({ index, fault }) => [index, fault]))
    const total = fresh ? fresh.length : entries.length
    for (let n = 0; n < total; n++) {
      const index = fresh ? fresh[n]! : n
      const receipt = failedReceipt(rid + index, faults.get(index) ?? others)
      this.answered(producer, receipt, entries[index]![1].length, oneway)
    }
  }

  #checkRight(topic: string): void {
    checkPublishing(this.#host.principal, topic)
  }
}

/** Throws RefusedError when it may not send there. */
export function checkPublishing({ scopes }: Principal, topic: string): void {
  if (isSystemTopic(topic)) throw refuse(40390, `topic ${topic} is RocketMQ's own; clients do not send to it`)
  if (!allows(scopes, { type: 'publish', topic }))
    throw refuse(40390, `the token does not allow sending to topic ${topic}`, {
      hint: 'ask for a token with this topic in `pub`',
    })
}

interface Batch {
  readonly producer: SessionProducer
  readonly rid: number
  readonly entries: SendbFrame[4]
  readonly fresh: readonly number[] | undefined
  readonly oneway: boolean
}

/** A broker batch takes one order key, no delays and no compressed bodies (spec remoting 3.2). */
export function atomicFault(items: readonly SendItem[]): Fault | undefined {
  const key = items[0]!.orderKey
  if (items.some(item => item.orderKey !== key))
    return { code: 40005, text: 'all messages of an atomic batch must have the same message group', outcome: 'not-executed' }
  if (items.length > 1 && items.some(item => item.alone))
    return { code: 40000, text: 'an atomic batch cannot hold delayed or compressed messages', outcome: 'not-executed' }
  return undefined
}

function kindOf(kind: string): ProducerKind {
  if (kind === 'normal' || kind === 'fifo' || kind === 'delay') return kind
  if (kind === 'transaction' || kind === 'priority')
    throw refuse(50101, `producers of kind ${kind} are not supported by this bridge; use normal, fifo or delay`)
  throw refuse(40000, `there is no kind ${JSON.stringify(kind.slice(0, 40))} of producers; use normal, fifo or delay`)
}

const tooMany = (limit: number) => refuse(42993, `a session may have ${limit} producers; close one or share one`)

/** The cluster's own check of names, with the catalogue's code. */
export function checkName(what: 'topic' | 'group', name: string, check: (name: string) => void): void {
  try {
    check(name)
  } catch (error) {
    const why = error instanceof Error && 'why' in error ? String(error.why) : 'its name is not valid'
    throw refuse(what === 'topic' ? 40002 : 40000, `no valid ${what} name: ${why}`)
  }
}
