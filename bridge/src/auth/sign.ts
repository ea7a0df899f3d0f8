import { createPrivateKey, type KeyObject } from 'node:crypto'
import { SignJWT } from 'jose'
import { secretOf } from './keys.ts'

/** Content of the claim `cmq` (docs/security.md). */
export interface TokenRights {
  readonly pub?: readonly string[]
  readonly sub?: readonly (string | { readonly topic: string; readonly group: string })[]
  readonly tx?: boolean
  readonly delayMax?: number
  readonly priorityMax?: number
  readonly recall?: boolean
  readonly inspect?: boolean
  readonly rate?: number
  readonly conns?: number
  readonly where?: Readonly<Record<string, string | readonly string[]>>
  readonly client?: 'server'
}

export interface NewToken {
  readonly subject: string
  readonly rights: TokenRights
  readonly ttlSeconds: number
  readonly issuer?: string
  readonly audience?: string
  /** Epoch ms. */
  readonly now: number
}

/** Makes a token: with a secret (HS256), or a private key as PEM (RS256, ES256, EdDSA). For development and tests. */
export async function signToken(keyText: string, keyName: string, token: NewToken): Promise<string> {
  const { key, alg } = signingKey(keyText.trim(), keyName)
  const seconds = Math.floor(token.now / 1000)
  const jwt = new SignJWT({ cmq: token.rights })
    .setProtectedHeader({ alg })
    .setSubject(token.subject)
    .setIssuedAt(seconds)
    .setExpirationTime(seconds + token.ttlSeconds)
  if (token.issuer !== undefined) jwt.setIssuer(token.issuer)
  if (token.audience !== undefined) jwt.setAudience(token.audience)
  return jwt.sign(key)
}

const algorithmOf: Readonly<Record<string, string>> = { rsa: 'RS256', ec: 'ES256', ed25519: 'EdDSA' }

function signingKey(text: string, name: string): { key: KeyObject; alg: string } {
  if (!text.startsWith('-----BEGIN')) return { key: secretOf(text, name), alg: 'HS256' }
  const key = createPrivateKey(text)
  const alg = algorithmOf[key.asymmetricKeyType ?? '']
  if (alg === undefined) throw new Error(`${name} is a key of type ${key.asymmetricKeyType}; use RSA, P-256 or Ed25519`)
  return { key, alg }
}
