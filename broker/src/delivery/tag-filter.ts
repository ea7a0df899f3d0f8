/** Keeps a message by the low 32 bits of its consume queue tags code; undefined keeps all. */
export type TagFilter = ((tagsCode: number) => boolean) | undefined

/**
 * By hash, so it may keep too much: clients compare the strings (spec store, 11.2).
 * @param codes hashes of the wanted tags; none of them means all.
 */
export function codeFilter(codes: readonly number[]): TagFilter {
  if (codes.length === 0) return undefined
  if (codes.length === 1) {
    const only = codes[0]! | 0
    return tagsCode => (tagsCode | 0) === only
  }
  const wanted = new Set(codes.map(code => code | 0))
  return tagsCode => wanted.has(tagsCode | 0)
}
