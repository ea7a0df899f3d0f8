import { type BrokerData, type MessageQueue, type QueueData, type TopicRouteData } from '@cometmq/remoting'

export const MASTER_ID = '0'
const READ_BIT = 4
const WRITE_BIT = 2
/** A route naming more queues than this is refused: it would only come from a broken or hostile name server. */
export const maxQueuesPerRoute = 65_536

const byName = (a: QueueData, b: QueueData): number => (a.brokerName < b.brokerName ? -1 : a.brokerName > b.brokerName ? 1 : 0)

/** `broker:n;broker:n` of an ordered topic. */
function orderedQueues(topic: string, orderTopicConf: string): MessageQueue[] {
  const queues: MessageQueue[] = []
  for (const part of orderTopicConf.split(';')) {
    const colon = part.lastIndexOf(':')
    const count = Number(part.slice(colon + 1))
    if (colon < 1 || !Number.isInteger(count)) continue
    addQueues(queues, topic, part.slice(0, colon), count)
  }
  return queues
}

function addQueues(queues: MessageQueue[], topic: string, brokerName: string, count: number): void {
  for (let queueId = 0; queueId < count && queues.length < maxQueuesPerRoute; queueId++)
    queues.push({ topic, brokerName, queueId })
}

/** Queues a producer may write to, sorted by broker name and queue id (spec remoting 7.6, point 2). */
export function publishQueues(topic: string, route: TopicRouteData): MessageQueue[] {
  if (route.orderTopicConf) return orderedQueues(topic, route.orderTopicConf)
  const withMaster = new Set(route.brokerDatas.filter(broker => broker.brokerAddrs[MASTER_ID]).map(broker => broker.brokerName))
  const queues: MessageQueue[] = []
  for (const data of [...route.queueDatas].sort(byName))
    if ((data.perm & WRITE_BIT) !== 0 && withMaster.has(data.brokerName))
      addQueues(queues, topic, data.brokerName, data.writeQueueNums)
  return queues
}

/** Queues a consumer may read, sorted by broker name and queue id (spec remoting 7.6, point 4). */
export function readQueues(topic: string, route: TopicRouteData): MessageQueue[] {
  const queues: MessageQueue[] = []
  for (const data of [...route.queueDatas].sort(byName))
    if ((data.perm & READ_BIT) !== 0) addQueues(queues, topic, data.brokerName, data.readQueueNums)
  return queues
}

/** The address of broker id `brokerId`, else the master's, else any; undefined when the route does not have the broker. */
export function addressFor(route: TopicRouteData, brokerName: string, brokerId: string): string | undefined {
  const broker = route.brokerDatas.find(data => data.brokerName === brokerName)
  return broker && (broker.brokerAddrs[brokerId] ?? anyAddress(broker))
}

export function anyAddress(broker: BrokerData): string | undefined {
  return broker.brokerAddrs[MASTER_ID] ?? Object.values(broker.brokerAddrs)[0]
}

/** The address writes go to; undefined when the broker has no master. */
export const masterAddress = (route: TopicRouteData, brokerName: string): string | undefined =>
  route.brokerDatas.find(data => data.brokerName === brokerName)?.brokerAddrs[MASTER_ID]

/** The template's route under another name, with at most `queueNums` queues a broker (spec remoting 7.6, point 1). */
export function routeFromTemplate(template: TopicRouteData, queueNums: number): TopicRouteData {
  return {
    brokerDatas: template.brokerDatas,
    queueDatas: template.queueDatas.map(data => {
      const queues = Math.min(queueNums, data.readQueueNums)
      return { ...data, readQueueNums: queues, writeQueueNums: queues }
    }),
  }
}
