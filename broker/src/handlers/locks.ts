import { CommandError, ResponseCode, type Command, type Handler, type MessageQueue } from '@cometmq/remoting'
import type { Broker } from './context.ts'
import { jsonBody } from './fields.ts'
import { jsonReply } from './json-bodies.ts'

/** Queues one request may lock. */
const MAX_QUEUES = 65_536

/** Queue locks of orderly consumers: 41, 42 (spec remoting, 3.3.2; Java: AdminBrokerProcessor, RebalanceLockManager). */
export function lockHandlers(broker: Broker): Record<'lock' | 'unlock', Handler> {
  /** 41 LOCK_BATCH_MQ: answers the queues that the client holds afterwards. */
  const lock: Handler = request => {
    const { group, clientId, queues } = lockBody(request)
    return jsonReply({ lockOKMQSet: broker.locks.lock(group, queues, clientId) })
  }

  /** 42 UNLOCK_BATCH_MQ. */
  const unlock: Handler = request => {
    const { group, clientId, queues } = lockBody(request)
    broker.locks.unlock(group, queues, clientId)
    return { code: ResponseCode.SUCCESS }
  }

  return { lock, unlock }
}

function lockBody(request: Command): { group: string; clientId: string; queues: MessageQueue[] } {
  const given = jsonBody(request) as { consumerGroup?: unknown; clientId?: unknown; mqSet?: unknown } | null
  const { consumerGroup, clientId, mqSet } = given ?? {}
  if (typeof consumerGroup !== 'string' || typeof clientId !== 'string' || consumerGroup === '' || clientId === '') {
    throw new CommandError(ResponseCode.SYSTEM_ERROR, `the body of request ${request.code} needs consumerGroup and clientId`)
  }
  const list: unknown[] = Array.isArray(mqSet) ? mqSet : []
  if (list.length > MAX_QUEUES) throw new CommandError(ResponseCode.SYSTEM_ERROR, `mqSet has ${list.length} queues, at most ${MAX_QUEUES} are taken`)
  return { group: consumerGroup, clientId, queues: list.map(entry => queueOf(entry, request.code)) }
}

function queueOf(entry: unknown, code: number): MessageQueue {
  const { topic, brokerName, queueId } = (entry ?? {}) as Record<string, unknown>
  if (typeof topic === 'string' && typeof brokerName === 'string' && typeof queueId === 'number') return { topic, brokerName, queueId }
  throw new CommandError(ResponseCode.SYSTEM_ERROR, `the body of request ${code} has an entry of mqSet that is no message queue`)
}
