import {
  asNumber,
  asRecord,
  CommandError,
  emptyRecord,
  newDataVersion,
  readDataVersion,
  type Clock,
  type DataVersion,
  type JsonObject,
  type Logger,
} from '@cometmq/remoting'
import { ConfigFile, loadConfigFile } from '../store/config-file.ts'
import type { Disk } from '../store/disk.ts'
import { nextVersion, readFileObject, unknownMembers, writeFileObject } from './json.ts'
import { QueueOffsets } from './queue-offsets.ts'
import type { Offsets } from './types.ts'

/** Offsets kept; beyond it new ones are refused. About 100 bytes each. */
const OFFSETS_MAX = 1_000_000
/** `consumerOffsetUpdateVersionStep`: commits per step of dataVersion. */
const COMMITS_PER_VERSION = 500
const SYSTEM_BUSY = 2
/** groupTopicMap is derived from the table: neither kept nor needed. */
const FILE_MEMBERS = ['dataVersion', 'offsetTable', 'groupTopicMap']
const NO_QUEUES: ReadonlyMap<number, number> = new Map()

export interface OffsetsOptions {
  disk: Disk
  /** storePathRootDir; the file is `config/consumerOffset.json` in it. */
  folder: string
  clock: Clock
  logger: Logger
  config?: unknown
  /** Default 1 000 000. */
  offsetsMax?: number
}

interface Loaded {
  version: DataVersion
  committed: QueueOffsets
  unknown: JsonObject
  /** Entries whose key is not `topic@group`. */
  setAside: Record<string, unknown>
}

/** Java: org.apache.rocketmq.broker.offset.ConsumerOffsetManager. Memory until `save`. */
export class OffsetTable implements Offsets {
  readonly #options: OffsetsOptions
  readonly #loaded: Loaded
  readonly #committed: QueueOffsets
  readonly #resets = new QueueOffsets()
  readonly #pulled = new QueueOffsets()
  readonly #max: number
  readonly #file: ConfigFile
  #commits = 0
  #dirty = false

  /** Reads consumerOffset.json. Rejects with ConfigFileError when the file and its backup are both unusable. */
  static async load(options: OffsetsOptions): Promise<OffsetTable> {
    const path = `${options.folder}/config/consumerOffset.json`
    const loaded = await loadConfigFile(options.disk, path, decode, options.logger)
    return new OffsetTable(
      options,
      path,
      loaded ?? {
        version: newDataVersion(options.clock.now()),
        committed: new QueueOffsets(),
        unknown: {},
        setAside: {},
      },
    )
  }

  private constructor(options: OffsetsOptions, path: string, loaded: Loaded) {
    this.#options = options
    this.#loaded = loaded
    this.#committed = loaded.committed
    this.#max = options.offsetsMax ?? OFFSETS_MAX
    this.#file = new ConfigFile({ ...options, path, encode: () => this.#encode() })
  }

  get dataVersion(): DataVersion {
    return this.#loaded.version
  }

  query(group: string, topic: string, queueId: number): number {
    if (this.#resets.count > 0) {
      const reset = this.#resets.get(group, topic, queueId)
      if (reset !== -1) return reset
    }
    return this.#committed.get(group, topic, queueId)
  }

