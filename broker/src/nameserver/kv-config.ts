import { asRecord, asStringRecord, CommandError, emptyRecord, parseJson, type Clock, type Logger } from '@cometmq/remoting'
import { ConfigFile, loadConfigFile } from '../store/config-file.ts'
import type { Disk } from '../store/disk.ts'

/** Over all namespaces. */
const KEYS_MAX = 100_000
const TEXT_CHARACTERS_MAX = 65_536
const SYSTEM_ERROR = 1

export interface KvConfigOptions {
  disk: Disk
  /** Of kvConfig.json. */
  path: string
  clock: Clock
  logger: Logger
}

/** Key-value settings by namespace, kept in kvConfig.json: `{"configTable":{"<namespace>":{"k":"v"}}}` (Java: KVConfigManager). */
export class KvConfig {
  readonly #namespaces: Map<string, Map<string, string>>
  readonly #file: ConfigFile

  /** Rejects with ConfigFileError when the file and its backup are both unusable. */
  static async load(options: KvConfigOptions): Promise<KvConfig> {
    return new KvConfig(
      options,
      (await loadConfigFile(options.disk, options.path, decode, options.logger)) ?? new Map<string, Map<string, string>>(),
    )
  }

  private constructor(options: KvConfigOptions, namespaces: Map<string, Map<string, string>>) {
    this.#namespaces = namespaces
    this.#file = new ConfigFile({ ...options, encode: () => this.#encode() })
  }

  get(namespace: string, key: string): string | undefined {
    return this.#namespaces.get(namespace)?.get(key)
  }

  /** Undefined: no such namespace. */
  list(namespace: string): Record<string, string> | undefined {
    const keys = this.#namespaces.get(namespace)
    return keys === undefined ? undefined : Object.assign(emptyRecord<string>(), Object.fromEntries(keys))
  }

  /** Resolves when the setting is on disk. Throws CommandError beyond a limit. */
  async put(namespace: string, key: string, value: string): Promise<void> {
    for (const text of [namespace, key, value]) {
      if (text.length > TEXT_CHARACTERS_MAX)
        throw new CommandError(
          SYSTEM_ERROR,
          `a namespace, key or value has ${text.length} characters, at most ${TEXT_CHARACTERS_MAX} are kept`,
        )
    }
    if (this.get(namespace, key) === undefined && this.#count() >= KEYS_MAX)
      throw new CommandError(SYSTEM_ERROR, `this name server keeps ${KEYS_MAX} keys, the most it may; delete some first`)
    const keys = this.#namespaces.get(namespace) ?? new Map<string, string>()
    this.#namespaces.set(namespace, keys.set(key, value))
    this.#file.changed()
    await this.#file.saved()
  }

  async delete(namespace: string, key: string): Promise<void> {
    if (this.#namespaces.get(namespace)?.delete(key) !== true) return
    this.#file.changed()
    await this.#file.saved()
  }

  saved(): Promise<void> {
    return this.#file.saved()
  }

  #count(): number {
    let count = 0
    for (const keys of this.#namespaces.values()) count += keys.size
    return count
  }

  #encode(): string {
    const configTable = emptyRecord<unknown>()
    for (const namespace of this.#namespaces.keys()) configTable[namespace] = this.list(namespace)
    return JSON.stringify({ configTable }, null, '\t')
  }
}

function decode(text: string): Map<string, Map<string, string>> {
  const table = asRecord(asRecord(parseJson(text), 'the file')['configTable'], 'configTable')
  return new Map(Object.keys(table).map(name => [name, new Map(Object.entries(asStringRecord(table[name], name)))]))
}
