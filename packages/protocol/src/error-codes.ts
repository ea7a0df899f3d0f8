import type { Outcome } from './frames.ts'

/** One line of the catalogue (spec bridge, section 6). */
export interface ErrorInfo {
  readonly code: number
  /** Without the prefix: `COMET_` + name is the `code` of an error in the SDKs. */
  readonly name: string
  readonly retryable: boolean
  /** What became of the request. */
  readonly outcome: Outcome
}

/**
 * RocketMQ 5's published status numbers unchanged; the bridge's own are nn90–nn99 of each family; 60000 and above exist only inside an SDK,
 * never on the wire. Behind the name: `!` retryable; `?` outcome unknown, `*` partial, else not executed. One text, not an object for
 * each line, because it is in every client.
 */
const catalogue = `
40000 BAD_REQUEST
40002 ILLEGAL_TOPIC
40003 ILLEGAL_TAG
40004 ILLEGAL_KEY
40005 ILLEGAL_MESSAGE_GROUP
40006 ILLEGAL_PROPERTY_KEY
40007 INVALID_TRANSACTION_ID
40009 ILLEGAL_FILTER
40010 INVALID_RECEIPT
40011 KIND_MISMATCH
40012 ILLEGAL_DELAY
40015 ILLEGAL_LEASE
40016 ILLEGAL_OFFSET
40090 BAD_FRAME
40091 UNKNOWN_PART
40092 SCHEMA
40190 TOKEN_MISSING
40191 TOKEN_EXPIRED !
40192 TOKEN_NOT_YET_VALID !
40193 TOKEN_REFUSED
40390 SCOPE_DENIED
40391 ORIGIN_DENIED
40392 FILTER_FIXED
40400 NOT_FOUND
40401 MESSAGE_NOT_FOUND
40402 TOPIC_NOT_FOUND
40403 GROUP_NOT_FOUND
40490 LEASE_LOST
40890 HELLO_LATE !
40891 TIMEOUT ! ?
40990 SESSION_TAKEN
40991 RESUME_REFUSED !
40992 ORDERED_GROUP_BUSY !
41301 BODY_TOO_LARGE
41302 PROPERTIES_TOO_LARGE
41390 FRAME_TOO_LARGE
42900 BROKER_THROTTLED !
42990 CONNECTION_RATE !
42991 LIMIT_OVERRUN
42992 TOO_MANY_CONNECTIONS !
42993 TOO_MANY_PARTS
49990 CANCELLED ?
50001 INTERNAL ! ?
50101 NOT_SUPPORTED
50390 DRAINING !
50391 BROKER_UNREACHABLE ! ?
50392 STORE_REFUSED !
50400 BROKER_TIMEOUT ! ?
50401 PERSISTENCE_TIMEOUT ! ?
50402 REPLICA_TIMEOUT ! ?
60000 CLOSED
60001 OFFLINE !
60002 WINDOW_FULL !
60003 CONNECTION_LOST ! ?
60004 INVALID_ARGUMENT
60005 UNSUPPORTED_RUNTIME
60006 PARTIAL *
`

const infoOf = (line: readonly string[] | null): ErrorInfo | undefined =>
  line
    ? {
        code: +line[1]!,
        name: line[2]!,
        retryable: !!line[3],
        outcome: line[4] ? (line[4] === ' ?' ? 'unknown' : 'partial') : 'not-executed',
      }
    : undefined

const find = (code: string, name: string): RegExp => new RegExp(`^(${code}) (${name})( !)?( [?*])?$`, 'gm')

export const errorOf = (code: number): ErrorInfo | undefined => infoOf(find(String(code), '\\w+').exec(catalogue))

/** All lines, ascending. */
export const errorTable = (): ErrorInfo[] => Array.from(catalogue.matchAll(find('\\d+', '\\w+')), line => infoOf(line)!)

/** Code by name. Throws for a name that is not in the table: a fault of ours. */
export function codeOf(name: string): number {
  const info = infoOf(find('\\d+', name).exec(catalogue))
  if (!info) throw new Error(`no error code is named ${name}`)
  return info.code
}
