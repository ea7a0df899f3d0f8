import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import { createLocalJWKSet, createRemoteJWKSet, exportJWK, type JWK, type JWTVerifyGetKey } from 'jose'

/** Keys that tokens may be signed with. */
export interface TokenKeys {
  /** HS256. At least 32 bytes. */
  readonly secrets: readonly KeyObject[]
  /** RS256, ES256, EdDSA: sets of public keys. */
  readonly sets: readonly JWTVerifyGetKey[]
}

const minSecretBytes = 32
/** How often an unknown key id may make us ask again, and how old a set may be. */
const cooldownMs = 30_000
const maxAgeMs = 10 * 60_000
const fetchTimeoutMs = 5_000
/** After a failed fetch, tokens are refused for so long without asking again. */
const failurePauseMs = 5_000

/** A key that cannot be used; the text says what to give instead. */
export class KeyError extends Error {
  override readonly name = 'KeyError'
}

/**
 * Reads a key file: a public key as PEM, a JWK or JWK set as JSON, or a secret for HS256 as base64url or hex text of at least 32 bytes.
 * Private keys are refused: a bridge does not need them.
 */
export async function keysOfText(text: string, name: string): Promise<TokenKeys> {
  const content = text.trim()
  if (content.includes('PRIVATE KEY')) throw new KeyError(`${name} holds a private key; the bridge needs the public one only`)
  if (content.startsWith('-----BEGIN'))
    return { secrets: [], sets: [createLocalJWKSet({ keys: [await publicJwk(content, name)] })] }
  if (content.startsWith('{')) return jsonKeys(content, name)
  return { secrets: [secretOf(content, name)], sets: [] }
}

/** Bytes of a secret written as base64url, base64 or hex. */
export function secretOf(content: string, name: string): KeyObject {
  if (!/^[A-Za-z0-9+/_=-]+$/.test(content)) throw new KeyError(`${name} is neither PEM, JSON, nor a secret as base64url text`)
  const bytes =
    /^([0-9a-f]{2})+$/i.test(content) && content.length >= 2 * minSecretBytes
      ? Buffer.from(content, 'hex')
      : Buffer.from(content, 'base64url')
  if (bytes.length < minSecretBytes)
    throw new KeyError(
      `${name} is a secret of ${bytes.length} bytes; HS256 needs ${minSecretBytes}: try \`openssl rand -hex 32\``,
    )
  return createSecretKey(bytes)
}

const algorithmOf: Readonly<Record<string, string>> = { rsa: 'RS256', ec: 'ES256', ed25519: 'EdDSA' }

async function publicJwk(pem: string, name: string): Promise<JWK> {
  let key: KeyObject
  try {
    key = createPublicKey(pem)
  } catch {
    throw new KeyError(`${name} is no public key in PEM form`)
  }
  const alg = algorithmOf[key.asymmetricKeyType ?? '']
  if (alg === undefined) throw new KeyError(`${name} is a key of type ${key.asymmetricKeyType}; use RSA, P-256 or Ed25519`)
  return { ...(await exportJWK(key)), alg }
}

function jsonKeys(content: string, name: string): TokenKeys {
  let parsed: { keys?: JWK[] } & JWK
  try {
    parsed = JSON.parse(content) as typeof parsed
  } catch {
    throw new KeyError(`${name} is not readable JSON`)
  }
  const keys = parsed.keys ?? [parsed]
  const secrets = keys.filter(key => key.kty === 'oct').map(key => secretOf(String(key.k), name))
  const publics = keys.filter(key => key.kty !== 'oct')
  if (publics.some(key => 'd' in key)) throw new KeyError(`${name} holds a private key; the bridge needs the public one only`)
  return { secrets, sets: publics.length > 0 ? [createLocalJWKSet({ keys: publics })] : [] }
}

/** A set behind an address: kept for 10 minutes, fetched again at most every 30 s for unknown key ids, 5 s apart after failures. */
export function keysOfUrl(url: URL, monotonic: () => number): TokenKeys {
  const remote = createRemoteJWKSet(url, { cooldownDuration: cooldownMs, cacheMaxAge: maxAgeMs, timeoutDuration: fetchTimeoutMs })
  let failedAt = -Infinity
  let failure: unknown
  const set: JWTVerifyGetKey = async (header, token) => {
    if (monotonic() - failedAt < failurePauseMs) throw failure
    try {
      return await remote(header, token)
    } catch (error) {
      if (!isKeyMismatch(error)) {
        failedAt = monotonic()
        failure = new KeysUnreachable(`the key set ${url.origin}${url.pathname} could not be fetched`, { cause: error })
        throw failure
      }
      throw error
    }
  }
  return { secrets: [], sets: [set] }
}

/** The set was there, but has no such key, or several. */
const isKeyMismatch = (error: unknown): boolean => {
  const { code } = error as { code?: string }
  return code === 'ERR_JWKS_NO_MATCHING_KEY' || code === 'ERR_JWKS_MULTIPLE_MATCHING_KEYS'
}

export class KeysUnreachable extends Error {
  override readonly name = 'KeysUnreachable'
}

export const joinKeys = (all: readonly TokenKeys[]): TokenKeys => ({
  secrets: all.flatMap(keys => keys.secrets),
  sets: all.flatMap(keys => keys.sets),
})
