import { everything, type Principal, RefusedError, type Scopes, type Where } from '@cometmq/session'
import { codeOf } from '@cometmq/protocol'

/** What a token must hold; `cmq` is ours, the rest is RFC 7519. docs/security.md describes it for users. */
export interface TokenClaims {
  readonly sub?: unknown
  readonly exp?: unknown
  readonly cmq?: unknown
}

const maxPatterns = 100
const maxPatternChars = 255
const maxWhereProperties = 16
const maxWhereValues = 100
const maxSubjectChars = 255

const refuse = (why: string): RefusedError =>
  new RefusedError(codeOf('TOKEN_REFUSED'), `the token cannot be used: ${why}`, { hint: 'Ask whoever issues your tokens.' })

/** Rights of a verified token: nothing is allowed that is not named. Throws RefusedError 40193. */
export function principalOf(claims: TokenClaims): { principal: Principal; client: 'browser' | 'server' } {
  if (typeof claims.sub !== 'string' || claims.sub === '' || claims.sub.length > maxSubjectChars)
    throw refuse('it names no subject (`sub`)')
  const rights = claims.cmq
  if (typeof rights !== 'object' || rights === null || Array.isArray(rights)) throw refuse('it has no claim `cmq`')
  const given = rights as Record<string, unknown>
  const unknown = Object.keys(given).find(key => !(known as readonly string[]).includes(key))
  if (unknown !== undefined) throw refuse(`\`cmq.${unknown.slice(0, 40)}\` is not known`)
  const principal: Principal = {
    subject: claims.sub,
    expiresAt: typeof claims.exp === 'number' ? claims.exp * 1000 : Infinity,
    scopes: scopesOf(given),
    where: whereOf(given['where']),
  }
  return { principal, client: given['client'] === 'server' ? 'server' : 'browser' }
}

const known = ['pub', 'sub', 'tx', 'delayMax', 'priorityMax', 'recall', 'inspect', 'rate', 'conns', 'where', 'client'] as const

function scopesOf(given: Record<string, unknown>): Scopes {
  return {
    publish: patterns(given['pub'], 'pub').map(pattern),
    subscribe: patterns(given['sub'], 'sub').map(subscription),
    transactions: given['tx'] === true,
    recall: given['recall'] === true,
    inspect: given['inspect'] === true,
    maxDelayMs: number(given['delayMax'], 'delayMax') ?? everything.scopes.maxDelayMs,
    maxPriority: number(given['priorityMax'], 'priorityMax') ?? everything.scopes.maxPriority,
    framesPerSecond: number(given['rate'], 'rate'),
    maxConnections: number(given['conns'], 'conns'),
  }
}

function patterns(value: unknown, name: string): readonly unknown[] {
  if (value === undefined) return []
  if (!Array.isArray(value) || value.length > maxPatterns)
    throw refuse(`\`cmq.${name}\` must be a list of at most ${maxPatterns}`)
  return value
}

function pattern(value: unknown): string {
  if (typeof value !== 'string' || value === '' || value.length > maxPatternChars)
    throw refuse(`a pattern must be a text of 1 to ${maxPatternChars} characters`)
  return value
}

/** `{ topic, group }`; a plain text is a topic read in broadcast mode or with any group. */
function subscription(value: unknown): { topic: string; group: string } {
  if (typeof value === 'string') return { topic: pattern(value), group: '*' }
  if (typeof value !== 'object' || value === null) throw refuse('an item of `cmq.sub` must be a text or { topic, group }')
  const { topic, group } = value as Record<string, unknown>
  return { topic: pattern(topic), group: pattern(group) }
}

function number(value: unknown, name: string): number | null {
  if (value === undefined) return null
  if (typeof value !== 'number' || !(value >= 0)) throw refuse(`\`cmq.${name}\` must be a number, 0 or more`)
  return value
}

function whereOf(value: unknown): Where | null {
  if (value === undefined) return null
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse('`cmq.where` must be an object')
  const entries = Object.entries(value)
  if (entries.length > maxWhereProperties) throw refuse(`\`cmq.where\` has more than ${maxWhereProperties} properties`)
  const where: [string, readonly string[]][] = entries.map(([name, allowed]) => {
    const list: unknown[] = Array.isArray(allowed) ? allowed : [allowed]
    if (list.length === 0 || list.length > maxWhereValues || !list.every(item => typeof item === 'string'))
      throw refuse(`\`cmq.where.${name.slice(0, 40)}\` must be a text or a list of 1 to ${maxWhereValues} texts`)
    return [name, list]
  })
  return where.length === 0 ? null : Object.fromEntries(where)
}
