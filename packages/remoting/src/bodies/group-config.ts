import type { JsonObject, JsonValue } from '../json/parse.ts'
import {
  asArray,
  asBoolean,
  asNumber,
  asNumberRecord,
  asRecord,
  asString,
  asStringRecord,
  bodyObject,
  mapRecord,
} from '../json/read.ts'
import { encodeJson } from '../json/stringify.ts'
import { readDataVersion } from './data-version.ts'
import type { DataVersion, SubscriptionGroupConfig } from './types.ts'

/** spec: remoting, section 8.4; Java: org.apache.rocketmq.remoting.protocol.subscription.SubscriptionGroupConfig. */

export const defaultSubscriptionGroup = (groupName: string): SubscriptionGroupConfig => ({
  groupName,
  consumeEnable: true,
  consumeFromMinEnable: true,
  consumeBroadcastEnable: true,
  consumeMessageOrderly: false,
  retryQueueNums: 1,
  retryMaxTimes: 16,
  groupRetryPolicy: { type: 'CUSTOMIZED' },
  brokerId: 0,
  whichBrokerWhenConsumeSlowly: 1,
  notifyConsumerIdsChangedEnable: true,
  groupSysFlag: 0,
  consumeTimeoutMinute: 15,
  attributes: {},
})

export function readSubscriptionGroup(value: JsonValue | undefined, name = 'subscriptionGroup'): SubscriptionGroupConfig {
  const config = asRecord(value, name)
  const defaults = defaultSubscriptionGroup('')
  const flag = (key: keyof SubscriptionGroupConfig): boolean => asBoolean(config[key], `${name}.${key}`, defaults[key] as boolean)
  const count = (key: keyof SubscriptionGroupConfig): number => asNumber(config[key], `${name}.${key}`, defaults[key] as number)
  const group: SubscriptionGroupConfig = {
    groupName: asString(config['groupName'], `${name}.groupName`),
    consumeEnable: flag('consumeEnable'),
    consumeFromMinEnable: flag('consumeFromMinEnable'),
    consumeBroadcastEnable: flag('consumeBroadcastEnable'),
    consumeMessageOrderly: flag('consumeMessageOrderly'),
    retryQueueNums: count('retryQueueNums'),
    retryMaxTimes: count('retryMaxTimes'),
    groupRetryPolicy: readRetryPolicy(config, name) ?? defaults.groupRetryPolicy,
    brokerId: count('brokerId'),
    whichBrokerWhenConsumeSlowly: count('whichBrokerWhenConsumeSlowly'),
    notifyConsumerIdsChangedEnable: flag('notifyConsumerIdsChangedEnable'),
    groupSysFlag: count('groupSysFlag'),
    consumeTimeoutMinute: count('consumeTimeoutMinute'),
    attributes: asStringRecord(config['attributes'], `${name}.attributes`),
  }
  const subscriptions = asArray(config['subscriptionDataSet'], `${name}.subscriptionDataSet`)
  if (subscriptions.length > 0) group.subscriptionDataSet = subscriptions
  return group
}

const readRetryPolicy = (config: JsonObject, name: string): JsonObject | null => {
  const policy = config['groupRetryPolicy']
  return policy === undefined || policy === null ? null : asRecord(policy, `${name}.groupRetryPolicy`)
}

/** Body of 200, answer of 352. */
export const decodeSubscriptionGroup = (body: Uint8Array | null): SubscriptionGroupConfig =>
  readSubscriptionGroup(bodyObject(body, 'subscriptionGroup'))
export const encodeSubscriptionGroup = (config: SubscriptionGroupConfig): Buffer => encodeJson(config)

/** Body of 225. */
export function decodeSubscriptionGroupList(body: Uint8Array | null): SubscriptionGroupConfig[] {
  const list = asArray(bodyObject(body, 'body')['groupConfigList'], 'groupConfigList')
  return list.map((config, index) => readSubscriptionGroup(config, `groupConfigList[${index}]`))
}
export const encodeSubscriptionGroupList = (groupConfigList: readonly SubscriptionGroupConfig[]): Buffer =>
  encodeJson({ groupConfigList })

/** Answer of 201. */
export interface SubscriptionGroupWrapper {
  dataVersion: DataVersion
  subscriptionGroupTable: Record<string, SubscriptionGroupConfig>
  /** group → topic → bits; bit 0: reading is forbidden. */
  forbiddenTable: Record<string, Record<string, number>>
}

export function decodeSubscriptionGroupWrapper(body: Uint8Array | null): SubscriptionGroupWrapper {
  const wrapper = bodyObject(body, 'subscriptionGroupWrapper')
  const table = mapRecord(wrapper['subscriptionGroupTable'], 'subscriptionGroupTable', readSubscriptionGroup)
  for (const [group, config] of Object.entries(table)) if (config.groupName === '') config.groupName = group
  return {
    dataVersion: readDataVersion(wrapper['dataVersion']),
    subscriptionGroupTable: table,
    forbiddenTable: mapRecord(wrapper['forbiddenTable'], 'forbiddenTable', asNumberRecord),
  }
}
export const encodeSubscriptionGroupWrapper = (wrapper: SubscriptionGroupWrapper): Buffer => encodeJson(wrapper)

/** Answer of 353. */
export interface GroupForbidden {
  group: string
  topic: string
  readable: boolean
}
export function decodeGroupForbidden(body: Uint8Array | null): GroupForbidden {
  const value = bodyObject(body, 'groupForbidden')
  return {
    group: asString(value['group'], 'group'),
    topic: asString(value['topic'], 'topic'),
    readable: asBoolean(value['readable'], 'readable', true),
  }
}
export const encodeGroupForbidden = (value: GroupForbidden): Buffer => encodeJson(value)
