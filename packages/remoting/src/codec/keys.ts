/** Names of header fields are few and repeat with every request: they are kept, so that decoding one makes no new string. */

const SLOTS = 1024
const MAX_KEPT_LENGTH = 40

const kept = new Array<string>(SLOTS).fill('')

/** The ASCII string at `start` to `end` of `bytes`; `text` are the same bytes as text, its index 0 being at `base`. */
export function fieldName(bytes: Buffer, start: number, end: number, text: string, base: number): string {
  const length = end - start
  if (length === 0 || length > MAX_KEPT_LENGTH) return text.slice(start - base, end - base)
  const first = bytes[start] as number
  const middle = bytes[start + (length >> 1)] as number
  const last = bytes[end - 1] as number
  const slot = (first * 961 + last * 31 + middle * 7 + length) & (SLOTS - 1)
  const known = kept[slot] as string
  if (known.length === length && equals(known, bytes, start)) return known
  const name = text.slice(start - base, end - base)
  kept[slot] = name
  return name
}

function equals(known: string, bytes: Buffer, start: number): boolean {
  for (let i = 0; i < known.length; i++) if (known.charCodeAt(i) !== bytes[start + i]) return false
  return true
}
