import { type BridgeOptions, type EngineName, type RunningBridge, type TokenKeys } from '@cometmq/bridge'
import { type Cluster } from '@cometmq/cluster'
import { type Logger, systemClock } from '@cometmq/remoting'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CliError } from '../errors.ts'
import { type Io } from '../io.ts'
import { checkListen } from './server.ts'

/** Options of `comet bridge` and `comet serve` about who may connect. */
export interface AccessOptions {
  origin?: string[]
  authKey?: string[]
  authJwks?: string[]
  authIssuer?: string
  authAudience?: string
  authNone?: boolean
  pages?: string
  limit?: string[]
  engine: EngineName | 'auto'
  insecureListen?: boolean
}

export interface BridgePart {
  host: string
  port: number
  cluster: Cluster
  logger: Logger
  resumeKey: Uint8Array
  more?: Pick<BridgeOptions, 'tls' | 'shared' | 'metrics' | 'node'>
}

/** E_INSECURE_LISTEN beyond loopback without authentication; E_CONFIG for keys and origins that cannot be used. */
export async function startBridgePart(io: Io, options: AccessOptions, part: BridgePart): Promise<RunningBridge> {
  const { anonymous, httpMode, limitsOf, normalOrigin, startBridge } = await import('@cometmq/bridge')
  const authenticate = await authentication(io, options)
  if (!authenticate) checkListen(part.host, options)
  const origins = options.origin?.map(origin => orConfigError(() => normalOrigin(origin)))
  return startBridge({
    cluster: part.cluster,
    clock: systemClock,
    logger: part.logger,
    authenticate: authenticate ?? anonymous,
    resumeKey: part.resumeKey,
    host: part.host,
    port: part.port,
    engine: options.engine,
    http: httpMode(),
    ...orConfigError(() => limitsOf(options.limit ?? [])),
    ...(origins === undefined ? {} : { origins }),
    ...(options.pages === undefined ? {} : { pages: resolve(io.cwd, options.pages) }),
    ...part.more,
  })
}

/** Undefined when no key is given: everybody may do everything. */
async function authentication(io: Io, options: AccessOptions): Promise<BridgeOptions['authenticate'] | undefined> {
  const { authKey = [], authJwks = [], authIssuer: issuer, authAudience: audience, authNone } = options
  const sources = [...authKey, ...authJwks]
  const isAsked = sources.length > 0 || issuer !== undefined || audience !== undefined
  if (authNone && isAsked)
    throw new CliError('E_USAGE', 'tokens are needed or they are not', '--auth-none goes with no other --auth option')
  if (!isAsked) return undefined
  if (sources.length === 0)
    throw new CliError(
      'E_CONFIG',
      'tokens cannot be checked',
      'an issuer or audience is given, but no key (--auth-key, --auth-jwks)',
    )
  const { joinKeys, tokenAuthentication } = await import('@cometmq/bridge')
  const keys = await Promise.all([
    ...authKey.map(key => (/^https?:\/\//.test(key) ? remoteKeys(key) : keysOfFile(io, key))),
    ...authJwks.map(remoteKeys),
  ])
  return tokenAuthentication({
    keys: joinKeys(keys),
    now: () => systemClock.now(),
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
  })
}

async function keysOfFile(io: Io, path: string): Promise<TokenKeys> {
  const { keysOfText } = await import('@cometmq/bridge')
  const text = readText(resolve(io.cwd, path), 'the key of tokens')
  return keysOfText(text, path).catch((error: unknown) => orConfigError(() => raise(error)))
}

/** Fetched when the first token comes. */
async function remoteKeys(address: string): Promise<TokenKeys> {
  const { keysOfUrl } = await import('@cometmq/bridge')
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return keysOfUrl(url, () => systemClock.monotonic())
  throw new CliError('E_CONFIG', 'the key set cannot be used', `${address} is no address`, {
    whatToDo: 'write it like https://login.example/.well-known/jwks.json',
  })
}

/** The demo pages, which the build puts beside the command. Undefined when they were not built. */
export function demoPages(): string | undefined {
  const folder = fileURLToPath(new URL('./pages', import.meta.url))
  return existsSync(join(folder, 'index.html')) ? folder : undefined
}

const LEAST_KEY_CHARACTERS = 32

/** The key that seals resume tokens, from a secret text. */
export function resumeKeyOf(path: string): Uint8Array {
  const text = readText(path, 'the resume key').trim()
  if (text.length < LEAST_KEY_CHARACTERS)
    throw new CliError('E_CONFIG', 'the resume key cannot be used', `${path} has less than ${LEAST_KEY_CHARACTERS} characters`, {
      whatToDo: 'make one with: openssl rand -hex 32',
    })
  return createHash('sha256').update(text).digest()
}

export const newResumeKey = (): Uint8Array => randomBytes(32)

/** The key of a bridge that runs next to its broker: made once, so that clients can resume after a restart. */
export function storedResumeKey(dataFolder: string): Uint8Array {
  const path = join(dataFolder, 'bridge', 'resume.key')
  try {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, `${randomBytes(32).toString('hex')}\n`, { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return resumeKeyOf(path)
}

export function readText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new CliError('E_FILE', `${what} cannot be read`, (cause as Error).message, { cause })
  }
}

export function orConfigError<T>(read: () => T, what = 'the bridge cannot be configured like this'): T {
  try {
    return read()
  } catch (cause) {
    throw new CliError('E_CONFIG', what, (cause as Error).message, { cause })
  }
}

function raise(error: unknown): never {
  throw error
}
