import {
  ResponseCode,
  encodeBrokerStatsData,
  encodeJson,
  encodeKVTable,
  viewBrokerStatsDataRequest,
  type Handler,
} from '@cometmq/remoting'
import type { Broker } from './context.ts'
import { body, shown } from './fields.ts'
import { SUCCESS, bodyReply } from './replies.ts'
import { runtimeInfo } from './runtime-info.ts'

type Names =
  | 'runtimeInfo'
  | 'getConfig'
  | 'updateConfig'
  | 'viewStats'
  | 'cleanQueues'
  | 'cleanUnusedTopics'
  | 'deleteExpiredLog'
  | 'haStatus'
  | 'coldData'

/** The broker itself: 25, 26, 28, 315, 306, 316, 329, 907, 2003 (spec remoting, 3.8; Java: AdminBrokerProcessor). */
export function brokerAdminHandlers(broker: Broker): Record<Names, Handler> {
  const { store, stats, topics, config } = broker

  /** 28 GET_BROKER_RUNTIME_INFO. */
  const info: Handler = () => bodyReply(encodeKVTable(runtimeInfo(broker)))

  /** 26 GET_BROKER_CONFIG. */
  const getConfig: Handler = () => bodyReply(Buffer.from(config.configText()), { version: JSON.stringify(topics.dataVersion) })

  /** 25 UPDATE_BROKER_CONFIG. */
  const updateConfig: Handler = async request => {
    const changed = config.update(body(request).toString('utf8'))
    if (changed.length > 0) await broker.configChanged(changed)
    return SUCCESS
  }

  /** 315 VIEW_BROKER_STATS_DATA. */
  const viewStats: Handler = request => {
    const { statsName, statsKey } = viewBrokerStatsDataRequest.decode(request.ext)
    const found = stats.view(statsName, statsKey)
    if (found === null)
      return { code: ResponseCode.SYSTEM_ERROR, remark: `The stats <${shown(statsName)}> <${shown(statsKey)}> not exist` }
    return bodyReply(encodeBrokerStatsData({ statsDay: found.day, statsHour: found.hour, statsMinute: found.minute }))
  }

  /** 306 CLEAN_EXPIRED_CONSUMEQUEUE: rows of removed log files go with retention. */
  const cleanQueues: Handler = async () => {
    await store.clean(false)
    return SUCCESS
  }

  /** 316 CLEAN_UNUSED_TOPIC: queues on disk of topics that no longer exist. */
  const cleanUnusedTopics: Handler = async () => {
    await store.removeUnusedTopics(topic => topics.get(topic) !== undefined)
    return SUCCESS
  }

  /** 329 DELETE_EXPIRED_COMMITLOG. */
  const deleteExpiredLog: Handler = async () => {
    await store.clean(true)
    return SUCCESS
  }

  /** 907 GET_BROKER_HA_STATUS of a master without replicas. */
  const haStatus: Handler = () =>
    bodyReply(
      encodeJson({
        haClientRuntimeInfo: {
          lastReadTimestamp: 0,
          lastWriteTimestamp: 0,
          masterFlushOffset: 0,
          maxOffset: 0,
          transferredByteInSecond: 0,
        },
        haConnectionInfo: [],
        inSyncSlaveNums: 0,
        master: true,
        masterCommitLogMaxOffset: store.stats().appended,
      }),
    )

  /** 2003 GET_COLD_DATA_FLOW_CTR_INFO: there is no such control here. */
  const coldData: Handler = () => bodyReply(encodeJson({ configTable: {}, globalColdReadThreshold: 0, runtimeTable: {} }))

  return {
    runtimeInfo: info,
    getConfig,
    updateConfig,
    viewStats,
    cleanQueues,
    cleanUnusedTopics,
    deleteExpiredLog,
    haStatus,
    coldData,
  }
}
