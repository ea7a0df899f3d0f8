import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, SignJWT } from 'jose'
import { afterEach, describe, expect, it } from 'vitest'
import { type Principal, RefusedError } from '@cometmq/session'
import { joinKeys, keysOfText, keysOfUrl, type NewToken, signToken, tokenAuthentication } from '../../src/auth/index.ts'

const now = Date.UTC(2030, 0, 1)
const seconds = now / 1000
const browser = { address: '127.0.0.1', origin: 'https://app.example' }
const server = { address: '127.0.0.1' }
const secretText = randomBytes(32).toString('base64url')
const pems = {
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ec: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ed25519: generateKeyPairSync('ed25519'),
}
const pem = (kind: keyof typeof pems, half: 'publicKey' | 'privateKey'): string =>
  pems[kind][half].export({ type: half === 'publicKey' ? 'spki' : 'pkcs8', format: 'pem' }).toString()

const token = (changes: Partial<NewToken> = {}, key = secretText): Promise<string> =>
  signToken(key, 'key', { subject: 'alice', rights: { pub: ['orders-*'] }, ttlSeconds: 60, now, ...changes })

const authentication = async (texts: readonly string[], more: { issuer?: string; audience?: string } = {}) =>
  tokenAuthentication({ keys: joinKeys(await Promise.all(texts.map(text => keysOfText(text, 'key')))), now: () => now, ...more })

