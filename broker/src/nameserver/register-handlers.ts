import {
  bodyObject,
  brokerHeartbeatRequest,
  CommandError,
  crc32,
  dataVersionText,
  decodeDataVersion,
  decodeRegisterBrokerBody,
  encodeKVTable,
  queryDataVersionRequest,
  queryDataVersionResponse,
  readTopicConfigWrapper,
  registerBrokerRequest,
  registerBrokerResponse,
  RequestCode,
  ResponseCode,
  sameDataVersion,
  unregisterBrokerRequest,
  type Command,
  type Handler,
  type Peer,
  type Reply,
  type TopicConfigWrapper,
} from '@cometmq/remoting'
import { ORDER_TOPIC_CONFIG, type NameServerContext } from './context.ts'
import type { BrokerIdentity } from './route-table.ts'

/** Below it the body of 103 is a bare topic table (V3_0_11). */
const VERSION_WITH_REGISTER_BODY = 37
const NAME_CHARACTERS_MAX = 255

/** Requests of brokers (spec remoting, 3.1). */
export function registerHandlers(context: NameServerContext): [number, Handler][] {
  const watched = new Set<number>()
  return [
    [
      RequestCode.REGISTER_BROKER,
      (request, peer) => {
        watch(context, watched, peer)
        return register(context, request, peer)
      },
    ],
    [RequestCode.UNREGISTER_BROKER, request => unregister(context, request)],
    [RequestCode.QUERY_DATA_VERSION, request => queryDataVersion(context, request)],
    [RequestCode.BROKER_HEARTBEAT, request => heartbeat(context, request)],
  ]
}

/** A broker whose connection closes is gone: it keeps the one it registers over open. */
function watch({ routes, logger }: NameServerContext, watched: Set<number>, peer: Peer): void {
  if (watched.has(peer.id)) return
  watched.add(peer.id)
  peer.onClose(() => {
    watched.delete(peer.id)
    for (const broker of routes.peerClosed(peer.id)) logger.info(`broker ${named(broker)} left: its connection closed`)
  })
}

function register(context: NameServerContext, request: Command, peer: Peer): Reply {
  const { routes, clock, settings, logger } = context
  const header = registerBrokerRequest.decode(request.ext)
  checkNames(header)
  checkCrc(request.body, header.bodyCrc32)
  const isNew = routes.dataVersion(header.clusterName, header.brokerAddr) === undefined
  const { dataVersion, topicConfigTable } = readTopics(request, header.compressed)
  const result = routes.register(
    {
      ...header,
      heartbeatTimeoutMs: header.heartbeatTimeoutMillis,
      dataVersion,
      topics: Object.values(topicConfigTable),
      peerId: peer.id,
    },
    clock.monotonic(),
    { deleteMissingTopics: settings.deleteTopicWithBrokerRegistration },
  )
  if (result.state === 'refused') {
    logger.warn(`registration of broker ${named(header)} refused: ${result.reason}`)
    throw new CommandError(ResponseCode.SYSTEM_ERROR, result.reason)
  }
  if (result.state === 'ignored') logger.warn(`registration of broker ${named(header)} ignored: a newer master holds its id`)
  else if (isNew) logger.info(`broker ${named(header)} registered`, { topics: Object.keys(topicConfigTable).length })
  const found = result.state === 'registered' ? result : {}
  const orderTopics = settings.returnOrderTopicConfigToBroker ? context.kv.list(ORDER_TOPIC_CONFIG) : undefined
  return {
    code: ResponseCode.SUCCESS,
    ext: registerBrokerResponse.encode(found),
    body: orderTopics === undefined ? null : encodeKVTable(orderTopics),
  }
}

function readTopics(request: Command, compressed: boolean): TopicConfigWrapper {
  if (request.version < VERSION_WITH_REGISTER_BODY)
    return readTopicConfigWrapper(bodyObject(request.body, 'topicConfigSerializeWrapper'))
  return decodeRegisterBrokerBody(request.body, compressed, request.version).topicConfigSerializeWrapper
}

function checkNames(broker: BrokerIdentity): void {
  for (const [what, name] of [
    ['brokerName', broker.brokerName],
    ['clusterName', broker.clusterName],
    ['brokerAddr', broker.brokerAddr],
  ] as const) {
    if (name === '' || name.length > NAME_CHARACTERS_MAX) {
      throw new CommandError(
        ResponseCode.SYSTEM_ERROR,
        `${what} has ${name.length} characters, 1 to ${NAME_CHARACTERS_MAX} are allowed`,
      )
    }
  }
  if (broker.brokerId < 0) throw new CommandError(ResponseCode.SYSTEM_ERROR, `brokerId ${broker.brokerId} is negative`)
  if (!/:\d{1,5}$/.test(broker.brokerAddr))
    throw new CommandError(ResponseCode.SYSTEM_ERROR, `brokerAddr ${JSON.stringify(broker.brokerAddr)} is not ip:port`)
}

/** 0: not checked. */
function checkCrc(body: Buffer | null, expected: number): void {
  if (expected === 0) return
  const actual = crc32(body ?? Buffer.alloc(0))
  if (actual !== expected)
    throw new CommandError(ResponseCode.SYSTEM_ERROR, `crc32 not match: the body has ${actual}, the header says ${expected}`)
}

function unregister({ routes, logger }: NameServerContext, request: Command): Reply {
  const broker = unregisterBrokerRequest.decode(request.ext)
  if (routes.unregister(broker)) logger.info(`broker ${named(broker)} unregistered`)
  return { code: ResponseCode.SUCCESS }
}

function queryDataVersion({ routes, clock }: NameServerContext, request: Command): Reply {
  const { clusterName, brokerAddr } = queryDataVersionRequest.decode(request.ext)
  const asked = decodeDataVersion(request.body)
  const stored = routes.dataVersion(clusterName, brokerAddr)
  const changed = stored === undefined || asked === null || !sameDataVersion(stored, asked)
  routes.touch(clusterName, brokerAddr, clock.monotonic())
  return {
    code: ResponseCode.SUCCESS,
    ext: queryDataVersionResponse.encode({ changed }),
    body: stored === undefined ? null : Buffer.from(dataVersionText(stored)),
  }
}

function heartbeat({ routes, clock }: NameServerContext, request: Command): Reply {
  const { clusterName, brokerAddr } = brokerHeartbeatRequest.decode(request.ext)
  routes.touch(clusterName, brokerAddr, clock.monotonic())
  return { code: ResponseCode.SUCCESS }
}

const named = (broker: BrokerIdentity): string =>
  `${broker.brokerName}/${broker.brokerId} at ${broker.brokerAddr} of ${broker.clusterName}`
