/** First item of every frame (spec bridge, section 3). Kinds 0–127 must be understood; 128–255 may be ignored. */
export const Kind = {
  HELLO: 1,
  WELCOME: 2,
  AUTH: 3,
  AUTHREQ: 4,
  PING: 5,
  PONG: 6,
  GOAWAY: 7,
  BYE: 8,
  OK: 9,
  ERR: 10,
  CANCEL: 11,
  FRAG: 12,
  POPEN: 16,
  SEND: 17,
  SENDB: 18,
  RECEIPT: 19,
  PLIMIT: 20,
  TXEND: 21,
  TXCHECK: 22,
  TXSTATE: 23,
  RECALL: 24,
  SUB: 32,
  DELIVER: 33,
  ACK: 34,
  NACK: 35,
  EXTEND: 36,
  DEAD: 37,
  ACKED: 38,
  LIMIT: 39,
  UNSUB: 40,
  SUBINFO: 41,
  GAP: 42,
  SEEK: 43,
  LEASE: 44,
  REQ: 48,
  REP: 49,
  RESP: 50,
  PRES: 56,
  PRESEV: 57,
  QUERY: 64,
} as const
export type Kind = (typeof Kind)[keyof typeof Kind]

/** Bits of the `flags` field of SEND, SENDB and of a delivered entry. */
export const Flag = {
  /** No receipt is wanted (SEND, SENDB). */
  oneway: 1,
  /** The body is zlib data (`CompressionStream('deflate')`); it is stored and delivered as it is. */
  compressed: 2,
  /** A half message of a transaction (SEND). */
  half: 4,
  /** The body is UTF-8 text. */
  text: 8,
  /** Sent before under the same id with unknown outcome; a second copy may exist. On an entry: this copy may be the second. */
  resent: 16,
  /** SENDB: all entries in one broker batch, all or nothing. */
  atomic: 32,
} as const

/** Keys of the `meta` map of a message. */
export const MetaKey = {
  tag: 1,
  keys: 2,
  props: 3,
  group: 4,
  delayMs: 5,
  deliverAt: 6,
  priority: 7,
  /** Application's id, for recognising repetitions. */
  clientId: 8,
  traceparent: 9,
  replyTo: 10,
  correlation: 11,
  expiresMs: 12,
  contentType: 13,
  recallHandle: 14,
} as const
