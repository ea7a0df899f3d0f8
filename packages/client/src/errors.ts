import { errorOf } from '@cometmq/protocol'

export type Code = `COMET_${Uppercase<string>}`
export type Outcome = 'not-executed' | 'unknown' | 'partial'

export interface BridgeErrorOptions {
  readonly outcome?: Outcome
  /** ms */
  readonly retryAfter?: number
  readonly hint?: string
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

  constructor(status: number, text: string, options: BridgeErrorOptions = {}) {
    super(text, options.cause === undefined ? undefined : { cause: options.cause })
    const info = errorOf(status)
    this.name = 'BridgeError'
    this.status = status
    this.code = `COMET_${info?.name ?? 'UNKNOWN'}` as C
    this.retryable = info?.retryable ?? false
    this.outcome = options.outcome ?? info?.outcome ?? 'unknown'
    if (options.retryAfter !== undefined) this.retryAfter = options.retryAfter
    if (options.hint !== undefined) this.hint = options.hint
    if (info) this.docs = `docs/errors.md#${info.code}`
  }

  static is<const X extends Code>(error: unknown, ...codes: X[]): error is BridgeError<X> {
    return error instanceof BridgeError && (codes.length === 0 || (codes as Code[]).includes((error as BridgeError).code))
  }
}
