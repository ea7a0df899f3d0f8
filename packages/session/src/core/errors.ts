import { ClusterError, type ClusterErrorCode, type SendStatus } from '@cometmq/cluster'
import { type ErrDetails, type ErrFrame, errorOf, Kind, type Outcome, type Receipt, type ReceiptExtra } from '@cometmq/protocol'
import { RefusedError } from '../principal.ts'

/** What a client is told about a failure. */
export interface Fault {
  readonly code: number
  readonly text: string
  readonly outcome: Outcome
  readonly retryAfter?: number
  readonly hint?: string
}

const codeOfCluster: Readonly<Record<ClusterErrorCode, number>> = {
  E_NO_NAME_SERVER: 50391,
  E_NO_ROUTE: 40402,
  E_NO_QUEUE: 50391,
  E_NO_BROKER: 50391,
  E_CONNECT: 50391,
  E_CLOSED: 50391,
  E_TIMEOUT: 50400,
  E_OVERLOADED: 42900,
  E_ABORTED: 49990,
  E_BUSY: 42900,
  E_STORE: 50392,
  E_PERMISSION: 40390,
  E_TOPIC_NOT_FOUND: 40402,
  E_GROUP_NOT_FOUND: 40403,
  E_NOT_FOUND: 40401,
  E_OFFLINE: 40400,
  E_MESSAGE: 40000,
  E_ARGUMENT: 40000,
  E_UNSUPPORTED: 50101,
  E_PROTOCOL: 50001,
  E_BROKER: 50001,
}

/** How long a client should stay away from a broker that is throttled, ms. */
const throttledMs = 200

export function faultOf(error: unknown): Fault {
  if (error instanceof ClusterError) {
    const code = codeOfCluster[error.code]
    const fault = { code, text: `${error.message}: ${error.why}`, outcome: error.outcome, hint: error.whatToDo }
    return code === 42900 ? { ...fault, retryAfter: throttledMs } : fault
  }
  if (error instanceof RefusedError) {
    const { outcome, retryAfter, hint } = error.details
    return {
      code: error.code,
      text: error.message,
      outcome: outcome ?? errorOf(error.code)?.outcome ?? 'unknown',
      ...(retryAfter === undefined ? {} : { retryAfter }),
      ...(hint === undefined ? {} : { hint }),
    }
  }
  return { code: 50001, text: 'the bridge failed at this request; its log says why', outcome: 'unknown' }
}

/** A refusal by this session: nothing was done. */
export const refuse = (code: number, text: string, details: ErrDetails = {}): RefusedError =>
  new RefusedError(code, text, details)

export function errFrame(rid: number, fault: Fault, part: { sid?: number; pid?: number } = {}): ErrFrame {
  const { code, text, outcome, retryAfter, hint } = fault
  const name = errorOf(code)?.name
  const details: ErrDetails = {
    ...(name === undefined ? {} : { name }),
    outcome,
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(hint === undefined ? {} : { hint }),
    ...part,
  }
  return [Kind.ERR, rid, code, text, details]
}

export function failedReceipt(rid: number, fault: Fault): Receipt {
  const { code, text, outcome, retryAfter } = fault
  const extra: ReceiptExtra = { text, outcome, ...(retryAfter === undefined ? {} : { retryAfter }) }
  return [rid, code, null, 0, 0, extra]
}

/** Stored, but without what the broker had to wait for (spec remoting 3.2: response codes 10, 11, 12). */
export const statusFaults: Readonly<Record<SendStatus, Fault | undefined>> = {
  SEND_OK: undefined,
  FLUSH_DISK_TIMEOUT: {
    code: 50401,
    text: 'the broker has taken the message, but its disk did not confirm it in time; it is lost only if the machine fails now',
    outcome: 'unknown',
  },
  SLAVE_NOT_AVAILABLE: {
    code: 50402,
    text: 'the broker has stored the message, but no replica of it was there',
    outcome: 'unknown',
  },
  FLUSH_SLAVE_TIMEOUT: {
    code: 50402,
    text: 'the broker has stored the message, but its replica did not confirm it in time',
    outcome: 'unknown',
  },
}

/** A close reason: `<code> <short text>`, at most 123 bytes. */
export function closeReason(code: number, text: string): string {
  const full = `${code} ${text}`
  if (Buffer.byteLength(full) <= 123) return full
  let cut = Buffer.from(full).subarray(0, 120).toString('utf8')
  if (cut.endsWith('\ufffd')) cut = cut.slice(0, -1)
  return cut
}
