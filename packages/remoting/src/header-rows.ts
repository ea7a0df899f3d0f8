import { CommandError } from './link.ts'

/** Header tables row by row: what a table means. `header-compile.ts` does the same faster. */

export type FieldKind = 'text' | 'int' | 'long' | 'bigLong' | 'bool'
export type FieldValue = string | number | bigint | boolean | undefined

const SYSTEM_ERROR = 1

export interface Row {
  readonly name: string
  readonly key: string
  readonly kind: FieldKind
  readonly required: boolean
  readonly fallback: FieldValue
}

export function decodeRows(rows: readonly Row[], ext: Readonly<Record<string, string>> | null): Record<string, FieldValue> {
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

export function encodeRows(rows: readonly Row[], value: Readonly<Record<string, FieldValue | null>>): Record<string, string> {
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
      return parseBool(raw)
  }
}

export const parseBool = (raw: string): boolean => raw === 'true' || (raw !== 'false' && raw.toLowerCase() === 'true')

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
  const short = parseShortInteger(raw)
  if (short !== undefined) return BigInt(short)
  if (!INT64.test(raw)) return undefined
  const value = BigInt(raw.startsWith('+') ? raw.slice(1) : raw)
  return value > INT64_MAX || value < -INT64_MAX - 1n ? undefined : value
}
