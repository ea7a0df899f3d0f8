import {
  type CryptoKey,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  jwtVerify,
  type JWTVerifyOptions,
  type KeyObject,
} from 'jose'
import { codeOf } from '@cometmq/protocol'
import { type Authenticate, type ClientContext, everything, type Principal, RefusedError } from '@cometmq/session'
import { principalOf } from './claims.ts'
import { KeysUnreachable, type TokenKeys } from './keys.ts'

export interface VerifyOptions {
  readonly keys: TokenKeys
  readonly issuer?: string
  readonly audience?: string
  /** Default 5. */
  readonly toleranceSeconds?: number
  /** Epoch ms. */
  readonly now: () => number
}

const algorithms = ['HS256', 'RS256', 'ES256', 'EdDSA'] as const
const maxTokenChars = 8192

/** Clients without a token may do everything: for development on loopback. */
export const anonymous: Authenticate = () => everything

/** Verifies JSON web tokens. Nothing of a token is ever part of an error or a log. */
export function tokenAuthentication(options: VerifyOptions): Authenticate {
  const verifyOptions = {
    algorithms: [...algorithms],
    clockTolerance: options.toleranceSeconds ?? 5,
    ...(options.issuer !== undefined && { issuer: options.issuer }),
    ...(options.audience !== undefined && { audience: options.audience }),
  }
  return async (token: string | undefined, context: ClientContext): Promise<Principal> => {
    if (token === undefined || token === '') throw refused('TOKEN_MISSING', 'a token is needed')
    if (token.length > maxTokenChars) throw refused('TOKEN_REFUSED', `the token is longer than ${maxTokenChars} characters`)
    const payload = await verified(token, options.keys, { ...verifyOptions, currentDate: new Date(options.now()) })
    const { principal, client } = principalOf(payload)
    // A browser always sends its origin, which was checked before; without one, only a token for servers is good.
    if (context.origin === undefined && client !== 'server')
      throw refused('ORIGIN_DENIED', 'a client that sends no Origin needs a token with `client: "server"`')
    return principal
  }
}

async function verified(token: string, keys: TokenKeys, options: JWTVerifyOptions): Promise<JWTPayload> {
  let symmetric: boolean
  try {
    symmetric = decodeProtectedHeader(token).alg === 'HS256'
  } catch {
    throw refused('TOKEN_REFUSED', 'the token is no JSON web token')
  }
  // A public key must never be taken for a secret: each kind of algorithm meets its own kind of key only.
  const tries = symmetric ? keys.secrets : keys.sets
  let failure: unknown = refused('TOKEN_REFUSED', `no key for ${symmetric ? 'HS256' : 'public-key'} tokens is configured`)
  for (const key of tries) {
    try {
      return await oneKey(token, key, options)
    } catch (error) {
      failure = error
      if (!mayFitAnother(error)) break
    }
  }
  throw explained(failure)
}

type Key = TokenKeys['sets'][number] | TokenKeys['secrets'][number]

async function oneKey(token: string, key: Key, options: JWTVerifyOptions): Promise<JWTPayload> {
  if (typeof key !== 'function') return (await jwtVerify(token, key, options)).payload
  try {
    return (await jwtVerify(token, key, options)).payload
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
    let failure: unknown = error
    for await (const candidate of error as AsyncIterable<CryptoKey | KeyObject>) {
      try {
        return (await jwtVerify(token, candidate, options)).payload
      } catch (inner) {
        failure = inner
        if (!(inner instanceof errors.JWSSignatureVerificationFailed)) break
      }
    }
    throw failure
  }
}

const mayFitAnother = (error: unknown): boolean =>
  error instanceof errors.JWSSignatureVerificationFailed ||
  error instanceof errors.JWKSNoMatchingKey ||
  error instanceof KeysUnreachable

function explained(error: unknown): RefusedError {
  if (error instanceof RefusedError) return error
  if (error instanceof errors.JWTExpired) return refused('TOKEN_EXPIRED', 'the token has expired')
  if (error instanceof errors.JWTClaimValidationFailed)
    return error.claim === 'nbf'
      ? refused('TOKEN_NOT_YET_VALID', 'the token is not valid yet: check the clocks')
      : refused('TOKEN_REFUSED', `the token's claim \`${error.claim}\` is not what this bridge accepts`)
  if (error instanceof KeysUnreachable)
    return new RefusedError(codeOf('INTERNAL'), error.message, { outcome: 'not-executed', retryAfter: 5000 })
  return refused('TOKEN_REFUSED', 'the token is not signed by a key this bridge knows')
}

const refused = (name: string, text: string): RefusedError => new RefusedError(codeOf(name), text)
