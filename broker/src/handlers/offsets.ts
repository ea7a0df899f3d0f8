import {
  ResponseCode,
  getEarliestMsgStoretimeResponse,
  getMaxOffsetRequest,
  offsetResponse,
  parseInt32,
  parseLong,
  queryConsumerOffsetRequest,
  searchOffsetRequest,
  topicQueueRequest,
  type Handler,
  type Reply,
} from '@cometmq/remoting'
import type { Broker } from './context.ts'
import { shown } from './fields.ts'

const offsetReply = (offset: number): Reply => ({ code: ResponseCode.SUCCESS, ext: offsetResponse.encode({ offset }) })

type Names = 'query' | 'update' | 'max' | 'min' | 'byTime' | 'earliestTime'

/** Consumer offsets and queue bounds (spec remoting, 3.3.2; store, 12.1 and 12.3; Java: ConsumerManageProcessor). */
export function offsetHandlers(broker: Broker): Record<Names, Handler> {
  const { store, offsets, groups, topics } = broker

  /** 14 QUERY_CONSUMER_OFFSET. */
  const query: Handler = request => {
    const { consumerGroup, topic, queueId, setZeroIfNotFound } = queryConsumerOffsetRequest.decode(request.ext)
    const committed = offsets.query(consumerGroup, topic, queueId)
    if (committed >= 0) return offsetReply(committed)
    // A young queue is read from its start: that decides where a new group begins.
    if (setZeroIfNotFound !== false && store.minOffset(topic, queueId) <= 0 && store.isNearTail(topic, queueId, 0))
      return offsetReply(0)
    return {
      code: ResponseCode.QUERY_NOT_FOUND,
      remark: `Not found, maybe this group consumer boot first: ${shown(consumerGroup)} has no offset for ${shown(topic)} queue ${queueId}`,
    }
  }

  /** 15 UPDATE_CONSUMER_OFFSET. */
  const update: Handler = request => {
    const group = request.ext?.['consumerGroup'] ?? ''
    const topic = request.ext?.['topic'] ?? ''
    if (groups.find(group) === undefined) {
      return { code: ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, remark: `subscription group [${shown(group)}] does not exist` }
    }
    if (topics.get(topic) === undefined) return { code: ResponseCode.TOPIC_NOT_EXIST, remark: `Topic ${shown(topic)} not exist!` }
    const queueId = parseInt32(request.ext?.['queueId'] ?? '')
    if (queueId === undefined || queueId < 0) {
      return { code: ResponseCode.INVALID_PARAMETER, remark: `queueId is missing or not a queue number, topic is ${topic}` }
    }
    const offset = parseLong(request.ext?.['commitOffset'] ?? '')
    if (offset === undefined)
      return { code: ResponseCode.INVALID_PARAMETER, remark: `commitOffset is missing or not a number, topic is ${topic}` }
    const taken = offsets.commit(group, topic, queueId, offset)
    return { code: ResponseCode.SUCCESS, remark: taken ? null : 'Offset has been previously reset' }
  }

  /** 30 GET_MAX_OFFSET: the next readable offset, or with committed=false the next one to be assigned. */
  const max: Handler = request => {
    const { topic, queueId, committed } = getMaxOffsetRequest.decode(request.ext)
    return offsetReply(committed ? store.maxOffset(topic, queueId) : store.nextOffset(topic, queueId))
  }

  /** 31 GET_MIN_OFFSET. */
  const min: Handler = request => {
    const { topic, queueId } = topicQueueRequest.decode(request.ext)
    return offsetReply(store.minOffset(topic, queueId))
  }

  /** 29 SEARCH_OFFSET_BY_TIMESTAMP. */
  const byTime: Handler = async request => {
    const { topic, queueId, timestamp, boundaryType } = searchOffsetRequest.decode(request.ext)
    return offsetReply(
      await store.offsetByTime(topic, queueId, timestamp, boundaryType.toUpperCase() === 'UPPER' ? 'UPPER' : 'LOWER'),
    )
  }

  /** 32 GET_EARLIEST_MSG_STORETIME. */
  const earliestTime: Handler = async request => {
    const { topic, queueId } = topicQueueRequest.decode(request.ext)
    const timestamp = await store.storeTimeAt(topic, queueId, store.minOffset(topic, queueId))
    return { code: ResponseCode.SUCCESS, ext: getEarliestMsgStoretimeResponse.encode({ timestamp }) }
  }

  return { query, update, max, min, byTime, earliestTime }
}
