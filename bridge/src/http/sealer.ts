import { decode, encode, type Value } from '@cometmq/protocol'
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

const saltBytes = 12
const counterBytes = 6
const tagBytes = 16
const headBytes = saltBytes + counterBytes + tagBytes
const maxTextChars = 16_384
const maxOtherKeys = 64

/**
 * Seals values that clients keep for the bridge (AES-256-GCM, base64url): nobody can read or change them, and every node with the same key
 * opens them. Each process has a salt, and with it a key of its own, so that a counter is a nonce that never comes twice.
 */
export class Sealer {
  readonly #key: Uint8Array
  readonly #purpose: Buffer
  readonly #salt = randomBytes(saltBytes)
  readonly #own: Buffer
  /** By salt, of other processes; oldest first. */
  readonly #others = new Map<string, Buffer>()
  #count = 0

  /** `purpose`: what was sealed for one is nothing for another. */
  constructor(key: Uint8Array, purpose: string) {
    this.#key = key
    this.#purpose = Buffer.from(`cometmq.v1 ${purpose}`)
    this.#own = this.#derive(this.#salt)
  }

  seal(value: Value): string {
    const nonce = Buffer.alloc(12)
    nonce.writeUIntBE(++this.#count, 12 - counterBytes, counterBytes)
    const cipher = createCipheriv('aes-256-gcm', this.#own, nonce)
    const sealed = Buffer.concat([cipher.update(encode(value)), cipher.final()])
    return Buffer.concat([this.#salt, nonce.subarray(12 - counterBytes), cipher.getAuthTag(), sealed]).toString('base64url')
  }

  /** Undefined for everything that was not sealed with this key for this purpose. */
  open(text: string): unknown {
    if (text.length > maxTextChars) return undefined
    const bytes = Buffer.from(text, 'base64url')
    if (bytes.length <= headBytes) return undefined
    const nonce = Buffer.alloc(12)
    bytes.copy(nonce, 12 - counterBytes, saltBytes, saltBytes + counterBytes)
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#keyOf(bytes.subarray(0, saltBytes)), nonce, {
        authTagLength: tagBytes,
      })
      decipher.setAuthTag(bytes.subarray(saltBytes + counterBytes, headBytes))
      return decode(Buffer.concat([decipher.update(bytes.subarray(headBytes)), decipher.final()]))
    } catch {
      return undefined
    }
  }

  #keyOf(salt: Buffer): Buffer {
    if (salt.equals(this.#salt)) return this.#own
    const name = salt.toString('latin1')
    const known = this.#others.get(name)
    if (known !== undefined) return known
    const key = this.#derive(salt)
    if (this.#others.size >= maxOtherKeys) this.#others.delete(this.#others.keys().next().value!)
    this.#others.set(name, key)
    return key
  }

  #derive(salt: Buffer): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#key, salt, this.#purpose, 32))
  }
}
