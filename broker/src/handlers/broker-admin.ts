import { ResponseCode, viewBrokerStatsDataRequest, type Handler, type Reply } from '@cometmq/remoting'
import type { StatsSnapshot } from '../stats/counters.ts'
import type { Broker } from './context.ts'
import { body, shown } from './fields.ts'
import { double, jsonReply, textReply } from './json-bodies.ts'
import { runtimeInfo } from './runtime-info.ts'

const SUCCESS: Reply = { code: ResponseCode.SUCCESS }

type Names = 'runtimeInfo' | 'getConfig' | 'updateConfig' | 'viewStats' | 'cleanQueues' | 'cleanUnusedTopics' | 'deleteExpiredLog' | 'haStatus' | 'coldData'

/** The broker itself: 25, 26, 28, 315, 306, 316, 329, 907, 2003 (spec remoting, 3.8; Java: AdminBrokerProcessor). */
export function brokerAdminHandlers(broker: Broker): Record<Names, Handler> {
  const { store, stats, topics, config } = broker

  /** 28 GET_BROKER_RUNTIME_INFO. */
  const info: Handler = () => jsonReply({ table: runtimeInfo(broker) })

  /** 26 GET_BROKER_CONFIG. */
  const getConfig: Handler = () => textReply(config.configText(), { version: JSON.stringify(topics.dataVersion) })

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
    if (found === null) return { code: ResponseCode.SYSTEM_ERROR, remark: `The stats <${shown(statsName)}> <${shown(statsKey)}> not exist` }
    return textReply(`{"statsDay":${snapshot(found.day)},"statsHour":${snapshot(found.hour)},"statsMinute":${snapshot(found.minute)}}`)
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
    jsonReply({
      haClientRuntimeInfo: { lastReadTimestamp: 0, lastWriteTimestamp: 0, masterFlushOffset: 0, maxOffset: 0, transferredByteInSecond: 0 },
      haConnectionInfo: [],
      inSyncSlaveNums: 0,
      master: true,
      masterCommitLogMaxOffset: store.stats().appended,
    })

  /** 2003 GET_COLD_DATA_FLOW_CTR_INFO: there is no such control here. */
  const coldData: Handler = () => jsonReply({ configTable: {}, globalColdReadThreshold: 0, runtimeTable: {} })

  return { runtimeInfo: info, getConfig, updateConfig, viewStats, cleanQueues, cleanUnusedTopics, deleteExpiredLog, haStatus, coldData }
}

const snapshot = ({ sum, tps, avgpt }: StatsSnapshot): string => `{"avgpt":${double(avgpt)},"sum":${sum},"tps":${double(tps)}}`
