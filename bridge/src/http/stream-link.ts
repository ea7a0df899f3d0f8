import type { Clock } from '@cometmq/cluster'
import { type DeliverFrame, type Entry, type ErrFrame, type Frame, Kind, type WelcomeFrame } from '@cometmq/protocol'
import type { ClientEnd, ClientLink, Fault } from '@cometmq/session'
import { codeOf, errorOf } from '@cometmq/protocol'
import { type ResponseStream } from '../engine/types.ts'
import { type Flushable, flushLater } from '../turn.ts'
import { messageOf } from './messages.ts'
import { problemBody } from './reply.ts'
import { type StreamCursor } from './stream-cursor.ts'

export interface StreamParts {
  readonly topics: readonly string[]
  readonly cursor: StreamCursor
  readonly clock: Clock
  /** 0 to 1. */
  readonly random: () => number
  /** The subscriptions are open: begins the answer. */
  readonly begin: (first: string) => ResponseStream
  /** They are not. */
  readonly refuse: (fault: Fault) => void
  /** Nothing more is to come. */
  readonly ended: () => void
}

/** Messages sent and not told to the session as taken. */
const maxUntaken = 1_024
/** Characters that wait for the end of the turn. */
const maxPendingChars = 256 * 1024
/** After which a browser reconnects. */
const retryMs = 1_000

let lastId = 0
/** An entry goes to many streams: it becomes JSON once. */
const texts = new WeakMap<Entry, string>()

/** A client of a session whose frames leave as server-sent events: one subscription for each topic, sid = its index and 1. */
export class StreamLink implements ClientLink, Flushable {
  readonly id = --lastId
  readonly #parts: StreamParts
  #end: ClientEnd | undefined
  #stream: ResponseStream | undefined
  /** What was wrong with HELLO or one of its subscriptions. */
  #fault: Fault | undefined
  #pending: string[] = []
  #pendingChars = 0
  /** Index in `#pending` of the last event that may carry the id. */
  #lastEvent = -1
  #isMoved = false
  #isWaiting = false
  /** The network takes nothing now. */
  #isBlocked = false
  #isOver = false
  #pings: number[] = []
  /** By sid: delivered, and told as taken. */
  readonly #delivered: number[]
  readonly #taken: number[]

  constructor(parts: StreamParts) {
    this.#parts = parts
    this.#delivered = parts.topics.map(() => 0)
    this.#taken = parts.topics.map(() => 0)
  }

  start(end: ClientEnd): void {
    this.#end = end
  }

  get bufferedBytes(): number {
    return this.#pendingChars
  }

  get writable(): boolean {
    return !this.#isBlocked && this.#pendingChars < maxPendingChars
  }

