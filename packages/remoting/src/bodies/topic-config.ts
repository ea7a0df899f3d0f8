import type { JsonValue } from '../json/parse.ts'
import { asArray, asBoolean, asEnum, asNumber, asRecord, asString, asStringRecord, bodyObject, mapRecord } from '../json/read.ts'
import { encodeJson } from '../json/stringify.ts'
import { readDataVersion } from './data-version.ts'
import type { DataVersion, TopicConfig } from './types.ts'

/** spec: remoting, section 8.3; Java: org.apache.rocketmq.common.TopicConfig, TopicConfigSerializeWrapper. */

export const Perm = { PRIORITY: 8, READ: 4, WRITE: 2, INHERIT: 1 } as const

export const TOPIC_FILTER_TYPES = ['SINGLE_TAG', 'MULTI_TAG'] as const

/** 16 queues each way, read and write, single tag: what Java assumes for absent members. */
export const defaultTopicConfig = (topicName: string): TopicConfig => ({
  topicName,
  readQueueNums: 16,
  writeQueueNums: 16,
  perm: Perm.READ | Perm.WRITE,
  topicFilterType: 'SINGLE_TAG',
  topicSysFlag: 0,
  order: false,
  attributes: {},
})

export function readTopicConfig(value: JsonValue | undefined, name = 'topicConfig'): TopicConfig {
  const config = asRecord(value, name)
  const defaults = defaultTopicConfig('')
  return {
    topicName: asString(config['topicName'], `${name}.topicName`),
    readQueueNums: asNumber(config['readQueueNums'], `${name}.readQueueNums`, defaults.readQueueNums),
    writeQueueNums: asNumber(config['writeQueueNums'], `${name}.writeQueueNums`, defaults.writeQueueNums),
    perm: asNumber(config['perm'], `${name}.perm`, defaults.perm),
    topicFilterType: asEnum(config['topicFilterType'], `${name}.topicFilterType`, TOPIC_FILTER_TYPES, 'SINGLE_TAG'),
    topicSysFlag: asNumber(config['topicSysFlag'], `${name}.topicSysFlag`),
    order: asBoolean(config['order'], `${name}.order`),
    attributes: asStringRecord(config['attributes'], `${name}.attributes`),
  }
}

/** Answer of 351. */
export const decodeTopicConfig = (body: Uint8Array | null): TopicConfig => readTopicConfig(bodyObject(body, 'topicConfig'))
export const encodeTopicConfig = (config: TopicConfig): Buffer => encodeJson(config)

/** Body of 18. */
export function decodeTopicConfigList(body: Uint8Array | null): TopicConfig[] {
  const list = asArray(bodyObject(body, 'body')['topicConfigList'], 'topicConfigList')
  return list.map((config, index) => readTopicConfig(config, `topicConfigList[${index}]`))
}
export const encodeTopicConfigList = (topicConfigList: readonly TopicConfig[]): Buffer => encodeJson({ topicConfigList })

/** Answer of 21, and the main part of a registration. Static topic mappings are not kept: they are always empty without static topics. */
export interface TopicConfigWrapper {
  dataVersion: DataVersion
  topicConfigTable: Record<string, TopicConfig>
}

export function readTopicConfigWrapper(value: JsonValue | undefined, name = 'topicConfigWrapper'): TopicConfigWrapper {
  const wrapper = asRecord(value, name)
  const table = mapRecord(wrapper['topicConfigTable'], 'topicConfigTable', readTopicConfig)
  for (const [topic, config] of Object.entries(table)) if (config.topicName === '') config.topicName = topic
  return { dataVersion: readDataVersion(wrapper['dataVersion']), topicConfigTable: table }
}

/** The members that Java writes, with the empty static topic tables. */
export const topicConfigWrapperJson = (wrapper: TopicConfigWrapper): Record<string, unknown> => ({
  dataVersion: wrapper.dataVersion,
  mappingDataVersion: { counter: 0, stateVersion: 0, timestamp: wrapper.dataVersion.timestamp },
  topicConfigTable: wrapper.topicConfigTable,
  topicQueueMappingDetailMap: {},
  topicQueueMappingInfoMap: {},
})

export const decodeTopicConfigWrapper = (body: Uint8Array | null): TopicConfigWrapper =>
  readTopicConfigWrapper(bodyObject(body, 'topicConfigWrapper'))
export const encodeTopicConfigWrapper = (wrapper: TopicConfigWrapper): Buffer => encodeJson(topicConfigWrapperJson(wrapper))
