import {
  createTopicRequest,
  type MessageQueue,
  type Request,
  RequestCode,
  ResponseCode,
  type TopicConfig,
  topicRequest,
  type TopicRouteData,
} from '@cometmq/remoting'
import { type CallOptions, type Calls, errorOfAnswer } from '../calls.ts'
import { ClusterError, refused } from '../errors.ts'
import { parseGroupList, parseTopicConfig, parseTopicList, parseTopicStats } from '../bodies.ts'
import { checkTopic } from '../message.ts'
import { type NameServers } from '../name-servers.ts'
import { MASTER_ID } from '../queues.ts'
import { type Routes, templateTopic } from '../routes.ts'
import { adminTimeoutMs, type BrokerAdmin, type Target } from './brokers.ts'
import { onEach } from './on-each.ts'
import { type BrokerChange, type BrokerInfo, type QueueStats, type TopicInfo } from './types.ts'

export interface NewTopic {
  topic: string
  /** Default 8. */
  readQueues?: number
  /** Default 8. */
  writeQueues?: number
  /** 4 read, 2 write. Default 6. */
  perm?: number
  /** Default false. */
  order?: boolean
  /** As `message.type` → `FIFO`. */
  attributes?: Readonly<Record<string, string>>
}

export class TopicAdmin {
  readonly #nameServers: NameServers
  readonly #calls: Calls
  readonly #routes: Routes
  readonly #brokers: BrokerAdmin

  constructor(parts: { nameServers: NameServers; calls: Calls; routes: Routes; brokers: BrokerAdmin }) {
    this.#nameServers = parts.nameServers
    this.#calls = parts.calls
    this.#routes = parts.routes
    this.#brokers = parts.brokers
  }

  /** Names of all topics, sorted; with those of the system and of retries. */
  async list(options: CallOptions = {}): Promise<string[]> {
    const what = 'list of topics'
    const request = { code: RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER, ext: {} }
    const { answer, address } = await this.#nameServers.ask(what, request, options.timeoutMs ?? adminTimeoutMs, options.signal)
    if (answer.code !== ResponseCode.SUCCESS) throw errorOfAnswer(what, address, answer)
    return parseTopicList(answer.body).sort()
  }

