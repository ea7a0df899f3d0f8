import { resolveReferences } from './references.ts'

/**
 * Reader for what fastjson, Go and strict JSON writers put into bodies and files (spec: remoting, section 4; store, 1.3).
 * Beyond JSON it takes: map keys that are bare integers, identifiers or whole `{…}`/`[…]` values; single-quoted strings; raw
 * control characters in strings; trailing and doubled commas; unquoted words as strings; `{"$ref":"$.a.b"}` references.
 */

export type JsonValue = string | number | bigint | boolean | null | JsonValue[] | JsonObject
/** Look names from outside up with Object.hasOwn or Object.entries: an object may or may not have a prototype. */
export interface JsonObject {
  [key: string]: JsonValue
}

/** Text that is no JSON, or JSON of another shape than asked for. */
export class JsonError extends Error {
  override readonly name = 'JsonError'
}

/** Nesting of arrays and objects that the tolerant reader follows. */
export const MAX_JSON_DEPTH = 256

/** An integer of 16 or more digits may not survive JSON.parse. */
const LONG_INTEGER = /[0-9]{16}/

/**
 * Integers beyond ±(2^53 - 1) become bigint. An object used as a map key becomes its compact JSON text with sorted keys:
 * `{{"brokerName":"b",…}:5}` reads as `{'{"brokerName":"b",…}': 5}`. `__proto__` is a key like any other.
 * Throws JsonError with the position.
 */
export function parseJson(input: string | Uint8Array): JsonValue {
  const text = typeof input === 'string' ? input : Buffer.from(input.buffer, input.byteOffset, input.byteLength).toString('utf8')
  const value = LONG_INTEGER.test(text) ? new Parser(text).parse() : parseStrictFirst(text)
  return text.includes('"$ref"') ? resolveReferences(value) : value
}

function parseStrictFirst(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    return new Parser(text).parse()
  }
}

const QUOTE = 0x22
const APOSTROPHE = 0x27
const COMMA = 0x2c
const COLON = 0x3a
const BACKSLASH = 0x5c

class Parser {
  readonly #text: string
  #at = 0
  #depth = 0

  constructor(text: string) {
    this.#text = text
  }

  parse(): JsonValue {
    if (this.#text.charCodeAt(0) === 0xfeff) this.#at = 1
    const value = this.#value()
    this.#skipSpace()
    if (this.#at < this.#text.length) throw this.#fault('unexpected text after the value')
    return value
  }

  #value(): JsonValue {
    this.#skipSpace()
    const code = this.#text.charCodeAt(this.#at)
    if (code === 0x7b) return this.#object()
    if (code === 0x5b) return this.#array()
    if (code === QUOTE || code === APOSTROPHE) return this.#string(code)
    return this.#word()
  }

  #object(): JsonObject {
    this.#enter()
    const object = Object.create(null) as JsonObject
    while (!this.#closes('}')) {
      const key = this.#key()
      this.#skipSpace()
      if (this.#text.charCodeAt(this.#at) !== COLON) throw this.#fault('expected ":" after a key')
      this.#at++
      object[key] = this.#value()
      this.#separator('}')
    }
    this.#depth--
    return object
  }

  #key(): string {
    const value = this.#value()
    if (typeof value === 'string') return value
    return typeof value === 'object' && value !== null ? canonicalText(value) : String(value)
  }

  #array(): JsonValue[] {
    this.#enter()
    const array: JsonValue[] = []
    while (!this.#closes(']')) {
      array.push(this.#value())
      this.#separator(']')
    }
    this.#depth--
    return array
  }

  #enter(): void {
    this.#at++
    if (++this.#depth > MAX_JSON_DEPTH) throw this.#fault(`nested deeper than ${MAX_JSON_DEPTH} levels`)
  }

  /** Consumes commas and the closing bracket, if that comes next. */
  #closes(bracket: string): boolean {
    this.#skipSpace()
    while (this.#text.charCodeAt(this.#at) === COMMA) {
      this.#at++
      this.#skipSpace()
    }
    if (this.#text[this.#at] !== bracket) return false
    this.#at++
    return true
  }

