import {
  PullSysFlag,
  ResponseCode,
  isOneway,
  parseTagExpression,
  pullMessageRequest,
  pullMessageResponse,
  type PullMessageRequest,
  type PullMessageResponseInput,
  type Command,
  type Handler,
  type Peer,
  type Reply,
  type SubscriptionGroupConfig,
  type TopicConfig,
} from '@cometmq/remoting'
import { LongPoll } from '../delivery/long-poll.ts'
import { codeFilter, type TagFilter } from '../delivery/tag-filter.ts'
import type { GetResult, GetStatus } from '../store/types.ts'
import type { Broker } from './context.ts'
import { shown } from './fields.ts'

const READABLE = 4
const DEFAULT_MAX_BYTES = 128 * 1024 * 1024
const MIN_MAX_BYTES = 100
/** Clients ask for 15 to 20 s and give up after 30 s. */
const LONGEST_HOLD_MS = 120_000

const FORBIDDEN_BROKER = 1
const FORBIDDEN_GROUP = 2
const FORBIDDEN_TOPIC = 3
const FORBIDDEN_BROADCAST = 4
const FORBIDDEN_SUBSCRIPTION = 5

/** Broker 0: without replicas the master itself is always the one to ask. */
const HEADER_OF_ERRORS: PullMessageResponseInput = { suggestWhichBrokerId: 0, nextBeginOffset: 0, minOffset: 0, maxOffset: 0 }

/** One pull while it is worked on or parked. */
interface Pull {
  readonly peer: Peer
  readonly opaque: number
  readonly oneway: boolean
  readonly group: string
  readonly topic: string
  readonly queueId: number
  /** As asked. */
  readonly queueOffset: number
  /** Messages before it were scanned and do not match; a rerun starts here. */
  scannedTo: number
  readonly maxCount: number
  readonly maxBytes: number
  readonly accepts: TagFilter
  readonly deadline: number
  readonly suspend: boolean
  readonly topicSysFlag: number
  readonly groupSysFlag: number
}

export interface PullService {
  /** PULL_MESSAGE 11 and LITE_PULL_MESSAGE 361. */
  readonly handler: Handler
  readonly parked: LongPoll<Pull>
}

/** Pulls (spec remoting, 3.3.1; store, 11.1; Java: PullMessageProcessor). */
export function pullService(broker: Broker, limits: { maxParkedPulls: number; maxParkedPullsPerQueue: number }): PullService {
  const service = new Puller(broker, limits)
  return { handler: (request, peer) => service.handle(request, peer), parked: service.parked }
}

class Puller {
  readonly #broker: Broker
  readonly parked: LongPoll<Pull>

  constructor(broker: Broker, limits: { maxParkedPulls: number; maxParkedPullsPerQueue: number }) {
    this.#broker = broker
    this.parked = new LongPoll<Pull>({
      clock: broker.clock,
      logger: broker.logger,
      rerun: (pull, timeUp) => this.#rerun(pull, timeUp),
      watch: (topic, queueId) => broker.store.watch(topic, queueId),
      ...limits,
    })
  }

  handle(request: Command, peer: Peer): Reply | Promise<Reply> | undefined {
    const asked = pullMessageRequest.decode(request.ext)
    const checked = this.#check(asked, request, peer)
    if ('code' in checked) return checked
    this.#commit(asked)
    const { offsets } = this.#broker
    offsets.setPullOffset(checked.group, checked.topic, checked.queueId, checked.queueOffset)
    const startedAt = this.#broker.clock.monotonic()
    const outcome = this.#get(checked)
    if (!(outcome instanceof Promise)) {
      this.#noteTime(startedAt)
      return this.#first(checked, outcome)
    }
    outcome.then(
      result => {
        this.#noteTime(startedAt)
        const reply = this.#first(checked, result)
        if (reply !== undefined) peer.respond(checked.opaque, reply)
      },
      (error: unknown) => peer.respond(checked.opaque, { code: ResponseCode.SYSTEM_ERROR, remark: String(error) }),
    )
    return undefined
  }

