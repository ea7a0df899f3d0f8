export type TimeStyle = 'local' | 'utc' | 'epoch'

const two = (value: number): string => String(value).padStart(2, '0')

/** ISO 8601 with zone, or epoch ms; empty for "no time" (0 or less). */
export function timeText(epochMs: number, style: TimeStyle): string {
  if (!(epochMs > 0)) return ''
  if (style === 'epoch') return String(epochMs)
  const date = new Date(epochMs)
  if (style === 'utc') return date.toISOString()
  const minutes = -date.getTimezoneOffset()
  const zone = `${minutes < 0 ? '-' : '+'}${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  const millis = String(date.getMilliseconds()).padStart(3, '0')
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${millis}${zone}`
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `500ms`, `10s`, `5m`, `2h`, `1d`; a bare number is seconds. Undefined when it is none of these. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text)
  return match ? Math.round(Number(match[1]) * unitMs[match[2] ?? 's']!) : undefined
}

/** `-15m` and `+10s` relative to `now`, `now`, `today 09:00`, epoch ms, or anything ISO 8601. Undefined when it is none of these. */
export function parseTime(text: string, now: number): number | undefined {
  if (text === 'now') return now
  const relative = /^([+-])(.+)$/.exec(text)
  if (relative) {
    const duration = parseDuration(relative[2]!)
    return duration === undefined ? undefined : relative[1] === '-' ? now - duration : now + duration
  }
  if (/^\d{10,}$/.test(text)) return Number(text)
  const today = /^today(?:\s+(\d{1,2}):(\d{2}))?$/.exec(text)
  if (today) return new Date(now).setHours(Number(today[1] ?? 0), Number(today[2] ?? 0), 0, 0)
  const parsed = /^\d{4}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(parsed) ? undefined : parsed
}
