import {
  CommandError,
  deleteTopicFromNamesrvRequest,
  brokerNameRequest,
  addWritePermResponse,
  decodeTopicRouteData,
  encodeBrokerMemberGroup,
  encodeClusterInfo,
  encodeTopicList,
  encodeTopicRouteData,
  getBrokerMemberGroupRequest,
  getRouteInfoRequest,
  getTopicsByClusterRequest,
  registerTopicRequest,
  RequestCode,
  ResponseCode,
  stringifyJson,
  wipeWritePermResponse,
  type BrokerData,
  type Command,
  type Handler,
  type Reply,
  type TopicList,
  type TopicRouteData,
} from '@cometmq/remoting'
import { ORDER_TOPIC_CONFIG, type NameServerContext } from './context.ts'

/** From this client version on routes are strict JSON (V4_9_4). */
const VERSION_OF_STRICT_JSON = 401

/** Routes and topic lists, asked by clients and tools (spec remoting, 3.1). */
export function routeHandlers(context: NameServerContext): [number, Handler][] {
  const { routes } = context
  const list = (code: number, make: (request: Command) => TopicList): [number, Handler] => [
    code,
    request => topicList(context, make(request)),
  ]
  return [
    [RequestCode.GET_ROUTEINFO_BY_TOPIC, request => route(context, request)],
    [RequestCode.GET_BROKER_CLUSTER_INFO, () => success(encodeClusterInfo(routes.clusterInfo()))],
    [RequestCode.GET_BROKER_MEMBER_GROUP, request => memberGroup(context, request)],
    [RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER, () => allTopics(context)],
    list(RequestCode.GET_TOPICS_BY_CLUSTER, request => ({
      topicList: routes.topicsOfCluster(getTopicsByClusterRequest.decode(request.ext).cluster),
    })),
    list(RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_NS, () => routes.systemTopics()),
    list(RequestCode.GET_UNIT_TOPIC_LIST, () => ({ topicList: routes.unitTopics('unit') })),
    list(RequestCode.GET_HAS_UNIT_SUB_TOPIC_LIST, () => ({ topicList: routes.unitTopics('unit-sub') })),
    list(RequestCode.GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST, () => ({ topicList: routes.unitTopics('unit-sub-not-unit') })),
    [RequestCode.DELETE_TOPIC_IN_NAMESRV, request => deleteTopic(context, request)],
    [RequestCode.REGISTER_TOPIC_IN_NAMESRV, request => registerTopic(context, request)],
    [
      RequestCode.WIPE_WRITE_PERM_OF_BROKER,
      request => ({
        code: ResponseCode.SUCCESS,
        ext: wipeWritePermResponse.encode({ wipeTopicCount: routes.wipeWritePerm(brokerName(request)) }),
      }),
    ],
    [
      RequestCode.ADD_WRITE_PERM_OF_BROKER,
      request => ({
        code: ResponseCode.SUCCESS,
        ext: addWritePermResponse.encode({ addTopicCount: routes.addWritePerm(brokerName(request)) }),
      }),
    ],
  ]
}

const success = (body: Buffer | null = null): Reply => ({ code: ResponseCode.SUCCESS, body })
const brokerName = (request: Command): string => brokerNameRequest.decode(request.ext).brokerName

function route(context: NameServerContext, request: Command): Reply {
  const { routes, kv, settings } = context
  checkReady(context)
  const { topic, acceptStandardJsonOnly } = getRouteInfoRequest.decode(request.ext)
  const found = routes.route(topic, settings.supportActingMaster)
  if ('missing' in found) return { code: ResponseCode.TOPIC_NOT_EXIST, remark: noRoute(context, topic, found.missing) }
  const data: TopicRouteData = found
  const order = settings.orderMessageEnable ? kv.get(ORDER_TOPIC_CONFIG, topic) : undefined
  if (order !== undefined) data.orderTopicConf = order
  const isStrict = request.version >= VERSION_OF_STRICT_JSON || acceptStandardJsonOnly === true
  return success(isStrict ? encodeTopicRouteData(data) : encodeOldTopicRouteData(data))
}

