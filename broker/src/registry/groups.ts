import {
  asNumber,
  asRecord,
  CommandError,
  defaultSubscriptionGroup,
  emptyRecord,
  groupNameFault,
  newDataVersion,
  readDataVersion,
  readSubscriptionGroup,
  type Clock,
  type DataVersion,
  type JsonObject,
  type Logger,
  type SubscriptionGroupConfig,
} from '@cometmq/remoting'
import { ConfigFile, loadConfigFile } from '../store/config-file.ts'
import type { Disk } from '../store/disk.ts'
import { nextVersion, readFileObject, unknownMembers, writeFileObject } from './json.ts'
import { isSystemGroup, SYSTEM_GROUPS } from './system-names.ts'
import type { Groups } from './types.ts'

/** Beyond it new groups are refused. */
const GROUPS_MAX = 50_000
const SYSTEM_ERROR = 1
const READ_FORBIDDEN = 1
const FILE_MEMBERS = ['dataVersion', 'forbiddenTable', 'subscriptionGroupTable']

export interface GroupsOptions {
  disk: Disk
  /** storePathRootDir; the file is `config/subscriptionGroup.json` in it. */
  folder: string
  clock: Clock
  config: { readonly autoCreateSubscriptionGroup: boolean }
  logger: Logger
  /** Default 50 000. */
  groupsMax?: number
}

interface Loaded {
  version: DataVersion
  groups: Map<string, SubscriptionGroupConfig>
  /** group → topic → bits; bit 0: reading is forbidden. */
  forbidden: Map<string, Map<string, number>>
  unknown: JsonObject
  unknownOf: Map<string, JsonObject>
}

/** Java: org.apache.rocketmq.broker.subscription.SubscriptionGroupManager. */
export class GroupTable implements Groups {
  readonly #options: GroupsOptions
  readonly #loaded: Loaded
  readonly #groups: Map<string, SubscriptionGroupConfig>
  readonly #file: ConfigFile
  #limitReported = false

  /**
   * Reads subscriptionGroup.json and adds the system groups that are missing.
   * Rejects with ConfigFileError when the file and its backup are both unusable.
   */
  static async load(options: GroupsOptions): Promise<GroupTable> {
    const path = `${options.folder}/config/subscriptionGroup.json`
    const loaded = await loadConfigFile(options.disk, path, decode, options.logger)
    const table = new GroupTable(options, path, loaded ?? nothingLoaded(options.clock))
    for (const name of SYSTEM_GROUPS) if (table.get(name) === undefined) table.put(defaultSubscriptionGroup(name))
    return table
  }

  private constructor(options: GroupsOptions, path: string, loaded: Loaded) {
    this.#options = options
    this.#loaded = loaded
    this.#groups = loaded.groups
    this.#file = new ConfigFile({ ...options, path, encode: () => this.#encode() })
  }

  get dataVersion(): DataVersion {
    return this.#loaded.version
  }

  find(name: string): SubscriptionGroupConfig | undefined {
    return this.#groups.get(name) ?? this.#autoCreate(name)
  }

  get(name: string): SubscriptionGroupConfig | undefined {
    return this.#groups.get(name)
  }

  all(): Iterable<SubscriptionGroupConfig> {
    return this.#groups.values()
  }

