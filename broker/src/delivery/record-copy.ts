import { SysFlag, type MessageRecord } from '@cometmq/remoting'
import type { NewMessage } from '../store/types.ts'
import { newKnownProperties, scanProperties } from './known-properties.ts'

const HOST_BITS = SysFlag.BORN_HOST_V6 | SysFlag.STORE_HOST_V6
const known = newKnownProperties()

/** A stored record as a message to be stored again, with other properties: the body stays as it is, still compressed. */
export function copyOf(record: MessageRecord, properties: string): NewMessage {
  scanProperties(properties, known)
  return {
    topic: record.topic,
    queueId: record.queueId,
    flag: record.flag,
    sysFlag: record.sysFlag & ~HOST_BITS,
    bornTimestamp: record.bornTimestamp,
    bornHost: record.bornHost,
    reconsumeTimes: record.reconsumeTimes,
    preparedTransactionOffset: 0,
    body: record.body,
    properties,
    tags: known.tags,
    uniqKey: known.uniqKey,
    keys: known.keys,
  }
}
