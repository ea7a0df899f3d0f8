import { type ErrFrame, errorOf } from '@cometmq/protocol'
import * as CloseCode from '@cometmq/protocol/close-code'
import { BridgeError } from '../errors.ts'
import * as Failure from './failure.ts'

/** Code in the catalogue for a close code (spec bridge, section 6). */
const byClose: Readonly<Record<number, number>> = {
  [CloseCode.TOKEN_EXPIRED]: 40191,
  [CloseCode.UNAUTHORISED]: 40193,
  [CloseCode.ORIGIN]: 40391,
  [CloseCode.PROTOCOL]: 40090,
  [CloseCode.VERSION]: 50101,
  [CloseCode.FORBIDDEN]: 40390,
  [CloseCode.TOO_LARGE]: 41390,
  [CloseCode.LIMIT_OVERRUN]: 42991,
  [CloseCode.BANNED_RATE]: 42990,
  [CloseCode.CONNECTION_QUOTA]: 42992,
}

/** A close reason is `<code> <text>`; without one, the close code says what it was. */
export function closeError(code: number, reason: string): BridgeError {
  const told = Number(reason.slice(0, 5))
  const text = `connection closed with ${code} ${reason}`
  return errorOf(told)
    ? new BridgeError(told, reason.slice(6) || text)
    : new BridgeError(byClose[code] ?? Failure.CONNECTION_LOST, text.trim())
}

export function errError([, , code, text, details]: ErrFrame): BridgeError {
  return new BridgeError(code, text, details ?? {})
}