async function refusal(work: Principal | Promise<Principal>): Promise<RefusedError> {
  const error = await Promise.resolve(work).then(
    () => new Error('accepted'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(RefusedError)
  return error as RefusedError
}

describe('tokens', () => {
  it('accepts HS256, RS256, ES256 and EdDSA, each by its own key among several', async () => {
    const authenticate = await authentication([
      secretText,
      ...(['rsa', 'ec', 'ed25519'] as const).map(kind => pem(kind, 'publicKey')),
    ])
    for (const key of [secretText, pem('rsa', 'privateKey'), pem('ec', 'privateKey'), pem('ed25519', 'privateKey')]) {
      const principal = await authenticate(await token({}, key), browser)
      expect(principal.subject).toBe('alice')
      expect(principal.expiresAt).toBe(now + 60_000)
      expect(principal.scopes.publish).toEqual(['orders-*'])
      expect(principal.scopes.subscribe).toEqual([])
    }
  })

  it('tries every secret and every key of a set without key ids', async () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const set = JSON.stringify({ keys: [await exportJWK(other.publicKey), await exportJWK(pems.ec.publicKey)] })
    const authenticate = await authentication([randomBytes(32).toString('hex'), secretText, set])
    expect((await authenticate(await token(), browser)).subject).toBe('alice')
    expect((await authenticate(await token({}, pem('ec', 'privateKey')), browser)).subject).toBe('alice')
  })

  it('does not take a public key for a secret', async () => {
    const authenticate = await authentication([pem('rsa', 'publicKey')])
    const forged = await new SignJWT({ cmq: {} })
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject('eve')
      .sign(Buffer.from(pem('rsa', 'publicKey')))
    expect((await refusal(authenticate(forged, browser))).code).toBe(40193)
  })

  it('refuses `alg: none`', async () => {
    const authenticate = await authentication([secretText])
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    expect((await refusal(authenticate(`${part({ alg: 'none' })}.${part({ sub: 'eve', cmq: {} })}.`, browser))).code).toBe(40193)
  })

  it.each([
    ['no token', async () => undefined, 40190],
    ['expired', () => token({ now: now - 120_000 }), 40191],
    [
      'not yet valid',
      async () =>
        new SignJWT({ cmq: {} })
          .setProtectedHeader({ alg: 'HS256' })
          .setSubject('a')
          .setNotBefore(seconds + 60)
          .sign(Buffer.from(secretText, 'base64url')),
      40192,
    ],
    ['another key', () => token({}, randomBytes(32).toString('base64url')), 40193],
    ['no token at all but text', async () => 'hello', 40193],
    ['too long', async () => 'x'.repeat(9000), 40193],
    ['a right that is not known', () => token({ rights: { publish: ['*'] } as never }), 40193],
    ['a pattern that is no text', () => token({ rights: { pub: [7] } as never }), 40193],
    ['no subject', () => token({ subject: '' }), 40193],
  ])('refuses %s', async (_what, make, code) => {
    const authenticate = await authentication([secretText])
    const text = await make()
    const error = await refusal(authenticate(text, browser))
    expect(error.code).toBe(code)
    if (text !== undefined && text.length > 10) expect(error.message).not.toContain(text.slice(0, 10))
  })

  it('checks issuer and audience', async () => {
    const authenticate = await authentication([secretText], { issuer: 'https://login', audience: 'bridge' })
    expect((await authenticate(await token({ issuer: 'https://login', audience: 'bridge' }), browser)).subject).toBe('alice')
    expect((await refusal(authenticate(await token({ issuer: 'https://other', audience: 'bridge' }), browser))).code).toBe(40193)
    expect((await refusal(authenticate(await token(), browser))).code).toBe(40193)
  })

  it('needs a token for servers where there is no origin', async () => {
    const authenticate = await authentication([secretText])
    expect((await refusal(authenticate(await token(), server))).code).toBe(40391)
    expect((await authenticate(await token({ rights: { client: 'server' } }), server)).subject).toBe('alice')
  })

  it('reads `where` as texts or lists', async () => {
    const authenticate = await authentication([secretText])
    const { where } = await authenticate(await token({ rights: { where: { tenant: 'a', region: ['eu', 'us'] } } }), browser)
    expect(where).toEqual({ tenant: ['a'], region: ['eu', 'us'] })
    expect((await refusal(authenticate(await token({ rights: { where: { tenant: [] } } }), browser))).code).toBe(40193)
  })
})

describe('key files', () => {
  it.each([
    ['a private key', pem('rsa', 'privateKey')],
    ['a short secret', randomBytes(8).toString('base64url')],
    ['anything else', 'not a key at all!'],
    ['broken JSON', '{"keys":'],
  ])('refuses %s and says what is wrong', async (_what, text) => {
    await expect(keysOfText(text, 'the file')).rejects.toThrow(/the file/)
  })
})

describe('a key set behind an address', () => {
  let http: Server | undefined
  afterEach(() => http?.close())

  it('is fetched once, again for an unknown key only after a pause, and not at all right after a failure', async () => {
    let requests = 0
    let works = true
    const keys = [{ ...(await exportJWK(pems.ec.publicKey)), kid: 'one', alg: 'ES256' }]
    http = createServer((_request, response) => {
      requests++
      if (!works) response.statusCode = 500
      response.end(JSON.stringify({ keys }))
    })
    await new Promise<void>(resolve => http!.listen(0, '127.0.0.1', resolve))
    const url = new URL(`http://127.0.0.1:${(http.address() as AddressInfo).port}/jwks`)
    const signed = (kid: string): Promise<string> =>
      new SignJWT({ cmq: {} }).setProtectedHeader({ alg: 'ES256', kid }).setSubject('alice').sign(pems.ec.privateKey)
    let clock = 0
    const authenticate = tokenAuthentication({ keys: keysOfUrl(url, () => clock), now: () => now })
    expect((await authenticate(await signed('one'), browser)).subject).toBe('alice')
    expect((await authenticate(await signed('one'), browser)).subject).toBe('alice')
    expect((await refusal(authenticate(await signed('two'), browser))).code).toBe(40193)
    expect(requests).toBe(1)

    works = false
    const fresh = tokenAuthentication({ keys: keysOfUrl(url, () => clock), now: () => now })
    const first = await refusal(fresh(await signed('one'), browser))
    expect(first.code).toBe(50001)
    await refusal(fresh(await signed('one'), browser))
    expect(requests).toBe(2)
    works = true
    clock += 6000
    expect((await fresh(await signed('one'), browser)).subject).toBe('alice')
  })
})
