/**
 * The id a message gets as UNIQ_KEY: the session's 20 hex digits and the request id as 12 hex digits. A request repeated through another
 * node of the bridge has the same session and request id, so its message has the same id.
 */
export function messageIdOf(session: string, rid: number): string {
  const high = Math.floor(rid / 256)
  if (high !== lastHigh || session !== lastSession) {
    lastSession = session
    lastHigh = high
    prefix = session + hex(high, 10)
  }
  const low = rid % 256
  return prefix + (lowDigits[low] ??= hex(low, 2))
}

// Neighbours share all but two digits, and each message has one.
let lastSession = ''
let lastHigh = -1
let prefix = ''
const lowDigits: string[] = []
const hex = (value: number, length: number): string => value.toString(16).toUpperCase().padStart(length, '0')
