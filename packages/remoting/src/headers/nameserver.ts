import { bool, header, int, long, optional, text, withDefault, type ValueOf } from '../header.ts'

/** Headers of name server requests (spec: remoting, section 3.1; Java: org.apache.rocketmq.remoting.protocol.header.namesrv). */

/** 105 */
export const getRouteInfoRequest = header({
  topic: text('topic'),
  acceptStandardJsonOnly: optional(bool('acceptStandardJsonOnly')),
})

/** 224 */
export const getTopicsByClusterRequest = header({ cluster: text('cluster') })

/** 216 */
export const deleteTopicFromNamesrvRequest = header({ topic: text('topic'), clusterName: optional(text('clusterName')) })

/** 217 */
export const registerTopicRequest = header({ topic: text('topic') })

/** 100 */
export const putKVConfigRequest = header({ namespace: text('namespace'), key: text('key'), value: text('value') })
/** 101 */
export const getKVConfigRequest = header({ namespace: text('namespace'), key: text('key') })
export const getKVConfigResponse = header({ value: optional(text('value')) })
/** 102 */
export const deleteKVConfigRequest = header({ namespace: text('namespace'), key: text('key') })
/** 219 */
export const getKVListByNamespaceRequest = header({ namespace: text('namespace') })

/** 205 and 327 */
export const brokerNameRequest = header({ brokerName: text('brokerName') })
export const wipeWritePermResponse = header({ wipeTopicCount: int('wipeTopicCount') })
export const addWritePermResponse = header({ addTopicCount: int('addTopicCount') })

/** 103 */
export const registerBrokerRequest = header({
  brokerName: text('brokerName'),
  brokerAddr: text('brokerAddr'),
  clusterName: text('clusterName'),
  haServerAddr: withDefault(text('haServerAddr'), ''),
  brokerId: long('brokerId'),
  heartbeatTimeoutMillis: optional(long('heartbeatTimeoutMillis')),
  enableActingMaster: optional(bool('enableActingMaster')),
  compressed: withDefault(bool('compressed'), false),
  /** CRC32 of the body, 31 bits; 0 = do not check. */
  bodyCrc32: withDefault(int('bodyCrc32'), 0),
})
export const registerBrokerResponse = header({
  haServerAddr: optional(text('haServerAddr')),
  masterAddr: optional(text('masterAddr')),
})

/** 104 */
export const unregisterBrokerRequest = header({
  brokerName: text('brokerName'),
  brokerAddr: text('brokerAddr'),
  clusterName: text('clusterName'),
  brokerId: long('brokerId'),
})

/** 322 */
export const queryDataVersionRequest = header({
  brokerName: text('brokerName'),
  brokerAddr: text('brokerAddr'),
  clusterName: text('clusterName'),
  brokerId: withDefault(long('brokerId'), 0),
})
export const queryDataVersionResponse = header({ changed: bool('changed') })

/** 904 */
export const brokerHeartbeatRequest = header({
  clusterName: text('clusterName'),
  brokerAddr: text('brokerAddr'),
  brokerName: text('brokerName'),
  brokerId: optional(long('brokerId')),
  epoch: optional(int('epoch')),
  maxOffset: optional(long('maxOffset')),
  confirmOffset: optional(long('confirmOffset')),
  heartbeatTimeoutMills: optional(long('heartbeatTimeoutMills')),
  electionPriority: optional(int('electionPriority')),
})

/** 901 */
export const getBrokerMemberGroupRequest = header({ clusterName: text('clusterName'), brokerName: text('brokerName') })

export type RegisterBrokerRequest = ValueOf<typeof registerBrokerRequest>
