import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as data from '../../src/data.ts'
import { RequestCode as Q } from '../../src/index.ts'
import { recordedFrames, type Recorded } from './golden.ts'

type Ext = Readonly<Record<string, string>>
interface Table {
  decode(ext: Ext | null): unknown
  encode(value: never): Record<string, string>
  readonly keys: readonly string[]
}

const requestTables = new Map<number, Table>([
  [Q.SEND_MESSAGE, data.sendMessageRequest],
  [Q.SEND_MESSAGE_V2, data.sendMessageRequestV2],
  [Q.SEND_BATCH_MESSAGE, data.sendMessageRequestV2],
  [Q.SEND_REPLY_MESSAGE_V2, data.sendMessageRequestV2],
  [Q.PUSH_REPLY_MESSAGE_TO_CLIENT, data.replyMessageRequest],
  [Q.RECALL_MESSAGE, data.recallMessageRequest],
  [Q.PULL_MESSAGE, data.pullMessageRequest],
  [Q.LITE_PULL_MESSAGE, data.pullMessageRequest],
  [Q.QUERY_MESSAGE, data.queryMessageRequest],
  [Q.QUERY_CONSUMER_OFFSET, data.queryConsumerOffsetRequest],
  [Q.UPDATE_CONSUMER_OFFSET, data.updateConsumerOffsetRequest],
  [Q.UPDATE_AND_CREATE_TOPIC, data.createTopicRequest],
  [Q.GET_ALL_TOPIC_CONFIG, data.getAllTopicConfigRequest],
  [Q.SEARCH_OFFSET_BY_TIMESTAMP, data.searchOffsetRequest],
  [Q.GET_MAX_OFFSET, data.getMaxOffsetRequest],
  [Q.GET_MIN_OFFSET, data.topicQueueRequest],
  [Q.GET_EARLIEST_MSG_STORETIME, data.topicQueueRequest],
  [Q.UNREGISTER_CLIENT, data.unregisterClientRequest],
  [Q.CONSUMER_SEND_MSG_BACK, data.consumerSendMsgBackRequest],
  [Q.END_TRANSACTION, data.endTransactionRequest],
  [Q.CHECK_TRANSACTION_STATE, data.checkTransactionStateRequest],
  [Q.GET_CONSUMER_LIST_BY_GROUP, data.consumerGroupRequest],
  [Q.NOTIFY_CONSUMER_IDS_CHANGED, data.notifyConsumerIdsChangedRequest],
  [Q.PUT_KV_CONFIG, data.putKVConfigRequest],
  [Q.DELETE_KV_CONFIG, data.deleteKVConfigRequest],
  [Q.REGISTER_BROKER, data.registerBrokerRequest],
  [Q.UNREGISTER_BROKER, data.unregisterBrokerRequest],
  [Q.GET_ROUTEINFO_BY_TOPIC, data.getRouteInfoRequest],
  [Q.GET_ALL_SUBSCRIPTIONGROUP_CONFIG, data.getAllSubscriptionGroupConfigRequest],
  [Q.GET_TOPIC_STATS_INFO, data.topicRequest],
  [Q.GET_CONSUMER_CONNECTION_LIST, data.consumerGroupRequest],
  [Q.WIPE_WRITE_PERM_OF_BROKER, data.brokerNameRequest],
  [Q.ADD_WRITE_PERM_OF_BROKER, data.brokerNameRequest],
  [Q.DELETE_SUBSCRIPTIONGROUP, data.deleteSubscriptionGroupRequest],
  [Q.GET_CONSUME_STATS, data.getConsumeStatsRequest],
  [Q.DELETE_TOPIC_IN_BROKER, data.topicRequest],
  [Q.DELETE_TOPIC_IN_NAMESRV, data.deleteTopicFromNamesrvRequest],
  [Q.INVOKE_BROKER_TO_RESET_OFFSET, data.resetOffsetRequest],
  [Q.QUERY_TOPIC_CONSUME_BY_WHO, data.topicRequest],
  [Q.GET_CONSUMER_RUNNING_INFO, data.getConsumerRunningInfoRequest],
  [Q.CONSUME_MESSAGE_DIRECTLY, data.consumeMessageDirectlyRequest],
  [Q.VIEW_BROKER_STATS_DATA, data.viewBrokerStatsDataRequest],
  [Q.GET_BROKER_CONSUME_STATS, data.getBrokerConsumeStatsRequest],
  [Q.QUERY_CONSUME_QUEUE, data.queryConsumeQueueRequest],
  [Q.GET_TOPIC_CONFIG, data.getTopicConfigRequest],
  [Q.POP_MESSAGE, data.popMessageRequest],
  [Q.PEEK_MESSAGE, data.peekMessageRequest],
  [Q.ACK_MESSAGE, data.ackMessageRequest],
  [Q.CHANGE_MESSAGE_INVISIBLETIME, data.changeInvisibleTimeRequest],
  [Q.NOTIFICATION, data.notificationRequest],
  [Q.POLLING_INFO, data.pollingInfoRequest],
])

