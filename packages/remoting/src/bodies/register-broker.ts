import { deflateSync, inflateSync } from 'node:zlib'
import { readInt32 } from '../message/int64.ts'
import { JsonError, parseJson } from '../json/parse.ts'
import { asStringRecord, asStrings, bodyObject, emptyRecord } from '../json/read.ts'
import { encodeJson, stringifyJson } from '../json/stringify.ts'
import { decodeDataVersion, encodeDataVersion, newDataVersion } from './data-version.ts'
import { readTopicConfigWrapper, TOPIC_FILTER_TYPES, topicConfigWrapperJson, type TopicConfigWrapper } from './topic-config.ts'
import type { TopicConfig } from './types.ts'

/** spec: remoting, sections 8.6 and 8.7; Java: org.apache.rocketmq.remoting.protocol.body.RegisterBrokerBody. */
export interface RegisterBrokerBody {
  topicConfigSerializeWrapper: TopicConfigWrapper
  filterServerList: string[]
}

/** What a compressed registration may grow to; 64 MiB is about half a million topics. */
export const MAX_REGISTER_BODY_BYTES = 64 * 1024 * 1024

/** From this broker version on the compressed form ends with the static topic mappings (V5_0_0). */
const VERSION_WITH_MAPPINGS = 413

/** No body: empty tables. Throws JsonError. */
export function decodeRegisterBrokerBody(
  body: Uint8Array | null,
  compressed: boolean,
  brokerVersion: number,
): RegisterBrokerBody {
  if (body === null) return { topicConfigSerializeWrapper: emptyWrapper(), filterServerList: [] }
  if (compressed) return decodeCompressed(body, brokerVersion)
  const value = bodyObject(body, 'registerBrokerBody')
  return {
    topicConfigSerializeWrapper: readTopicConfigWrapper(value['topicConfigSerializeWrapper'], 'topicConfigSerializeWrapper'),
    filterServerList: asStrings(value['filterServerList'], 'filterServerList'),
  }
}

/** The plain form, which every name server version reads. */
export function encodeRegisterBrokerBody(body: RegisterBrokerBody): Buffer {
  return encodeJson({
    filterServerList: body.filterServerList,
    topicConfigSerializeWrapper: topicConfigWrapperJson(body.topicConfigSerializeWrapper),
  })
}

const emptyWrapper = (): TopicConfigWrapper => ({ dataVersion: newDataVersion(), topicConfigTable: emptyRecord() })

/**
 * zlib stream of: i32 n, data version JSON; i32 topic count; per topic i32 n, `name read write perm filterType attributes`;
 * i32 n, filter server JSON; from version 413 on i32 mapping count and per mapping i32 n, JSON. `order` and `topicSysFlag` are lost.
 */
function decodeCompressed(body: Uint8Array, brokerVersion: number): RegisterBrokerBody {
  const parts = new PartReader(inflate(body))
  const dataVersion = decodeDataVersion(parts.next()) ?? newDataVersion()
  const table = emptyRecord<TopicConfig>()
  for (let left = parts.count('topic'); left > 0; left--) {
    const config = parseTopicLine(parts.next())
    table[config.topicName] = config
  }
  const filterServers = parts.next()
  const filterServerList = filterServers === '' ? [] : asStrings(parseJson(filterServers), 'filterServerList')
  if (brokerVersion >= VERSION_WITH_MAPPINGS && !parts.atEnd)
    for (let left = parts.count('mapping'); left > 0; left--) parts.next()
  return { topicConfigSerializeWrapper: { dataVersion, topicConfigTable: table }, filterServerList }
}

function inflate(body: Uint8Array): Buffer {
  try {
    return inflateSync(body, { maxOutputLength: MAX_REGISTER_BODY_BYTES })
  } catch (cause) {
    throw new JsonError(`the compressed registration is no zlib stream of at most ${MAX_REGISTER_BODY_BYTES} bytes`, { cause })
  }
}

class PartReader {
  readonly #bytes: Buffer
  #at = 0
  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }
  get atEnd(): boolean {
    return this.#at >= this.#bytes.length
  }
  /** Every counted part has at least its 4 length bytes. */
  count(what: string): number {
    const count = this.#int32()
    if (count < 0 || count > (this.#bytes.length - this.#at) / 4)
      throw new JsonError(`${what} count ${count} does not fit the registration`)
    return count
  }
  next(): string {
    const length = this.#int32()
    if (length < 0 || length > this.#bytes.length - this.#at)
      throw new JsonError(`part of ${length} bytes does not fit the registration`)
    this.#at += length
    return this.#bytes.toString('utf8', this.#at - length, this.#at)
  }
  #int32(): number {
    if (this.#bytes.length - this.#at < 4) throw new JsonError('the compressed registration ends early')
    this.#at += 4
    return readInt32(this.#bytes, this.#at - 4)
  }
}

function parseTopicLine(line: string): TopicConfig {
  const parts = line.split(' ')
  const [topicName = '', read, write, perm, filterType] = parts
  const numbers = [read, write, perm].map(Number)
  if (topicName === '' || parts.length < 5 || !numbers.every(Number.isInteger)) {
    throw new JsonError(`topic line ${JSON.stringify(line.slice(0, 100))} is not "name read write perm filterType [attributes]"`)
  }
  const attributes = parts.slice(5).join(' ')
  return {
    topicName,
    readQueueNums: numbers[0]!,
    writeQueueNums: numbers[1]!,
    perm: numbers[2]!,
    topicFilterType: TOPIC_FILTER_TYPES.find(type => type === filterType) ?? 'SINGLE_TAG',
    topicSysFlag: 0,
    order: false,
    attributes: attributes === '' ? {} : asStringRecord(parseJson(attributes), 'attributes'),
  }
}

export function encodeCompressedRegisterBrokerBody(body: RegisterBrokerBody): Buffer {
  const { dataVersion, topicConfigTable } = body.topicConfigSerializeWrapper
  const topics = Object.values(topicConfigTable)
  const parts = [
    ...part(encodeDataVersion(dataVersion)),
    int32(topics.length),
    ...topics.flatMap(topic => part(Buffer.from(topicLine(topic), 'utf8'))),
    ...part(encodeJson(body.filterServerList)),
    int32(0),
  ]
  return deflateSync(Buffer.concat(parts))
}

const topicLine = (topic: TopicConfig): string =>
  [
    topic.topicName,
    topic.readQueueNums,
    topic.writeQueueNums,
    topic.perm,
    topic.topicFilterType,
    stringifyJson(topic.attributes),
  ].join(' ')

const part = (bytes: Buffer): Buffer[] => [int32(bytes.length), bytes]

function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeInt32BE(value)
  return bytes
}
