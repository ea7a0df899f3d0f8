import {
  CommandError,
  ResponseCode,
  encodeResetOffsetBody,
  cloneGroupOffsetRequest,
  resetOffsetRequest,
  type Handler,
  type MessageQueue,
  type Reply,
} from '@cometmq/remoting'
import type { Broker } from './context.ts'
import { shown } from './fields.ts'
import { SUCCESS, bodyReply } from './replies.ts'

/** Offsets as operators and replicas see them: 222, 314, 43, 45 (spec remoting, 3.8; store, 12.3). */
export function offsetAdminHandlers(broker: Broker): Record<'reset' | 'clone' | 'all' | 'delayOffsets', Handler> {
  const { topics, groups, offsets, config } = broker

  /** 222 INVOKE_BROKER_TO_RESET_OFFSET: the next pull of each queue is told where to go on. */
  const reset: Handler = async request => {
    const { topic, group, timestamp, queueId, offset } = resetOffsetRequest.decode(request.ext)
    const topicConfig = topics.get(topic)
    if (topicConfig === undefined) return { code: ResponseCode.TOPIC_NOT_EXIST, remark: `Topic ${shown(topic)} does not exist` }
    if (groups.find(group) === undefined) {
      return { code: ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, remark: `Group ${shown(group)} does not exist` }
    }
    const queues = queueId >= 0 ? [queueId] : Array.from({ length: topicConfig.readQueueNums }, (_, i) => i)
    const targets: [MessageQueue, number][] = []
    for (const each of queues) {
      const target = await resetTarget(broker, topic, each, queueId >= 0 ? (offset ?? -1) : -1, timestamp)
      targets.push([{ topic, brokerName: config.brokerName, queueId: each }, target])
    }
    for (const [queue, target] of targets) {
      offsets.reset(group, topic, queue.queueId, target)
      broker.wakePulls(topic, queue.queueId)
    }
    broker.wakePops(group, topic)
    return bodyReply(encodeResetOffsetBody(targets))
  }

  /** 314 CLONE_GROUP_OFFSET: of one topic or all of the source group. */
  const clone: Handler = request => {
    const { srcGroup, destGroup, topic } = cloneGroupOffsetRequest.decode(request.ext)
    const names = topic === undefined || topic === '' ? offsets.topicsOf(srcGroup) : [topic]
    for (const name of names) if (topics.get(name) !== undefined) offsets.clone(srcGroup, destGroup, name)
    return SUCCESS
  }

  /** 43 GET_ALL_CONSUMER_OFFSET; queue ids without quotes, as Java writes them. */
  const all: Handler = () => bodyReply(Buffer.from(offsetTableJson(broker)))

  /** 45 GET_ALL_DELAY_OFFSET. */
  const delayOffsets: Handler = (): Reply => bodyReply(Buffer.from(broker.delayOffsetsJson()))

  return { reset, clone, all, delayOffsets }
}

async function resetTarget(broker: Broker, topic: string, queueId: number, offset: number, timestamp: number): Promise<number> {
  const { store } = broker
  const min = store.minOffset(topic, queueId)
  const max = store.maxOffset(topic, queueId)
  if (offset >= 0) {
    if (offset >= min && offset <= max + 1) return offset
    throw new CommandError(
      ResponseCode.SYSTEM_ERROR,
      `Target offset ${offset} not in consume queue range [${min}, ${max + 1}] of ${topic} queue ${queueId}`,
    )
  }
  if (timestamp < 0) return max
  return store.offsetByTime(topic, queueId, timestamp, 'LOWER')
}

function offsetTableJson({ offsets }: Broker): string {
  const { counter, stateVersion, timestamp } = offsets.dataVersion
  const entries = Object.entries(offsets.table()).map(([key, queues]) => {
    const rows = Object.entries(queues).map(([queueId, offset]) => `${queueId}:${offset}`)
    return `${JSON.stringify(key)}:{${rows.join(',')}}`
  })
  return `{"dataVersion":{"counter":${counter},"stateVersion":${stateVersion},"timestamp":${timestamp}},"offsetTable":{${entries.join(',')}}}`
}
