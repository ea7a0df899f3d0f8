import { decompressBody } from '@cometmq/remoting'
import type { DecodedMessage } from './java-store.ts'

/** expected.json of a golden store: what the Java client and admin library said. */
export interface Expected {
  topics: Record<string, ExpectedTopic>
  groups: Record<string, Record<string, boolean | number>>
  /** `topic@group` → queue → offset. */
  consumerOffsets: Record<string, Record<string, number>>
  broker: { commitLogMaxOffset: string; commitLogMinOffset: string }
  messages: ExpectedMessage[]
}

export interface ExpectedTopic {
  readQueueNums: number
  writeQueueNums: number
  perm: number
  order: boolean
  topicSysFlag: number
  attributes: Record<string, string>
  queues: Record<string, { min: number; max: number }>
}

export interface ExpectedMessage extends Omit<DecodedMessage, 'body'> {
  offsetMsgId: string
  msgId: string
  uniqKey: string | null
  bodyHex: string
}

/** What a client sees of a stored message, to be compared with `asExpected`. */
export function seenByClient({ body, ...fields }: DecodedMessage): Omit<ExpectedMessage, 'offsetMsgId' | 'msgId' | 'uniqKey'> {
  const compressed = (fields.sysFlag & 1) !== 0
  return {
    ...fields,
    sysFlag: fields.sysFlag & ~1,
    bodyHex: (compressed ? decompressBody(body, fields.sysFlag) : body).toString('hex'),
  }
}

export function asExpected({ offsetMsgId: _, msgId: __, uniqKey: ___, ...fields }: ExpectedMessage): ReturnType<typeof seenByClient> {
  return fields
}
