import type { JsonValue } from '../json/parse.ts'
import {
  asArray,
  asBigInt,
  asBoolean,
  asEnum,
  asNumber,
  asOptionalString,
  asRecord,
  asString,
  asStrings,
  bodyObject,
} from '../json/read.ts'
import { encodeJson } from '../json/stringify.ts'
import type { ConsumerData, HeartbeatData, SubscriptionData } from './types.ts'

/**
 * spec: remoting, section 3.3.3; Java: HeartbeatData, ConsumerData, SubscriptionData. Go leaves members out, quotes the hashes
 * in codeSet and counts subVersion in nanoseconds.
 */

export const CONSUME_TYPES = ['CONSUME_ACTIVELY', 'CONSUME_PASSIVELY', 'CONSUME_POP'] as const
export const MESSAGE_MODELS = ['BROADCASTING', 'CLUSTERING'] as const
const DEFAULT_CONSUME_FROM = 'CONSUME_FROM_LAST_OFFSET'

export function readSubscriptionData(value: JsonValue | undefined, name = 'subscriptionData'): SubscriptionData {
  const data = asRecord(value, name)
  return {
    topic: asString(data['topic'], `${name}.topic`),
    subString: asString(data['subString'], `${name}.subString`, '*'),
    expressionType: asString(data['expressionType'], `${name}.expressionType`, 'TAG') || 'TAG',
    classFilterMode: asBoolean(data['classFilterMode'], `${name}.classFilterMode`),
    tagsSet: asStrings(data['tagsSet'], `${name}.tagsSet`),
    codeSet: asArray(data['codeSet'], `${name}.codeSet`).map(code => asNumber(code, `${name}.codeSet`) | 0),
    subVersion: asBigInt(data['subVersion'], `${name}.subVersion`),
  }
}

export function readSubscriptionSet(value: JsonValue | undefined, name: string): SubscriptionData[] {
  return asArray(value, name).map((item, index) => readSubscriptionData(item, `${name}[${index}]`))
}

function readConsumerData(value: JsonValue, name: string): ConsumerData {
  const data = asRecord(value, name)
  return {
    groupName: asString(data['groupName'], `${name}.groupName`),
    consumeType: asEnum(data['consumeType'], `${name}.consumeType`, CONSUME_TYPES, 'CONSUME_PASSIVELY'),
    messageModel: asEnum(data['messageModel'], `${name}.messageModel`, MESSAGE_MODELS, 'CLUSTERING'),
    consumeFromWhere: asString(data['consumeFromWhere'], `${name}.consumeFromWhere`, DEFAULT_CONSUME_FROM),
    subscriptionDataSet: readSubscriptionSet(data['subscriptionDataSet'], `${name}.subscriptionDataSet`),
    unitMode: asBoolean(data['unitMode'], `${name}.unitMode`),
  }
}

/** Body of 34. */
export function decodeHeartbeat(body: Uint8Array | null): HeartbeatData {
  const data = bodyObject(body, 'heartbeat')
  return {
    clientID: asString(data['clientID'], 'clientID'),
    heartbeatFingerprint: asNumber(data['heartbeatFingerprint'], 'heartbeatFingerprint'),
    withoutSub: asBoolean(data['withoutSub'], 'withoutSub'),
    producerDataSet: asArray(data['producerDataSet'], 'producerDataSet').map((item, index) => ({
      groupName: asString(asRecord(item, `producerDataSet[${index}]`)['groupName'], `producerDataSet[${index}].groupName`),
    })),
    consumerDataSet: asArray(data['consumerDataSet'], 'consumerDataSet').map((item, index) =>
      readConsumerData(item, `consumerDataSet[${index}]`),
    ),
  }
}
export const encodeHeartbeat = (data: HeartbeatData): Buffer => encodeJson(data)

/** Body of 46. Java: CheckClientRequestBody. */
export interface CheckClientBody {
  clientId: string
  group: string
  subscriptionData: SubscriptionData
}
export function decodeCheckClientBody(body: Uint8Array | null): CheckClientBody {
  const data = bodyObject(body, 'body')
  return {
    clientId: asString(data['clientId'], 'clientId'),
    group: asString(data['group'], 'group'),
    subscriptionData: readSubscriptionData(data['subscriptionData']),
  }
}
export const encodeCheckClientBody = (body: CheckClientBody): Buffer => encodeJson(body)

/** Answer of 345. Java: QuerySubscriptionResponseBody. */
export interface QuerySubscriptionBody {
  group: string
  topic?: string | undefined
  /** Undefined when the group does not subscribe the topic. */
  subscriptionData?: SubscriptionData | undefined
}
export function decodeQuerySubscriptionBody(body: Uint8Array | null): QuerySubscriptionBody {
  const data = bodyObject(body, 'body')
  const subscription = data['subscriptionData'] ?? null
  return {
    group: asString(data['group'], 'group'),
    topic: asOptionalString(data['topic'], 'topic'),
    subscriptionData: subscription === null ? undefined : readSubscriptionData(subscription),
  }
}
export const encodeQuerySubscriptionBody = (body: QuerySubscriptionBody): Buffer => encodeJson(body)
