import {
  asRecord,
  CommandError,
  defaultTopicConfig,
  emptyRecord,
  newDataVersion,
  readDataVersion,
  readTopicConfig,
  type Clock,
  type DataVersion,
  type JsonObject,
  type Logger,
  type TopicConfig,
} from '@cometmq/remoting'
import { ConfigFile, loadConfigFile } from '../store/config-file.ts'
import type { Disk } from '../store/disk.ts'
import { nextVersion, readFileObject, unknownMembers, writeFileObject } from './json.ts'
import {
  AUTO_CREATE_TEMPLATE,
  isSafeName,
  SYSTEM_TOPIC_PREFIX,
  systemTopicNames,
  systemTopics,
  type SystemNamesConfig,
} from './system-names.ts'
import type { Topics } from './types.ts'

/** Beyond it new topics are refused. */
const TOPICS_MAX = 50_000
const INHERIT = 1
const SYSTEM_ERROR = 1
const FILE_MEMBERS = ['dataVersion', 'topicConfigTable']
const TOPIC_MEMBERS = Object.keys(defaultTopicConfig(''))

export interface TopicsOptions {
  disk: Disk
  /** storePathRootDir; the file is `config/topics.json` in it. */
  folder: string
  clock: Clock
  config: SystemNamesConfig
  logger: Logger
  /** Default 50 000. */
  topicsMax?: number
}

interface Loaded {
  version: DataVersion
  topics: Map<string, TopicConfig>
  /** Members and entries we do not know, written back as they were. */
  unknown: JsonObject
  unknownOf: Map<string, JsonObject>
  setAside: Record<string, unknown>
}

/** Java: org.apache.rocketmq.broker.topic.TopicConfigManager. */
export class TopicTable implements Topics {
  readonly #options: TopicsOptions
  readonly #loaded: Loaded
  readonly #topics: Map<string, TopicConfig>
  readonly #system: ReadonlySet<string>
  readonly #file: ConfigFile
  readonly #listeners: ((changed: TopicConfig | undefined) => void)[] = []

  /**
   * Reads topics.json and adds the system topics that are missing.
   * Rejects with ConfigFileError when the file and its backup are both unusable.
   */
  static async load(options: TopicsOptions): Promise<TopicTable> {
    const path = `${options.folder}/config/topics.json`
    const loaded = await loadConfigFile(options.disk, path, decode, options.logger)
    for (const name of Object.keys(loaded?.setAside ?? {})) {
      options.logger.error(
        `${path}: topic name ${JSON.stringify(name)} cannot be a folder name; the topic is not used, its entry is kept in the file`,
      )
    }
    const table = new TopicTable(options, path, loaded ?? nothingLoaded(options.clock))
    table.#addSystemTopics()
    return table
  }

  private constructor(options: TopicsOptions, path: string, loaded: Loaded) {
    this.#options = options
    this.#loaded = loaded
    this.#topics = loaded.topics
    this.#system = systemTopicNames(options.config)
    this.#file = new ConfigFile({ ...options, path, encode: () => this.#encode() })
  }

  get dataVersion(): DataVersion {
    return this.#loaded.version
  }

  get(name: string): TopicConfig | undefined {
    return this.#topics.get(name)
  }

  all(): Iterable<TopicConfig> {
    return this.#topics.values()
  }

  put(config: TopicConfig): void {
    const old = this.#topics.get(config.topicName)
    if (old !== undefined && isSame(old, config)) return
    const refused = old === undefined ? this.#refusal(config.topicName) : null
    if (refused !== null) throw new CommandError(SYSTEM_ERROR, refused)
    this.#topics.set(config.topicName, config)
    this.#changed(config)
  }

