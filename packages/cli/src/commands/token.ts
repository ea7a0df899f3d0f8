import { type TokenRights } from '@cometmq/bridge'
import { systemClock } from '@cometmq/remoting'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { CliError } from '../errors.ts'
import { type Io } from '../io.ts'
import { orConfigError, readText } from './bridge-parts.ts'

export interface TokenOptions {
  newKey?: string
  key?: string
  subject?: string
  pub?: string[]
  sub?: string[]
  where?: string[]
  /** ms */
  ttl: number
  server?: boolean
  inspect?: boolean
  rate?: number
  conns?: number
  /** ms */
  delayMax?: number
  issuer?: string
  audience?: string
}

/** `comet token`: a secret, a token, or both; only the token goes to standard output. */
export async function token(io: Io, options: TokenOptions): Promise<number> {
  const { newKey, subject } = options
  if (newKey !== undefined) {
    makeKey(resolve(io.cwd, newKey))
    io.err(`secret written to ${newKey}; give it to the bridge with --auth-key\n`)
    if (subject === undefined) return 0
  }
  const key = options.key ?? newKey
  if (key === undefined || subject === undefined)
    throw new CliError('E_USAGE', 'no token was made', key === undefined ? 'it needs a key' : 'it needs a subject', {
      whatToDo: 'comet token --key FILE --subject NAME; make a key with: comet token --new-key FILE',
    })
  if (options.ttl < 1_000)
    throw new CliError('E_USAGE', 'no token was made', 'it would have ended before it is used', { whatToDo: 'use --ttl 1h' })
  const { principalOf, signToken } = await import('@cometmq/bridge')
  const rights = rightsOf(options)
  // What the bridge would refuse is refused here.
  orConfigError(() => principalOf({ sub: subject, cmq: rights }), 'such a token cannot be made')
  const text = readText(resolve(io.cwd, key), 'the key')
  const { issuer, audience } = options
  const made = await signToken(text, key, {
    ...{ subject, rights, ttlSeconds: Math.floor(options.ttl / 1_000), now: systemClock.now() },
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
  }).catch((cause: unknown) => {
    throw new CliError('E_CONFIG', 'no token was made', unusableKey(key, text, cause), { cause })
  })
  io.out(`${made}\n`)
  return 0
}

/** OpenSSL's own words help nobody. */
const unusableKey = (name: string, text: string, cause: unknown): string =>
  text.includes('-----BEGIN') && !text.includes('PRIVATE KEY')
    ? `${name} is a public key; signing needs the private one`
    : `${name} cannot sign: ${(cause as Error).message}`

function makeKey(path: string): void {
  try {
    writeFileSync(path, `${randomBytes(32).toString('base64url')}\n`, { flag: 'wx', mode: 0o600 })
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === 'EEXIST'
    const why = exists ? `${path} is there already, and may be in use` : (cause as Error).message
    throw new CliError('E_FILE', 'no key was made', why, {
      cause,
      ...(exists ? { whatToDo: 'use another name, or remove it first' } : {}),
    })
  }
}

function rightsOf({ pub, sub, where, server, inspect, rate, conns, delayMax }: TokenOptions): TokenRights {
  return {
    ...(pub === undefined ? {} : { pub }),
    ...(sub === undefined ? {} : { sub: sub.map(subscription) }),
    ...(where === undefined ? {} : { where: whereOf(where) }),
    ...(server ? { client: 'server' } : {}),
    ...(inspect ? { inspect } : {}),
    ...(rate === undefined ? {} : { rate }),
    ...(conns === undefined ? {} : { conns }),
    ...(delayMax === undefined ? {} : { delayMax }),
  }
}

/** `topic`: read in any way. `topic:group`: only as a member of that group. */
function subscription(text: string): string | { topic: string; group: string } {
  const at = text.indexOf(':')
  return at < 0 ? text : { topic: text.slice(0, at), group: text.slice(at + 1) }
}

/** `name=value`; the same name again: another value that is allowed. */
function whereOf(pairs: readonly string[]): Record<string, string[]> {
  const where = new Map<string, string[]>()
  for (const pair of pairs) {
    const at = pair.indexOf('=')
    if (at < 1 || at === pair.length - 1)
      throw new CliError('E_USAGE', 'no token was made', `--where ${pair} is no condition`, {
        whatToDo: 'write it as name=value, for example tenant=acme',
      })
    const name = pair.slice(0, at)
    where.set(name, [...(where.get(name) ?? []), pair.slice(at + 1)])
  }
  return Object.fromEntries(where)
}
