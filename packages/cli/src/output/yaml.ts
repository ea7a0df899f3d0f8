/** Block-style YAML of plain JSON data. Texts that YAML could read as something else are quoted as JSON, which is YAML too. */
export function toYaml(value: unknown, indent = ''): string {
  if (Array.isArray(value)) {
    if (value.length === 0) return `${indent}[]\n`
    return value.map(item => `${indent}- ${toYaml(item, `${indent}  `).trimStart()}`).join('')
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined)
    if (entries.length === 0) return `${indent}{}\n`
    return entries.map(([key, item]) => `${indent}${scalar(key)}:${nested(item, indent)}`).join('')
  }
  return `${indent}${scalar(value)}\n`
}

function nested(value: unknown, indent: string): string {
  const isEmpty = typeof value === 'object' && value !== null && Object.keys(value).length === 0
  if (typeof value === 'object' && value !== null && !isEmpty) return `\n${toYaml(value, `${indent}  `)}`
  return ` ${toYaml(value, '').trimStart()}`
}

const plainText = /^[A-Za-z_/%][A-Za-z0-9_./%@|-]*$/
const meansSomething = /^(?:true|false|null|yes|no|on|off|y|n|~)$/i

function scalar(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value) ?? 'null'
  return plainText.test(value) && !meansSomething.test(value) ? value : JSON.stringify(value)
}
