import { javaHashCode } from '@cometmq/remoting'

/** Keeps a message by the low 32 bits of its consume queue tags code; undefined keeps all. */
export type TagFilter = ((tagsCode: number) => boolean) | undefined

/**
 * A TAG expression (spec remoting, 3.3.3): null, empty or `*` = all; otherwise tags joined by `||`. Filtering is by hash and may
 * keep too much: clients compare the strings.
 */
export function tagFilter(expression: string | undefined): TagFilter {
  if (expression === undefined || expression === '' || expression === '*') return undefined
  const codes = expression
    .split('||')
    .map(tag => tag.trim())
    .filter(tag => tag !== '')
    .map(javaHashCode)
  return codeFilter(codes)
}

/** @param codes hashes of the wanted tags; none of them means all. */
export function codeFilter(codes: readonly number[]): TagFilter {
  if (codes.length === 0) return undefined
  if (codes.length === 1) {
    const only = codes[0]! | 0
    return tagsCode => (tagsCode | 0) === only
  }
  const wanted = new Set(codes.map(code => code | 0))
  return tagsCode => wanted.has(tagsCode | 0)
}