const responseTables = new Map<number, Table>([
  [Q.SEND_MESSAGE, data.sendMessageResponse],
  [Q.SEND_MESSAGE_V2, data.sendMessageResponse],
  [Q.SEND_BATCH_MESSAGE, data.sendMessageResponse],
  [Q.SEND_REPLY_MESSAGE_V2, data.sendMessageResponse],
  [Q.RECALL_MESSAGE, data.recallMessageResponse],
  [Q.PULL_MESSAGE, data.pullMessageResponse],
  [Q.LITE_PULL_MESSAGE, data.pullMessageResponse],
  [Q.QUERY_MESSAGE, data.queryMessageResponse],
  [Q.QUERY_CONSUMER_OFFSET, data.offsetResponse],
  [Q.SEARCH_OFFSET_BY_TIMESTAMP, data.offsetResponse],
  [Q.GET_MAX_OFFSET, data.offsetResponse],
  [Q.GET_MIN_OFFSET, data.offsetResponse],
  [Q.GET_EARLIEST_MSG_STORETIME, data.getEarliestMsgStoretimeResponse],
  [Q.HEART_BEAT, data.heartbeatResponse],
  [Q.REGISTER_BROKER, data.registerBrokerResponse],
  [Q.WIPE_WRITE_PERM_OF_BROKER, data.wipeWritePermResponse],
  [Q.ADD_WRITE_PERM_OF_BROKER, data.addWritePermResponse],
  [Q.GET_ALL_TOPIC_CONFIG, data.getAllTopicConfigResponse],
  [Q.GET_ALL_SUBSCRIPTIONGROUP_CONFIG, data.getAllSubscriptionGroupConfigResponse],
  [Q.GET_BROKER_CONFIG, data.getBrokerConfigResponse],
  [Q.POP_MESSAGE, data.popMessageResponse],
  [Q.PEEK_MESSAGE, data.popMessageResponse],
  [Q.CHANGE_MESSAGE_INVISIBLETIME, data.changeInvisibleTimeResponse],
  [Q.NOTIFICATION, data.notificationResponse],
  [Q.POLLING_INFO, data.pollingInfoResponse],
])

/** Decodes and encodes again. */
type BodyRoundTrip = (body: Buffer) => Buffer

const requestBodies = new Map<number, BodyRoundTrip>([
  [Q.REGISTER_BROKER, body => data.encodeRegisterBrokerBody(data.decodeRegisterBrokerBody(body, false, 479))],
  [Q.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, body => data.encodeSubscriptionGroup(data.decodeSubscriptionGroup(body))],
  [Q.HEART_BEAT, body => data.encodeHeartbeat(data.decodeHeartbeat(body))],
  [Q.LOCK_BATCH_MQ, body => data.encodeLockBatch(data.decodeLockBatch(body))],
  [Q.UNLOCK_BATCH_MQ, body => data.encodeLockBatch(data.decodeLockBatch(body))],
])

