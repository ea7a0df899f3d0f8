import type { JsonValue } from '../json/parse.ts'
import {
  asArray,
  asBoolean,
  asNumber,
  asOptionalString,
  asRecord,
  asString,
  asStringRecord,
  asStrings,
  bodyObject,
  mapRecord,
} from '../json/read.ts'
import { encodeJson } from '../json/stringify.ts'
import type { BrokerData, ClusterInfo, QueueData, TopicRouteData } from './types.ts'

/** spec: remoting, sections 8.1, 8.2 and 3.1; Java: TopicRouteData, ClusterInfo, BrokerMemberGroup. */

export function readBrokerData(value: JsonValue | undefined, name = 'brokerData'): BrokerData {
  const broker = asRecord(value, name)
  return {
    cluster: asString(broker['cluster'], `${name}.cluster`),
    brokerName: asString(broker['brokerName'], `${name}.brokerName`),
    brokerAddrs: asStringRecord(broker['brokerAddrs'], `${name}.brokerAddrs`),
    enableActingMaster: asBoolean(broker['enableActingMaster'], `${name}.enableActingMaster`),
  }
}

function readQueueData(value: JsonValue, name: string): QueueData {
  const queues = asRecord(value, name)
  return {
    brokerName: asString(queues['brokerName'], `${name}.brokerName`),
    readQueueNums: asNumber(queues['readQueueNums'], `${name}.readQueueNums`),
    writeQueueNums: asNumber(queues['writeQueueNums'], `${name}.writeQueueNums`),
    perm: asNumber(queues['perm'], `${name}.perm`),
    topicSysFlag: asNumber(queues['topicSysFlag'], `${name}.topicSysFlag`),
  }
}

/** Answer of 105. */
export function decodeTopicRouteData(body: Uint8Array | null): TopicRouteData {
  const value = bodyObject(body, 'topicRouteData')
  const route: TopicRouteData = {
    queueDatas: asArray(value['queueDatas'], 'queueDatas').map((item, index) => readQueueData(item, `queueDatas[${index}]`)),
    brokerDatas: asArray(value['brokerDatas'], 'brokerDatas').map((item, index) => readBrokerData(item, `brokerDatas[${index}]`)),
  }
  const orderTopicConf = asOptionalString(value['orderTopicConf'], 'orderTopicConf')
  if (orderTopicConf !== undefined) route.orderTopicConf = orderTopicConf
  return route
}

/** Strict JSON with quoted keys, which Java and Go of any version read. */
export const encodeTopicRouteData = (route: TopicRouteData): Buffer =>
  encodeJson({
    brokerDatas: route.brokerDatas,
    filterServerTable: {},
    orderTopicConf: route.orderTopicConf,
    queueDatas: route.queueDatas,
  })

/** Answer of 106. */
export function decodeClusterInfo(body: Uint8Array | null): ClusterInfo {
  const value = bodyObject(body, 'clusterInfo')
  return {
    brokerAddrTable: mapRecord(value['brokerAddrTable'], 'brokerAddrTable', readBrokerData),
    clusterAddrTable: mapRecord(value['clusterAddrTable'], 'clusterAddrTable', asStrings),
  }
}
export const encodeClusterInfo = (info: ClusterInfo): Buffer => encodeJson(info)

/** Answer of 901: brokers of one name, id → address. */
export interface BrokerMemberGroup {
  cluster: string
  brokerName: string
  brokerAddrs: Record<string, string>
}
export function decodeBrokerMemberGroup(body: Uint8Array | null): BrokerMemberGroup {
  const group = asRecord(bodyObject(body, 'body')['brokerMemberGroup'], 'brokerMemberGroup')
  return {
    cluster: asString(group['cluster'], 'cluster'),
    brokerName: asString(group['brokerName'], 'brokerName'),
    brokerAddrs: asStringRecord(group['brokerAddrs'], 'brokerAddrs'),
  }
}
export const encodeBrokerMemberGroup = (brokerMemberGroup: BrokerMemberGroup): Buffer => encodeJson({ brokerMemberGroup })
