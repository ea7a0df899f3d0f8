import { CommandError } from '@cometmq/remoting'
import type { Environment, Key, KeyTable, Values, ValuesOf } from './keys.ts'
import { nearestName } from './nearest.ts'
import { parseProperties, propertyLine, type Property } from './properties.ts'
import type { Refusal } from './refused.ts'

const SYSTEM_ERROR = 1
const NO_PERMISSION = 16
type Value = string | number | boolean

/** Keys of one server: what they mean, and what is done about those it does not honour. */
export interface Schema<K extends KeyTable> {
  readonly keys: K
  /** Accepted with a warning: no effect here. */
  readonly ignored: ReadonlySet<string>
  readonly refused: Readonly<Record<string, Refusal>>
}

export interface Sources {
  /** A properties file; `name` stands in error messages. */
  file?: { name: string; text: string }
  /** `key=value` texts of the command line; they win over the file, the last over the first. */
  sets?: readonly string[]
  environment: Environment
}

/** A configuration that cannot be used: one line per problem, with the place, the value, what is allowed, and the nearest key. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

export interface SettingsMethods {
  /** Keys that were set and have no effect here, one sentence each. */
  readonly warnings: readonly string[]
  /** All keys, sorted, `key=value` lines: the answer to requests 26 and 319. */
  configText(): string
  /** The file's text with what `update` has changed: lines in place, the rest untouched, new keys at the end. */
  fileText(): string
  /**
   * Takes a properties text (requests 25 and 318): all of it or nothing. Returns the keys whose values changed.
   * Throws CommandError: NO_PERMISSION for keys of configBlackList, SYSTEM_ERROR for unknown keys, bad values and keys that need a restart.
   */
  update(text: string): string[]
  /** Puts in what only the running server knows: the free port it got for listenPort=0. */
  learn(key: string, value: number): void
  /** Called after an update with the keys that changed. */
  onChange(listener: (keys: readonly string[]) => void): void
}

/** The values as members, always the current ones, and the methods above. */
export type Settings<K extends KeyTable> = ValuesOf<K> & SettingsMethods

interface Given {
  place: string
  key: string
  value: string
}

export function loadSettings<K extends KeyTable>(schema: Schema<K>, sources: Sources): Settings<K> {
  const problems: string[] = []
  const warnings: string[] = []
  const others = new Map<string, string>()
  const values: Record<string, Value> = {}
  for (const given of givenBy(sources, problems)) {
    const problem = apply(schema, given, values, others)
    if (problem !== null) problems.push(problem)
  }
  for (const name of others.keys())
    if (!Object.hasOwn(schema.refused, name)) warnings.push(`${name} is known from Apache RocketMQ but has no effect here`)
  if (problems.length > 0) throw new ConfigError(problems)
  const state = new SettingsState(
    schema,
    inTableOrder(schema.keys, values, sources.environment),
    others,
    sources.file?.text ?? '',
    warnings,
  )
  return state.facade() as Settings<K>
}

function givenBy(sources: Sources, problems: string[]): Given[] {
  const given: Given[] = []
  const { file } = sources
  if (file !== undefined) {
    try {
      for (const { key, value, firstLine } of parseProperties(file.text))
        given.push({ place: `${file.name}:${firstLine}`, key, value })
    } catch (error) {
      problems.push(`${file.name}: ${(error as Error).message}`)
    }
  }
  for (const set of sources.sets ?? []) {
    const equals = set.indexOf('=')
    if (equals <= 0) problems.push(`--set ${set}: write key=value`)
    else given.push({ place: '--set', key: set.slice(0, equals).trim(), value: set.slice(equals + 1).trim() })
  }
  return given
}

/** Puts one given value where it belongs, or says what is wrong with it. */
function apply(
  schema: Schema<KeyTable>,
  given: Given,
  values: Record<string, Value>,
  others: Map<string, string>,
): string | null {
  const { place, key, value } = given
  const row = keyOf(schema, key)
  if (row !== undefined) {
    const parsed = row.kind.parse(value)
    if (parsed === undefined)
      return `${place}: ${key}=${value}: ${row.kind.allowed} is allowed${row.differs?.startsWith('only') === true ? ` (${row.differs})` : ''}`
    values[key] = parsed
    return null
  }
  const refusal = Object.hasOwn(schema.refused, key) ? schema.refused[key] : undefined
  if (refusal !== undefined && value !== '' && !refusal.harmless.includes(value)) {
    const allowed = refusal.harmless[0] === undefined ? 'remove the line' : `set it to ${refusal.harmless[0]} or remove the line`
    return `${place}: ${key}=${value} is not supported: ${refusal.reason}; ${allowed}`
  }
  if (!schema.ignored.has(key)) return `${place}: ${key} is not a configuration key${didYouMean(schema, key)} (value: ${value})`
  others.set(key, value)
  return null
}

