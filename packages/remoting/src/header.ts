import { CommandError } from './link.ts'

/**
 * Tables of header fields: one row per field, and from the rows both directions and the type
 * (spec: remoting, sections 1.4 and 3; Java: org.apache.rocketmq.remoting.CommandCustomHeader).
 * On the wire every value is a string; unknown keys are ignored.
 */

export type FieldKind = 'text' | 'int' | 'long' | 'bigLong' | 'bool'
type Presence = 'required' | 'optional' | 'default'

export interface Field<Value, P extends Presence = 'required'> {
  readonly key: string
  readonly kind: FieldKind
  readonly presence: P
  readonly fallback: Value | undefined
}

export const text = (key: string): Field<string> => required(key, 'text')
/** int32. */
export const int = (key: string): Field<number> => required(key, 'int')
/** int64 as a number; values beyond ±(2^53 - 1) become that bound (tools send 9223372036854775807 for "no end"). */
export const long = (key: string): Field<number> => required(key, 'long')
/** int64 kept exactly; needed where values really pass 2^53 (Go's subVersion). */
export const bigLong = (key: string): Field<bigint> => required(key, 'bigLong')
/** `true` in any case is true, all else false, as Java reads it. */
export const bool = (key: string): Field<boolean> => required(key, 'bool')

/** undefined when missing or unparsable (Java logs and leaves null). */
export const optional = <Value>(field: Field<Value>): Field<Value, 'optional'> => ({ ...field, presence: 'optional' })
/** `fallback` when missing or unparsable. */
export const withDefault = <Value>(field: Field<Value>, fallback: Value): Field<Value, 'default'> => ({
  ...field,
  presence: 'default',
  fallback,
})

function required<Value>(key: string, kind: FieldKind): Field<Value> {
  return { key, kind, presence: 'required', fallback: undefined }
}

type AnyField =
  | Field<string | number | bigint | boolean, Presence>
  | Field<string, Presence>
  | Field<number, Presence>
  | Field<bigint, Presence>
  | Field<boolean, Presence>
export type Fields = Readonly<Record<string, AnyField>>

type DecodedField<F> = F extends Field<infer Value, infer P> ? ('optional' extends P ? Value | undefined : Value) : never
export type Decoded<F extends Fields> = { -readonly [Name in keyof F]: DecodedField<F[Name]> }

type RequiredNames<F extends Fields> = { [Name in keyof F]: F[Name] extends { presence: 'required' } ? Name : never }[keyof F]
/** What `encode` takes: fields that are optional or have a default may be left out, and are then not sent. */
export type Encodable<F extends Fields> = { readonly [Name in RequiredNames<F>]: DecodedField<F[Name]> } & {
  readonly [Name in Exclude<keyof F, RequiredNames<F>>]?: DecodedField<F[Name]> | null | undefined
}

export interface HeaderTable<F extends Fields> {
  /** Throws CommandError (code 1) that names the field when a required one is missing or unparsable. */
  decode(ext: Readonly<Record<string, string>> | null): Decoded<F>
  encode(value: Encodable<F>): Record<string, string>
  /** Keys on the wire, in table order. */
  readonly keys: readonly string[]
}

/** Type of a decoded header: `ValueOf<typeof pullMessageRequest>`. */
export type ValueOf<T> = T extends HeaderTable<infer F> ? Decoded<F> : never
/** Type that `encode` of a table takes. */
export type InputOf<T> = T extends HeaderTable<infer F> ? Encodable<F> : never

type FieldValue = string | number | bigint | boolean | undefined

const SYSTEM_ERROR = 1

interface Row {
  readonly name: string
  readonly key: string
  readonly kind: FieldKind
  readonly required: boolean
  readonly fallback: FieldValue
}

