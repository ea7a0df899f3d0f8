import type { JsonObject, JsonValue } from './parse.ts'

/**
 * fastjson writes an object that it has written before as `{"$ref":"$.path"}` (spec: remoting, section 4, rule 5). Replaces
 * those by the object meant: `$` the root, `@` itself, `..` the parent, `$.a.b[0]` a path (`\` escapes a character). What cannot be found, and
 * what would make a cycle, becomes null.
 */
export function resolveReferences(root: JsonValue): JsonValue {
  return visit(root, [], root)
}

/** Deeper text has been refused by the tolerant reader; strict text may be deeper, and is cut here. */
const MAX_DEPTH = 256

function visit(value: JsonValue, parents: JsonValue[], root: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value
  if (parents.length > MAX_DEPTH) return null
  if (!Array.isArray(value) && isReference(value)) return lookUp(value['$ref'] as string, parents, root)
  parents.push(value)
  if (Array.isArray(value)) for (let i = 0; i < value.length; i++) value[i] = visit(value[i]!, parents, root)
  else for (const key of Object.keys(value)) define(value, key, visit(value[key]!, parents, root))
  parents.pop()
  return value
}

/** An assignment to `__proto__` of an object with a prototype would not make a member. */
function define(object: JsonObject, key: string, value: JsonValue): void {
  if (key === '__proto__') Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
  else object[key] = value
}

const isReference = (object: JsonObject): boolean =>
  Object.hasOwn(object, '$ref') && typeof object['$ref'] === 'string' && Object.keys(object).length === 1

function lookUp(path: string, parents: readonly JsonValue[], root: JsonValue): JsonValue {
  const target = path === '$' ? root : path === '..' ? parents.at(-1) : followPath(path, root)
  if (target === undefined || target === null || typeof target !== 'object') return target ?? null
  if (parents.includes(target) || (!Array.isArray(target) && isReference(target))) return null
  return target
}

function followPath(path: string, root: JsonValue): JsonValue | undefined {
  if (!path.startsWith('$.') && !path.startsWith('$[')) return undefined
  let value: JsonValue | undefined = root
  for (const name of splitPath(path.slice(1))) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as JsonObject)[name]
  }
  return value
}

/** `.a.b\.c[0]` → a, b.c, 0 */
function splitPath(path: string): string[] {
  const names: string[] = []
  let name = ''
  for (let i = 0; i < path.length; i++) {
    const character = path[i]!
    if (character === '\\' && i + 1 < path.length) name += path[++i]!
    else if (character === '.' || character === '[' || character === ']') {
      if (name !== '') names.push(name)
      name = ''
    } else name += character
  }
  if (name !== '') names.push(name)
  return names
}
