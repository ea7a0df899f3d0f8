import { CommandError, ResponseCode, viewBrokerStatsDataRequest, type Handler, type Reply } from '@cometmq/remoting'
import type { StatsSnapshot } from '../stats/counters.ts'
import type { Broker } from './context.ts'
import { body, shown } from './fields.ts'
import { double, jsonReply, textReply } from './json-bodies.ts'
import { runtimeInfo } from './runtime-info.ts'

const SUCCESS: Reply = { code: ResponseCode.SUCCESS }
/** Keys that request 25 may not change (spec remoting, 3.8). */
const BLACK_LIST: readonly string[] = ['configBlackList', 'brokerConfigPath']

type Names = 'runtimeInfo' | 'getConfig' | 'updateConfig' | 'viewStats' | 'cleanQueues' | 'cleanUnusedTopics' | 'deleteExpiredLog' | 'haStatus' | 'coldData'

/** The broker itself: 25, 26, 28, 315, 306, 316, 329, 907, 2003 (spec remoting, 3.8; Java: AdminBrokerProcessor). */
export function brokerAdminHandlers(broker: Broker): Record<Names, Handler> {
  const { store, stats, topics } = broker

  /** 28 GET_BROKER_RUNTIME_INFO. */
  const info: Handler = () => jsonReply({ table: runtimeInfo(broker) })

  /** 26 GET_BROKER_CONFIG. */
  const getConfig: Handler = () => textReply(broker.configText(), { version: JSON.stringify(topics.dataVersion) })

  /** 25 UPDATE_BROKER_CONFIG. */
  const updateConfig: Handler = async request => {
    const changes = parsePropertyLines(body(request).toString('utf8'))
    const forbidden = Object.keys(changes).find(key => BLACK_LIST.includes(key))
    if (forbidden !== undefined) return { code: ResponseCode.NO_PERMISSION, remark: `Can not update config in black list: ${forbidden}` }
    await broker.updateConfig(changes)
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

/** `key=value` lines; `#` and `!` start comments. */
function parsePropertyLines(text: string): Record<string, string> {
  const changes: Record<string, string> = {}
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#') || line.startsWith('!')) continue
    const split = line.indexOf('=')
    if (split <= 0) throw new CommandError(ResponseCode.SYSTEM_ERROR, `"${shown(line)}" is not a line of the form key=value`)
    changes[line.slice(0, split).trim()] = line.slice(split + 1).trim()
  }
  return changes
}
