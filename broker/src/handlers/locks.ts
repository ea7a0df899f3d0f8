import {
  CommandError,
  ResponseCode,
  decodeLockBatch,
  encodeLockedQueues,
  type Command,
  type Handler,
  type LockBatchBody,
} from '@cometmq/remoting'
import type { Broker } from './context.ts'
import { SUCCESS, bodyReply } from './replies.ts'

/** Queues one request may lock. */
const MAX_QUEUES = 65_536

/** Queue locks of orderly consumers: 41, 42 (spec remoting, 3.3.2; Java: AdminBrokerProcessor, RebalanceLockManager). */
export function lockHandlers(broker: Broker): Record<'lock' | 'unlock', Handler> {
  /** 41 LOCK_BATCH_MQ: answers the queues that the client holds afterwards. */
  const lock: Handler = request => {
    const { consumerGroup, clientId, mqSet } = lockBody(request)
    return bodyReply(encodeLockedQueues(broker.locks.lock(consumerGroup, mqSet, clientId)))
  }

  /** 42 UNLOCK_BATCH_MQ. */
  const unlock: Handler = request => {
    const { consumerGroup, clientId, mqSet } = lockBody(request)
    broker.locks.unlock(consumerGroup, mqSet, clientId)
    return SUCCESS
  }

  return { lock, unlock }
}

function lockBody(request: Command): LockBatchBody {
  const given = decodeLockBatch(request.body)
  if (given.consumerGroup === '' || given.clientId === '') {
    throw new CommandError(ResponseCode.SYSTEM_ERROR, `the body of request ${request.code} needs consumerGroup and clientId`)
  }
  if (given.mqSet.length > MAX_QUEUES) {
    throw new CommandError(ResponseCode.SYSTEM_ERROR, `mqSet has ${given.mqSet.length} queues, at most ${MAX_QUEUES} are taken`)
  }
  return given
}
