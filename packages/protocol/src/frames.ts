import type * as Kind from './kind.ts'

/**
 * The frames of `cometmq.v1` as TypeScript tuples. A frame is one array, one MessagePack value, one binary WebSocket message.
 * Trailing items that are absent are left out; unknown trailing items are ignored. Times: epoch ms. Durations: ms.
 */

/** `[]` and maps hold only what the codec knows: null, boolean, number, string, Uint8Array, arrays and maps of these. */
export type Value =
  null | undefined | boolean | number | string | Uint8Array | readonly Value[] | { readonly [key: string]: Value } | Encoded

/** Bytes that already are a MessagePack value; the encoder copies them as they are. */
export interface Encoded {
  readonly encoded: Uint8Array
}

/** Keys: `MetaKey`. */
export interface Meta {
  readonly [key: number]: Value
  /** tag */
  readonly 1?: string
  /** keys */
  readonly 2?: readonly string[]
  /** props */
  readonly 3?: Readonly<Record<string, string>>
  /** message group */
  readonly 4?: string
  /** delayMs */
  readonly 5?: number
  /** deliverAt */
  readonly 6?: number
  /** priority */
  readonly 7?: number
  /** the application's id */
  readonly 8?: string
  readonly 9?: string
  readonly 10?: string
  readonly 11?: string
  /** expiresMs */
  readonly 12?: number
  /** content type */
  readonly 13?: string
  /** recall handle */
  readonly 14?: string
}

export type Outcome = 'not-executed' | 'unknown' | 'partial'
export interface ErrDetails {
  /** Name of the code in the catalogue. */
  readonly name?: string
  /** ms */
  readonly retryAfter?: number
  readonly outcome?: Outcome
  readonly hint?: string
  readonly detail?: string
  /** Subscription or producer the error is about, where rid is 0. */
  readonly sid?: number
  readonly pid?: number
}

/** 'normal' | 'fifo' | 'delay' | 'transaction' | 'priority' */
export interface ProducerSpec {
  readonly kind: string
  readonly group?: string
  readonly schemaHash?: string
}
export type PopenArgs = readonly [rid: number, pid: number, topic: string, spec: ProducerSpec]

/** filterType: 0 everything, 1 tags (`A || B`), 2 SQL92. */
export type SubTopic = readonly [topic: string, filterType: 0 | 1 | 2, expression: string]
/** Where reading starts when the group has no offset (group) or always (broadcast). */
export type SubStart =
  | 'latest'
  | 'earliest'
  | { readonly at: number }
  /** Broadcast: next offset per queue; queues not listed start at the earliest when they are younger than the cursor, else at the latest. */
  | { readonly cursor: readonly CursorItem[] }
export type CursorItem = readonly [topic: string, broker: string, queueId: number, nextOffset: number]
export interface SubSpec {
  readonly mode: 'group' | 'broadcast'
  readonly group?: string
  readonly topics: readonly SubTopic[]
  readonly ordered?: boolean
  readonly start?: SubStart
  readonly leaseMs?: number
  readonly slow?: 'pause' | 'drop-oldest' | 'latest-per-key' | 'disconnect'
  /** Cumulative delivery allowance at the start: [maxSeq, maxBytes]. */
  readonly limit: readonly [count: number, bytes: number]
}
export type SubArgs = readonly [rid: number, sid: number, spec: SubSpec]

export interface HelloOptions {
  /** 1 */
  readonly proto: number
  /** For example `web/0.1.0`. */
  readonly sdk: string
  /** For example `chromium`, `workerd`, `node`. */
  readonly runtime: string
  /** The token; absent where the bridge allows anonymous clients. */
  readonly auth?: string
  /** From an earlier WELCOME or PONG, and per open subscription the last seq received without a gap. */
  readonly resume?: { readonly token: string; readonly subs: readonly (readonly [sid: number, lastSeq: number])[] }
  /** Wanted heartbeat interval. */
  readonly hb?: number
  /** Largest frame this client takes, bytes. */
  readonly maxFrame: number
  /** Everything that is open in the SDK; of a hot session only what it does not have is opened. */
  readonly producers?: readonly PopenArgs[]
  readonly subs?: readonly SubArgs[]
}

export interface Limits {
  /** Bytes of a frame; larger ones are cut into FRAG. */
  readonly maxFrame: number
  /** Bytes of a message body. */
  readonly maxBody: number
  /** Bytes of a message's properties together. */
  readonly maxProperties: number
  readonly maxSubs: number
  readonly maxProducers: number
}

