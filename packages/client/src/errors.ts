import { errorOf } from '@cometmq/protocol'

export type Code = `COMET_${Uppercase<string>}`
export type Outcome = 'not-executed' | 'unknown' | 'partial'

export interface BridgeErrorOptions {
  readonly outcome?: Outcome | undefined
  /** ms */
  readonly retryAfter?: number | undefined
  readonly hint?: string | undefined
  readonly cause?: unknown
}

/** The one error of the SDKs. `outcome` answers the question that matters after a failure: did it happen? */
export class BridgeError<C extends Code = Code> extends Error {
  readonly code: C
  /** The number in the catalogue. */
  readonly status: number
  readonly retryable: boolean
  /** ms */
  declare readonly retryAfter?: number
  readonly outcome: Outcome
  declare readonly hint?: string
  declare readonly docs?: string

  constructor(status: number, text: string, { cause, outcome, retryAfter, hint }: BridgeErrorOptions = {}) {
    super(text, cause === undefined ? undefined : { cause })
    const info = errorOf(status)
    this.name = 'BridgeError'
    this.status = status
    this.code = `COMET_${info?.name ?? 'UNKNOWN'}` as C
    this.retryable = info?.retryable ?? false
    this.outcome = outcome ?? info?.outcome ?? 'unknown'
    if (retryAfter !== undefined) this.retryAfter = retryAfter
    if (hint !== undefined) this.hint = hint
    if (info) this.docs = `docs/errors.md#${status}`
  }

  static is<const X extends Code>(error: unknown, ...codes: X[]): error is BridgeError<X> {
    return error instanceof BridgeError && (!codes[0] || (codes as Code[]).includes((error as BridgeError).code))
  }
}
