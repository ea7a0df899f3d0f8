import type { SubTopic } from '@cometmq/protocol'
import { RefusedError, type Where } from '../principal.ts'
import { propertyValue } from './properties.ts'

const maxExpressionChars = 4096
const maxTags = 64

/** The broker's form of a subscription's filter: `*` or `A || B`. Throws RefusedError: 40009, and 50101 for SQL92. */
export function expressionOf(topic: SubTopic): string {
  const [name, type, expression] = topic
  if (type === 0) return '*'
  if (type === 2) {
    throw new RefusedError(
      50101,
      `filter by SQL92 on topic ${name}: this bridge filters by tags only; use a tag expression like A || B`,
    )
  }
  if (expression.length > maxExpressionChars) throw illegal(name, `it is longer than ${maxExpressionChars} characters`)
  const tags = expression.split('||').map(tag => tag.trim())
  if (tags.length === 1 && (tags[0] === '*' || tags[0] === '')) return '*'
  if (tags.length > maxTags) throw illegal(name, `it has more than ${maxTags} tags`)
  for (const tag of tags) {
    if (tag === '') throw illegal(name, 'a tag in it is empty')
    if (tag === '*') throw illegal(name, '* must stand alone')
    if (/[|\s\x01\x02]/.test(tag)) throw illegal(name, `${JSON.stringify(tag.slice(0, 40))} is no tag`)
  }
  return [...new Set(tags)].sort().join(' || ')
}

const illegal = (topic: string, why: string): RefusedError =>
  new RefusedError(40009, `the tag expression for topic ${topic} is not valid: ${why}; write tags separated by ||, or * for all`)

/** A token's filter, ready to be asked per message. */
export interface CompiledWhere {
  /** The same for equal filters. */
  readonly key: string
  passes(properties: string): boolean
}

export function compileWhere(where: Where | null): CompiledWhere | null {
  if (where === null) return null
  const names = Object.keys(where).sort()
  if (names.length === 0) return null
  const rules = names.map(name => ({ needle: `${name}\x01`, values: new Set(where[name]) }))
  return {
    key: JSON.stringify(names.map(name => [name, [...new Set(where[name])].sort()])),
    passes(properties) {
      for (const rule of rules) {
        const value = propertyValue(properties, rule.needle)
        if (value === undefined || !rule.values.has(value)) return false
      }
      return true
    },
  }
}

/** The filter of a client's token, which changes when the client brings another token. */
export class TokenFilter {
  readonly #host: { readonly where: Where | null }
  #source: Where | null
  #compiled: CompiledWhere | null

  constructor(host: { readonly where: Where | null }) {
    this.#host = host
    this.#source = host.where
    this.#compiled = compileWhere(host.where)
  }

  get current(): CompiledWhere | null {
    const { where } = this.#host
    if (where !== this.#source) {
      this.#source = where
      this.#compiled = compileWhere(where)
    }
    return this.#compiled
  }
}
