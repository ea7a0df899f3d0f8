import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Cluster } from '@cometmq/cluster'
import type { StoredView, TokenRequest } from '@cometmq/testkit/conformance'
import { CuttingProxy } from './proxy.ts'

/** A bridge that the control server may start and send away. */
export interface SpareBridge {
  readonly url: string
  goaway(options: { graceMs: number; url?: string }): Promise<void>
  close(): Promise<void>
}

export interface ControlOptions {
  readonly cluster: Cluster
  readonly run: string
  readonly bridgePort: number
  token(request: TokenRequest): Promise<string>
  startBridge(): Promise<SpareBridge>
  /** Apache RocketMQ makes messages readable some time after they were acknowledged: what is stored is read until it stays so long. */
  readonly settleMs: number
}

export interface ControlServer {
  readonly address: string
  close(): Promise<void>
}

const maxRequestBytes = 1024 * 1024

/** The other end of the suite's `Control`: JSON arguments in, JSON result out; open to every origin, loopback only. */
export async function startControl(options: ControlOptions): Promise<ControlServer> {
  const { cluster } = options
  const proxies = new Map<string, CuttingProxy>()
  const bridges = new Map<string, SpareBridge>()
  const producer = cluster.producer({ group: `${options.run}-control` })
  const proxyOf = (id: string): CuttingProxy => {
    const proxy = proxies.get(id)
    if (!proxy) throw new Error(`no proxy ${id}`)
    return proxy
  }
  const methods: Record<string, (...args: never[]) => unknown> = {
    async createTopic(name: string, queues = 4) {
      await cluster.topics.create({ topic: name, readQueues: queues, writeQueues: queues })
      return name
    },
    token: (request: TokenRequest = {}) => options.token(request),
    async send(topic: string, message: { body: string; tag?: string; keys?: string[]; props?: Record<string, string> }) {
      const { body, tag, keys, props } = message
      const outgoing = {
        topic,
        body: Buffer.from(body),
        ...(tag && { tag }),
        ...(keys && { keys }),
        ...(props && { properties: props }),
      }
      return (await producer.send(outgoing)).msgId
    },
    stored: (topic: string) => settled(cluster, topic, options.settleMs),
    async proxy() {
      const proxy = await CuttingProxy.start(options.bridgePort)
      const id = String(proxies.size + 1)
      proxies.set(id, proxy)
      return { id, url: `ws://127.0.0.1:${proxy.port}/ws` }
    },
    cut: (id: string, after?: { up?: number; down?: number }) => proxyOf(id).cut(after),
    freeze: (id: string, ms: number) => proxyOf(id).freeze(ms),
    refuse: (id: string, ms: number) => proxyOf(id).refuse(ms),
    async bridge() {
      const bridge = await options.startBridge()
      const id = String(bridges.size + 1)
      bridges.set(id, bridge)
      return { id, url: bridge.url }
    },
    goaway: (id: string, how: { graceMs: number; url?: string }) => bridges.get(id)!.goaway(how),
  }
  const server = createServer((request, response) => {
    response.setHeader('access-control-allow-origin', '*')
    response.setHeader('access-control-allow-headers', '*')
    if (request.method === 'OPTIONS') return void response.end()
    answer(methods, request).then(
      text => response.end(text),
      (error: unknown) => {
        response.statusCode = 500
        response.end(error instanceof Error ? error.message : String(error))
      },
    )
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      for (const bridge of bridges.values()) await bridge.close()
      for (const proxy of proxies.values()) await proxy.close()
      await closed(server)
    },
  }
}

const closed = (server: Server): Promise<void> =>
  new Promise(resolve => {
    server.close(() => resolve())
    server.closeAllConnections()
  })

async function answer(methods: Record<string, (...args: never[]) => unknown>, request: IncomingMessage): Promise<string> {
  const method = methods[request.url!.slice(1)]
  if (!method) throw new Error(`no method ${request.url}`)
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxRequestBytes) throw new Error('request too large')
    chunks.push(chunk)
  }
  const result = await method(...(JSON.parse(Buffer.concat(chunks).toString()) as never[]))
  return result === undefined ? '' : JSON.stringify(result)
}

async function settled(cluster: Cluster, topic: string, settleMs: number): Promise<StoredView[]> {
  let found = await stored(cluster, topic)
  while (settleMs > 0) {
    await new Promise(resolve => setTimeout(resolve, settleMs))
    const again = await stored(cluster, topic)
    if (again.length === found.length) break
    found = again
  }
  return found
}

async function stored(cluster: Cluster, topic: string): Promise<StoredView[]> {
  const puller = cluster.puller({ group: 'CID_CONTROL' })
  const route = await cluster.routes.forReading(topic)
  const found: StoredView[] = []
  for (const queue of route.read) {
    let offset = 0
    for (;;) {
      const pulled = await puller.pull(queue, offset, { maxMessages: 32 })
      offset = pulled.nextOffset
      for (const message of pulled.messages)
        found.push({
          msgId: message.msgId,
          ...(message.tag === undefined ? {} : { tag: message.tag }),
          keys: message.keys,
          properties: Object.fromEntries(message.properties),
          body: message.body.toString(),
          bornAt: message.bornTimestamp,
          queueId: message.queueId,
        })
      if (pulled.messages.length === 0 && offset >= pulled.maxOffset) break
    }
  }
  return found
}