  #noteTime(startedAt: number): void {
    const { clock, stats } = this.#broker
    stats.getTimeMaxMs = Math.max(stats.getTimeMaxMs, clock.monotonic() - startedAt)
  }

  /** The first result: answered, or parked when there is nothing (undefined). */
  #first(pull: Pull, result: GetResult | number): Reply | undefined {
    if (typeof result === 'number') return this.#resetReply(pull, result)
    const code = codeOf(result.status, pull.queueOffset)
    if (code === ResponseCode.PULL_NOT_FOUND && pull.suspend && !pull.oneway && this.parked.park(pull)) {
      // What was dispatched between the read and now has been announced already: look once more.
      if (this.#broker.store.maxOffset(pull.topic, pull.queueId) > result.maxOffset) this.parked.arrived(pull.topic, pull.queueId)
      return undefined
    }
    return this.#reply(pull, result, code)
  }

  /** True: stays parked. */
  #rerun(pull: Pull, timeUp: boolean): boolean | Promise<boolean> {
    if (pull.peer.closed) return false
    const outcome = this.#get(pull)
    if (!(outcome instanceof Promise)) return this.#again(pull, outcome, timeUp)
    return outcome.then(
      result => this.#again(pull, result, timeUp),
      (error: unknown) => {
        pull.peer.respond(pull.opaque, { code: ResponseCode.SYSTEM_ERROR, remark: String(error) })
        return false
      },
    )
  }

  #again(pull: Pull, result: GetResult | number, timeUp: boolean): boolean | Promise<boolean> {
    if (typeof result === 'number') {
      pull.peer.respond(pull.opaque, this.#resetReply(pull, result))
      return false
    }
    const { status } = result
    if (!timeUp) {
      if (status === 'NO_MATCHED_MESSAGE') {
        pull.scannedTo = result.nextOffset
        if (result.nextOffset < result.maxOffset) return this.#rerun(pull, false)
        return true
      }
      if (codeOf(status, pull.scannedTo) === ResponseCode.PULL_NOT_FOUND) return true
    }
    pull.peer.respond(pull.opaque, this.#reply(pull, result, codeOf(status, pull.scannedTo)))
    return false
  }

  /** A number: the queue was reset by the server to this offset. */
  #get(pull: Pull): GetResult | number | Promise<GetResult> {
    const { store, offsets } = this.#broker
    if (offsets.hasReset(pull.group, pull.topic, pull.queueId)) return offsets.takeReset(pull.group, pull.topic, pull.queueId)
    return store.get({
      topic: pull.topic,
      queueId: pull.queueId,
      offset: pull.scannedTo,
      maxCount: pull.maxCount,
      maxBytes: pull.maxBytes,
      accepts: pull.accepts,
    })
  }

  #reply(pull: Pull, result: GetResult, code: number): Reply {
    const { stats, config } = this.#broker
    // Nothing new, but what lies between was scanned: the client goes on behind it.
    const moved = code === ResponseCode.PULL_NOT_FOUND && pull.scannedTo > pull.queueOffset
    if (code === ResponseCode.SUCCESS)
      stats.get(pull.topic, pull.group, config.brokerClusterName, result.count, result.body.length)
    else stats.getMiss.add(1)
    return {
      code: moved ? ResponseCode.PULL_RETRY_IMMEDIATELY : code,
      remark: moved ? 'NO_MATCHED_MESSAGE' : result.status,
      ext: this.#header(pull, moved ? pull.scannedTo : result.nextOffset, result.minOffset, result.maxOffset),
      body: code === ResponseCode.SUCCESS ? result.body : null,
    }
  }

  #resetReply(pull: Pull, offset: number): Reply {
    const { store } = this.#broker
    const { topic, queueId } = pull
    return {
      code: ResponseCode.PULL_OFFSET_MOVED,
      remark: 'OFFSET_RESET',
      ext: this.#header(pull, offset, store.minOffset(topic, queueId), store.maxOffset(topic, queueId)),
    }
  }

  #header(pull: Pull, next: number, min: number, max: number): Record<string, string> {
    return pullMessageResponse.encode({
      ...HEADER_OF_ERRORS,
      nextBeginOffset: next,
      minOffset: min,
      maxOffset: max,
      offsetDelta: 0,
      topicSysFlag: pull.topicSysFlag,
      groupSysFlag: pull.groupSysFlag,
    })
  }

  #commit(asked: PullMessageRequest): void {
    if ((asked.sysFlag & PullSysFlag.COMMIT_OFFSET) === 0 || asked.commitOffset < 0) return
    this.#broker.offsets.commit(asked.consumerGroup, asked.topic, asked.queueId, asked.commitOffset)
  }

  #check(asked: PullMessageRequest, request: Command, peer: Peer): Pull | Reply {
    const { config, groups, topics, clock } = this.#broker
    const { consumerGroup: group, topic, queueId, queueOffset } = asked
    if ((config.brokerPermission & READABLE) === 0) {
      return refused(
        ResponseCode.NO_PERMISSION,
        `the broker[${config.brokerName}] pulling message is forbidden`,
        FORBIDDEN_BROKER,
      )
    }
    const groupConfig = groups.find(group)
    if (groupConfig === undefined)
      return refused(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, `subscription group [${shown(group)}] does not exist`)
    if (!groupConfig.consumeEnable) {
      return refused(
        ResponseCode.NO_PERMISSION,
        `subscription group no permission, ${group}: consumeEnable is false`,
        FORBIDDEN_GROUP,
      )
    }
    const topicConfig = topics.get(topic)
    if (topicConfig === undefined)
      return refused(ResponseCode.TOPIC_NOT_EXIST, `topic[${shown(topic)}] not exist, apply first please!`)
    if ((topicConfig.perm & READABLE) === 0) {
      return refused(ResponseCode.NO_PERMISSION, `the topic[${topic}] pulling message is forbidden`, FORBIDDEN_TOPIC)
    }
    if (queueId < 0 || queueId >= topicConfig.readQueueNums) {
      return refused(
        ResponseCode.INVALID_PARAMETER,
        `queueId[${queueId}] is illegal, topic:[${topic}] topicConfig.readQueueNums:[${topicConfig.readQueueNums}] consumer:[${peer.remoteAddress}]`,
      )
    }
    const accepts = this.#filter(asked, groupConfig, topicConfig)
    if (accepts !== undefined && typeof accepts !== 'function') return accepts
    const holdMs = config.longPollingEnable ? asked.suspendTimeoutMillis : config.shortPollingTimeMills
    return {
      peer,
      opaque: request.opaque,
      oneway: isOneway(request),
      group,
      topic,
      queueId,
      queueOffset,
      scannedTo: queueOffset,
      maxCount: Math.max(1, asked.maxMsgNums),
      maxBytes: Math.max(MIN_MAX_BYTES, asked.maxMsgBytes ?? DEFAULT_MAX_BYTES),
      accepts,
      deadline: clock.monotonic() + Math.min(Math.max(0, holdMs), LONGEST_HOLD_MS),
      suspend: (asked.sysFlag & PullSysFlag.SUSPEND) !== 0 && holdMs > 0,
      topicSysFlag: topicConfig.topicSysFlag,
      groupSysFlag: groupConfig.groupSysFlag,
    }
  }

  /** The filter of a pull: from the request (bit 4) or from what the group subscribed to by heartbeat. */
  #filter(asked: PullMessageRequest, group: SubscriptionGroupConfig, topic: TopicConfig): TagFilter | Reply {
    const { groups, clients } = this.#broker
    if (groups.isForbidden(group.groupName, topic.topicName)) {
      return refused(
        ResponseCode.NO_PERMISSION,
        `the consumer group[${group.groupName}] is forbidden for topic[${topic.topicName}]`,
        FORBIDDEN_SUBSCRIPTION,
      )
    }
    if ((asked.sysFlag & PullSysFlag.SUBSCRIPTION) !== 0) return this.#byExpression(asked)
    const consumers = clients.consumers(group.groupName)
    if (consumers === undefined) {
      return refused(
        ResponseCode.SUBSCRIPTION_NOT_EXIST,
        `the consumer's group info not exist: no heartbeat of ${group.groupName} has arrived yet`,
      )
    }
    if (!group.consumeBroadcastEnable && consumers.messageModel === 'BROADCASTING') {
      return refused(
        ResponseCode.NO_PERMISSION,
        `the consumer group[${group.groupName}] can not consume by broadcast way`,
        FORBIDDEN_BROADCAST,
      )
    }
    const subscription = consumers.subscriptions.get(topic.topicName)
    if (subscription === undefined) {
      return refused(
        ResponseCode.SUBSCRIPTION_NOT_EXIST,
        `the consumer's subscription not exist: ${group.groupName} has not subscribed to ${topic.topicName}`,
      )
    }
    if (subscription.subVersion < asked.subVersion) {
      return refused(
        ResponseCode.SUBSCRIPTION_NOT_LATEST,
        `the consumer's subscription not latest: the broker has version ${subscription.subVersion}`,
      )
    }
    if (!isTagExpression(subscription.expressionType)) return this.#noSql()
    if (subscription.classFilterMode || (asked.sysFlag & PullSysFlag.CLASS_FILTER) !== 0 || subscription.subString === '*')
      return undefined
    return codeFilter(
      subscription.codeSet.length > 0 ? subscription.codeSet : (parseTagExpression(subscription.subString)?.codes ?? []),
    )
  }

  #byExpression(asked: PullMessageRequest): TagFilter | Reply {
    const { subscription: expression, expressionType, sysFlag } = asked
    if (!isTagExpression(expressionType)) return this.#noSql()
    if ((sysFlag & PullSysFlag.CLASS_FILTER) !== 0) return undefined
    const parsed = parseTagExpression(expression)
    if (parsed !== null) return codeFilter(parsed.codes)
    return refused(
      ResponseCode.SUBSCRIPTION_PARSE_FAILED,
      `parse the consumer's subscription failed: "${shown(expression ?? '')}" names no tag`,
    )
  }

  #noSql(): Reply {
    return refused(ResponseCode.SYSTEM_ERROR, 'The broker does not support consumer to filter message by SQL92')
  }
}

const isTagExpression = (type: string | undefined): boolean => type === undefined || type === '' || type === 'TAG'

function refused(code: number, remark: string, forbiddenType?: number): Reply {
  return { code, remark, ext: pullMessageResponse.encode({ ...HEADER_OF_ERRORS, forbiddenType }) }
}

/** The read status table (spec remoting, 3.3.1). */
function codeOf(status: GetStatus, offset: number): number {
  switch (status) {
    case 'FOUND':
      return ResponseCode.SUCCESS
    case 'NO_MATCHED_MESSAGE':
    case 'MESSAGE_WAS_REMOVING':
      return ResponseCode.PULL_RETRY_IMMEDIATELY
    case 'NO_MATCHED_LOGIC_QUEUE':
    case 'NO_MESSAGE_IN_QUEUE':
      return offset === 0 ? ResponseCode.PULL_NOT_FOUND : ResponseCode.PULL_OFFSET_MOVED
    case 'OFFSET_FOUND_NULL':
    case 'OFFSET_OVERFLOW_ONE':
      return ResponseCode.PULL_NOT_FOUND
    case 'OFFSET_OVERFLOW_BADLY':
    case 'OFFSET_TOO_SMALL':
      return ResponseCode.PULL_OFFSET_MOVED
  }
}