  remove(name: string): boolean {
    if (!this.#topics.delete(name)) return false
    this.#loaded.unknownOf.delete(name)
    this.#changed(undefined)
    return true
  }

  autoCreate(name: string, template: string, queueNums: number, topicSysFlag: number): TopicConfig | { refused: string } {
    const existing = this.#topics.get(name)
    if (existing !== undefined) return existing
    const source = this.#topics.get(template)
    if (source === undefined) return { refused: `the topic ${name} does not exist, and neither does its template ${template}` }
    const usable =
      template === AUTO_CREATE_TEMPLATE && !this.#options.config.autoCreateTopicEnable ? source.perm & ~INHERIT : source.perm
    if ((usable & INHERIT) === 0) {
      return {
        refused: `the topic ${name} does not exist, and topics are not created after ${template} here (perm ${usable}, autoCreateTopicEnable=${this.#options.config.autoCreateTopicEnable}); create it first`,
      }
    }
    const refused = this.#refusal(name)
    if (refused !== null) return { refused }
    const queues = Math.max(0, Math.min(queueNums, source.writeQueueNums))
    const created = { ...newTopic(name, queues, source.perm & ~INHERIT, topicSysFlag), topicFilterType: source.topicFilterType }
    this.put(created)
    return created
  }

  ensure(name: string, queueNums: number, perm: number, topicSysFlag = 0): TopicConfig {
    const existing = this.#topics.get(name)
    if (existing !== undefined) return existing
    const created = newTopic(name, queueNums, perm, topicSysFlag)
    this.put(created)
    return created
  }

  isSystem(name: string): boolean {
    return this.#system.has(name) || name.startsWith(SYSTEM_TOPIC_PREFIX)
  }

  onChange(listener: (changed: TopicConfig | undefined) => void): void {
    this.#listeners.push(listener)
  }

  saved(): Promise<void> {
    return this.#file.saved()
  }

  #addSystemTopics(): void {
    for (const { name, queues, perm } of systemTopics(this.#options.config)) this.ensure(name, queues, perm)
  }

  #refusal(name: string): string | null {
    if (!isSafeName(name))
      return `the topic name ${JSON.stringify(name.slice(0, 64))} is not allowed: letters, digits and %|-_ , at most 255`
    const max = this.#options.topicsMax ?? TOPICS_MAX
    if (this.#topics.size >= max)
      return `the topic ${name} was not created: this broker has ${max} topics, the most it keeps; delete some first`
    return null
  }

  #changed(config: TopicConfig | undefined): void {
    this.#loaded.version = nextVersion(this.#loaded.version, this.#options.clock.now())
    this.#file.changed()
    for (const listener of this.#listeners) listener(config)
  }

  #encode(): string {
    const table = Object.assign(emptyRecord<unknown>(), this.#loaded.setAside)
    for (const [name, config] of this.#topics) table[name] = { ...this.#loaded.unknownOf.get(name), ...config }
    return writeFileObject({ ...this.#loaded.unknown, dataVersion: this.#loaded.version, topicConfigTable: table })
  }
}

function nothingLoaded(clock: Clock): Loaded {
  const version = newDataVersion(clock.now())
  return { version, topics: new Map(), unknown: {}, unknownOf: new Map(), setAside: emptyRecord() }
}

const newTopic = (name: string, queues: number, perm: number, topicSysFlag: number): TopicConfig => ({
  ...defaultTopicConfig(name),
  readQueueNums: queues,
  writeQueueNums: queues,
  perm,
  topicSysFlag,
})

function decode(content: string): Loaded {
  const file = readFileObject(content)
  const result: Loaded = {
    version: readDataVersion(file['dataVersion']),
    topics: new Map(),
    unknown: unknownMembers(file, FILE_MEMBERS),
    unknownOf: new Map(),
    setAside: emptyRecord(),
  }
  for (const [name, value] of Object.entries(asRecord(file['topicConfigTable'], 'topicConfigTable'))) {
    if (!isSafeName(name)) {
      result.setAside[name] = value
      continue
    }
    const entry = asRecord(value, `topic ${name}`)
    result.topics.set(name, { ...readTopicConfig(entry, `topic ${name}`), topicName: name })
    const unknown = unknownMembers(entry, TOPIC_MEMBERS)
    if (Object.keys(unknown).length > 0) result.unknownOf.set(name, unknown)
  }
  return result
}

function isSame(a: TopicConfig, b: TopicConfig): boolean {
  return (
    a.readQueueNums === b.readQueueNums &&
    a.writeQueueNums === b.writeQueueNums &&
    a.perm === b.perm &&
    a.topicFilterType === b.topicFilterType &&
    a.topicSysFlag === b.topicSysFlag &&
    a.order === b.order &&
    haveSameTexts(a.attributes, b.attributes)
  )
}

function haveSameTexts(a: Record<string, string>, b: Record<string, string>): boolean {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every(key => a[key] === b[key])
}
