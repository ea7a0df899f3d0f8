import { CloseCode } from '@cometmq/protocol'
import type { ClientContext } from '../link.ts'
import type { Principal } from '../principal.ts'
import { refuse } from './errors.ts'
import type { Shared } from './shared.ts'
import { within } from './within.ts'

/** A verifier that hangs (a key server that does not answer) must not keep clients waiting for ever. */
const verifyMs = 10_000

/** Rejects with RefusedError, or whatever the verifier failed with. */
export async function verify(
  shared: Pick<Shared, 'authenticate' | 'clock'>,
  token: string | undefined,
  context: ClientContext,
): Promise<Principal> {
  const answer = shared.authenticate(token, context)
  const late = () =>
    refuse(50001, 'the token could not be verified in time; try again', { outcome: 'not-executed', retryAfter: 1_000 })
  const principal = answer instanceof Promise ? await within(shared.clock, answer, verifyMs, late) : answer
  if (principal.expiresAt <= shared.clock.now()) throw refuse(40191, 'the token has expired; get a new one')
  return principal
}

/** A new token for a session that is open: it must be the same client's. */
export async function verifyAgain(shared: Shared, token: string, context: ClientContext, subject: string): Promise<Principal> {
  const principal = await verify(shared, token, context)
  if (principal.subject !== subject)
    throw refuse(40193, 'the new token is of another subject; close the connection and open one with it')
  return principal
}

/** How a socket ends whose HELLO was refused with `code`. */
export function closeCodeOf(code: number): CloseCode {
  if (code === 40191 || code === 40192) return CloseCode.TOKEN_EXPIRED
  if (code === 40391) return CloseCode.ORIGIN
  if (code === 42992) return CloseCode.CONNECTION_QUOTA
  if (code === 50390) return CloseCode.GOING_AWAY
  if (code >= 40100 && code < 40200) return CloseCode.UNAUTHORISED
  if (code >= 40300 && code < 40400) return CloseCode.FORBIDDEN
  return CloseCode.OVERLOADED
}
