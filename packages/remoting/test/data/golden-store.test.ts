import { describe, expect, it } from 'vitest'
import * as data from '../../src/data.ts'
import { expectedMessages, storeFiles, type ExpectedMessage } from './golden.ts'

/** All records of a store's commit log, in log order; blanks end a file, zeros the log (spec: store, section 2.4). */
function logRecords(store: string): Map<number, data.MessageRecord> {
  const records = new Map<number, data.MessageRecord>()
  for (const [path, file] of [...storeFiles(store, 'store/commitlog/')].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const base = Number(path.slice(path.lastIndexOf('/') + 1))
    for (let at = 0; data.recordMagic(file, at) !== data.BLANK_MAGIC && data.recordMagic(file, at) !== 0;) {
      expect(data.checkRecord(file, at, file.length, true)).toBeNull()
      const record = data.decodeRecord(file, at)
      expectSameReaders(file, at, record)
      expect(data.encodeRecord(record).equals(file.subarray(at, at + record.totalSize))).toBe(true)
      records.set(base + at, record)
      at += record.totalSize
    }
  }
  return records
}

function expectSameReaders(file: Buffer, at: number, record: data.MessageRecord): void {
  const topic = data.topicStart(file, at)
  const properties = data.propertiesStart(file, at)
  expect({
    totalSize: data.recordSize(file, at),
    magic: data.recordMagic(file, at),
    queueId: data.recordQueueId(file, at),
    queueOffset: data.recordQueueOffset(file, at),
    physicalOffset: data.recordPhysicalOffset(file, at),
    sysFlag: data.recordSysFlag(file, at),
    storeTimestamp: data.recordStoreTimestamp(file, at),
    reconsumeTimes: data.recordReconsumeTimes(file, at),
    preparedTransactionOffset: data.recordPreparedTransactionOffset(file, at),
    topic: file.toString('utf8', topic, topic + data.topicLength(file, at)),
    properties: file.toString('utf8', properties, properties + data.propertiesLength(file, at)),
  }).toEqual({
    totalSize: record.totalSize,
    magic: record.magic,
    queueId: record.queueId,
    queueOffset: record.queueOffset,
    physicalOffset: record.physicalOffset,
    sysFlag: record.sysFlag,
    storeTimestamp: record.storeTimestamp,
    reconsumeTimes: record.reconsumeTimes,
    preparedTransactionOffset: record.preparedTransactionOffset,
    topic: record.topic,
    properties: record.properties,
  })
  expect(data.bodyLength(file, at)).toBe(record.body.length)
}

/** The record as the Java client shows it. */
function asClient(record: data.MessageRecord): Omit<ExpectedMessage, 'commitLogOffset'> {
  const storeHost = data.parseOffsetMessageId(data.offsetMessageId(record.storeHost, record.physicalOffset))
  const bornHost = data.parseOffsetMessageId(data.offsetMessageId(record.bornHost, 0))
  return {
    topic: record.topic,
    queueId: record.queueId,
    queueOffset: record.queueOffset,
    storeSize: record.totalSize,
    bodyCRC: record.bodyCrc,
    flag: record.flag,
    sysFlag: record.sysFlag & ~data.SysFlag.COMPRESSED,
    bornTimestamp: record.bornTimestamp,
    bornHost: `/${bornHost.address}:${bornHost.port}`,
    storeTimestamp: record.storeTimestamp,
    storeHost: `/${storeHost.address}:${storeHost.port}`,
    reconsumeTimes: record.reconsumeTimes,
    preparedTransactionOffset: record.preparedTransactionOffset,
    offsetMsgId: data.offsetMessageId(record.storeHost, record.physicalOffset),
    properties: Object.fromEntries(data.parseProperties(record.properties)),
    bodyHex: data.decompressBody(record.body, record.sysFlag).toString('hex'),
  }
}

describe.each(['5.3.3-clean', '5.3.3-killed', '5.5.1-clean', '5.5.1-killed'])('store %s', store => {
  it('decodes to what the Java client saw', () => {
    const records = logRecords(store)
    const expected = expectedMessages(store)
    expect(expected.length).toBeGreaterThan(400)
    for (const message of expected) {
      const record = records.get(message.commitLogOffset)
      expect(record, `record at ${message.commitLogOffset}`).toBeDefined()
      const ours = asClient(record!)
      // A client adds queue bounds and, for retried messages, shows the original topic; what the store holds is compared.
      const theirs = Object.fromEntries(Object.keys(ours).map(key => [key, message[key as keyof ExpectedMessage]]))
      expect(ours, `record at ${message.commitLogOffset}`).toEqual(theirs)
      expect(record!.physicalOffset).toBe(message.commitLogOffset)
    }
    expect(records.size).toBeGreaterThanOrEqual(expected.length)
  })

  it('has configuration files that the JSON reader takes', () => {
    const files = storeFiles(store, 'store/config/')
    const names = ['topics.json', 'subscriptionGroup.json', 'consumerOffset.json', 'delayOffset.json', 'consumerOrderInfo.json']
    for (const name of names) {
      const file = files.get('store/config/' + name)
      expect(file, name).toBeDefined()
      expect(typeof data.parseJson(file!), name).toBe('object')
    }
    expect(
      data.decodeTopicConfigWrapper(files.get('store/config/topics.json')!).topicConfigTable['T_normal']?.readQueueNums,
    ).toBe(4)
    const groups = data.decodeSubscriptionGroupWrapper(files.get('store/config/subscriptionGroup.json')!)
    expect(groups.subscriptionGroupTable['TOOLS_CONSUMER']?.groupName).toBe('TOOLS_CONSUMER')
    const offsets = data.decodeConsumerOffsets(files.get('store/config/consumerOffset.json')!)
    expect(offsets.offsetTable['T_order@G_order']?.['0']).toBeGreaterThan(0)
  })
})
