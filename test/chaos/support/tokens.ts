import { createHmac } from 'node:crypto'

export interface TokenRights {
  readonly subject?: string
  /** Content of the claim `cmq`, over rights that allow everything. */
  readonly cmq?: Readonly<Record<string, unknown>>
  /** 3600 */
  readonly ttlSeconds?: number
}

/** Enough for everything these tests send: limits have tests of their own. */
const generous = {
  pub: ['*'],
  sub: [{ topic: '*', group: '*' }],
  inspect: true,
  client: 'server',
  conns: 10_000,
  rate: 100_000,
}

/** A JSON Web Token, HS256 (RFC 7515). */
export async function signToken(secret: Uint8Array, { subject = 'chaos', cmq = {}, ttlSeconds = 3600 }: TokenRights) {
  const now = Date.now() / 1000
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { sub: subject, iat: Math.floor(now), exp: now + ttlSeconds, cmq: { ...generous, ...cmq } }
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`
  return Promise.resolve(`${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`)
}
