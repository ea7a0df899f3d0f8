import type { ErrDetails } from '@cometmq/protocol'
import type { ClientContext } from './link.ts'

/** Who a client is and what it may do: the content of a verified token (spec bridge, section 8). */
export interface Principal {
  readonly subject: string
  /** Epoch ms; Infinity when it does not end. */
  readonly expiresAt: number
  readonly scopes: Scopes
  /** ANDed into every subscription: properties (or TAGS) and the values allowed. Null: no restriction. */
  readonly where: Where | null
}

/** Property name → allowed values; all must hold. `TAGS` means the tag. */
export type Where = Readonly<Record<string, readonly string[]>>

export interface Scopes {
  /** Topic patterns: `*` stands for any run of characters. */
  readonly publish: readonly string[]
  readonly subscribe: readonly { readonly topic: string; readonly group: string }[]
  readonly transactions: boolean
  readonly recall: boolean
  readonly inspect: boolean
  /** ms; 0: no delayed messages. */
  readonly maxDelayMs: number
  readonly maxPriority: number
  /** Frames a second; null: the bridge's own limit. */
  readonly framesPerSecond: number | null
  /** Sockets at a time; null: the bridge's own limit. */
  readonly maxConnections: number | null
}

/** Everything is allowed: for development on loopback, and for clients in the same process. */
export const everything: Principal = {
  subject: 'anonymous',
  expiresAt: Infinity,
  where: null,
  scopes: {
    publish: ['*'],
    subscribe: [{ topic: '*', group: '*' }],
    transactions: true,
    recall: true,
    inspect: true,
    maxDelayMs: Infinity,
    maxPriority: 9,
    framesPerSecond: null,
    // All of them share one subject.
    maxConnections: Infinity,
  },
}

/** Verifies a token (undefined: the client has none). Rejects with a RefusedError: 40190–40193, 40391. */
export type Authenticate = (token: string | undefined, context: ClientContext) => Promise<Principal> | Principal

/** A refusal with a code of the catalogue. The text is shown to the client. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
  readonly code: number
  readonly details: ErrDetails
  constructor(code: number, text: string, details: ErrDetails = {}) {
    super(text)
    this.code = code
    this.details = details
  }
}
