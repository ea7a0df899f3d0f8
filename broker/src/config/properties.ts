/** Java properties texts, as RocketMQ's broker.conf is one (java.util.Properties: comments, continued lines, escapes, `=` `:` or space). */
export interface Property {
  key: string
  value: string
  /** First and last line, from 1. */
  firstLine: number
  lastLine: number
}

/** Every property of a text in order, a repeated key included. Throws with the line number for a broken escape. */
export function parseProperties(text: string): Property[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)
  const found: Property[] = []
  for (let at = 0; at < lines.length; at++) {
    let logical = (lines[at] ?? '').trimStart()
    if (logical === '' || logical.startsWith('#') || logical.startsWith('!')) continue
    const firstLine = at + 1
    while (endsOpen(logical) && at + 1 < lines.length) logical = logical.slice(0, -1) + (lines[++at] ?? '').trimStart()
    if (endsOpen(logical)) logical = logical.slice(0, -1)
    found.push({ ...split(logical, firstLine), firstLine, lastLine: at + 1 })
  }
  return found
}

/** One property as a line, escaped so that `parseProperties` and Java read it back. */
export function propertyLine(key: string, value: string): string {
  const escaped = value.replace(/[\\\n\r\t\f]/g, found => escapes[found] ?? found)
  return `${key}=${escaped.startsWith(' ') ? '\\' + escaped : escaped}`
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\f': '\\f' }
const unescapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f' }

/** An odd number of backslashes at the end: the line goes on. */
const endsOpen = (line: string): boolean => (/\\+$/.exec(line)?.[0].length ?? 0) % 2 === 1

function split(line: string, lineNumber: number): { key: string; value: string } {
  const key = /^(?:\\.|[^\\=:\s])*/.exec(line)?.[0] ?? ''
  const value = line.slice(key.length).replace(/^\s*[=:]?\s*/, '')
  return { key: unescape(key, lineNumber), value: unescape(value, lineNumber).trim() }
}

function unescape(text: string, lineNumber: number): string {
  return text.replace(/\\(u[0-9a-fA-F]{4}|u|.)/g, (_all, what: string) => {
    if (what === 'u') throw new Error(`line ${lineNumber}: \\u needs four hexadecimal digits`)
    if (what.length === 5) return String.fromCharCode(parseInt(what.slice(1), 16))
    return unescapes[what] ?? what
  })
}
