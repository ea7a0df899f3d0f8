/** Tag hashes and tag expressions (spec: remoting 3.3.3, store 11.2; Java: FilterAPI, MessageExtBrokerInner.tagsString2tagsCode). */

/** String.hashCode: int32, over UTF-16 code units. */
export function javaHashCode(text: string): number {
  let hash = 0
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0
  return hash
}

/** Consume queue code of a message's TAGS; 0 when it has none. */
export const tagsCodeOf = (tags: string): number => javaHashCode(tags)

export interface TagExpression {
  /** True: every message matches; tags and codes are empty. */
  readonly all: boolean
  readonly tags: readonly string[]
  /** Hashes of `tags`, in the same order. */
  readonly codes: readonly number[]
}

const everything: TagExpression = { all: true, tags: [], codes: [] }

/**
 * `a || b`; null, empty and `*` mean everything. Null result: the expression names no tag at all (`||`), which brokers answer
 * with SUBSCRIPTION_PARSE_FAILED.
 */
export function parseTagExpression(expression: string | null | undefined): TagExpression | null {
  if (expression === null || expression === undefined || expression === '' || expression === '*') return everything
  const tags = [...new Set(expression.split('||').map(tag => tag.trim()))].filter(tag => tag !== '')
  if (tags.length === 0) return expression.includes('||') ? null : everything
  return { all: false, tags, codes: tags.map(javaHashCode) }
}