  /** Throws CommandError SYSTEM_BUSY for a queue without an offset when the table is full. */
  commit(group: string, topic: string, queueId: number, offset: number): boolean {
    if (this.#resets.count > 0 && this.#resets.get(group, topic, queueId) !== -1) return false
    this.#set(this.#committed, group, topic, queueId, offset)
    this.#dirty = true
    if (++this.#commits % COMMITS_PER_VERSION === 0) this.#stepVersion()
    return true
  }

  reset(group: string, topic: string, queueId: number, offset: number): void {
    this.#set(this.#resets, group, topic, queueId, offset)
    this.#set(this.#committed, group, topic, queueId, offset)
    this.#dirty = true
  }

  takeReset(group: string, topic: string, queueId: number): number {
    return this.#resets.count === 0 ? -1 : this.#resets.take(group, topic, queueId)
  }

  hasReset(group: string, topic: string, queueId: number): boolean {
    return this.#resets.count > 0 && this.#resets.get(group, topic, queueId) !== -1
  }

  pullOffset(group: string, topic: string, queueId: number): number {
    return this.#pulled.get(group, topic, queueId)
  }

  setPullOffset(group: string, topic: string, queueId: number, offset: number): void {
    if (this.#pulled.count < this.#max || this.#pulled.get(group, topic, queueId) !== -1)
      this.#pulled.set(group, topic, queueId, offset)
  }

  topicsOf(group: string): string[] {
    return this.#committed.topicsOf(group)
  }

  groupsOf(topic: string): string[] {
    return this.#committed.groupsOf(topic)
  }

  queuesOf(group: string, topic: string): ReadonlyMap<number, number> {
    return this.#committed.queues(group, topic) ?? NO_QUEUES
  }

  clone(from: string, to: string, topic: string): void {
    for (const [queueId, offset] of this.queuesOf(from, topic)) this.#set(this.#committed, to, topic, queueId, offset)
    this.#dirty = true
  }

  removeGroup(group: string): void {
    if (this.#committed.removeGroup(group)) this.#removed()
    this.#resets.removeGroup(group)
    this.#pulled.removeGroup(group)
  }

  removeTopic(topic: string): void {
    if (this.#committed.removeTopic(topic)) this.#removed()
    this.#resets.removeTopic(topic)
    this.#pulled.removeTopic(topic)
  }

  table(): Record<string, Record<string, number>> {
    const table = emptyRecord<Record<string, number>>()
    for (const { group, topic, queues } of this.#committed.entries()) table[`${topic}@${group}`] = Object.fromEntries(queues)
    return table
  }

  /** Writes the table when it has changed since the last save; resolves when it is durable. */
  save(): Promise<void> {
    if (this.#dirty) {
      this.#dirty = false
      this.#file.changed()
    }
    return this.#file.saved()
  }

  #set(table: QueueOffsets, group: string, topic: string, queueId: number, offset: number): void {
    if (table.count >= this.#max && table.get(group, topic, queueId) === -1) {
      throw new CommandError(
        SYSTEM_BUSY,
        `[OVERLOAD]the offset of ${group} for ${topic} queue ${queueId} was not stored: this broker keeps at most ${this.#max} offsets; delete unused groups`,
      )
    }
    table.set(group, topic, queueId, offset)
  }

  #removed(): void {
    this.#dirty = true
    this.#stepVersion()
  }

  #stepVersion(): void {
    this.#loaded.version = nextVersion(this.#loaded.version, this.#options.clock.now())
  }

  #encode(): string {
    return writeFileObject({
      ...this.#loaded.unknown,
      dataVersion: this.#loaded.version,
      offsetTable: Object.assign(this.table(), this.#loaded.setAside),
    })
  }
}

function decode(content: string): Loaded {
  const file = readFileObject(content)
  const committed = new QueueOffsets()
  const setAside = emptyRecord<unknown>()
  for (const [key, value] of Object.entries(asRecord(file['offsetTable'], 'offsetTable'))) {
    const [topic, group, ...more] = key.split('@')
    if (!topic || !group || more.length > 0) {
      setAside[key] = value
      continue
    }
    const queues = asRecord(value, `offsetTable ${key}`)
    for (const id of Object.keys(queues)) {
      if (!/^\d{1,9}$/.test(id)) throw new Error(`offsetTable ${key}: ${id} is not a queue id`)
      committed.set(group, topic, Number(id), asNumber(queues[id], id))
    }
  }
  return { version: readDataVersion(file['dataVersion']), committed, unknown: unknownMembers(file, FILE_MEMBERS), setAside }
}
