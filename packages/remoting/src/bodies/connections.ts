import type { JsonValue } from '../json/parse.ts'
import { asArray, asEnum, asNumber, asRecord, asString, bodyObject, mapRecord } from '../json/read.ts'
import { encodeJson } from '../json/stringify.ts'
import { CONSUME_TYPES, MESSAGE_MODELS, readSubscriptionData } from './heartbeat.ts'
import type { ConsumerData, SubscriptionData } from './types.ts'

/** spec: remoting, sections 8.8 and 3.8; Java: ConsumerConnection, ProducerConnection, ProducerTableInfo. */

export interface Connection {
  clientId: string
  /** `ip:port` */
  clientAddr: string
  language: string
  version: number
}

/** Answer of 203. */
export interface ConsumerConnection {
  connectionSet: Connection[]
  consumeType: ConsumerData['consumeType']
  messageModel: ConsumerData['messageModel']
  consumeFromWhere: string
  /** By topic. */
  subscriptionTable: Record<string, SubscriptionData>
}

function readConnections(value: JsonValue | undefined): Connection[] {
  return asArray(value, 'connectionSet').map((item, index) => {
    const name = `connectionSet[${index}]`
    const connection = asRecord(item, name)
    return {
      clientId: asString(connection['clientId'], `${name}.clientId`),
      clientAddr: asString(connection['clientAddr'], `${name}.clientAddr`),
      language: asString(connection['language'], `${name}.language`, 'OTHER'),
      version: asNumber(connection['version'], `${name}.version`),
    }
  })
}

export function decodeConsumerConnection(body: Uint8Array | null): ConsumerConnection {
  const value = bodyObject(body, 'consumerConnection')
  return {
    connectionSet: readConnections(value['connectionSet']),
    consumeType: asEnum(value['consumeType'], 'consumeType', CONSUME_TYPES, 'CONSUME_PASSIVELY'),
    messageModel: asEnum(value['messageModel'], 'messageModel', MESSAGE_MODELS, 'CLUSTERING'),
    consumeFromWhere: asString(value['consumeFromWhere'], 'consumeFromWhere', 'CONSUME_FROM_LAST_OFFSET'),
    subscriptionTable: mapRecord(value['subscriptionTable'], 'subscriptionTable', readSubscriptionData),
  }
}
export const encodeConsumerConnection = (connection: ConsumerConnection): Buffer => encodeJson(connection)

/** Answer of 204. */
export const decodeProducerConnection = (body: Uint8Array | null): Connection[] =>
  readConnections(bodyObject(body, 'producerConnection')['connectionSet'])
export const encodeProducerConnection = (connectionSet: readonly Connection[]): Buffer => encodeJson({ connectionSet })

export interface ProducerInfo {
  clientId: string
  /** With a leading slash: `/1.2.3.4:5`. */
  remoteIP: string
  language: string
  version: number
  /** Epoch ms. */
  lastUpdateTimestamp: number
}

/** Answer of 328: by producer group. */
export function decodeProducerTable(body: Uint8Array | null): Record<string, ProducerInfo[]> {
  return mapRecord(bodyObject(body, 'body')['data'], 'data', (list, name) =>
    asArray(list, name).map(item => readProducerInfo(item, name)),
  )
}
export const encodeProducerTable = (data: Readonly<Record<string, readonly ProducerInfo[]>>): Buffer => encodeJson({ data })

function readProducerInfo(value: JsonValue, name: string): ProducerInfo {
  const info = asRecord(value, name)
  return {
    clientId: asString(info['clientId'], `${name}.clientId`),
    remoteIP: asString(info['remoteIP'], `${name}.remoteIP`),
    language: asString(info['language'], `${name}.language`, 'OTHER'),
    version: asNumber(info['version'], `${name}.version`),
    lastUpdateTimestamp: asNumber(info['lastUpdateTimestamp'], `${name}.lastUpdateTimestamp`),
  }
}
