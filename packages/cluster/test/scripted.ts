import {
  type Command,
  type Handler,
  type Reply,
  RequestCode,
  type RunningServer,
  silentLogger,
  startServer,
  systemClock,
} from '@cometmq/remoting'
import { type Cluster, createCluster } from '../src/index.ts'

/** A server over a real socket that answers from a script and remembers what it was asked. */
export interface Scripted {
  address: string
  asked: Command[]
  count(code: number): number
  close(): Promise<void>
}

type Script = Record<number, (request: Command) => Reply | Promise<Reply> | undefined>

export async function scripted(script: Script): Promise<Scripted> {
  const asked: Command[] = []
  const handlers = new Map<number, Handler>(
    Object.entries(script).map(([code, answer]) => [
      Number(code),
      request => {
        asked.push({ ...request, body: request.body && Buffer.from(request.body) })
        return answer(request)
      },
    ]),
  )
  const server: RunningServer = await startServer({
    host: '127.0.0.1',
    port: 0,
    handlers,
    clock: systemClock,
    logger: silentLogger,
  })
  return {
    address: `127.0.0.1:${server.port}`,
    asked,
    count: code => asked.filter(request => request.code === code).length,
    close: () => server.close(0),
  }
}

/** An address that refuses connections. */
export async function deadAddress(): Promise<string> {
  const server = await scripted({})
  await server.close()
  return server.address
}

/** Body of a route answer: each broker with so many queues. */
export const routeBody = (brokers: Record<string, string>, queues = 1): Buffer =>
  Buffer.from(
    JSON.stringify({
      brokerDatas: Object.entries(brokers).map(([brokerName, address]) => ({
        brokerName,
        cluster: 'c',
        brokerAddrs: { 0: address },
      })),
      queueDatas: Object.keys(brokers).map(brokerName => ({
        brokerName,
        readQueueNums: queues,
        writeQueueNums: queues,
        perm: 6,
        topicSysFlag: 0,
      })),
    }),
  )

/** A name server that knows only the topic T. */
export const nameServerFor = (brokers: Record<string, string>, queues = 1): Promise<Scripted> =>
  scripted({
    [RequestCode.GET_ROUTEINFO_BY_TOPIC]: request =>
      request.ext?.['topic'] === 'T' ? { code: 0, body: routeBody(brokers, queues) } : { code: 17, remark: 'no route' },
  })

export const sendAnswer = (code: number): Reply =>
  code === 0 || (code >= 10 && code <= 12)
    ? { code, ext: { msgId: '7F00000100002A9F0000000000000000', queueId: '0', queueOffset: '5' } }
    : { code, remark: `scripted ${code}` }

/** A broker that answers sends with these codes in turn, the last one for ever, and takes heartbeats. */
export function brokerAnswering(...codes: number[]): Promise<Scripted> {
  let next = 0
  const send = (): Reply => sendAnswer(codes[Math.min(next++, codes.length - 1)]!)
  return scripted({
    [RequestCode.SEND_MESSAGE_V2]: send,
    [RequestCode.SEND_BATCH_MESSAGE]: send,
    [RequestCode.HEART_BEAT]: () => ({ code: 0, ext: {} }),
    [RequestCode.UNREGISTER_CLIENT]: () => ({ code: 0, ext: {} }),
  })
}

export const connect = (...nameServers: string[]): Cluster =>
  createCluster({ nameServers, clock: systemClock, logger: silentLogger })
