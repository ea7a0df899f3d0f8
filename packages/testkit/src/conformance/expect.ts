import type { Expect, Sdk } from './types.ts'

const shown = (value: unknown): string => {
  if (value instanceof Uint8Array) return `bytes(${[...value.subarray(0, 32)].join(' ')}${value.length > 32 ? ' …' : ''})`
  if (value instanceof Error) return `${value.name}: ${value.message}`
  const text = (JSON.stringify(value) as string | undefined) ?? String(value)
  return text.length > 400 ? `${text.slice(0, 400)}… (${text.length} characters)` : text
}

function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (a instanceof Date && b instanceof Date) return a.getTime() === b.getTime()
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every(key => same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]))
}

/** Assertions without a library, since the suite runs in every runtime. */
export function createExpect(sdk: Sdk): Expect {
  return {
    equal(actual, expected, what = 'value') {
      if (!same(actual, expected)) throw new Error(`${what}: expected ${shown(expected)}, got ${shown(actual)}`)
    },
    ok(value, what) {
      if (!value) throw new Error(what)
    },
    async rejects(promise, code) {
      let result: unknown
      try {
        result = await promise
      } catch (error) {
        if (sdk.BridgeError.is(error)) {
          if (error.code === code) return error
          throw new Error(`expected ${code}, got ${error.code}: ${error.message}`, { cause: error })
        }
        throw error
      }
      throw new Error(`expected ${code}, but it resolved with ${shown(result)}`)
    },
  }
}
