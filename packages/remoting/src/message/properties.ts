/**
 * The property string of a message: `name 0x01 value 0x02`, repeated (spec: remoting 5.4, store 2.2).
 * The last 0x02 may be missing (clients before 5.0). Of duplicate names the last one counts. A pair with an empty name or an
 * empty value does not exist for readers.
 */

export const NAME_VALUE_SEPARATOR = '\x01'
export const PROPERTY_SEPARATOR = '\x02'

/** In order of first appearance. */
export function parseProperties(properties: string): Map<string, string> {
  const map = new Map<string, string>()
  for (let start = 0; start < properties.length;) {
    let end = properties.indexOf(PROPERTY_SEPARATOR, start)
    if (end === -1) end = properties.length
    const middle = properties.indexOf(NAME_VALUE_SEPARATOR, start)
    if (middle > start && middle < end - 1) map.set(properties.slice(start, middle), properties.slice(middle + 1, end))
    start = end + 1
  }
  return map
}

/** Skips empty names and values, which no reader would see. Throws TypeError when a separator stands in a name or value. */
export function encodeProperties(properties: Iterable<readonly [string, string]>): string {
  let text = ''
  for (const [name, value] of properties) {
    if (name === '' || value === '') continue
    if (hasSeparator(name) || hasSeparator(value)) {
      throw new TypeError(
        `property ${JSON.stringify(name)} holds the character 0x01 or 0x02, which separate properties; remove it`,
      )
    }
    text += name + NAME_VALUE_SEPARATOR + value + PROPERTY_SEPARATOR
  }
  return text
}

const hasSeparator = (text: string): boolean => text.includes(NAME_VALUE_SEPARATOR) || text.includes(PROPERTY_SEPARATOR)

/** One value without parsing the rest; undefined when the property does not exist. */
export function getProperty(properties: string, name: string): string | undefined {
  let from = properties.length
  while (true) {
    const at = lastPair(properties, name, from)
    if (at === -1) return undefined
    const valueAt = at + name.length + 1
    let end = properties.indexOf(PROPERTY_SEPARATOR, valueAt)
    if (end === -1) end = properties.length
    if (end > valueAt) return properties.slice(valueAt, end)
    if (at === 0) return undefined
    from = at - 1
  }
}

/** Index of the last pair called `name` that begins at or before `from`; -1 when there is none. */
function lastPair(properties: string, name: string, from: number): number {
  if (name === '') return -1
  const needle = name + NAME_VALUE_SEPARATOR
  let at = properties.lastIndexOf(needle, from)
  while (at > 0 && properties.charCodeAt(at - 1) !== 2) at = properties.lastIndexOf(needle, at - 1)
  return at
}

/** Without any pair of that name; all other bytes stay as they are. */
export function removeProperty(properties: string, name: string): string {
  let rest = properties
  for (let at = lastPair(rest, name, rest.length); at !== -1;) {
    const end = rest.indexOf(PROPERTY_SEPARATOR, at)
    rest = rest.slice(0, at) + (end === -1 ? '' : rest.slice(end + 1))
    at = at === 0 ? -1 : lastPair(rest, name, at - 1)
  }
  return rest
}

/** Both property strings in one, with the separator that the first may lack. */
export function appendProperties(properties: string, suffix: string): string {
  if (properties === '') return suffix
  if (suffix === '') return properties
  return properties.charCodeAt(properties.length - 1) === 2 ? properties + suffix : properties + PROPERTY_SEPARATOR + suffix
}

/** `properties` with `name` set to `value` as its only value. */
export function setProperty(properties: string, name: string, value: string): string {
  return appendProperties(removeProperty(properties, name), name + NAME_VALUE_SEPARATOR + value + PROPERTY_SEPARATOR)
}
