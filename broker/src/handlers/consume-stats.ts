import {
  ResponseCode,
  encodeBrokerConsumeStats,
  encodeConsumeStats,
  encodeConsumeTimeSpan,
  getBrokerConsumeStatsRequest,
  getConsumeStatsRequest,
  queryConsumeTimeSpanRequest,
  type ConsumeStats,
  type Handler,
  type MessageQueue,
  type OffsetWrapper,
  type QueueTimeSpan,
} from '@cometmq/remoting'
import type { Broker } from './context.ts'
import { shown } from './fields.ts'
import { bodyReply } from './replies.ts'

interface GroupStats {
  stats: ConsumeStats
  diff: number
  inflight: number
}

/** How far groups have consumed: 208, 317, 303 (spec remoting, 3.8; Java: AdminBrokerProcessor). */
export function consumeStatsHandlers(broker: Broker): Record<'ofGroup' | 'ofBroker' | 'timeSpan', Handler> {
  const { topics, offsets, config, groups } = broker

  /** 208 GET_CONSUME_STATS: over the topics asked for, or all the group has offsets for. */
  const ofGroup: Handler = async request => {
    const { consumerGroup, topic, topicList } = getConsumeStatsRequest.decode(request.ext)
    const asked = (topicList ?? '')
      .split(';')
      .concat(topicList ? [] : [topic ?? ''])
      .filter(name => name !== '')
    const names = asked.length > 0 ? asked : offsets.topicsOf(consumerGroup)
    return bodyReply(encodeConsumeStats((await groupStats(broker, consumerGroup, names)).stats))
  }

  /** 317 GET_BROKER_CONSUME_STATS. */
  const ofBroker: Handler = async request => {
    const { isOrder } = getBrokerConsumeStatsRequest.decode(request.ext)
    const consumeStatsList: Record<string, ConsumeStats[]>[] = []
    let totalDiff = 0
    let totalInflightDiff = 0
    for (const { groupName } of groups.all()) {
      const perTopic: ConsumeStats[] = []
      for (const name of offsets.topicsOf(groupName)) {
        const topic = topics.get(name)
        if (topic === undefined || (isOrder && !topic.order)) continue
        const found = await groupStats(broker, groupName, [name])
        totalDiff += found.diff
        totalInflightDiff += found.inflight
        perTopic.push(found.stats)
      }
      consumeStatsList.push({ [groupName]: perTopic })
    }
    return bodyReply(encodeBrokerConsumeStats({ brokerAddr: broker.address, consumeStatsList, totalDiff, totalInflightDiff }))
  }

  /** 303 QUERY_CONSUME_TIME_SPAN. */
  const timeSpan: Handler = async request => {
    const { topic, group } = queryConsumeTimeSpanRequest.decode(request.ext)
    const topicConfig = topics.get(topic)
    if (topicConfig === undefined) return { code: ResponseCode.TOPIC_NOT_EXIST, remark: `topic[${shown(topic)}] not exist` }
    const spans: QueueTimeSpan[] = []
    for (let queueId = 0; queueId < topicConfig.writeQueueNums; queueId++) {
      spans.push(await queueTimeSpan(broker, group, { topic, brokerName: config.brokerName, queueId }))
    }
    return bodyReply(encodeConsumeTimeSpan(spans))
  }

  return { ofGroup, ofBroker, timeSpan }
}

/** ConsumeStats as JSON, and how many messages are not consumed and pulled but not consumed. */
async function groupStats(broker: Broker, group: string, names: readonly string[]): Promise<GroupStats> {
  const { topics, store, offsets, config, stats } = broker
  const rows: [MessageQueue, OffsetWrapper][] = []
  let diff = 0
  let inflight = 0
  let tps = 0
  for (const topic of names) {
    const topicConfig = topics.get(topic)
    if (topicConfig === undefined) continue
    tps += stats.tps('GROUP_GET_NUMS', `${topic}@${group}`)
    for (let queueId = 0; queueId < topicConfig.readQueueNums; queueId++) {
      const brokerOffset = store.maxOffset(topic, queueId)
      const consumerOffset = Math.max(0, offsets.query(group, topic, queueId))
      const pullOffset = Math.max(consumerOffset, offsets.pullOffset(group, topic, queueId))
      const lastTimestamp = consumerOffset > 0 ? Math.max(0, await store.storeTimeAt(topic, queueId, consumerOffset - 1)) : 0
      diff += Math.max(0, brokerOffset - consumerOffset)
      inflight += pullOffset - consumerOffset
      rows.push([
        { topic, brokerName: config.brokerName, queueId },
        { brokerOffset, consumerOffset, lastTimestamp, pullOffset },
      ])
    }
  }
  return { stats: { consumeTps: tps, offsetTable: rows }, diff, inflight }
}

async function queueTimeSpan(
  { store, offsets, clock }: Broker,
  group: string,
  messageQueue: MessageQueue,
): Promise<QueueTimeSpan> {
  const { topic, queueId } = messageQueue
  const max = store.maxOffset(topic, queueId)
  const committed = offsets.query(group, topic, queueId)
  const minTimeStamp = await store.storeTimeAt(topic, queueId, store.minOffset(topic, queueId))
  const maxTimeStamp = max > 0 ? await store.storeTimeAt(topic, queueId, max - 1) : -1
  const consumeTimeStamp = committed > 0 ? await store.storeTimeAt(topic, queueId, committed - 1) : minTimeStamp
  const nextTime = committed >= 0 && committed < max ? await store.storeTimeAt(topic, queueId, committed) : -1
  const delayTime = nextTime > 0 ? Math.max(0, clock.now() - nextTime) : 0
  return {
    messageQueue,
    minTimeStamp,
    maxTimeStamp,
    consumeTimeStamp,
    delayTime,
    minTimeStampStr: humanTime(minTimeStamp),
    maxTimeStampStr: humanTime(maxTimeStamp),
    consumeTimeStampStr: humanTime(consumeTimeStamp),
  } as QueueTimeSpan
}

/** Local time as RocketMQ prints it: `2026-01-01#00:00:00:001`; `-1` stays so. */
function humanTime(at: number): string {
  if (at < 0) return '-1'
  const date = new Date(at)
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day}#${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}:${String(date.getMilliseconds()).padStart(3, '0')}`
}
