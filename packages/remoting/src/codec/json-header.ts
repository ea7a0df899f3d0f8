import type { Command } from '../command.ts'
import { FrameError } from '../frame.ts'
import { newExt } from './ext.ts'
import { languageName } from './languages.ts'
import { PlainJsonReader } from './plain-json-header.ts'

const plain = new PlainJsonReader()

/** What JSON.parse may have found; nothing of it is trusted. */
type Fields = Record<string, unknown>

/** Reads a JSON header (spec: remoting, section 1.2). Throws FrameError. */
export function readJsonHeader(bytes: Buffer, start: number, end: number, body: Buffer | null): Command {
  return plain.read(bytes, start, end, body) ?? readAnyJsonHeader(bytes, start, end, body)
}

/** The thorough reader: any valid JSON, with whatever Java's parser tolerates. */
export function readAnyJsonHeader(bytes: Buffer, start: number, end: number, body: Buffer | null): Command {
  const text = bytes.toString('utf8', start, end)
  const fields = parseObject(text)
  return {
    code: intField(fields['code'], 'code'),
    opaque: intField(fields['opaque'], 'opaque'),
    flag: intField(fields['flag'], 'flag'),
    version: intField(fields['version'], 'version'),
    language: languageField(fields['language']),
    remark: remarkField(fields['remark']),
    ext: extField(fields['extFields'], text),
    body,
  }
}

function parseObject(text: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new FrameError(`the header is no JSON: ${(cause as Error).message}`, { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new FrameError('the JSON header is no object')
  return value as Fields
}

function intField(value: unknown, name: string): number {
  if (typeof value === 'number' && (value | 0) === value) return value
  if (value === undefined || value === null) return 0
  throw new FrameError(`${name} in the JSON header is no 32 bit integer but ${String(JSON.stringify(value)).slice(0, 40)}`)
}

function languageField(value: unknown): string {
  if (typeof value === 'string') return value
  return typeof value === 'number' ? languageName(value) : 'OTHER'
}

function remarkField(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function extField(value: unknown, text: string): Record<string, string> | null {
  if (value === undefined || value === null) return null
  if (typeof value !== 'object' || Array.isArray(value)) throw new FrameError('extFields in the JSON header is no object')
  const fields = value as Fields
  const ext = newExt()
  let exact: Fields | null = null
  // Reading through for-in is safe: JSON.parse makes `__proto__` an own property, and Object.prototype has nothing enumerable.
  for (const key in fields) {
    const field = fields[key]
    if (typeof field === 'string') ext[key] = field
    else if (typeof field === 'boolean') ext[key] = field ? 'true' : 'false'
    else if (typeof field === 'number') {
      if (Number.isInteger(field) && !Number.isSafeInteger(field))
        exact ??= parseObject(quoteNumbers(text))['extFields'] as Fields
      ext[key] = exact === null ? String(field) : (exact[key] as string)
    } else if (field !== null && field !== undefined) ext[key] = JSON.stringify(field)
  }
  return ext
}

const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g

/** Turns the numbers of a valid JSON text into strings: int64 values must survive, and JSON.parse would round them. */
function quoteNumbers(text: string): string {
  return text.replace(STRING_OR_NUMBER, token => (token.startsWith('"') ? token : `"${token}"`))
}
