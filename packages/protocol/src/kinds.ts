import * as flags from './flag.ts'
import * as kinds from './kind.ts'

/** First item of every frame, by name. */
export const Kind: typeof kinds = /* @__PURE__ */ Object.assign({}, kinds)
export type Kind = (typeof kinds)[keyof typeof kinds]

/** Bits of `flags`, by name. */
export const Flag: typeof flags = /* @__PURE__ */ Object.assign({}, flags)

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