  /** Names of the topics RocketMQ itself uses, from name server and brokers. */
  async systemNames(options: CallOptions = {}): Promise<Set<string>> {
    const names = new Set<string>()
    for (const { address } of await this.#brokers.masters({}, options)) {
      const request = { code: RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_BROKER, ext: {} }
      const answer = await this.#calls.ask(
        'list of system topics',
        address,
        request,
        options.timeoutMs ?? adminTimeoutMs,
        options.signal,
      )
      if (answer.code === ResponseCode.SUCCESS) for (const name of parseTopicList(answer.body)) names.add(name)
    }
    return names
  }

  /** On every master that `target` allows. Resolves with the outcome on each; rejects when it failed on all. */
  async create(topic: NewTopic, target: Target = {}, options: CallOptions = {}): Promise<BrokerChange[]> {
    checkTopic(topic.topic)
    const request = { code: RequestCode.UPDATE_AND_CREATE_TOPIC, ext: headerOf(topic) }
    const masters = await this.#brokers.masters(target, options)
    const changes = await onEach(masters, broker => this.#on(broker, `create topic ${topic.topic}`, request, options))
    this.#routes.forget(topic.topic)
    return changes
  }

  /** From every master, then from the name servers. Unknown topics are E_TOPIC_NOT_FOUND. */
  async remove(topic: string, target: Target = {}, options: CallOptions = {}): Promise<BrokerChange[]> {
    checkTopic(topic)
    await this.route(topic, options)
    const masters = await this.#brokers.masters(target, options)
    const request = { code: RequestCode.DELETE_TOPIC_IN_BROKER, ext: topicRequest.encode({ topic }) }
    const changes = await onEach(masters, broker => this.#on(broker, `delete topic ${topic}`, request, options))
    for (const cluster of new Set(masters.map(broker => broker.cluster)))
      await this.#removeFromNameServers(topic, cluster, options)
    this.#routes.forget(topic)
    return changes
  }

  /** As the name server has it now; rejects with E_TOPIC_NOT_FOUND. */
  async route(topic: string, options: CallOptions = {}): Promise<TopicRouteData> {
    const route = await this.#routes.fetch(topic, options)
    if (route) return route
    throw new ClusterError('E_TOPIC_NOT_FOUND', `no topic ${topic}`, {
      why: 'the name server does not know it',
      outcome: 'not-executed',
    })
  }

  async info(topic: string, options: CallOptions = {}): Promise<TopicInfo> {
    const route = await this.route(topic, options)
    const brokers = route.queueDatas.flatMap(data => {
      const address = route.brokerDatas.find(broker => broker.brokerName === data.brokerName)?.brokerAddrs[MASTER_ID]
      const { brokerName, readQueueNums: readQueues, writeQueueNums: writeQueues, perm } = data
      return address === undefined ? [] : { brokerName, address, readQueues, writeQueues, perm }
    })
    const queues: QueueStats[] = []
    const groups = new Set<string>()
    let config: TopicConfig | undefined
    for (const { address } of brokers) {
      queues.push(...(await this.#stats(topic, address, options)))
      for (const group of await this.#groups(topic, address, options)) groups.add(group)
      config ??= await this.#config(topic, address, options)
    }
    return {
      topic,
      readQueues: sum(brokers.map(broker => broker.readQueues)),
      writeQueues: sum(brokers.map(broker => broker.writeQueues)),
      messages: sum(queues.map(queue => queue.maxOffset - queue.minOffset)),
      brokers,
      attributes: config?.attributes ?? {},
      order: config?.order ?? false,
      queues: queues.sort(byQueue),
      groups: [...groups].sort(),
    }
  }

  /** Readable queues, sorted by broker name and queue id. */
  async queues(topic: string, options: CallOptions = {}): Promise<readonly MessageQueue[]> {
    return (await this.#routes.forReading(topic, options)).read
  }

  async #stats(topic: string, address: string, options: CallOptions): Promise<QueueStats[]> {
    const request = { code: RequestCode.GET_TOPIC_STATS_INFO, ext: topicRequest.encode({ topic }) }
    return parseTopicStats((await this.#demand(`state of topic ${topic}`, address, request, options)).body)
  }

  async #groups(topic: string, address: string, options: CallOptions): Promise<string[]> {
    const request = { code: RequestCode.QUERY_TOPIC_CONSUME_BY_WHO, ext: topicRequest.encode({ topic }) }
    return parseGroupList((await this.#demand(`groups of topic ${topic}`, address, request, options)).body)
  }

  /** Undefined with brokers that do not know the request (before 4.9.3). */
  async #config(topic: string, address: string, options: CallOptions): Promise<TopicConfig | undefined> {
    const request = { code: RequestCode.GET_TOPIC_CONFIG, ext: { topic, lo: 'true' } }
    const timeoutMs = options.timeoutMs ?? adminTimeoutMs
    const answer = await this.#calls.ask(`settings of topic ${topic}`, address, request, timeoutMs, options.signal)
    return answer.code === ResponseCode.SUCCESS ? parseTopicConfig(answer.body) : undefined
  }

  async #removeFromNameServers(topic: string, clusterName: string, options: CallOptions): Promise<void> {
    const request = { code: RequestCode.DELETE_TOPIC_IN_NAMESRV, ext: { topic, clusterName } }
    for (const address of this.#nameServers.addresses)
      await this.#demand(`delete topic ${topic} in name server`, address, request, options)
  }

  async #on(broker: BrokerInfo, what: string, request: Request, options: CallOptions): Promise<void> {
    await this.#demand(what, broker.address, request, options)
  }

  #demand(what: string, address: string, request: Request, options: CallOptions) {
    return this.#calls.demand(what, address, request, options.timeoutMs ?? adminTimeoutMs, options.signal)
  }
}

const defaultQueues = 8

function headerOf(topic: NewTopic): Record<string, string> {
  const { readQueues = defaultQueues, writeQueues = defaultQueues, perm = 6, order = false, attributes } = topic
  for (const count of [readQueues, writeQueues])
    if (!Number.isInteger(count) || count < 1 || count > 65_536)
      throw refused('E_ARGUMENT', `no valid number of queues: ${count}`, 'it must be 1 to 65536')
  if (!Number.isInteger(perm) || perm < 0 || perm > 7)
    throw refused('E_ARGUMENT', `no valid permission: ${perm}`, 'it must be 0 to 7')
  return createTopicRequest.encode({
    topic: topic.topic,
    defaultTopic: templateTopic,
    readQueueNums: readQueues,
    writeQueueNums: writeQueues,
    perm,
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: 0,
    order,
    attributes: attributes && attributesText(attributes),
  })
}

const attributesText = (attributes: Readonly<Record<string, string>>): string =>
  Object.entries(attributes)
    .map(([key, value]) => `+${key}=${value}`)
    .join(',')

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

const byQueue = (a: QueueStats, b: QueueStats): number =>
  a.brokerName < b.brokerName ? -1 : a.brokerName > b.brokerName ? 1 : a.queueId - b.queueId
