import {
  RemotingError,
  RequestCode,
  ResponseCode,
  consumeMessageDirectlyRequest,
  getConsumerRunningInfoRequest,
  parseOffsetMessageId,
  type Handler,
  type Reply,
  type Request,
} from '@cometmq/remoting'
import type { Broker } from './context.ts'
import { shown } from './fields.ts'

/** Clients from V3_1_8_SNAPSHOT on answer such requests. */
const FIRST_VERSION_THAT_ANSWERS = 62
const CLIENT_TIMEOUT_MS = 10_000

/** Requests passed on to one client of a group: 307, 309 (spec remoting, 3.7 and 3.8; Java: AdminBrokerProcessor.callConsumer). */
export function relayHandlers(broker: Broker): Record<'runningInfo' | 'consumeDirectly', Handler> {
  /** 307 GET_CONSUMER_RUNNING_INFO. */
  const runningInfo: Handler = request => {
    const asked = getConsumerRunningInfoRequest.decode(request.ext)
    const ext = getConsumerRunningInfoRequest.encode(asked)
    return callConsumer(broker, asked.consumerGroup, asked.clientId, { code: RequestCode.GET_CONSUMER_RUNNING_INFO, ext })
  }

  /** 309 CONSUME_MESSAGE_DIRECTLY: the message is loaded here and travels as body. */
  const consumeDirectly: Handler = async request => {
    const asked = consumeMessageDirectlyRequest.decode(request.ext)
    const { consumerGroup, clientId = '', msgId = '', topic } = asked
    const record = await broker.store.read(parseOffsetMessageId(msgId).physicalOffset)
    if (record === null) return { code: ResponseCode.SYSTEM_ERROR, remark: `look message by id failed, ${shown(msgId)}` }
    const ext = consumeMessageDirectlyRequest.encode({
      ...asked,
      brokerName: broker.config.brokerName,
      topicSysFlag: topic === undefined ? undefined : broker.topics.get(topic)?.topicSysFlag,
      groupSysFlag: broker.groups.get(consumerGroup)?.groupSysFlag,
    })
    return callConsumer(broker, consumerGroup, clientId, { code: RequestCode.CONSUME_MESSAGE_DIRECTLY, ext, body: record })
  }

  return { runningInfo, consumeDirectly }
}

async function callConsumer(broker: Broker, group: string, clientId: string, request: Request): Promise<Reply> {
  const channel = broker.clients.findConsumer(group, clientId)
  if (channel === undefined) {
    return { code: ResponseCode.SYSTEM_ERROR, remark: `The Consumer <${shown(group)}> <${shown(clientId)}> not online` }
  }
  if (channel.version < FIRST_VERSION_THAT_ANSWERS) {
    return {
      code: ResponseCode.SYSTEM_ERROR,
      remark: `The Consumer <${shown(clientId)}> Version ${channel.version} too low to finish, please upgrade it`,
    }
  }
  try {
    const { code, remark, ext, body } = await channel.peer.call(request, CLIENT_TIMEOUT_MS)
    return { code, remark, ext, body: body === null ? null : Buffer.from(body) }
  } catch (error) {
    if (error instanceof RemotingError && error.kind === 'timeout') {
      return {
        code: ResponseCode.CONSUME_MSG_TIMEOUT,
        remark: `consumer <${shown(group)}> <${shown(clientId)}> did not answer within ${CLIENT_TIMEOUT_MS} ms`,
      }
    }
    return { code: ResponseCode.SYSTEM_ERROR, remark: `consumer <${shown(group)}> <${shown(clientId)}>: ${String(error)}` }
  }
}
