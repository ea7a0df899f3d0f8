import { asArray, asNumber, asRecord, asString, bodyObject } from '../json/read.ts'
import { encodeJson } from '../json/stringify.ts'
import type { JsonObject } from '../json/parse.ts'
import type { PopRetryFlag } from './pop-receipt.ts'

/** Acknowledgements of messages of one run (Java: BatchAck). */
export interface BatchAck {
  consumerGroup: string
  /** The topic subscribed to, also for its retry topic. */
  topic: string
  retry: PopRetryFlag
  startOffset: number
  queueId: number
  reviveQueueId: number
  popTime: number
  invisibleTime: number
  /** Bit i, lowest bit of byte 0 first: the message at startOffset + i. */
  bits: Uint8Array
}

/** Body of 200151 (spec: remoting, section 3.5; Java: BatchAckMessageRequestBody). */
export interface BatchAckBody {
  brokerName: string
  acks: BatchAck[]
}

/** Takes the short names and the long ones. */
export function decodeBatchAck(body: Uint8Array | null): BatchAckBody {
  const value = bodyObject(body, 'body')
  return {
    brokerName: asString(value['brokerName'], 'brokerName'),
    acks: asArray(value['acks'], 'acks').map((item, index) => readAck(asRecord(item, `acks[${index}]`))),
  }
}

function readAck(ack: JsonObject): BatchAck {
  const retry = asString(ack['r'] ?? ack['retry'], 'r', '0')
  return {
    consumerGroup: asString(ack['c'] ?? ack['consumerGroup'], 'c'),
    topic: asString(ack['t'] ?? ack['topic'], 't'),
    retry: retry === '1' ? 1 : retry === '2' ? 2 : 0,
    startOffset: asNumber(ack['so'] ?? ack['startOffset'], 'so'),
    queueId: asNumber(ack['q'] ?? ack['queueId'], 'q'),
    reviveQueueId: asNumber(ack['rq'] ?? ack['reviveQueueId'], 'rq'),
    popTime: asNumber(ack['pt'] ?? ack['popTime'], 'pt'),
    invisibleTime: asNumber(ack['it'] ?? ack['invisibleTime'], 'it'),
    bits: Buffer.from(asString(ack['b'] ?? ack['bitSet'], 'b'), 'base64'),
  }
}

export function encodeBatchAck(body: BatchAckBody): Buffer {
  return encodeJson({
    brokerName: body.brokerName,
    acks: body.acks.map(ack => ({
      c: ack.consumerGroup,
      t: ack.topic,
      r: String(ack.retry),
      so: ack.startOffset,
      q: ack.queueId,
      rq: ack.reviveQueueId,
      pt: ack.popTime,
      it: ack.invisibleTime,
      b: Buffer.from(ack.bits.buffer, ack.bits.byteOffset, ack.bits.length).toString('base64'),
    })),
  })
}