  #separator(bracket: string): void {
    this.#skipSpace()
    const next = this.#text[this.#at]
    if (next !== ',' && next !== bracket) throw this.#fault(`expected "," or "${bracket}"`)
  }

  #string(quote: number): string {
    const text = this.#text
    const start = ++this.#at
    for (let i = start; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code === quote) {
        this.#at = i + 1
        return text.slice(start, i)
      }
      if (code === BACKSLASH) {
        this.#at = i
        return this.#escapedString(quote, text.slice(start, i))
      }
    }
    this.#at = start - 1
    throw this.#fault('the string is not closed')
  }

  /** The rest of a string, from its first backslash. */
  #escapedString(quote: number, head: string): string {
    const text = this.#text
    let result = head
    let from = this.#at
    while (this.#at < text.length) {
      const code = text.charCodeAt(this.#at)
      if (code === quote) {
        result += text.slice(from, this.#at++)
        return result
      }
      if (code === BACKSLASH) {
        result += text.slice(from, this.#at) + this.#escape()
        from = this.#at
      } else this.#at++
    }
    throw this.#fault('the string is not closed')
  }

  #escape(): string {
    const letter = this.#text[this.#at + 1]
    if (letter === undefined) throw this.#fault('the string ends inside an escape')
    const digits = letter === 'u' ? 4 : letter === 'x' ? 2 : 0
    if (digits > 0) {
      const hex = this.#text.slice(this.#at + 2, this.#at + 2 + digits)
      if (hex.length !== digits || !/^[0-9a-fA-F]+$/.test(hex)) throw this.#fault(`expected ${digits} hex digits in an escape`)
      this.#at += 2 + digits
      return String.fromCharCode(Number.parseInt(hex, 16))
    }
    const plain = ESCAPES[letter]
    if (plain === undefined) throw this.#fault(`unknown escape \\${letter}`)
    this.#at += 2
    return plain
  }

  /** A number, true, false, null, or an unquoted identifier. */
  #word(): JsonValue {
    WORD.lastIndex = this.#at
    const word = WORD.exec(this.#text)?.[0]
    if (word === undefined) {
      throw this.#fault(
        this.#at < this.#text.length ? `unexpected ${JSON.stringify(this.#text[this.#at])}` : 'the text ends early',
      )
    }
    const first = word.charCodeAt(0)
    const value =
      (first >= 0x30 && first <= 0x39) || first === 0x2d || first === 0x2b || first === 0x2e ? numberOf(word) : constantOf(word)
    if (value === undefined) throw this.#fault(`${JSON.stringify(word.slice(0, 40))} is no number`)
    this.#at += word.length
    return value
  }

  #skipSpace(): void {
    const text = this.#text
    for (let code = text.charCodeAt(this.#at); code <= 0x20 || code === 0x7f;) code = text.charCodeAt(++this.#at)
  }

  #fault(what: string): JsonError {
    return new JsonError(`no JSON: ${what} at character ${this.#at}`)
  }
}

const WORD = /[-+.\w$]+/y

const ESCAPES: Readonly<Record<string, string>> = Object.assign(Object.create(null) as Record<string, string>, {
  '"': '"',
  "'": "'",
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  0: '\0',
})

function constantOf(word: string): JsonValue {
  if (word === 'true') return true
  if (word === 'false') return false
  // fastjson writes NaN and infinite doubles as null and reads these two words as null.
  return word === 'null' || word === 'undefined' || word === 'NaN' ? null : word
}

/** fastjson takes a type letter behind a number; `1L` is 1. */
const NUMBER = /^([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)[LSBFD]?$/
const MAX_INTEGER_CHARACTERS = 64

function numberOf(word: string): number | bigint | undefined {
  const digits = NUMBER.exec(word)?.[1]
  if (digits === undefined) return undefined
  const value = Number(digits)
  if (Number.isSafeInteger(value) || !/^[-+]?[0-9]+$/.test(digits)) return value
  return digits.length > MAX_INTEGER_CHARACTERS ? undefined : BigInt(digits.startsWith('+') ? digits.slice(1) : digits)
}

/** Compact JSON with sorted keys: equal objects give equal texts. */
export function canonicalText(value: JsonValue): string {
  if (Array.isArray(value)) return '[' + value.map(canonicalText).join(',') + ']'
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.keys(value).sort()
  return '{' + members.map(key => JSON.stringify(key) + ':' + canonicalText(value[key]!)).join(',') + '}'
}
