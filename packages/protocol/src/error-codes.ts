/** What became of the request. */
import type { Outcome } from './frames.ts'

/** One line of the catalogue (spec bridge, section 6). */
export interface ErrorInfo {
  readonly code: number
  /** Without the prefix: `COMET_` + name is the `code` of an error in the SDKs. */
  readonly name: string
  readonly retryable: boolean
  readonly outcome: Outcome
}

const row = (code: number, name: string, retryable: boolean, outcome: Outcome): ErrorInfo => ({ code, name, retryable, outcome })

/** RocketMQ 5's published status numbers unchanged; the bridge's own are nn90–nn99 of each family. */
export const errorTable: readonly ErrorInfo[] = [
  row(40000, 'BAD_REQUEST', false, 'not-executed'),
  row(40002, 'ILLEGAL_TOPIC', false, 'not-executed'),
  row(40003, 'ILLEGAL_TAG', false, 'not-executed'),
  row(40004, 'ILLEGAL_KEY', false, 'not-executed'),
  row(40005, 'ILLEGAL_MESSAGE_GROUP', false, 'not-executed'),
  row(40006, 'ILLEGAL_PROPERTY_KEY', false, 'not-executed'),
  row(40007, 'INVALID_TRANSACTION_ID', false, 'not-executed'),
  row(40009, 'ILLEGAL_FILTER', false, 'not-executed'),
  row(40010, 'INVALID_RECEIPT', false, 'not-executed'),
  row(40011, 'KIND_MISMATCH', false, 'not-executed'),
  row(40012, 'ILLEGAL_DELAY', false, 'not-executed'),
  row(40015, 'ILLEGAL_LEASE', false, 'not-executed'),
  row(40016, 'ILLEGAL_OFFSET', false, 'not-executed'),
  row(40090, 'BAD_FRAME', false, 'not-executed'),
  row(40091, 'UNKNOWN_PART', false, 'not-executed'),
  row(40092, 'SCHEMA', false, 'not-executed'),
  row(40190, 'TOKEN_MISSING', false, 'not-executed'),
  row(40191, 'TOKEN_EXPIRED', true, 'not-executed'),
  row(40192, 'TOKEN_NOT_YET_VALID', true, 'not-executed'),
  row(40193, 'TOKEN_REFUSED', false, 'not-executed'),
  row(40390, 'SCOPE_DENIED', false, 'not-executed'),
  row(40391, 'ORIGIN_DENIED', false, 'not-executed'),
  row(40392, 'FILTER_FIXED', false, 'not-executed'),
  row(40400, 'NOT_FOUND', false, 'not-executed'),
  row(40401, 'MESSAGE_NOT_FOUND', false, 'not-executed'),
  row(40402, 'TOPIC_NOT_FOUND', false, 'not-executed'),
  row(40403, 'GROUP_NOT_FOUND', false, 'not-executed'),
  row(40490, 'LEASE_LOST', false, 'not-executed'),
  row(40890, 'HELLO_LATE', true, 'not-executed'),
  row(40891, 'TIMEOUT', true, 'unknown'),
  row(40990, 'SESSION_TAKEN', false, 'not-executed'),
  row(40991, 'RESUME_REFUSED', true, 'not-executed'),
  row(40992, 'ORDERED_GROUP_BUSY', true, 'not-executed'),
  row(41301, 'BODY_TOO_LARGE', false, 'not-executed'),
  row(41302, 'PROPERTIES_TOO_LARGE', false, 'not-executed'),
  row(41390, 'FRAME_TOO_LARGE', false, 'not-executed'),
  row(42900, 'BROKER_THROTTLED', true, 'not-executed'),
  row(42990, 'CONNECTION_RATE', true, 'not-executed'),
  row(42991, 'LIMIT_OVERRUN', false, 'not-executed'),
  row(42992, 'TOO_MANY_CONNECTIONS', true, 'not-executed'),
  row(42993, 'TOO_MANY_PARTS', false, 'not-executed'),
  row(49990, 'CANCELLED', false, 'unknown'),
  row(50001, 'INTERNAL', true, 'unknown'),
  row(50101, 'NOT_SUPPORTED', false, 'not-executed'),
  row(50390, 'DRAINING', true, 'not-executed'),
  row(50391, 'BROKER_UNREACHABLE', true, 'unknown'),
  row(50392, 'STORE_REFUSED', true, 'not-executed'),
  row(50400, 'BROKER_TIMEOUT', true, 'unknown'),
  row(50401, 'PERSISTENCE_TIMEOUT', true, 'unknown'),
  row(50402, 'REPLICA_TIMEOUT', true, 'unknown'),
  // Only inside an SDK: never on the wire.
  row(60000, 'CLOSED', false, 'not-executed'),
  row(60001, 'OFFLINE', true, 'not-executed'),
  row(60002, 'WINDOW_FULL', true, 'not-executed'),
  row(60003, 'CONNECTION_LOST', true, 'unknown'),
  row(60004, 'INVALID_ARGUMENT', false, 'not-executed'),
  row(60005, 'UNSUPPORTED_RUNTIME', false, 'not-executed'),
  row(60006, 'PARTIAL', false, 'partial'),
]

export const errorOf = (code: number): ErrorInfo | undefined => errorTable.find(info => info.code === code)

/** Code by name. Throws for a name that is not in the table: a fault of ours. */
export function codeOf(name: string): number {
  const info = errorTable.find(entry => entry.name === name)
  if (!info) throw new Error(`no error code is named ${name}`)
  return info.code
}