  send(frame: Frame): void {
    if (this.#isOver) return
    switch (frame[0]) {
      case Kind.WELCOME:
        return this.#welcome(frame)
      case Kind.ERR:
        return this.#error(frame)
      case Kind.DELIVER:
        return this.#deliver(frame)
      case Kind.GAP: {
        const [, sid, queue, from, to, cause] = frame
        this.#parts.cursor.moved(sid - 1, queue, to)
        return this.#event('gap', { topic: this.#parts.topics[sid - 1]!, queue, from, to, cause })
      }
      case Kind.SUBINFO: {
        const { queues } = frame[2]
        if (queues !== undefined) this.#parts.cursor.known(frame[1] - 1, queues)
        this.#isMoved ||= queues !== undefined
        return this.#soon()
      }
      case Kind.PING:
        this.#pings.push(frame[1])
        return this.#soon()
      case Kind.GOAWAY:
        this.#parts.clock.setTimeout(() => this.leave(), this.#parts.random() * frame[4])
        return
      default:
        return
    }
  }

  /** By the session. */
  close(code: number, reason: string): void {
    if (this.#isOver) return
    if (this.#stream === undefined) {
      this.#parts.refuse(this.#fault ?? faultOfReason(reason))
    } else {
      this.#event('end', { code, reason })
      this.flush()
    }
    this.#finish()
  }

  /** From this side: the client is gone, or should come again. */
  leave(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#end?.frame([Kind.BYE, 0])
    this.#end?.closed()
    this.#isOver = false
    this.#finish()
  }

  flush(): void {
    this.#isWaiting = false
    if (this.#isOver || this.#stream === undefined) return
    const pings = this.#pings
    this.#pings = []
    // A comment: it keeps proxies and browsers from giving up.
    if (pings.length > 0 && this.#pending.length === 0) this.#pending.push(': \n\n')
    this.#mark()
    if (this.#pending.length > 0 && !this.#write()) return
    if (this.#isBlocked) {
      // A reader that takes nothing until the session gives up is gone.
      this.#pings = pings
      return
    }
    for (const n of pings) this.#end?.frame([Kind.PONG, n])
    this.#delivered.forEach((last, index) => this.#take(index, last))
  }

  /** False: it did not go, and what was lost must not go unnoticed. */
  #write(): boolean {
    const text = this.#pending.join('')
    this.#pending = []
    this.#pendingChars = 0
    const result = this.#stream!.write(text)
    if (result === 'queued') this.#isBlocked = true
    if (result !== 'dropped') return true
    this.leave()
    return false
  }

  /** Where the reader is after this: the id of the last event, or of none. */
  #mark(): void {
    if (!this.#isMoved) return
    this.#isMoved = false
    const id = `id: ${this.#parts.cursor.seal()}\n`
    if (this.#lastEvent < 0) this.#pending.push(`${id}\n`)
    else this.#pending[this.#lastEvent] = id + this.#pending[this.#lastEvent]!
    this.#lastEvent = -1
  }

  #take(index: number, last: number): void {
    if (last - this.#taken[index]! < maxUntaken) return
    this.#end?.frame([Kind.ACK, index + 1, [this.#taken[index]! + 1, last]])
    this.#taken[index] = last
  }

  #welcome([, , { results }]: WelcomeFrame): void {
    const bad = results.find((result): result is ErrFrame => result[0] === Kind.ERR)
    if (bad !== undefined) {
      this.#parts.refuse(faultOfFrame(bad))
      // Not within the session's own call.
      this.#parts.clock.setTimeout(() => this.leave(), 0)
      return
    }
    this.#stream = this.#parts.begin(`retry: ${retryMs}\n\n`)
    this.#stream.onDrain(() => {
      this.#isBlocked = false
      if (this.#isOver) return
      this.#soon()
      this.#end?.drained()
    })
  }

  /** Of HELLO, or of a subscription that cannot go on: then the stream ends. */
  #error(frame: ErrFrame): void {
    const fault = faultOfFrame(frame)
    this.#fault = fault
    if (this.#stream === undefined) return
    this.#event('problem', problemBody(fault))
    if (frame[4].sid !== undefined) this.#parts.clock.setTimeout(() => this.leave(), 0)
  }

  #deliver([, sid, firstSeq, entries]: DeliverFrame): void {
    const { topics, cursor } = this.#parts
    const topicIx = sid - 1
    for (const entry of entries) {
      let text = texts.get(entry)
      if (text === undefined) texts.set(entry, (text = `data: ${JSON.stringify(messageOf(entry, topics[topicIx]!, false))}\n\n`))
      this.#add(text)
      cursor.moved(topicIx, entry[1], entry[2] + 1)
    }
    this.#delivered[topicIx] = firstSeq + entries.length - 1
  }

  #event(name: string, value: object): void {
    this.#add(`event: ${name}\ndata: ${JSON.stringify(value)}\n\n`)
  }

  #add(text: string): void {
    this.#lastEvent = this.#pending.push(text) - 1
    this.#pendingChars += text.length
    this.#isMoved = true
    this.#soon()
  }

  #soon(): void {
    if (this.#isWaiting || this.#isOver) return
    this.#isWaiting = true
    flushLater(this)
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#pending = []
    this.#stream?.end()
    this.#parts.ended()
  }
}

const faultOfFrame = ([, , code, text, details]: ErrFrame): Fault => ({
  code,
  text,
  outcome: details.outcome ?? 'not-executed',
  ...(details.retryAfter === undefined ? {} : { retryAfter: details.retryAfter }),
  ...(details.hint === undefined ? {} : { hint: details.hint }),
})

/** `<code> <text>`; a close code of the socket says nothing here. */
function faultOfReason(reason: string): Fault {
  const [, code, text] = /^(\d{5}) (.*)$/.exec(reason) ?? []
  const known = code === undefined ? undefined : errorOf(Number(code))
  return { code: known?.code ?? codeOf('DRAINING'), text: text ?? reason, outcome: 'not-executed', retryAfter: 1_000 }
}