export function header<const F extends Fields>(fields: F): HeaderTable<F> {
  const rows: Row[] = Object.entries(fields).map(([name, field]) => ({
    name,
    key: field.key,
    kind: field.kind,
    required: field.presence === 'required',
    fallback: field.fallback,
  }))
  return {
    decode: ext => decodeRows(rows, ext) as Decoded<F>,
    encode: value => encodeRows(rows, value),
    keys: rows.map(row => row.key),
  }
}

function decodeRows(rows: readonly Row[], ext: Readonly<Record<string, string>> | null): Record<string, FieldValue> {
  const value: Record<string, FieldValue> = {}
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!
    const raw = ext === null ? undefined : ext[row.key]
    const parsed = raw === undefined ? undefined : parseField(row.kind, raw)
    if (parsed !== undefined) value[row.name] = parsed
    else if (!row.required) value[row.name] = row.fallback
    else throw badField(row, raw)
  }
  return value
}

function badField(row: Row, raw: string | undefined): CommandError {
  const title = row.name === row.key ? `header field ${row.key}` : `header field ${row.key} (${row.name})`
  if (raw === undefined) return new CommandError(SYSTEM_ERROR, `${title} is missing; send it as a string in extFields`)
  const shown = raw.length > 40 ? raw.slice(0, 40) + '…' : raw
  return new CommandError(SYSTEM_ERROR, `${title} is not ${KIND_IN_WORDS[row.kind]}: "${shown}"`)
}

const KIND_IN_WORDS: Record<FieldKind, string> = {
  text: 'a text',
  int: 'a 32-bit integer',
  long: 'a 64-bit integer',
  bigLong: 'a 64-bit integer',
  bool: 'a boolean',
}

function encodeRows(rows: readonly Row[], value: Readonly<Record<string, FieldValue | null>>): Record<string, string> {
  const ext: Record<string, string> = {}
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!
    const field = value[row.name]
    if (field === undefined || field === null) continue
    ext[row.key] = typeof field === 'string' ? field : String(field)
  }
  return ext
}

function parseField(kind: FieldKind, raw: string): FieldValue {
  switch (kind) {
    case 'text':
      return raw
    case 'int':
      return parseInt32(raw)
    case 'long':
      return parseLong(raw)
    case 'bigLong':
      return parseBigLong(raw)
    case 'bool':
      return raw === 'true' || (raw !== 'false' && raw.toLowerCase() === 'true')
  }
}

/** Decimal digits with an optional sign; undefined for anything else or more than 15 digits. */
function parseShortInteger(raw: string): number | undefined {
  const length = raw.length
  const first = raw.charCodeAt(0)
  const negative = first === 0x2d
  let i = negative || first === 0x2b ? 1 : 0
  if (length === i || length - i > 15) return undefined
  let value = 0
  for (; i < length; i++) {
    const digit = raw.charCodeAt(i) - 0x30
    if (digit < 0 || digit > 9) return undefined
    value = value * 10 + digit
  }
  return negative && value !== 0 ? -value : value
}

export function parseInt32(raw: string): number | undefined {
  const value = parseShortInteger(raw)
  return value === undefined || (value | 0) !== value ? undefined : value
}

/** int64 in decimal; clamped to ±(2^53 - 1). */
export function parseLong(raw: string): number | undefined {
  const short = parseShortInteger(raw)
  if (short !== undefined) return short
  const exact = parseBigLong(raw)
  if (exact === undefined) return undefined
  if (exact > BigInt(Number.MAX_SAFE_INTEGER)) return Number.MAX_SAFE_INTEGER
  if (exact < BigInt(Number.MIN_SAFE_INTEGER)) return Number.MIN_SAFE_INTEGER
  return Number(exact)
}

const INT64 = /^[+-]?[0-9]{1,40}$/
const INT64_MAX = (1n << 63n) - 1n

export function parseBigLong(raw: string): bigint | undefined {
  if (!INT64.test(raw)) return undefined
  const value = BigInt(raw.startsWith('+') ? raw.slice(1) : raw)
  return value > INT64_MAX || value < -INT64_MAX - 1n ? undefined : value
}