  put(config: SubscriptionGroupConfig): void {
    const { groupName } = config
    const old = this.#groups.get(groupName)
    if (old !== undefined && JSON.stringify(inOrder(old)) === JSON.stringify(inOrder(config))) return
    if (old === undefined) {
      const fault = groupNameFault(groupName)
      if (fault !== null) throw new CommandError(SYSTEM_ERROR, fault)
      if (this.#isFull())
        throw new CommandError(
          SYSTEM_ERROR,
          `the group ${groupName} was not created: this broker has ${this.#max()} groups, the most it keeps; delete some first`,
        )
    }
    this.#groups.set(groupName, config)
    this.#changed()
  }

  remove(name: string): boolean {
    const hadForbidden = this.#loaded.forbidden.delete(name)
    const existed = this.#groups.delete(name)
    this.#loaded.unknownOf.delete(name)
    if (existed || hadForbidden) this.#changed()
    return existed
  }

  isForbidden(group: string, topic: string): boolean {
    return ((this.#loaded.forbidden.get(group)?.get(topic) ?? 0) & READ_FORBIDDEN) !== 0
  }

  setForbidden(group: string, topic: string, forbidden: boolean): void {
    if (this.isForbidden(group, topic) === forbidden) return
    const topics = this.#loaded.forbidden.get(group) ?? new Map<string, number>()
    const bits = topics.get(topic) ?? 0
    const now = forbidden ? bits | READ_FORBIDDEN : bits & ~READ_FORBIDDEN
    if (now === 0) topics.delete(topic)
    else topics.set(topic, now)
    if (topics.size === 0) this.#loaded.forbidden.delete(group)
    else this.#loaded.forbidden.set(group, topics)
    this.#changed()
  }

  forbiddenTable(): Record<string, Record<string, number>> {
    const table = emptyRecord<Record<string, number>>()
    for (const [group, topics] of this.#loaded.forbidden) table[group] = Object.fromEntries(topics)
    return table
  }

  saved(): Promise<void> {
    return this.#file.saved()
  }

  #autoCreate(name: string): SubscriptionGroupConfig | undefined {
    if (!this.#options.config.autoCreateSubscriptionGroup && !isSystemGroup(name)) return undefined
    if (groupNameFault(name) !== null) return undefined
    if (this.#isFull()) {
      if (!this.#limitReported)
        this.#options.logger.warn(
          `the group ${name} was not created: this broker has ${this.#max()} groups, the most it keeps; delete some first`,
        )
      this.#limitReported = true
      return undefined
    }
    const created = defaultSubscriptionGroup(name)
    this.put(created)
    return created
  }

  #max(): number {
    return this.#options.groupsMax ?? GROUPS_MAX
  }

  #isFull(): boolean {
    return this.#groups.size >= this.#max()
  }

  #changed(): void {
    this.#loaded.version = nextVersion(this.#loaded.version, this.#options.clock.now())
    this.#file.changed()
  }

  #encode(): string {
    const table = emptyRecord<unknown>()
    for (const [name, config] of this.#groups) table[name] = { ...this.#loaded.unknownOf.get(name), ...config }
    return writeFileObject({
      ...this.#loaded.unknown,
      dataVersion: this.#loaded.version,
      forbiddenTable: this.forbiddenTable(),
      subscriptionGroupTable: table,
    })
  }
}

function nothingLoaded(clock: Clock): Loaded {
  const version = newDataVersion(clock.now())
  return { version, groups: new Map(), forbidden: new Map(), unknown: {}, unknownOf: new Map() }
}

const GROUP_MEMBERS = [...Object.keys(defaultSubscriptionGroup('')), 'subscriptionDataSet']

function decode(content: string): Loaded {
  const file = readFileObject(content)
  const result: Loaded = {
    version: readDataVersion(file['dataVersion']),
    groups: new Map(),
    forbidden: new Map(),
    unknown: unknownMembers(file, FILE_MEMBERS),
    unknownOf: new Map(),
  }
  for (const [name, value] of Object.entries(asRecord(file['subscriptionGroupTable'], 'subscriptionGroupTable'))) {
    const entry = asRecord(value, `group ${name}`)
    result.groups.set(name, { ...readSubscriptionGroup(entry, `group ${name}`), groupName: name })
    const unknown = unknownMembers(entry, GROUP_MEMBERS)
    if (Object.keys(unknown).length > 0) result.unknownOf.set(name, unknown)
  }
  for (const [group, value] of Object.entries(asRecord(file['forbiddenTable'], 'forbiddenTable'))) {
    const topics = asRecord(value, `forbiddenTable ${group}`)
    result.forbidden.set(group, new Map(Object.keys(topics).map(topic => [topic, asNumber(topics[topic], topic)])))
  }
  return result
}

/** Members sorted, so that two configurations that differ only in order compare equal. */
function inOrder(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (Array.isArray(value)) return value.map(inOrder)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, inOrder(inner)]),
  )
}
