import {
  CommandError,
  ResponseCode,
  decodeMessageRequestMode,
  decodeQueryAssignment,
  encodeAssignments,
  encodeMessageRequestModes,
  isRetryTopic,
  type Handler,
  type MessageQueue,
  type MessageQueueAssignment,
  type MessageRequestModeBody,
  type QueryAssignmentBody,
} from '@cometmq/remoting'
import type { RequestModeTable } from '../registry/request-modes.ts'
import type { Broker } from './context.ts'
import { shown } from './fields.ts'
import { SUCCESS, bodyReply } from './replies.ts'

export interface AssignmentParts {
  readonly modes: RequestModeTable
  /** Readable queues of a topic in the whole cluster; null when no name server knows it. */
  readonly queuesOf: (topic: string) => Promise<readonly MessageQueue[] | null>
}

/** Who consumes what, decided by the broker (spec remoting, 3.5; Java: QueryAssignmentProcessor). */
export function assignmentHandlers(broker: Broker, parts: AssignmentParts): Record<'query' | 'setMode' | 'allModes', Handler> {
  const { topics, groups } = broker

  /** 400 QUERY_ASSIGNMENT. */
  const query: Handler = async request => {
    const asked = decodeQueryAssignment(request.body)
    return bodyReply(encodeAssignments(await assignmentsOf(broker, parts, asked)))
  }

  /** 401 SET_MESSAGE_REQUEST_MODE. */
  const setMode: Handler = async request => {
    const mode = decodeMessageRequestMode(request.body)
    if (isRetryTopic(mode.topic)) return { code: ResponseCode.NO_PERMISSION, remark: 'retry topic is not allowed to set mode' }
    if (topics.get(mode.topic) === undefined)
      return { code: ResponseCode.TOPIC_NOT_EXIST, remark: `topic[${shown(mode.topic)}] not exist` }
    if (groups.find(mode.consumerGroup) === undefined)
      return {
        code: ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
        remark: `subscription group does not exist: ${shown(mode.consumerGroup)}`,
      }
    parts.modes.put(mode)
    await parts.modes.saved()
    return SUCCESS
  }

  /** 402 GET_ALL_MESSAGE_REQUEST_MODE. */
  const allModes: Handler = () => bodyReply(encodeMessageRequestModes(parts.modes.all()))

  return { query, setMode, allModes }
}

/** Null: the client keeps what it has. */
async function assignmentsOf(
  broker: Broker,
  parts: AssignmentParts,
  asked: QueryAssignmentBody,
): Promise<MessageQueueAssignment[] | null> {
  const { topic, consumerGroup, clientId } = asked
  const queues = await parts.queuesOf(topic)
  if (queues === null || queues.length === 0) return null
  const mode = modeOf(broker, parts.modes, topic, consumerGroup)
  const assigned = (own: readonly MessageQueue[]): MessageQueueAssignment[] =>
    own.map(messageQueue => ({ messageQueue, mode: mode.mode }))
  if (asked.messageModel === 'BROADCASTING') return assigned(queues)
  const members = broker.clients.consumers(consumerGroup)?.channels.map(channel => channel.clientId)
  if (members === undefined || members.length === 0) return null
  const clients = [...new Set(members)].sort()
  const sorted = [...queues].sort(inOrder)
  if (mode.mode === 'PULL') return assigned(allocate(asked.strategyName, sorted, clients, clients.indexOf(clientId)))
  return assigned(allocateForPop(asked, sorted, clients, mode.popShareQueueNum))
}

function modeOf(
  { config }: Broker,
  modes: RequestModeTable,
  topic: string,
  group: string,
): Pick<MessageRequestModeBody, 'mode' | 'popShareQueueNum'> {
  if (isRetryTopic(topic)) return { mode: 'PULL', popShareQueueNum: 0 }
  return modes.get(topic, group) ?? { mode: config.defaultMessageRequestMode, popShareQueueNum: config.defaultPopShareQueueNum }
}

/** By topic, broker, queue: the order all members and all clients agree on. */
const inOrder = (a: MessageQueue, b: MessageQueue): number =>
  a.brokerName === b.brokerName ? a.queueId - b.queueId : a.brokerName < b.brokerName ? -1 : 1

/** What the client at `index` of the sorted members gets (spec remoting, 12); nothing when it is not one of them. */
function allocate(
  strategy: string,
  queues: readonly MessageQueue[],
  clients: readonly string[],
  index: number,
): readonly MessageQueue[] {
  if (strategy !== 'AVG' && strategy !== 'AVG_BY_CIRCLE') {
    throw new CommandError(
      ResponseCode.SYSTEM_ERROR,
      `the strategy ${shown(strategy)} is not known here: AVG and AVG_BY_CIRCLE are`,
    )
  }
  if (index < 0) return []
  if (strategy === 'AVG_BY_CIRCLE') return queues.filter((_, i) => i % clients.length === index)
  const more = queues.length % clients.length
  const size = Math.floor(queues.length / clients.length) + (index < more ? 1 : 0)
  const start = index * size + (index < more ? 0 : more)
  return queues.slice(start, start + size)
}

/** Every member gets every broker, or with sharing its own queues and those of the members behind it. */
function allocateForPop(
  asked: QueryAssignmentBody,
  queues: readonly MessageQueue[],
  clients: readonly string[],
  share: number,
): readonly MessageQueue[] {
  const { topic, clientId, strategyName } = asked
  if (share <= 0 || share >= clients.length - 1) {
    const brokers = [...new Set(queues.map(queue => queue.brokerName))]
    return brokers.map(brokerName => ({ topic, brokerName, queueId: -1 }))
  }
  const index = clients.indexOf(clientId)
  // More members than queues: each gets one, so that none is idle.
  if (clients.length > queues.length) return index < 0 ? [] : [queues[index % queues.length]!]
  const own: MessageQueue[] = []
  if (index < 0) return own
  for (let i = 0; i <= share; i++) own.push(...allocate(strategyName, queues, clients, (index + i) % clients.length))
  return own
}
