import { type ClusterInfo, RequestCode } from '@cometmq/remoting'
import { parseClusterInfo, parseKvTable } from '../bodies.ts'
import { type CallOptions, type Calls, errorOfAnswer } from '../calls.ts'
import { refused } from '../errors.ts'
import { type NameServers } from '../name-servers.ts'
import { MASTER_ID } from '../queues.ts'
import { type BrokerInfo } from './types.ts'

export const adminTimeoutMs = 5_000

export interface Target {
  /** Only brokers of this cluster. */
  cluster?: string
  /** Only this broker. */
  broker?: string
}

/** Which brokers there are, and what each tells about itself. Default deadline of each request: 5 s. */
export class BrokerAdmin {
  readonly #nameServers: NameServers
  readonly #calls: Calls

  constructor(nameServers: NameServers, calls: Calls) {
    this.#nameServers = nameServers
    this.#calls = calls
  }

  async clusterInfo(options: CallOptions = {}): Promise<ClusterInfo> {
    const what = 'list of brokers'
    const request = { code: RequestCode.GET_BROKER_CLUSTER_INFO, ext: {} }
    const { answer, address } = await this.#nameServers.ask(what, request, options.timeoutMs ?? adminTimeoutMs, options.signal)
    if (answer.code !== 0) throw errorOfAnswer(what, address, answer)
    return parseClusterInfo(answer.body)
  }

  /** Sorted by cluster, name and id. */
  async list(options: CallOptions = {}): Promise<BrokerInfo[]> {
    const info = await this.clusterInfo(options)
    const clusterOf = new Map(
      Object.entries(info.clusterAddrTable).flatMap(([cluster, names]) => names.map(name => [name, cluster] as const)),
    )
    const brokers = Object.values(info.brokerAddrTable).flatMap(data =>
      Object.entries(data.brokerAddrs).map(([id, address]) => ({
        cluster: data.cluster || (clusterOf.get(data.brokerName) ?? ''),
        brokerName: data.brokerName,
        brokerId: Number(id),
        address,
      })),
    )
    return brokers.sort((a, b) => compare(a.cluster, b.cluster) || compare(a.brokerName, b.brokerName) || a.brokerId - b.brokerId)
  }

  /** Masters that match `target`; rejects with E_NO_BROKER when none does. */
  async masters(target: Target, options: CallOptions = {}): Promise<BrokerInfo[]> {
    const masters = (await this.list(options)).filter(
      broker =>
        broker.brokerId === Number(MASTER_ID) &&
        (target.cluster === undefined || broker.cluster === target.cluster) &&
        (target.broker === undefined || broker.brokerName === target.broker || broker.address === target.broker),
    )
    if (masters.length > 0) return masters
    const wanted = target.broker ?? target.cluster
    throw refused(
      'E_NO_BROKER',
      wanted === undefined ? 'no broker found' : `no broker found for ${wanted}`,
      'the name server lists no such master',
    )
  }

  /** The counters a broker keeps about itself, all as text (spec remoting 3.8, code 28). */
  async runtimeInfo(address: string, options: CallOptions = {}): Promise<Record<string, string>> {
    const request = { code: RequestCode.GET_BROKER_RUNTIME_INFO, ext: {} }
    const answer = await this.#calls.demand(
      `state of broker ${address}`,
      address,
      request,
      options.timeoutMs ?? adminTimeoutMs,
      options.signal,
    )
    return parseKvTable(answer.body)
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
