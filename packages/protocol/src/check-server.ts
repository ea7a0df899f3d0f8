import type { ServerFrame, WelcomeInfo } from './frames.ts'
import { ProtocolError } from './protocol-error.ts'
import { isBytes, isCount, isMap, isRanges } from './shape.ts'

/**
 * Kind → one letter for each item behind it. The numbers are those of `Kind`.
 *
 * `u` whole number ≥ 0, `s` text, `t` text or nil, `b` byte string, `y` boolean, `m` map, `r` ranges, `d` entries of
 * DELIVER, `c` receipts, `w` what a client needs of WELCOME. A capital: may be absent; `P` that or nil or `u`, `X` anything.
 */
const frames: Readonly<Record<number, string>> = {
  2: 'uw',
  4: 'su',
  5: 'uU',
  6: 'uPS',
  7: 'uutu',
  9: 'uX',
  10: 'uusm',
  12: 'uuyb',
  19: 'c',
  20: 'uuu',
  22: 'uussmu',
  33: 'uudU',
  38: 'urR',
  41: 'um',
  42: 'uuuus',
  44: 'ur',
  49: 'uymb',
}

function isOf(type: string, value: unknown): boolean {
  switch (type) {
    case 'u':
      return isCount(value)
    case 's':
      return typeof value === 'string'
    case 't':
      return value === null || typeof value === 'string'
    case 'b':
      return isBytes(value)
    case 'y':
      return typeof value === 'boolean'
    case 'm':
      return isMap(value)
    case 'r':
      return isRanges(value)
    case 'd':
      return isEntries(value)
    case 'c':
      return isReceipts(value)
    case 'w':
      return isWelcome(value)
    case 'X':
      return true
    default:
      return value === undefined || (type === 'P' && value === null) || isOf(type === 'P' ? 'u' : type.toLowerCase(), value)
  }
}

/** Items from `at` on. */
function areOf(types: string, items: unknown, at = 0): boolean {
  if (!Array.isArray(items)) return false
  for (let index = 0; index < types.length; index++) if (!isOf(types[index]!, items[index + at])) return false
  return true
}

const isList = (value: unknown, test: (item: readonly unknown[]) => boolean): boolean =>
  Array.isArray(value) && value.every(item => Array.isArray(item) && test(item))

// These two are checked once a message: not by letters.

/** The meta maps come from the bridge and are not looked into. */
const isEntry = (entry: readonly unknown[]): boolean =>
  isCount(entry[0]) &&
  isCount(entry[1]) &&
  isCount(entry[2]) &&
  typeof entry[3] === 'string' &&
  Number.isSafeInteger(entry[4]) &&
  isCount(entry[5]) &&
  isCount(entry[6]) &&
  isMap(entry[7]) &&
  isBytes(entry[8])

const isReceipt = (receipt: readonly unknown[]): boolean =>
  isCount(receipt[0]) &&
  isCount(receipt[1]) &&
  (receipt[2] === null || typeof receipt[2] === 'string') &&
  Number.isSafeInteger(receipt[3]) &&
  Number.isSafeInteger(receipt[4]) &&
  (receipt[5] === undefined || isMap(receipt[5]))

export const isEntries = (value: unknown): boolean => isList(value, isEntry)

export const isReceipts = (value: unknown): boolean => isList(value, isReceipt)

function isWelcome(value: unknown): boolean {
  if (!isMap(value)) return false
  const { session, node, resumeToken, resumed, hb, limits, tokenTtl, results } = value
  return (
    areOf('sssuumU', [session, node, resumeToken, resumed, hb, limits, tokenTtl]) &&
    (resumed as number) < 3 &&
    areOf('uu', [(limits as WelcomeInfo['limits']).maxFrame, (limits as WelcomeInfo['limits']).maxBody]) &&
    isList(results, result => areOf('uuX', result))
  )
}

/** A decoded value as a frame of the bridge. Null: a newer kind, to be ignored. Throws ProtocolError for what is malformed. */
export function checkServerFrame(value: unknown): ServerFrame | null {
  const kind: unknown = Array.isArray(value) && value[0]
  if (isCount(kind)) {
    const types = frames[kind]
    if (types !== undefined ? areOf(types, value, 1) : kind > 127 && kind < 256)
      return types === undefined ? null : (value as ServerFrame)
  }
  throw new ProtocolError(`frame of kind ${String(kind)} is malformed`)
}
