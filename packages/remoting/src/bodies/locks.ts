import type { JsonValue } from '../json/parse.ts'
import { asArray, asBoolean, asMessageQueue, asString, bodyObject } from '../json/read.ts'
import { encodeJson } from '../json/stringify.ts'
import type { MessageQueue } from './types.ts'

/** Bodies of 41 and 42 (spec: remoting, section 3.3.2; Java: LockBatchRequestBody, LockBatchResponseBody). */
export interface LockBatchBody {
  consumerGroup: string
  clientId: string
  mqSet: MessageQueue[]
  onlyThisBroker: boolean
}

const readQueues = (value: JsonValue | undefined, name: string): MessageQueue[] =>
  asArray(value, name).map((item, index) => asMessageQueue(item, `${name}[${index}]`))

export function decodeLockBatch(body: Uint8Array | null): LockBatchBody {
  const value = bodyObject(body, 'body')
  return {
    consumerGroup: asString(value['consumerGroup'], 'consumerGroup'),
    clientId: asString(value['clientId'], 'clientId'),
    mqSet: readQueues(value['mqSet'], 'mqSet'),
    onlyThisBroker: asBoolean(value['onlyThisBroker'], 'onlyThisBroker'),
  }
}
export const encodeLockBatch = (body: LockBatchBody): Buffer => encodeJson(body)

/** Answer of 41: the queues that the client holds afterwards. */
export const decodeLockedQueues = (body: Uint8Array | null): MessageQueue[] =>
  readQueues(bodyObject(body, 'body')['lockOKMQSet'], 'lockOKMQSet')
export const encodeLockedQueues = (lockOKMQSet: readonly MessageQueue[]): Buffer => encodeJson({ lockOKMQSet })