/** The first words are RocketMQ's: some clients and many people look for them. */
function noRoute({ routes }: NameServerContext, topic: string, missing: 'unknown topic' | 'no live broker'): string {
  const brokers = Object.keys(routes.clusterInfo().brokerAddrTable)
  const start = `No topic route info in name server for the topic: ${topic}; `
  if (missing === 'no live broker') return start + 'the brokers that have it are not connected to this name server'
  if (brokers.length === 0)
    return start + 'no broker is registered at this name server: is one running, with this address in its namesrvAddr?'
  return (
    start +
    `none of the ${brokers.length} brokers registered here has it: create it, or send to it where autoCreateTopicEnable=true`
  )
}

function checkReady({ settings, clock, startedAt }: NameServerContext): void {
  if (!settings.needWaitForService) return
  const leftMs = startedAt + settings.waitSecondsForService * 1000 - clock.monotonic()
  if (leftMs > 0)
    throw new CommandError(
      ResponseCode.SYSTEM_ERROR,
      `name server not ready: it waits ${Math.ceil(leftMs / 1000)} s more for brokers to register`,
    )
}

/** fastjson 1's form with bare integer keys, which old clients expect (spec remoting, 4). */
function encodeOldTopicRouteData(data: TopicRouteData): Buffer {
  const brokers = data.brokerDatas.map(encodeOldBrokerData).join(',')
  const order = data.orderTopicConf === undefined ? '' : `"orderTopicConf":${JSON.stringify(data.orderTopicConf)},`
  return Buffer.from(`{"brokerDatas":[${brokers}],"filterServerTable":{},${order}"queueDatas":${stringifyJson(data.queueDatas)}}`)
}

function encodeOldBrokerData({ brokerAddrs, ...rest }: BrokerData): string {
  const addresses = Object.entries(brokerAddrs).map(([id, address]) => `${id}:${JSON.stringify(address)}`)
  return `{"brokerAddrs":{${addresses.join(',')}},${stringifyJson(rest).slice(1)}`
}

function allTopics({ routes, settings }: NameServerContext): Reply {
  if (!settings.enableAllTopicList) throw new CommandError(ResponseCode.SYSTEM_ERROR, 'disable: enableAllTopicList=false')
  return success(encodeTopicList({ topicList: routes.topics() }))
}

function topicList({ settings }: NameServerContext, list: TopicList): Reply {
  if (!settings.enableTopicList) throw new CommandError(ResponseCode.SYSTEM_ERROR, 'disable: enableTopicList=false')
  return success(encodeTopicList(list))
}

function memberGroup({ routes }: NameServerContext, request: Command): Reply {
  const { clusterName, brokerName } = getBrokerMemberGroupRequest.decode(request.ext)
  const brokerAddrs = routes.memberGroup(clusterName, brokerName)?.brokerAddrs ?? {}
  return success(encodeBrokerMemberGroup({ brokerAddrs, brokerName, cluster: clusterName }))
}

function deleteTopic({ routes, logger }: NameServerContext, request: Command): Reply {
  const { topic, clusterName } = deleteTopicFromNamesrvRequest.decode(request.ext)
  routes.deleteTopic(topic, clusterName === '' ? undefined : clusterName)
  logger.info(`topic ${topic} deleted from the routes of ${clusterName ?? 'all clusters'}`)
  return success()
}

function registerTopic({ routes }: NameServerContext, request: Command): Reply {
  const { topic } = registerTopicRequest.decode(request.ext)
  const refused = routes.addTopic(topic, decodeTopicRouteData(request.body).queueDatas)
  if (refused !== null) throw new CommandError(ResponseCode.SYSTEM_ERROR, refused)
  return success()
}
