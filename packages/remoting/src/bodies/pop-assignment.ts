import { asArray, asMessageQueue, asNumber, asRecord, asString, bodyObject, emptyRecord } from '../json/read.ts'
import type { JsonValue } from '../json/parse.ts'
import { encodeJson } from '../json/stringify.ts'
import type { MessageQueue } from './types.ts'

/** Bodies of 400, 401 and 402 (spec: remoting, section 3.5). */

export type MessageRequestMode = 'PULL' | 'POP'

/** 400. Java: QueryAssignmentRequestBody. */
export interface QueryAssignmentBody {
  topic: string
  consumerGroup: string
  clientId: string
  /** `AVG` or `AVG_BY_CIRCLE`. */
  strategyName: string
  messageModel: string
}

export interface MessageQueueAssignment {
  /** Queue -1 with POP: all queues of the broker. */
  messageQueue: MessageQueue
  mode: MessageRequestMode
}

/** 401. Java: SetMessageRequestModeRequestBody. */
export interface MessageRequestModeBody {
  topic: string
  consumerGroup: string
  mode: MessageRequestMode
  popShareQueueNum: number
}

/** Topic → group → mode: the answer of 402, and messageRequestMode.json. */
export type MessageRequestModes = Record<string, Record<string, MessageRequestModeBody>>

export function decodeQueryAssignment(body: Uint8Array | null): QueryAssignmentBody {
  const value = bodyObject(body, 'body')
  return {
    topic: asString(value['topic'], 'topic'),
    consumerGroup: asString(value['consumerGroup'], 'consumerGroup'),
    clientId: asString(value['clientId'], 'clientId'),
    strategyName: asString(value['strategyName'], 'strategyName'),
    messageModel: asString(value['messageModel'], 'messageModel'),
  }
}
export const encodeQueryAssignment = (body: QueryAssignmentBody): Buffer => encodeJson(body)

/** Null: `{}`, the client keeps what it has. */
export const encodeAssignments = (assignments: readonly MessageQueueAssignment[] | null): Buffer =>
  encodeJson(assignments === null ? {} : { messageQueueAssignments: assignments })

export function decodeAssignments(body: Uint8Array | null): MessageQueueAssignment[] | null {
  const value = bodyObject(body, 'body')
  if (value['messageQueueAssignments'] === undefined || value['messageQueueAssignments'] === null) return null
  return asArray(value['messageQueueAssignments'], 'messageQueueAssignments').map((item, index) => {
    const each = asRecord(item, `messageQueueAssignments[${index}]`)
    return { messageQueue: asMessageQueue(each['messageQueue'], 'messageQueue'), mode: readMode(each['mode']) }
  })
}

const readMode = (value: JsonValue | undefined): MessageRequestMode => (asString(value, 'mode') === 'POP' ? 'POP' : 'PULL')

export const decodeMessageRequestMode = (body: Uint8Array | null): MessageRequestModeBody =>
  readMessageRequestMode(bodyObject(body, 'body'), 'body')
export const encodeMessageRequestMode = (body: MessageRequestModeBody): Buffer => encodeJson(body)

export function readMessageRequestMode(value: JsonValue | undefined, name: string): MessageRequestModeBody {
  const body = asRecord(value, name)
  return {
    topic: asString(body['topic'], `${name}.topic`),
    consumerGroup: asString(body['consumerGroup'], `${name}.consumerGroup`),
    mode: readMode(body['mode']),
    popShareQueueNum: asNumber(body['popShareQueueNum'], `${name}.popShareQueueNum`),
  }
}

export function readMessageRequestModes(value: JsonValue | undefined): MessageRequestModes {
  const modes: MessageRequestModes = emptyRecord()
  for (const [topic, groups] of Object.entries(asRecord(value, 'messageRequestModeMap'))) {
    const ofTopic = (modes[topic] = emptyRecord<MessageRequestModeBody>())
    for (const [group, body] of Object.entries(asRecord(groups, topic)))
      ofTopic[group] = { ...readMessageRequestMode(body, group), topic, consumerGroup: group }
  }
  return modes
}
export const decodeMessageRequestModes = (body: Uint8Array | null): MessageRequestModes =>
  readMessageRequestModes(bodyObject(body, 'body')['messageRequestModeMap'])
export const encodeMessageRequestModes = (modes: MessageRequestModes): Buffer => encodeJson({ messageRequestModeMap: modes })
