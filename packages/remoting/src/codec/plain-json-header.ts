import type { Command } from '../command.ts'
import { newExt } from './ext.ts'
import { fieldName } from './keys.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const BACKSLASH = 0x5c
const OPEN = 0x7b
const CLOSE = 0x7d
const MAX_DIGITS = 9

const EMPTY = Buffer.alloc(0)
/** Thrown inside when the header is not plain; a constant, because making an error costs. */
const NOT_PLAIN = new Error('not a plain header')

/**
 * Reads the JSON headers that clients really send: compact, the known keys only, int32 numbers, string fields. About twice as fast as JSON.parse, which would make an
 * object to copy from and new strings for all names. Gives null when the header is anything else, valid or not; what it accepts it
 * reads as JSON.parse would.
 */
export class PlainJsonReader {
  #bytes: Buffer = EMPTY
  #text = ''
  #base = 0
  #at = 0
  #end = 0

  read(bytes: Buffer, start: number, end: number, body: Buffer | null): Command | null {
    this.#bytes = bytes
    this.#base = start
    this.#at = start
    this.#end = end
    this.#text = bytes.toString('latin1', start, end)
    try {
      return this.#header(body)
    } catch (error) {
      // JSON.parse throws SyntaxError for a bad escape: the thorough reader says what is wrong.
      if (error === NOT_PLAIN || error instanceof SyntaxError) return null
      throw error
    } finally {
      this.#bytes = EMPTY
      this.#text = ''
    }
  }

  #header(body: Buffer | null): Command | null {
    let code = 0
    let opaque = 0
    let flag = 0
    let version = 0
    let language = 'OTHER'
    let remark: string | null = null
    let ext: Record<string, string> | null = null
    this.#expect(OPEN)
    do {
      const key = this.#name()
      this.#expect(COLON)
      if (key === 'code') code = this.#int()
      else if (key === 'opaque') opaque = this.#int()
      else if (key === 'flag') flag = this.#int()
      else if (key === 'version') version = this.#int()
      else if (key === 'language') language = this.#name()
      else if (key === 'remark') remark = this.#string()
      else if (key === 'extFields') ext = this.#ext()
      else if (key === 'serializeTypeCurrentRPC') this.#name()
      else return null
    } while (this.#more())
    if (this.#at !== this.#end) return null
    return { code, opaque, flag, version, language, remark, ext, body }
  }

  #ext(): Record<string, string> {
    const ext = newExt()
    this.#expect(OPEN)
    if (this.#bytes[this.#at] === CLOSE) {
      this.#at++
      return ext
    }
    do {
      const key = this.#name()
      this.#expect(COLON)
      ext[key] = this.#string()
    } while (this.#more())
    return ext
  }

  /** Goes behind a comma (true) or a closing brace (false). */
  #more(): boolean {
    const byte = this.#bytes[this.#at]
    if (byte === COMMA) {
      this.#at++
      return true
    }
    this.#expect(CLOSE)
    return false
  }

  #expect(byte: number): void {
    if (this.#at >= this.#end || this.#bytes[this.#at] !== byte) throw NOT_PLAIN
    this.#at++
  }

  /** A string without escapes, ASCII only: a key or one of few values. */
  #name(): string {
    this.#expect(QUOTE)
    const bytes = this.#bytes
    const start = this.#at
    let at = start
    let byte = bytes[at] as number
    while (byte !== QUOTE) {
      if (byte < 0x20 || byte === BACKSLASH || byte > 0x7e || at >= this.#end) throw NOT_PLAIN
      byte = bytes[++at] as number
    }
    if (at >= this.#end) throw NOT_PLAIN
    this.#at = at + 1
    return fieldName(bytes, start, at, this.#text, this.#base)
  }

  #string(): string {
    this.#expect(QUOTE)
    const bytes = this.#bytes
    const end = this.#end
    const start = this.#at
    let at = start
    let escaped = false
    let wide = false
    for (;;) {
      if (at >= end) throw NOT_PLAIN
      const byte = bytes[at] as number
      if (byte === QUOTE) break
      if (byte === BACKSLASH) {
        escaped = true
        at++
      } else if (byte < 0x20) throw NOT_PLAIN
      else if (byte > 0x7f) wide = true
      at++
    }
    this.#at = at + 1
    if (!escaped && !wide) return this.#text.slice(start - this.#base, at - this.#base)
    if (!escaped) return bytes.toString('utf8', start, at)
    return JSON.parse(
      wide ? bytes.toString('utf8', start - 1, at + 1) : this.#text.slice(start - 1 - this.#base, at + 1 - this.#base),
    ) as string
  }

  #int(): number {
    const bytes = this.#bytes
    const negative = bytes[this.#at] === MINUS
    const start = negative ? this.#at + 1 : this.#at
    let at = start
    let value = 0
    for (; at < this.#end; at++) {
      const byte = bytes[at] as number
      if (byte < ZERO || byte > NINE) break
      value = value * 10 + byte - ZERO
    }
    const digits = at - start
    if (
      digits === 0 ||
      (digits > MAX_DIGITS && value > 0x7fff_ffff) ||
      digits > MAX_DIGITS + 1 ||
      (bytes[start] === ZERO && digits > 1)
    )
      throw NOT_PLAIN
    this.#at = at
    return negative ? -value : value
  }
}