export interface WelcomeInfo {
  /** 20 hex digits, upper case: the first part of every message id of this session. */
  readonly session: string
  readonly epoch: number
  readonly node: string
  readonly resumeToken: string
  /** 0 none, 1 cold, 2 hot. */
  readonly resumed: 0 | 1 | 2
  /** Why not hot, when the client asked for a resume. */
  readonly resumeCause?: string
  readonly now: number
  /** Interval of pings in outbound silence, and how long any frame may take after one. */
  readonly hb: number
  readonly pong: number
  readonly limits: Limits
  /** Milliseconds the token is still good for; absent when it does not end. */
  readonly tokenTtl?: number
  readonly features: readonly string[]
  /** One OK or ERR frame for each item of HELLO's `producers`, then of its `subs`. */
  readonly results: readonly (OkFrame | ErrFrame)[]
}

/** Result of POPEN: the cumulative allowance, counted anew from this POPEN (not after a hot resume). */
export interface PopenResult {
  readonly limit: readonly [maxCount: number, maxBytes: number]
  /** Hot resume: what was accepted since POPEN. Oneway messages that were lost with the old socket are not in it, and count no more. */
  readonly accepted?: readonly [count: number, bytes: number]
}
/** Result of SUB. */
export interface SubResult {
  /** The lease that was granted (group). */
  readonly leaseMs?: number
  /** Hot resume: how many deliveries follow again with their old seq. */
  readonly redelivered?: number
}

/** code 0 is success; else a code of the error catalogue. msgId null: `messageIdOf(session, rid)`. */
export type Receipt = readonly [
  rid: number,
  code: number,
  msgId: string | null,
  queue: number,
  offset: number,
  extra?: ReceiptExtra,
]
export interface ReceiptExtra {
  readonly text?: string
  readonly outcome?: Outcome
  readonly retryAfter?: number
  readonly recall?: string
  readonly duplicate?: boolean
  readonly txId?: string
}

/** attempt: 1 is the first delivery. */
export type Entry = readonly [
  topicIx: number,
  queue: number,
  offset: number,
  msgId: string,
  bornMs: number,
  attempt: number,
  flags: number,
  meta: Meta,
  body: Uint8Array,
]

/** Pairs `lo, hi`, both inclusive, ascending. */
export type Ranges = readonly number[]

