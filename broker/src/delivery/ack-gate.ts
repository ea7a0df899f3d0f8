import { ResponseCode, type Clock, type Peer, type Reply, type Timer } from '@cometmq/remoting'
import type { PutResult, Store } from '../store/types.ts'

const MUST_BE_SYNCED = 1
const BARE = 2

/** What a send's answer needs besides the put result. */
export interface SendAnswer {
  /** As the client knows it: of a delayed message the real one. */
  queueId: number
  /** UNIQ_KEY; '' for none. */
  transactionId: string
  /** Wait for the disk (SYNC_FLUSH and WAIT not false), else for the write. */
  mustBeSynced: boolean
}

export interface AckGateOptions {
  store: Pick<Store, 'onProgress' | 'onRollback'>
  clock: Clock
  /** Message id of the record at a position (`offsetMessageIdsOf` the store host). */
  messageIdOf: (physicalOffset: number) => string
  /** MSG_REGION and TRACE_ON of every send answer, asked for each time. */
  config: { readonly regionId: string; readonly traceOn: boolean }
  /** Answers waiting at the same time; the next send is refused with code 2. Default 100 000. */
  maxWaitingReplies?: number
  /** Log bytes appended and not yet written; the next send is refused with code 2. Default 256 MiB. */
  maxUnwrittenBytes?: number
  /** Java: syncFlushTimeout, default 5000. After it the answer is code 10 with the full header. */
  timeoutMs?: number
  /** Log position when the gate is made, so that unwritten bytes count from there. */
  startPosition?: number
}

/**
 * Holds back the answers of sends until the log has them (spec store, 5.6). First in, first out: the log is written in
 * order, so answers wait in a ring of parallel arrays, in position order, and no object or closure exists per message.
 */
export class AckGate {
  readonly #messageIdOf: (physicalOffset: number) => string
  readonly #config: { readonly regionId: string; readonly traceOn: boolean }
  readonly #clock: Clock
  /** Limit of `waiting`. */
  readonly maxWaiting: number
  readonly #maxUnwrittenBytes: number
  readonly #timeoutMs: number

  /** Longest time from append to answer so far, ms. */
  longestWaitMs = 0

  #capacity = 1024
  #head = 0
  #count = 0
  #peers: (Peer | null)[] = new Array<Peer | null>(1024).fill(null)
  #opaques = new Int32Array(1024)
  #starts = new Float64Array(1024)
  #ends = new Float64Array(1024)
  #queueIds = new Int32Array(1024)
  #queueOffsets = new Float64Array(1024)
  #deadlines = new Float64Array(1024)
  #kinds = new Uint8Array(1024)
  #transactionIds: string[] = new Array<string>(1024).fill('')
  /** Ids of a batch, ready made; '' for a single message, whose id is made from its start when it is answered. */
  #batchIds: string[] = new Array<string>(1024).fill('')

  #appended: number
  #written: number
  #timer: Timer | null = null
  #whenEmpty: (() => void)[] = []

