import { ResponseCode, getBrokerConsumeStatsRequest, getConsumeStatsRequest, queryConsumeTimeSpanRequest, type Handler, type MessageQueue } from '@cometmq/remoting'
import type { Broker } from './context.ts'
import { shown } from './fields.ts'
import { double, queueJson, queueMap, textReply } from './json-bodies.ts'

interface GroupStats {
  json: string
  diff: number
  inflight: number
}

/** How far groups have consumed: 208, 317, 303 (spec remoting, 3.8; Java: AdminBrokerProcessor). */
export function consumeStatsHandlers(broker: Broker): Record<'ofGroup' | 'ofBroker' | 'timeSpan', Handler> {
  const { topics, store, offsets, config, groups } = broker

  /** 208 GET_CONSUME_STATS: over the topics asked for, or all the group has offsets for. */
  const ofGroup: Handler = async request => {
    const { consumerGroup, topic, topicList } = getConsumeStatsRequest.decode(request.ext)
    const names = topicList !== undefined && topicList !== '' ? topicList.split(';').filter(name => name !== '') : topic !== undefined && topic !== '' ? [topic] : offsets.topicsOf(consumerGroup)
    return textReply((await groupStats(broker, consumerGroup, names)).json)
  }

  /** 317 GET_BROKER_CONSUME_STATS. */
  const ofBroker: Handler = async request => {
    const { isOrder } = getBrokerConsumeStatsRequest.decode(request.ext)
    const parts: string[] = []
    let totalDiff = 0
    let totalInflight = 0
    for (const { groupName } of groups.all()) {
      const perTopic: string[] = []
      for (const name of offsets.topicsOf(groupName)) {
        const topic = topics.get(name)
        if (topic === undefined || (isOrder && !topic.order)) continue
        const stats = await groupStats(broker, groupName, [name])
        totalDiff += stats.diff
        totalInflight += stats.inflight
        perTopic.push(stats.json)
      }
      parts.push(`{${JSON.stringify(groupName)}:[${perTopic.join(',')}]}`)
    }
    const list = parts.join(',')
    return textReply(
      `{"brokerAddr":${JSON.stringify(broker.address)},"consumeStatsList":[${list}],"totalDiff":${totalDiff},"totalInflightDiff":${totalInflight}}`,
    )
  }

  /** 303 QUERY_CONSUME_TIME_SPAN. */
  const timeSpan: Handler = async request => {
    const { topic, group } = queryConsumeTimeSpanRequest.decode(request.ext)
    const topicConfig = topics.get(topic)
    if (topicConfig === undefined) return { code: ResponseCode.TOPIC_NOT_EXIST, remark: `topic[${shown(topic)}] not exist` }
    const spans: string[] = []
    for (let queueId = 0; queueId < topicConfig.writeQueueNums; queueId++) {
      const max = store.maxOffset(topic, queueId)
      const committed = offsets.query(group, topic, queueId)
      const minTime = await store.storeTimeAt(topic, queueId, store.minOffset(topic, queueId))
      const maxTime = max > 0 ? await store.storeTimeAt(topic, queueId, max - 1) : -1
      const consumedTime = committed > 0 ? await store.storeTimeAt(topic, queueId, committed - 1) : minTime
      const nextTime = committed >= 0 && committed < max ? await store.storeTimeAt(topic, queueId, committed) : -1
      const delay = nextTime > 0 ? Math.max(0, broker.clock.now() - nextTime) : 0
      const queue = queueJson({ topic, brokerName: config.brokerName, queueId })
      spans.push(
        `{"consumeTimeStamp":${consumedTime},"consumeTimeStampStr":"${humanTime(consumedTime)}","delayTime":${delay},` +
          `"maxTimeStamp":${maxTime},"maxTimeStampStr":"${humanTime(maxTime)}","messageQueue":${queue},` +
          `"minTimeStamp":${minTime},"minTimeStampStr":"${humanTime(minTime)}"}`,
      )
    }
    return textReply(`{"consumeTimeSpanSet":[${spans.join(',')}]}`)
  }

  return { ofGroup, ofBroker, timeSpan }
}

/** ConsumeStats as JSON, and how many messages are not consumed and pulled but not consumed. */
async function groupStats(broker: Broker, group: string, names: readonly string[]): Promise<GroupStats> {
  const { topics, store, offsets, config, stats } = broker
  const rows: [MessageQueue, string][] = []
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
        `{"brokerOffset":${brokerOffset},"consumerOffset":${consumerOffset},"lastTimestamp":${lastTimestamp},"pullOffset":${pullOffset}}`,
      ])
    }
  }
  return { json: `{"consumeTps":${double(tps)},"offsetTable":${queueMap(rows)}}`, diff, inflight }
}

/** Local time as RocketMQ prints it: `2026-01-01#00:00:00:001`; `-1` stays so. */
function humanTime(at: number): string {
  if (at < 0) return '-1'
  const date = new Date(at)
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day}#${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}:${String(date.getMilliseconds()).padStart(3, '0')}`
}
