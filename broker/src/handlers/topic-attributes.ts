/** Attributes of a topic in request 17 (spec remoting, 3.8; Java: TopicAttributes, AttributeUtil): `+key=value,-key`. */

const MESSAGE_TYPES = ['UNSPECIFIED', 'NORMAL', 'FIFO', 'DELAY', 'TRANSACTION', 'MIXED']

interface Rule {
  readonly changeable: boolean
  /** Why a value is not accepted, or null. */
  check(value: string): string | null
}

const oneOf =
  (values: readonly string[]) =>
  (value: string): string | null =>
    values.includes(value) ? null : `value is not in range: ${value}, expected one of ${values.join(', ')}`

const RULES: Readonly<Record<string, Rule>> = {
  'message.type': { changeable: true, check: oneOf(MESSAGE_TYPES) },
  'queue.type': {
    changeable: false,
    check: value => (value === 'BatchCQ' ? 'BatchCQ is not supported by this broker' : oneOf(['SimpleCQ'])(value)),
  },
  'cleanup.policy': {
    changeable: false,
    check: value => (value === 'COMPACTION' ? 'COMPACTION is not supported by this broker' : oneOf(['DELETE'])(value)),
  },
  'reserve.time': {
    changeable: true,
    check: value => (/^(-1|\d{1,15})$/.test(value) ? null : `value is not -1 or milliseconds: ${value}`),
  },
}

/** @returns the new attributes, or a string that says what is wrong. */
export function alterAttributes(current: Readonly<Record<string, string>> | null, text: string): Record<string, string> | string {
  const altered: Record<string, string> = { ...current }
  const seen = new Set<string>()
  for (const part of text.split(',')) {
    const entry = part.trim()
    if (entry === '') continue
    const sign = entry[0]
    const split = entry.indexOf('=')
    const key = (split < 0 ? entry.slice(1) : entry.slice(1, split)).trim()
    if ((sign !== '+' && sign !== '-') || key === '' || (sign === '+') !== split > 0) {
      return `kv string format wrong: "${entry}"; expected +key=value or -key, joined by commas`
    }
    if (seen.has(key)) return `key is duplicated: ${key}`
    seen.add(key)
    const rule = Object.hasOwn(RULES, key) ? RULES[key]! : undefined
    if (rule === undefined) return `unsupported key: ${key}`
    if (current !== null && !rule.changeable) return `attempt to update an unchangeable attribute. key: ${key}`
    if (sign === '-') {
      if (current === null) return `only add attribute is supported while creating topic. key: ${key}`
      if (!Object.hasOwn(altered, key)) return `attempt to delete a nonexistent key: ${key}`
      delete altered[key]
      continue
    }
    const value = entry.slice(split + 1).trim()
    const problem = rule.check(value)
    if (problem !== null) return `${key}: ${problem}`
    altered[key] = value
  }
  return altered
}
