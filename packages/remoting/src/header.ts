import { compileRows } from './header-compile.ts'
import type { FieldKind, Row } from './header-rows.ts'

export { parseBigLong, parseInt32, parseLong, type FieldKind } from './header-rows.ts'

/**
 * Tables of header fields: one row per field, and from the rows both directions and the type
 * (spec: remoting, sections 1.4 and 3; Java: org.apache.rocketmq.remoting.CommandCustomHeader).
 * On the wire every value is a string; unknown keys are ignored.
 */

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

export function header<const F extends Fields>(fields: F): HeaderTable<F> {
  const rows: Row[] = Object.entries(fields).map(([name, field]) => ({
    name,
    key: field.key,
    kind: field.kind,
    required: field.presence === 'required',
    fallback: field.fallback,
  }))
  let codec: ReturnType<typeof compileRows> | null = null
  return {
    decode: ext => (codec ??= compileRows(rows)).decode(ext) as Decoded<F>,
    encode: value => (codec ??= compileRows(rows)).encode(value),
    keys: rows.map(row => row.key),
  }
}
