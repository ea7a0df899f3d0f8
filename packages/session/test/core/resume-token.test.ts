import fc from 'fast-check'
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { openToken, sealToken } from '../../src/core/resume-token.ts'

const key = randomBytes(32)
const claims = { session: 'A'.repeat(20), epoch: 3, subject: 'änna', node: 'n-1', iat: 1_700_000_000_000 }

describe('resume token', () => {
  it('says what was sealed', () => {
    expect(openToken(key, sealToken(key, claims, randomBytes(12)))).toEqual(claims)
  })
  it('is nothing under another key, or with any bit changed', () => {
    const token = sealToken(key, claims, randomBytes(12))
    expect(openToken(randomBytes(32), token)).toBeUndefined()
    const bytes = Buffer.from(token, 'base64url')
    for (let index = 0; index < bytes.length; index++) {
      const changed = Buffer.from(bytes)
      changed[index]! ^= 1
      expect(openToken(key, changed.toString('base64url'))).toBeUndefined()
    }
  })
  it('is nothing when it is shorter or any text', () => {
    const token = sealToken(key, claims, randomBytes(12))
    for (let length = 0; length < token.length - 1; length++) expect(openToken(key, token.slice(0, length))).toBeUndefined()
    fc.assert(fc.property(fc.string({ maxLength: 300 }), text => openToken(key, text) === undefined))
    expect(openToken(key, 'A'.repeat(100_000))).toBeUndefined()
  })
  it('does not show whose it is', () => {
    const token = Buffer.from(sealToken(key, claims, randomBytes(12)), 'base64url').toString('latin1')
    expect(token).not.toContain('n-1')
    expect(token).not.toContain('AAAA')
  })
})