export type HelloFrame = readonly [typeof Kind.HELLO, rid: number, options: HelloOptions]
export type WelcomeFrame = readonly [typeof Kind.WELCOME, rid: number, info: WelcomeInfo]
export type AuthFrame = readonly [typeof Kind.AUTH, rid: number, token: string]
export type AuthreqFrame = readonly [typeof Kind.AUTHREQ, reason: 'expiring' | 'revoked', deadlineMs: number]
/** `position`: frames received so far on this socket, of those kinds that the other end keeps for a resume. */
export type PingFrame = readonly [typeof Kind.PING, n: number, position?: number]
/** A bridge puts the newest resume token behind its answer when it changed. */
export type PongFrame = readonly [typeof Kind.PONG, n: number, position?: number, resumeToken?: string]
export type GoawayFrame = readonly [typeof Kind.GOAWAY, code: number, graceMs: number, url: string | null, spreadMs: number]
export type ByeFrame = readonly [typeof Kind.BYE, mode: 0 | 1]
export type OkFrame = readonly [typeof Kind.OK, rid: number, result?: Value]
export type ErrFrame = readonly [typeof Kind.ERR, rid: number, code: number, text: string, details: ErrDetails]
export type CancelFrame = readonly [typeof Kind.CANCEL, rid: number]
export type FragFrame = readonly [typeof Kind.FRAG, fragId: number, index: number, last: boolean, bytes: Uint8Array]
export type PopenFrame = readonly [typeof Kind.POPEN, ...PopenArgs]
export type SendFrame = readonly [typeof Kind.SEND, rid: number, pid: number, flags: number, meta: Meta, body: Uint8Array]
/** Entry i has the request id rid + i, and a receipt of its own. */
export type SendbFrame = readonly [
  typeof Kind.SENDB,
  rid: number,
  pid: number,
  flags: number,
  entries: readonly (readonly [meta: Meta, body: Uint8Array, flags?: number])[],
]
export type ReceiptFrame = readonly [typeof Kind.RECEIPT, receipts: readonly Receipt[]]
export type PlimitFrame = readonly [typeof Kind.PLIMIT, pid: number, maxCount: number, maxBytes: number]
export type TxendFrame = readonly [typeof Kind.TXEND, rid: number, txId: string, decision: 1 | 2]
export type TxcheckFrame = readonly [
  typeof Kind.TXCHECK,
  checkId: number,
  pid: number,
  txId: string,
  msgId: string,
  meta: Meta,
  attempt: number,
]
export type TxstateFrame = readonly [typeof Kind.TXSTATE, checkId: number, state: 0 | 1 | 2]
export type RecallFrame = readonly [typeof Kind.RECALL, rid: number, pid: number, handle: string]
export type SubFrame = readonly [typeof Kind.SUB, ...SubArgs]
/** `topicBase` (default 0) is added to the topicIx of each entry: entries are encoded once for subscriptions with different lists. */
export type DeliverFrame = readonly [
  typeof Kind.DELIVER,
  sid: number,
  firstSeq: number,
  entries: readonly Entry[],
  topicBase?: number,
]
/** Group: settles. Broadcast: has been taken by the application; moves the cursor. */
export type AckFrame = readonly [typeof Kind.ACK, sid: number, ranges: Ranges, confirm?: boolean]
export type NackFrame = readonly [typeof Kind.NACK, sid: number, ranges: Ranges, afterMs: number | null, reason?: string]
export type ExtendFrame = readonly [typeof Kind.EXTEND, sid: number, ranges: Ranges, ms: number]
export type DeadFrame = readonly [typeof Kind.DEAD, sid: number, ranges: Ranges, reason: string]
/** Only for acks with `confirm`. `failed`: their lease was lost before. */
export type AckedFrame = readonly [typeof Kind.ACKED, sid: number, ranges: Ranges, failed?: Ranges]
export type LimitFrame = readonly [typeof Kind.LIMIT, sid: number, maxSeq: number, maxBytes: number]
/** mode 0: at once, unacknowledged messages are released; 1: no more deliveries, acks go on until mode 0. */
export type UnsubFrame = readonly [typeof Kind.UNSUB, rid: number, sid: number, mode: 0 | 1]
export interface SubInfo {
  readonly state: 'running' | 'paused' | 'slow' | 'retrying'
  /** Broadcast: what `queue` of an entry means, and where reading starts. Group: the queues of the topics. */
  readonly queues?: readonly (readonly [queue: number, topic: string, broker: string, queueId: number, nextOffset: number])[]
  readonly lag?: number
  readonly ageMs?: number
  readonly detail?: string
}
export type SubinfoFrame = readonly [typeof Kind.SUBINFO, sid: number, info: SubInfo]
/** Offsets `from` (inclusive) to `to` (exclusive) of a queue are not delivered. */
export type GapFrame = readonly [typeof Kind.GAP, sid: number, queue: number, from: number, to: number, cause: string]
export type SeekTarget = 'earliest' | 'latest' | { readonly at: number } | { readonly queue: number; readonly offset: number }
export type SeekFrame = readonly [typeof Kind.SEEK, rid: number, sid: number, target: SeekTarget]
export type LeaseFrame = readonly [typeof Kind.LEASE, sid: number, ranges: Ranges]
export type ReqFrame = readonly [typeof Kind.REQ, rid: number, pid: number, timeoutMs: number, meta: Meta, body: Uint8Array]
export type RepFrame = readonly [typeof Kind.REP, rid: number, more: boolean, meta: Meta, body: Uint8Array]
export type RespFrame = readonly [typeof Kind.RESP, sid: number, seq: number, meta: Meta, body: Uint8Array]
/** what: `lag` {sid} → {messages, ageMs}; `message` {topic, id}; `key` {topic, key}; `dead` {group}. Needs the scope `inspect`, except lag. */
export type QueryFrame = readonly [typeof Kind.QUERY, rid: number, what: string, args: { readonly [key: string]: Value }]

export type ClientFrame =
  | HelloFrame
  | AuthFrame
  | PingFrame
  | PongFrame
  | ByeFrame
  | CancelFrame
  | FragFrame
  | PopenFrame
  | SendFrame
  | SendbFrame
  | TxendFrame
  | TxstateFrame
  | RecallFrame
  | SubFrame
  | AckFrame
  | NackFrame
  | ExtendFrame
  | DeadFrame
  | LimitFrame
  | UnsubFrame
  | SeekFrame
  | ReqFrame
  | RespFrame
  | QueryFrame

export type ServerFrame =
  | WelcomeFrame
  | AuthreqFrame
  | PingFrame
  | PongFrame
  | GoawayFrame
  | OkFrame
  | ErrFrame
  | FragFrame
  | ReceiptFrame
  | PlimitFrame
  | TxcheckFrame
  | DeliverFrame
  | AckedFrame
  | SubinfoFrame
  | GapFrame
  | LeaseFrame
  | RepFrame

export type Frame = ClientFrame | ServerFrame
