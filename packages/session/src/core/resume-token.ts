import { createCipheriv, createDecipheriv } from 'node:crypto'

/** What a resume token says. It proves nothing but itself: the client must still authenticate as the same subject. */
export interface ResumeClaims {
  /** 20 hex digits. */
  readonly session: string
  readonly epoch: number
  readonly subject: string
  readonly node: string
  /** When it was sealed, epoch ms. */
  readonly iat: number
}

const ivBytes = 12
const tagBytes = 16
const maxTokenCharacters = 4096
const purpose = Buffer.from('cometmq.v1 resume')

/** AES-256-GCM under `key`: base64url of nonce, tag and ciphertext. */
export function sealToken(key: Uint8Array, claims: ResumeClaims, iv: Uint8Array): string {
  const cipher = createCipheriv('aes-256-gcm', key, iv.subarray(0, ivBytes))
  cipher.setAAD(purpose)
  const { session, epoch, subject, node, iat } = claims
  const text = cipher.update(JSON.stringify([session, epoch, subject, node, iat]), 'utf8')
  const sealed = Buffer.concat([text, cipher.final()])
  return Buffer.concat([iv.subarray(0, ivBytes), cipher.getAuthTag(), sealed]).toString('base64url')
}

/** Undefined for everything that was not sealed with this key. */
export function openToken(key: Uint8Array, token: string): ResumeClaims | undefined {
  if (token.length > maxTokenCharacters) return undefined
  const bytes = Buffer.from(token, 'base64url')
  if (bytes.length <= ivBytes + tagBytes) return undefined
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, ivBytes))
    decipher.setAAD(purpose)
    decipher.setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes))
    const text = Buffer.concat([decipher.update(bytes.subarray(ivBytes + tagBytes)), decipher.final()]).toString('utf8')
    const [session, epoch, subject, node, iat] = JSON.parse(text) as [string, number, string, string, number]
    return { session, epoch, subject, node, iat }
  } catch {
    return undefined
  }
}
