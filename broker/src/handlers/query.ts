import {
  ResponseCode,
  encodeQueryConsumeQueueBody,
  queryConsumeQueueRequest,
  queryMessageRequest,
  queryMessageResponse,
  viewMessageRequest,
  type Handler,
} from '@cometmq/remoting'
import type { Broker } from './context.ts'
import { shown } from './fields.ts'
import { bodyReply } from './replies.ts'

/** Largest answer to one query; what does not fit is left out, newest first. */
const MAX_ANSWER_BYTES = 12 * 1024 * 1024
const MAX_ROWS = 1000

/** Looking messages up by key, id or queue row (spec remoting, 3.8; store, 12.2; Java: QueryMessageProcessor). */
export function queryHandlers(broker: Broker): Record<'byKey' | 'byId' | 'queueRows', Handler> {
  const { store, config, topics, clock } = broker

  /** 12 QUERY_MESSAGE. */
  const byKey: Handler = async request => {
    const { topic, key, maxNum, beginTimestamp, endTimestamp, uniqueKeyQuery } = queryMessageRequest.decode(request.ext)
    const asked = uniqueKeyQuery ? config.defaultQueryMaxNum : maxNum
    const limit = Math.max(1, Math.min(asked, config.maxMsgsNumBatch))
    const hits = await store.query(topic, key, limit, beginTimestamp, endTimestamp)
    const records: Buffer[] = []
    let bytes = 0
    for (const { record } of hits) {
      if (bytes + record.length > MAX_ANSWER_BYTES) break
      bytes += record.length
      records.push(record)
    }
    const ext = queryMessageResponse.encode({
      indexLastUpdateTimestamp: clock.now(),
      indexLastUpdatePhyoffset: store.stats().dispatched,
    })
    if (records.length === 0)
      return { code: ResponseCode.QUERY_NOT_FOUND, remark: 'can not find message, maybe time range not correct', ext }
    return { code: ResponseCode.SUCCESS, ext, body: Buffer.concat(records, bytes) }
  }

  /** 33 VIEW_MESSAGE_BY_ID. */
  const byId: Handler = async request => {
    const { offset } = viewMessageRequest.decode(request.ext)
    const record = offset < 0 ? null : await store.read(offset)
    if (record === null) return { code: ResponseCode.SYSTEM_ERROR, remark: `can not find message by the offset, ${offset}` }
    return { code: ResponseCode.SUCCESS, body: record }
  }

  /** 321 QUERY_CONSUME_QUEUE. */
  const queueRows: Handler = async request => {
    const { topic, queueId, index, count, consumerGroup } = queryConsumeQueueRequest.decode(request.ext)
    if (topics.get(topic) === undefined) return { code: ResponseCode.TOPIC_NOT_EXIST, remark: `topic[${shown(topic)}] not exist` }
    const rows = await store.rows(topic, queueId, index, Math.min(Math.max(0, count), MAX_ROWS))
    const subscription =
      consumerGroup === undefined ? undefined : broker.clients.consumers(consumerGroup)?.subscriptions.get(topic)
    return bodyReply(
      encodeQueryConsumeQueueBody({
        filterData: 'null',
        maxQueueIndex: store.maxOffset(topic, queueId),
        minQueueIndex: store.minOffset(topic, queueId),
        queueData: rows.map(row => ({
          eval: false,
          physicOffset: row.physicalOffset,
          physicSize: row.size,
          tagsCode: row.tagsCode,
        })),
        subscriptionData: subscription,
      }),
    )
  }

  return { byKey, byId, queueRows }
}