const keyOf = (schema: Schema<KeyTable>, name: string): Key | undefined =>
  Object.hasOwn(schema.keys, name) ? schema.keys[name] : undefined

function didYouMean(schema: Schema<KeyTable>, name: string): string {
  const nearest = nearestName(name, [...Object.keys(schema.keys), ...schema.ignored])
  return nearest === null ? '' : `; did you mean ${nearest}?`
}

/** Defaults of later keys see the values of earlier ones. */
function inTableOrder(keys: KeyTable, given: Record<string, Value>, environment: Environment): Record<string, Value> {
  const values: Record<string, Value> = {}
  for (const [name, row] of Object.entries<Key>(keys)) {
    values[name] = given[name] ?? (typeof row.default === 'function' ? row.default(environment, values) : row.default)
  }
  return values
}

class SettingsState {
  readonly #schema: Schema<KeyTable>
  /** Also the object that is handed out: its members change in place. */
  readonly #values: Record<string, Value>
  readonly #others: Map<string, string>
  readonly #fileText: string
  readonly #warnings: readonly string[]
  /** Keys that `update` changed, for `fileText`. */
  readonly #updated = new Map<string, string>()
  readonly #listeners: ((keys: readonly string[]) => void)[] = []

  constructor(
    schema: Schema<KeyTable>,
    values: Record<string, Value>,
    others: Map<string, string>,
    fileText: string,
    warnings: readonly string[],
  ) {
    this.#schema = schema
    this.#values = values
    this.#others = others
    this.#fileText = fileText
    this.#warnings = warnings
  }

  facade(): Values & SettingsMethods {
    const methods: SettingsMethods = {
      warnings: this.#warnings,
      configText: () => this.#configText(),
      fileText: () => withUpdates(this.#fileText, this.#updated),
      update: text => this.#update(text),
      learn: (key, value) => void (this.#values[key] = value),
      onChange: listener => void this.#listeners.push(listener),
    }
    return Object.setPrototypeOf(this.#values, methods) as Values & SettingsMethods
  }

  #configText(): string {
    const all = new Map(this.#others)
    for (const [name, value] of Object.entries(this.#values))
      all.set(name, keyOf(this.#schema, name)?.secret === true ? '******' : String(value))
    const names = [...all.keys()].sort()
    return names.map(name => propertyLine(name, all.get(name) ?? '') + '\n').join('')
  }

  #update(text: string): string[] {
    const wanted: Record<string, Value> = {}
    for (const { key, value } of this.#parse(text)) {
      const refused = this.#refusal(key)
      if (refused !== null) throw refused
      const problem = apply(this.#schema, { place: 'update', key, value }, wanted, new Map())
      if (problem !== null) throw new CommandError(SYSTEM_ERROR, `nothing was changed: ${problem.slice('update: '.length)}`)
    }
    const changed = Object.keys(wanted).filter(name => this.#values[name] !== wanted[name])
    this.#checkChangeable(changed)
    for (const name of changed) {
      this.#values[name] = wanted[name]!
      this.#updated.set(name, String(wanted[name]))
    }
    if (changed.length > 0) for (const listener of this.#listeners) listener(changed)
    return changed
  }

  #parse(text: string): Property[] {
    try {
      return parseProperties(text)
    } catch (error) {
      throw new CommandError(SYSTEM_ERROR, `nothing was changed: ${(error as Error).message}`)
    }
  }

  #refusal(name: string): CommandError | null {
    const blackList = String(this.#values['configBlackList'] ?? '').split(';')
    if (!blackList.includes(name)) return null
    return new CommandError(NO_PERMISSION, `nothing was changed: ${name} is in configBlackList`)
  }

  #checkChangeable(names: readonly string[]): void {
    const fixed = names.filter(name => keyOf(this.#schema, name)?.change === 'restart')
    if (fixed.length === 0) return
    throw new CommandError(
      SYSTEM_ERROR,
      `nothing was changed: ${fixed.join(', ')} cannot change while the server runs; set it in the configuration file and restart`,
    )
  }
}

function withUpdates(text: string, updates: ReadonlyMap<string, string>): string {
  if (updates.size === 0) return text
  const lines = text === '' ? [] : text.replace(/\r?\n$/, '').split(/\r\n|\r|\n/)
  const left = new Map(updates)
  for (const { key, firstLine, lastLine } of parseProperties(text).reverse()) {
    const value = updates.get(key)
    if (value === undefined) continue
    // Of a repeated key the last line counts; earlier ones stay.
    if (left.delete(key)) lines.splice(firstLine - 1, lastLine - firstLine + 1, propertyLine(key, value))
  }
  for (const [key, value] of left) lines.push(propertyLine(key, value))
  return lines.map(line => line + '\n').join('')
}