const responseBodies = new Map<number, BodyRoundTrip>([
  [Q.GET_ROUTEINFO_BY_TOPIC, body => data.encodeTopicRouteData(data.decodeTopicRouteData(body))],
  [Q.GET_BROKER_CLUSTER_INFO, body => data.encodeClusterInfo(data.decodeClusterInfo(body))],
  [Q.GET_ALL_TOPIC_LIST_FROM_NAMESERVER, body => data.encodeTopicList(data.decodeTopicList(body))],
  [Q.GET_SYSTEM_TOPIC_LIST_FROM_BROKER, body => data.encodeTopicList(data.decodeTopicList(body))],
  [Q.GET_ALL_TOPIC_CONFIG, body => data.encodeTopicConfigWrapper(data.decodeTopicConfigWrapper(body))],
  [Q.GET_ALL_SUBSCRIPTIONGROUP_CONFIG, body => data.encodeSubscriptionGroupWrapper(data.decodeSubscriptionGroupWrapper(body))],
  [Q.GET_TOPIC_CONFIG, body => data.encodeTopicConfig(data.decodeTopicConfig(body))],
  [Q.GET_TOPIC_STATS_INFO, body => data.encodeTopicStatsTable(data.decodeTopicStatsTable(body))],
  [Q.GET_CONSUMER_CONNECTION_LIST, body => data.encodeConsumerConnection(data.decodeConsumerConnection(body))],
  [Q.GET_CONSUME_STATS, body => data.encodeConsumeStats(data.decodeConsumeStats(body))],
  [Q.GET_BROKER_CONSUME_STATS, body => data.encodeBrokerConsumeStats(data.decodeBrokerConsumeStats(body))],
  [Q.INVOKE_BROKER_TO_RESET_OFFSET, body => data.encodeResetOffsetBody(data.decodeResetOffsetBody(body))],
  [Q.QUERY_TOPIC_CONSUME_BY_WHO, body => data.encodeGroupList(data.decodeGroupList(body))],
  [Q.GET_CONSUMER_LIST_BY_GROUP, body => data.encodeConsumerIdList(data.decodeConsumerIdList(body))],
  [Q.LOCK_BATCH_MQ, body => data.encodeLockedQueues(data.decodeLockedQueues(body))],
  [Q.GET_BROKER_RUNTIME_INFO, body => data.encodeKVTable(data.decodeKVTable(body))],
  [Q.VIEW_BROKER_STATS_DATA, body => data.encodeBrokerStatsData(data.decodeBrokerStatsData(body))],
  [Q.GET_ALL_PRODUCER_INFO, body => data.encodeProducerTable(data.decodeProducerTable(body))],
  [Q.QUERY_CONSUME_QUEUE, body => data.encodeQueryConsumeQueueBody(data.decodeQueryConsumeQueueBody(body))],
  [Q.GET_CONSUMER_RUNNING_INFO, body => data.encodeConsumerRunningInfo(data.decodeConsumerRunningInfo(body))],
  [Q.CONSUME_MESSAGE_DIRECTLY, body => data.encodeConsumeMessageDirectlyResult(data.decodeConsumeMessageDirectlyResult(body))],
  [Q.GET_ALL_CONSUMER_OFFSET, body => data.encodeConsumerOffsets(data.decodeConsumerOffsets(body))],
  [Q.GET_ALL_DELAY_OFFSET, body => data.encodeDelayOffsets(data.decodeDelayOffsets(body))],
])

/** Members that Java sends and our bodies do not keep, with the reason. */
const NOT_KEPT = new Set([
  'mappingDetail', // static topics
  'mappingDataVersion', // static topics
  'pullOffsetTable', // 5.5; memory only
])

const frames = recordedFrames()
const label = (frame: Recorded): string => `${frame.file}:${frame.line} (${frame.answers ?? frame.command.code})`

