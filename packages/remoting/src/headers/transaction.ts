import { bool, header, int, long, optional, text, withDefault, type ValueOf } from '../header.ts'

/** Headers of transactions (spec: remoting, section 3.4). */

/** 37 */
export const endTransactionRequest = header({
  topic: optional(text('topic')),
  producerGroup: text('producerGroup'),
  tranStateTableOffset: long('tranStateTableOffset'),
  commitLogOffset: long('commitLogOffset'),
  /** 8 commit, 12 rollback, 0 unknown. */
  commitOrRollback: int('commitOrRollback'),
  fromTransactionCheck: withDefault(bool('fromTransactionCheck'), false),
  msgId: text('msgId'),
  transactionId: optional(text('transactionId')),
  brokerName: optional(text('bname')),
})
export type EndTransactionRequest = ValueOf<typeof endTransactionRequest>

/** 39, broker to producer. */
export const checkTransactionStateRequest = header({
  topic: optional(text('topic')),
  tranStateTableOffset: long('tranStateTableOffset'),
  commitLogOffset: long('commitLogOffset'),
  msgId: optional(text('msgId')),
  transactionId: optional(text('transactionId')),
  offsetMsgId: optional(text('offsetMsgId')),
  brokerName: optional(text('bname')),
})

/** 323 */
export const resumeCheckHalfMessageRequest = header({ topic: optional(text('topic')), msgId: optional(text('msgId')) })
