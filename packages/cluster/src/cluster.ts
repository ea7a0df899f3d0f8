import { type Caller, type Clock, createCaller, type Logger, tcpTransport } from '@cometmq/remoting'
import { BrokerAdmin } from './admin/brokers.ts'
import { GroupAdmin } from './admin/groups.ts'
import { MessageAdmin } from './admin/messages.ts'
import { TopicAdmin } from './admin/topics.ts'
import { Avoidance } from './avoidance.ts'
import { Calls } from './calls.ts'
import { newClientId, uniqueIds } from './client-id.ts'
import { Heartbeat } from './heartbeat.ts'
import { NameServers } from './name-servers.ts'
import { Offsets } from './offsets.ts'
import { PopClient } from './popper/popper.ts'
import { Producer } from './producer.ts'
import { Puller } from './puller.ts'
import { QueueReader } from './reader.ts'
import { Routes } from './routes.ts'
import { BatchSender } from './sender/sender.ts'
import { type Popper, type Reader, type Sender } from './streaming.ts'

export interface ClusterOptions {
  /** `host:port`, one or more that hold the same data; `parseNameServers` reads RocketMQ's list form. */
  nameServers: readonly string[]
  clock: Clock
  logger: Logger
  /** How requests travel. Default: TCP, closed together with the cluster; a caller that is given stays open. */
  caller?: Caller
  /** Must be unique among all clients. Default: address, process id and a random part. */
  clientId?: string
}

/** A client of one RocketMQ-compatible cluster. Connects on first use; `close` when done. */
export interface Cluster {
  readonly clientId: string
  readonly nameServers: readonly string[]
  readonly routes: Routes
  readonly offsets: Offsets
  readonly brokers: BrokerAdmin
  readonly topics: TopicAdmin
  readonly groups: GroupAdmin
  readonly messages: MessageAdmin
  producer(options: { group: string }): Producer
  puller(options: { group: string }): Puller
  /** For many small messages; close it when done. */
  sender(options: { group: string }): Sender
  /** For group consumption by POP; the same one for all callers. */
  popper(): Popper
  /** For reading by offset; the same one for all callers. */
  reader(): Reader
  /** Says good-bye to the brokers (3 s at most) and closes the connections. */
  close(): Promise<void>
}

export function createCluster(options: ClusterOptions): Cluster {
  const { clock, logger } = options
  const caller = options.caller ?? createCaller({ transport: tcpTransport, clock, logger })
  const clientId = options.clientId ?? newClientId()
  const calls = new Calls(caller)
  const nameServers = new NameServers(calls, options.nameServers, logger)
  const routes = new Routes(nameServers, clock, logger)
  const heartbeat = new Heartbeat({ clientId, calls, routes, clock, logger })
  routes.onNewBrokers(() => heartbeat.routesChanged())
  const avoidance = new Avoidance(clock)
  const nextId = uniqueIds(clock)
  const brokers = new BrokerAdmin(nameServers, calls)
  const offsets = new Offsets(calls, routes)
  const reader = new QueueReader(calls, routes, offsets)
  const popper = new PopClient({ calls, routes, offsets, reader })
  return {
    clientId,
    nameServers: nameServers.addresses,
    routes,
    brokers,
    offsets,
    topics: new TopicAdmin({ nameServers, calls, routes, brokers }),
    groups: new GroupAdmin(calls, brokers),
    messages: new MessageAdmin(calls, routes),
    producer: ({ group }) => {
      const producer = new Producer({ group, calls, routes, avoidance, clock, nextId, onClose: () => heartbeat.remove(group) })
      heartbeat.add(group)
      return producer
    },
    puller: ({ group }) => new Puller(group, calls, routes),
    sender: ({ group }) => {
      const sender = new BatchSender({ group, calls, routes, avoidance, clock, onClose: () => heartbeat.remove(group) })
      heartbeat.add(group)
      return sender
    },
    popper: () => popper,
    reader: () => reader,
    close: async () => {
      await heartbeat.close()
      routes.close()
      if (!options.caller) await caller.close()
    },
  }
}