describe('recorded traffic', () => {
  it('holds frames of every kind', () => {
    expect(frames.length).toBeGreaterThan(2900)
    expect(frames.some(frame => frame.answers === -1)).toBe(false)
  })

  it('gives every header field of every request back in the same spelling', () => {
    const withoutTable = new Set<number>()
    for (const frame of frames.filter(frame => frame.answers === null)) {
      const { code, ext } = frame.command
      const table = requestTables.get(code)
      if (table !== undefined) expectSameExt(table, ext, label(frame))
      else if (ext !== null && Object.keys(ext).some(key => key !== 'ReqT')) withoutTable.add(code)
    }
    expect([...withoutTable]).toEqual([])
  })

  it('gives every header field of every response back in the same spelling', () => {
    const withoutTable = new Set<number>()
    for (const frame of frames.filter(frame => frame.answers !== null)) {
      const { ext } = frame.command
      if (ext === null || Object.keys(ext).length === 0) continue
      const table = responseTables.get(frame.answers!)
      if (table === undefined) withoutTable.add(frame.answers!)
      else expectSameExt(table, ext, label(frame))
    }
    expect([...withoutTable]).toEqual([])
  })

  it('knows every code by name', () => {
    for (const { command, answers } of frames) {
      if (answers === null && command.code !== 999) expect(data.requestCodeName(command.code)).toMatch(/^[A-Z0-9_]+$/)
      if (answers !== null) expect(data.responseCodeName(command.code)).toMatch(/^[A-Z0-9_]+$/)
    }
  })

  it('decodes JSON bodies and encodes the same content', () => {
    const seen = new Set<string>()
    for (const frame of frames) {
      const { body, code } = frame.command
      const roundTrip = frame.answers === null ? requestBodies.get(code) : responseBodies.get(frame.answers)
      if (body === null || roundTrip === undefined) continue
      const original = data.parseJson(body)
      const lost = new Set<string>()
      expectCovered(original, data.parseJson(roundTrip(body)), '', lost, label(frame))
      expect([...lost], label(frame)).toEqual([])
      seen.add(`${frame.answers === null ? 'request' : 'response'} ${frame.answers ?? code}`)
    }
    expect(seen.size).toBe(requestBodies.size + responseBodies.size)
  })

  it('throws only JsonError for damaged bodies', () => {
    const bodies = frames.flatMap(frame => {
      const { body, code } = frame.command
      const roundTrip = frame.answers === null ? requestBodies.get(code) : responseBodies.get(frame.answers)
      return body === null || roundTrip === undefined ? [] : [{ body, roundTrip }]
    })
    const damage = fc.array(fc.tuple(fc.nat(), fc.constantFrom(...'{}[]:,"\'0n-\\')), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(fc.constantFrom(...bodies), damage, fc.boolean(), ({ body, roundTrip }, changes, cut) => {
        const bytes = Buffer.from(body)
        for (const [at, character] of changes) bytes[at % bytes.length] = character.charCodeAt(0)
        try {
          roundTrip(cut ? bytes.subarray(0, changes[0]![0] % bytes.length) : bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(data.JsonError)
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('reads every body that is JSON, whether a decoder exists or not', () => {
    let count = 0
    for (const { command } of frames) {
      if (command.body === null || (command.body[0] !== 0x7b && command.body[0] !== 0x5b)) continue
      expect(typeof data.parseJson(command.body)).toBe('object')
      count++
    }
    expect(count).toBeGreaterThan(500)
  })

  it('decodes message records and encodes the same bytes', () => {
    let count = 0
    for (const { command, answers } of frames) {
      const holdsRecords =
        answers === null
          ? command.code === Q.CHECK_TRANSACTION_STATE || command.code === Q.CONSUME_MESSAGE_DIRECTLY
          : [Q.PULL_MESSAGE, Q.LITE_PULL_MESSAGE, Q.QUERY_MESSAGE, Q.POP_MESSAGE, Q.PEEK_MESSAGE].includes(answers as 11)
      if (!holdsRecords || command.body === null) continue
      const records = data.decodeRecords(command.body)
      for (const record of records) {
        const unpacked = data.decompressBody(record.body, record.sysFlag)
        expect(unpacked.length).toBeGreaterThanOrEqual(record.body.length === 0 ? 0 : 1)
        count++
      }
      expect(Buffer.concat(records.map(record => data.encodeRecord(record))).equals(command.body)).toBe(true)
    }
    expect(count).toBeGreaterThan(100)
  })

  it('decodes batch bodies and encodes the same bytes', () => {
    const batches = frames.filter(frame => frame.answers === null && frame.command.code === Q.SEND_BATCH_MESSAGE)
    expect(batches.length).toBeGreaterThan(3)
    for (const { command } of batches) {
      const elements = data.decodeBatch(command.body!)
      expect(elements.length).toBeGreaterThan(1)
      expect(data.encodeBatch(elements).equals(command.body!)).toBe(true)
    }
  })

  it('gives property strings back in the same spelling', () => {
    let count = 0
    for (const { command, answers } of frames) {
      const properties = command.ext?.['i'] ?? command.ext?.['properties']
      if (answers !== null || properties === undefined || properties === '') continue
      expect(data.encodeProperties(data.parseProperties(properties))).toBe(properties)
      count++
    }
    expect(count).toBeGreaterThan(100)
  })

  it('reads broker and name server settings', () => {
    const settings = frames.filter(frame => frame.answers === Q.GET_BROKER_CONFIG || frame.answers === Q.GET_NAMESRV_CONFIG)
    expect(settings.length).toBeGreaterThan(2)
    for (const { command } of settings) {
      const properties = data.decodePropertiesText(command.body)
      expect(properties.size).toBeGreaterThan(20)
      expect(data.encodePropertiesText(properties).equals(command.body!)).toBe(true)
    }
  })
})

const CLAMPED = '9223372036854775807'

function expectSameExt(table: Table, ext: Ext | null, where: string): void {
  const encoded = table.encode(table.decode(ext) as never)
  for (const key of table.keys) {
    const original = ext?.[key]
    if (original === undefined) continue
    expect(encoded[key], `${where} ${key}`).toBe(original === CLAMPED ? String(Number.MAX_SAFE_INTEGER) : original)
  }
}

/** Every member of `original` must be in `ours` with the same value; paths of missing ones (without array indexes) go to `lost`. */
function expectCovered(original: data.JsonValue, ours: data.JsonValue, path: string, lost: Set<string>, where: string): void {
  if (typeof original !== 'object' || original === null) {
    // Go quotes the numbers of codeSet.
    const same = typeof original === 'string' && typeof ours === 'number' ? String(ours) : ours
    expect(same, `${where} ${path}`).toEqual(original)
    return
  }
  expect(typeof ours, `${where} ${path}`).toBe('object')
  if (Array.isArray(original)) {
    expect((ours as data.JsonValue[]).length, `${where} ${path}`).toBe(original.length)
    original.forEach((item, index) => expectCovered(item, (ours as data.JsonValue[])[index]!, path, lost, where))
    return
  }
  for (const [key, member] of Object.entries(original)) {
    if (NOT_KEPT.has(key)) continue
    const next = path === '' ? key : `${path}.${key}`
    if (!Object.hasOwn(ours as object, key)) lost.add(next)
    else expectCovered(member, (ours as data.JsonObject)[key]!, next, lost, where)
  }
}
