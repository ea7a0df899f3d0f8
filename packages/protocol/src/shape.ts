import { ProtocolError } from './protocol-error.ts'

/**
 * What a value must look like.
 *
 * - A text is one scalar: `u` whole number ≥ 0, `i` whole number, `s` text, `b` byte string, `y` boolean, `m` map of anything, `r` ranges,
 *   `x` anything; capital `U` and `S`: that or nil. Behind it `?`: may be absent, or `=` and the values allowed, separated by `|`.
 * - An array of one shape is a list of it; a longer one is a tuple (more items are ignored).
 * - An object is a map; a key that ends with `?` may be absent; other members are ignored. Key `''`: the value may be this scalar instead.
 * - A function is for what is checked once a message.
 */
export type Shape = string | readonly Shape[] | { readonly [key: string]: Shape } | ((value: unknown) => boolean)

/** By kind: the items behind it. */
export type FrameTable = Readonly<Record<number, readonly Shape[]>>

export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** Not by class: that of another realm (a frame, a test runner) is as good. */
export const isBytes = (value: unknown): value is Uint8Array =>
  ArrayBuffer.isView(value) && (value as Uint8Array).BYTES_PER_ELEMENT === 1

export const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)

/** Pairs lo ≤ hi, ascending, not overlapping. */
export function isRanges(value: unknown): boolean {
  if (!Array.isArray(value) || value.length % 2) return false
  let last: number = -1
  for (let index = 0; index < value.length; index++) {
    const bound: unknown = value[index]
    if (!isCount(bound) || (index % 2 ? bound < last : bound <= last)) return false
    last = bound
  }
  return true
}

function isScalar(shape: string, value: unknown): boolean {
  const second = shape[1]
  if (value === undefined) return second === '?'
  switch (shape[0]) {
    case 'U':
    case 'u':
      if (value === null ? shape[0] === 'u' : !isCount(value)) return false
      break
    case 'i':
      return Number.isSafeInteger(value)
    case 'S':
    case 's':
      if (value === null ? shape[0] === 's' : typeof value !== 'string') return false
      break
    case 'b':
      return isBytes(value)
    case 'y':
      return typeof value === 'boolean'
    case 'm':
      return isMap(value)
    case 'r':
      return isRanges(value)
    default:
      return true
  }
  return (
    second !== '=' ||
    shape
      .slice(2)
      .split('|')
      .some(allowed => allowed === `${value as string}`)
  )
}

export function fits(shape: Shape, value: unknown): boolean {
  if (typeof shape === 'string') return isScalar(shape, value)
  if (typeof shape === 'function') return shape(value)
  if (Array.isArray(shape)) {
    const shapes = shape as readonly Shape[]
    if (!Array.isArray(value)) return false
    if (shapes.length === 1) return value.every(item => fits(shapes[0]!, item))
    return shapes.every((item, index) => fits(item, value[index]))
  }
  if (!isMap(value)) return '' in shape && isScalar((shape as Record<string, string>)['']!, value)
  return Object.entries(shape as Readonly<Record<string, Shape>>).every(([key, member]) => {
    if (!key) return true
    const name = key.replace('?', '')
    return name !== key && value[name] === undefined ? true : fits(member, value[name])
  })
}

/** The value itself when it is a frame of the table; null for kinds 128–255, which may be ignored. Else throws ProtocolError. */
export function checkFrame(table: FrameTable, value: unknown): readonly unknown[] | null {
  const frame: readonly unknown[] = Array.isArray(value) ? value : []
  const kind = frame[0]
  const shapes = typeof kind === 'number' ? table[kind] : undefined
  if (!shapes) {
    if (Number.isInteger(kind) && (kind as number) > 127 && (kind as number) < 256) return null
    throw new ProtocolError(typeof kind === 'number' ? `no frame of kind ${kind} is expected here` : 'not a frame')
  }
  for (let index = 0; index < shapes.length; index++) {
    if (!fits(shapes[index]!, frame[index + 1]))
      throw new ProtocolError(`frame of kind ${kind as number}: item ${index + 1} is wrong`)
  }
  return frame
}
