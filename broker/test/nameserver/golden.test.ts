import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { parseJson, RequestCode, type Command, type HandlerTable } from '@cometmq/remoting'
import { FakeClock, MemoryDisk } from '@cometmq/testkit'
import { describe, expect, it } from 'vitest'
import { loadNameServerConfig } from '../../src/config.ts'
import { startNameServer } from '../../src/nameserver/nameserver.ts'
import { environment, keepingLogger, TestPeer } from '../registry/tools.ts'

/** A recorded frame (test/golden/README.md). */
interface Frame {
  conn: number
  port: number
  code: number
  opaque: number
  flag: number
  header: string
  bodyHex?: string
}

interface Exchange {
  conn: number
  request: Command
  answer: Command
}

const NAME_SERVER_PORTS = [19_876, 19_776]

function command(frame: Frame): Command {
  const header = JSON.parse(frame.header) as {
    version: number
    language: string
    remark?: string
    extFields?: Record<string, string>
  }
  return {
    code: frame.code,
    opaque: frame.opaque,
    flag: frame.flag,
    version: header.version,
    language: header.language,
    remark: header.remark ?? null,
    ext: header.extFields ?? null,
    body: frame.bodyHex ? Buffer.from(frame.bodyHex, 'hex') : null,
  }
}

/** Requests to the name server with their answers, in the order of the requests. */
function recorded(name: string): Exchange[] {
  const text = gunzipSync(
    readFileSync(fileURLToPath(new URL(`../../../test/golden/wire/${name}.jsonl.gz`, import.meta.url))),
  ).toString()
  const frames = text
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as Frame)
  const mine = frames.filter(frame => NAME_SERVER_PORTS.includes(frame.port))
  return mine
    .filter(frame => (frame.flag & 1) === 0)
    .map(request => {
      const answer = mine.find(frame => (frame.flag & 1) === 1 && frame.conn === request.conn && frame.opaque === request.opaque)
      expect(answer, `answer to ${request.code}`).toBeDefined()
      return { conn: request.conn, request: command(request), answer: command(answer!) }
    })
}

/**
 * The slave's second life, from the middle of the recording on, registered past the recorder: addresses that no recorded registration brought are
 * taken out of the answers.
 */
function withoutUnrecorded(answer: unknown, registered: ReadonlySet<string>): unknown {
  return JSON.parse(
    JSON.stringify(answer, (key, value: unknown) =>
      key === 'brokerAddrs'
        ? Object.fromEntries(Object.entries(value as Record<string, string>).filter(([, address]) => registered.has(address)))
        : value,
    ),
  )
}

async function withNameServer(run: (handlers: HandlerTable) => Promise<void>): Promise<void> {
  const clock = new FakeClock()
  const config = loadNameServerConfig({ environment })
  const server = await startNameServer({
    host: '127.0.0.1',
    port: 0,
    dataFolder: '/ns',
    disk: new MemoryDisk({ clock }),
    clock,
    logger: keepingLogger(),
    config,
  })
  try {
    await run(server.handlers)
  } finally {
    const closed = server.close()
    await clock.advanceAsync(2000)
    await closed
  }
}

describe('recorded traffic with Apache name servers', () => {
  it.each(['wire-5.3.3-broker', 'wire-5.5.1-broker'])('gets the same answers from ours: %s', async name => {
    const exchanges = recorded(name)
    expect(exchanges.filter(({ request }) => request.code === RequestCode.REGISTER_BROKER).length).toBeGreaterThan(1)
    await withNameServer(async handlers => {
      const peers = new Map<number, TestPeer>()
      const registered = new Set<string>()
      let pairs = 0
      for (const { conn, request, answer } of exchanges) {
        const peer = peers.get(conn) ?? new TestPeer()
        peers.set(conn, peer)
        const address = request.ext?.['brokerAddr'] ?? ''
        if (request.code === RequestCode.REGISTER_BROKER) registered.add(address)
        if (request.code === RequestCode.UNREGISTER_BROKER) registered.delete(address)
        const reply = await handlers.get(request.code)!(request, peer)
        const label = `${request.code} #${request.opaque} on ${conn}`
        expect(reply!.code, label).toBe(answer.code)
        expect(reply!.ext ?? {}, label).toEqual(answer.ext ?? {})
        const expected = answer.body ? withoutUnrecorded(parseJson(answer.body), registered) : null
        expect(reply!.body ? parseJson(reply!.body) : null, label).toEqual(expected)
        if (JSON.stringify(expected)?.includes('19821')) pairs++
      }
      expect(pairs).toBeGreaterThan(0)
    })
  })

  it.each(['wire-5.3.3-java-json', 'wire-5.5.1-java-json'])(
    'writes routes byte for byte as they were recorded: %s',
    async name => {
      const routes = recorded(name).filter(
        ({ request, answer }) => request.code === RequestCode.GET_ROUTEINFO_BY_TOPIC && answer.code === 0,
      )
      expect(routes.length).toBeGreaterThan(3)
      await withNameServer(async handlers => {
        for (const { request, answer } of routes) {
          const { queueDatas, brokerDatas } = JSON.parse(answer.body!.toString()) as {
            queueDatas: Record<string, unknown>[]
            brokerDatas: { brokerName: string; cluster: string; brokerAddrs: Record<string, string> }[]
          }
          const [broker] = brokerDatas
          const topicName = request.ext!['topic']!
          const topicConfigTable = { [topicName]: { ...queueDatas[0], topicName }, other: { topicName: 'other' } }
          const body = Buffer.from(
            JSON.stringify({
              topicConfigSerializeWrapper: {
                dataVersion: { counter: 0, stateVersion: 0, timestamp: Date.parse('2025-01-01') },
                topicConfigTable,
              },
            }),
          )
          const ext = {
            brokerName: broker!.brokerName,
            brokerAddr: broker!.brokerAddrs['0']!,
            clusterName: broker!.cluster,
            haServerAddr: '',
            brokerId: '0',
          }
          const peer = new TestPeer()
          await handlers.get(RequestCode.REGISTER_BROKER)!({ ...request, code: RequestCode.REGISTER_BROKER, ext, body }, peer)
          const reply = await handlers.get(request.code)!(request, peer)
          expect(reply!.body!.toString(), topicName).toBe(answer.body!.toString())
          peer.close()
        }
      })
    },
  )
})
