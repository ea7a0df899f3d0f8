import {
  asRecord,
  emptyRecord,
  readMessageRequestModes,
  type Clock,
  type JsonObject,
  type Logger,
  type MessageRequestModeBody,
  type MessageRequestModes,
} from '@cometmq/remoting'
import { ConfigFile, loadConfigFile } from '../store/config-file.ts'
import type { Disk } from '../store/disk.ts'
import { readFileObject, unknownMembers, writeFileObject } from './json.ts'

const FILE_MEMBERS = ['messageRequestModeMap']

export interface RequestModesOptions {
  disk: Disk
  /** storePathRootDir; the file is `config/messageRequestMode.json` in it. */
  folder: string
  clock: Clock
  logger: Logger
}

/** How groups consume topics: by PULL or POP. Java: org.apache.rocketmq.broker.loadbalance.MessageRequestModeManager. */
export class RequestModeTable {
  readonly #modes: MessageRequestModes
  readonly #file: ConfigFile

  /** Rejects with ConfigFileError when the file and its backup are both unusable. */
  static async load(options: RequestModesOptions): Promise<RequestModeTable> {
    const path = `${options.folder}/config/messageRequestMode.json`
    const loaded = await loadConfigFile(
      options.disk,
      path,
      text => {
        const file = readFileObject(text)
        return {
          modes: readMessageRequestModes(asRecord(file['messageRequestModeMap'], 'messageRequestModeMap')),
          unknown: unknownMembers(file, FILE_MEMBERS),
        }
      },
      options.logger,
    )
    return new RequestModeTable(options, path, loaded?.modes ?? emptyRecord(), loaded?.unknown ?? {})
  }

  private constructor(options: RequestModesOptions, path: string, modes: MessageRequestModes, unknown: JsonObject) {
    this.#modes = modes
    this.#file = new ConfigFile({
      ...options,
      path,
      encode: () => writeFileObject({ ...unknown, messageRequestModeMap: modes }),
    })
  }

  get(topic: string, group: string): MessageRequestModeBody | undefined {
    return this.#modes[topic]?.[group]
  }

  put(mode: MessageRequestModeBody): void {
    const ofTopic = (this.#modes[mode.topic] ??= emptyRecord<MessageRequestModeBody>())
    ofTopic[mode.consumerGroup] = mode
    this.#file.changed()
  }

  all(): MessageRequestModes {
    return this.#modes
  }

  /** Resolves when everything is on disk. */
  saved(): Promise<void> {
    return this.#file.saved()
  }
}
