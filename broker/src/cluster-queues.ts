import {
  decodeTopicRouteData,
  getRouteInfoRequest,
  RequestCode,
  ResponseCode,
  type Caller,
  type Clock,
  type Logger,
  type MessageQueue,
} from '@cometmq/remoting'
import type { Topics } from './registry/types.ts'

/** An answer of a name server is used again for this long: members of a group ask one after another. */
const KEPT_MS = 2000
const TOPICS_MAX = 10_000
const TIMEOUT_MS = 3000
const READABLE = 4

export interface ClusterQueuesOptions {
  caller: Caller
  clock: Clock
  logger: Logger
  nameServers: readonly string[]
  topics: Topics
  brokerName: string
}

/** Readable queues of topics in the whole cluster, as the name servers know them (Java: broker.topic.TopicRouteInfoManager). */
export class ClusterQueues {
  readonly #options: ClusterQueuesOptions
  readonly #kept = new Map<string, { queues: Promise<MessageQueue[] | null>; until: number }>()

  constructor(options: ClusterQueuesOptions) {
    this.#options = options
  }

  /** Null when the topic does not exist, or no name server answers. Without name servers: what this broker has. */
  of(topic: string): Promise<MessageQueue[] | null> {
    const { clock, nameServers } = this.#options
    if (nameServers.length === 0) return Promise.resolve(this.#own(topic))
    const now = clock.monotonic()
    const kept = this.#kept.get(topic)
    if (kept !== undefined && kept.until > now) return kept.queues
    if (this.#kept.size >= TOPICS_MAX) this.#kept.clear()
    const queues = this.#ask(topic)
    this.#kept.set(topic, { queues, until: now + KEPT_MS })
    return queues
  }

  #own(topic: string): MessageQueue[] | null {
    const config = this.#options.topics.get(topic)
    if (config === undefined || (config.perm & READABLE) === 0) return null
    return queuesOf(topic, this.#options.brokerName, config.readQueueNums)
  }

  async #ask(topic: string): Promise<MessageQueue[] | null> {
    const { caller, nameServers, logger } = this.#options
    const ext = getRouteInfoRequest.encode({ topic, acceptStandardJsonOnly: true })
    for (const address of nameServers) {
      try {
        const answer = await caller.call(address, { code: RequestCode.GET_ROUTEINFO_BY_TOPIC, ext }, TIMEOUT_MS)
        if (answer.code === ResponseCode.TOPIC_NOT_EXIST) return null
        if (answer.code !== ResponseCode.SUCCESS) continue
        const { queueDatas } = decodeTopicRouteData(answer.body)
        return queueDatas
          .filter(({ perm }) => (perm & READABLE) !== 0)
          .flatMap(({ brokerName, readQueueNums }) => queuesOf(topic, brokerName, readQueueNums))
      } catch (error) {
        logger.warn(`name server ${address} did not tell the route of a topic`, { topic, error: (error as Error).message })
      }
    }
    return null
  }
}

const queuesOf = (topic: string, brokerName: string, count: number): MessageQueue[] =>
  Array.from({ length: count }, (_, queueId) => ({ topic, brokerName, queueId }))