  constructor(options: AckGateOptions) {
    this.#messageIdOf = options.messageIdOf
    this.#config = options.config
    this.#clock = options.clock
    this.maxWaiting = options.maxWaitingReplies ?? 100_000
    this.#maxUnwrittenBytes = options.maxUnwrittenBytes ?? 256 * 1024 * 1024
    this.#timeoutMs = options.timeoutMs ?? 5000
    this.#appended = this.#written = options.startPosition ?? 0
    options.store.onProgress((written, synced) => this.#release(written, synced))
    options.store.onRollback((position, reason) => this.#rollBack(position, reason))
  }

  /** Answers that wait for the log. */
  get waiting(): number {
    return this.#count
  }

  /** How long the oldest waiting answer has waited, ms; 0 when none waits. */
  get headWaitMs(): number {
    if (this.#count === 0) return 0
    return Math.max(0, Math.round(this.#clock.monotonic() - (this.#deadlines[this.#head]! - this.#timeoutMs)))
  }

  /** Why no more may be appended now, or null. Ask before `store.append`. */
  overloaded(): string | null {
    if (this.#count >= this.maxWaiting) {
      return `[OVERLOAD] ${this.#count} sends wait for the commit log, the limit is ${this.maxWaiting}; send slower or to another broker`
    }
    const unwritten = this.#appended - this.#written
    if (unwritten < this.#maxUnwrittenBytes) return null
    return `[OVERLOAD] ${unwritten} bytes wait to be written, the limit is ${this.#maxUnwrittenBytes}; the disk is slower than the producers`
  }

  /** A record was appended that nobody waits for (one-way sends, delayed deliveries): it counts as unwritten only. */
  appended(endOffset: number): void {
    this.#appended = endOffset
  }

  /** The answer to a send or a batch: full header, ids made from the positions in `result`. `answer` is read at once and may be used again. */
  add(peer: Peer, opaque: number, result: PutResult, answer: SendAnswer): void {
    const at = this.#slot(peer, opaque, result.endOffset, answer.mustBeSynced ? MUST_BE_SYNCED : 0)
    this.#starts[at] = result.physicalOffset
    this.#queueIds[at] = answer.queueId
    this.#queueOffsets[at] = result.queueOffset
    this.#transactionIds[at] = answer.transactionId
    const { physicalOffsets } = result
    this.#batchIds[at] = physicalOffsets.length === 0 ? '' : this.#join(physicalOffsets)
  }

  #join(physicalOffsets: readonly number[]): string {
    let ids = this.#messageIdOf(physicalOffsets[0]!)
    for (let i = 1; i < physicalOffsets.length; i++) ids += ',' + this.#messageIdOf(physicalOffsets[i]!)
    return ids
  }

  /** A plain success without header (36), once `end` is written. */
  addBare(peer: Peer, opaque: number, end: number): void {
    const at = this.#slot(peer, opaque, end, BARE)
    this.#transactionIds[at] = ''
    this.#batchIds[at] = ''
  }

  /** Resolves when no answer waits any more. */
  drained(): Promise<void> {
    if (this.#count === 0) return Promise.resolve()
    return new Promise(resolve => this.#whenEmpty.push(resolve))
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #slot(peer: Peer, opaque: number, end: number, kind: number): number {
    if (this.#count === this.#capacity) this.#grow()
    const at = (this.#head + this.#count) & (this.#capacity - 1)
    this.#count++
    this.#peers[at] = peer
    this.#opaques[at] = opaque
    this.#ends[at] = end
    this.#kinds[at] = kind
    this.#deadlines[at] = this.#clock.monotonic() + this.#timeoutMs
    this.#appended = end
    this.#timer ??= this.#clock.setTimeout(this.#onTimer, this.#timeoutMs)
    return at
  }

  #release(written: number, synced: number): void {
    this.#written = written
    if (this.#count > 0) this.longestWaitMs = Math.max(this.longestWaitMs, this.headWaitMs)
    while (this.#count > 0) {
      const at = this.#head
      const reached = (this.#kinds[at]! & MUST_BE_SYNCED) !== 0 ? synced : written
      if (this.#ends[at]! > reached) break
      this.#answerHead(ResponseCode.SUCCESS)
    }
    this.#notifyEmpty()
  }

  #rollBack(position: number, reason: string): void {
    let doomed = 0
    while (doomed < this.#count && this.#ends[(this.#head + this.#count - 1 - doomed) & (this.#capacity - 1)]! > position)
      doomed++
    const first = this.#count - doomed
    const reply: Reply = {
      code: ResponseCode.SERVICE_NOT_AVAILABLE,
      remark: reason,
      ext: { MSG_REGION: this.#config.regionId, TRACE_ON: String(this.#config.traceOn) },
    }
    for (let i = first; i < first + doomed; i++) {
      const at = (this.#head + i) & (this.#capacity - 1)
      const peer = this.#peers[at]!
      this.#peers[at] = null
      peer.respond(this.#opaques[at]!, reply)
    }
    this.#count = first
    this.#appended = Math.min(this.#appended, position)
    this.#notifyEmpty()
  }

  readonly #onTimer = (): void => {
    this.#timer = null
    const now = this.#clock.monotonic()
    while (this.#count > 0 && this.#deadlines[this.#head]! <= now) this.#answerHead(ResponseCode.FLUSH_DISK_TIMEOUT)
    if (this.#count > 0) this.#timer = this.#clock.setTimeout(this.#onTimer, Math.max(1, this.#deadlines[this.#head]! - now))
    this.#notifyEmpty()
  }

  #answerHead(code: number): void {
    const at = this.#head
    const peer = this.#peers[at]!
    this.#peers[at] = null
    this.#head = (at + 1) & (this.#capacity - 1)
    this.#count--
    if (peer.closed) return
    if ((this.#kinds[at]! & BARE) !== 0) {
      peer.respond(
        this.#opaques[at]!,
        code === ResponseCode.SUCCESS ? BARE_SUCCESS : { code: ResponseCode.SYSTEM_ERROR, remark: this.#timeoutRemark() },
      )
      return
    }
    const batchIds = this.#batchIds[at]!
    const transactionId = this.#transactionIds[at]!
    const msgId = batchIds === '' ? this.#messageIdOf(this.#starts[at]!) : batchIds
    const queueId = String(this.#queueIds[at]!)
    const queueOffset = String(this.#queueOffsets[at]!)
    const region = this.#config.regionId
    const trace = this.#config.traceOn ? 'true' : 'false'
    const ext =
      transactionId === ''
        ? { msgId, queueId, queueOffset, MSG_REGION: region, TRACE_ON: trace }
        : { msgId, queueId, queueOffset, transactionId, MSG_REGION: region, TRACE_ON: trace }
    peer.respond(this.#opaques[at]!, { code, remark: code === ResponseCode.SUCCESS ? null : this.#timeoutRemark(), ext })
  }

  #timeoutRemark(): string {
    return `FLUSH_DISK_TIMEOUT: the message is in the log's memory but the disk did not confirm it within ${this.#timeoutMs} ms`
  }

  #notifyEmpty(): void {
    if (this.#count > 0 || this.#whenEmpty.length === 0) return
    for (const resolve of this.#whenEmpty.splice(0)) resolve()
  }

  #grow(): void {
    const old = this.#capacity
    const order = Array.from({ length: old }, (_, i) => (this.#head + i) & (old - 1))
    const numbers = <T extends Int32Array | Float64Array | Uint8Array>(from: T, into: T): T => {
      for (let i = 0; i < old; i++) into[i] = from[order[i]!]!
      return into
    }
    const values = <T>(from: T[], filler: T): T[] => [...order.map(i => from[i] as T), ...new Array<T>(old).fill(filler)]
    this.#capacity = old * 2
    this.#peers = values(this.#peers, null)
    this.#transactionIds = values(this.#transactionIds, '')
    this.#batchIds = values(this.#batchIds, '')
    this.#opaques = numbers(this.#opaques, new Int32Array(old * 2))
    this.#queueIds = numbers(this.#queueIds, new Int32Array(old * 2))
    this.#starts = numbers(this.#starts, new Float64Array(old * 2))
    this.#ends = numbers(this.#ends, new Float64Array(old * 2))
    this.#queueOffsets = numbers(this.#queueOffsets, new Float64Array(old * 2))
    this.#deadlines = numbers(this.#deadlines, new Float64Array(old * 2))
    this.#kinds = numbers(this.#kinds, new Uint8Array(old * 2))
    this.#head = 0
  }
}

const BARE_SUCCESS: Reply = { code: ResponseCode.SUCCESS, remark: null }
