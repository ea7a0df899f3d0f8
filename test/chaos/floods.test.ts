import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { CloseCode, Kind } from '@cometmq/protocol'
import { connect } from '@cometmq/node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Arrivals, collect, nightly, numbered, Publisher, refusals, some } from './support/load.ts'
import { type CometProcess, Site } from './support/processes.ts'
import { RawClient } from './support/raw-client.ts'

/** Sockets of each sort of attack. */
const EACH = nightly ? 40 : 20
const settleMs = 20_000
const body = new Uint8Array(100)

let site: Site
beforeAll(async () => {
  site = await Site.start()
})
afterAll(() => site.close())

const times = <T>(count: number, make: (n: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, n) => make(n)))

/** Connects and says nothing. */
async function silent({ url }: CometProcess): Promise<number> {
  const client = await new RawClient(url).opened()
  return (await client.closed()).code
}

/** A request whose head never ends; resolves when the server has had enough. */
async function slowUpgrade({ ready }: CometProcess): Promise<void> {
  const socket = connectTcp(ready.bridge!.port, '127.0.0.1')
  socket.on('error', () => {})
  const closed = new Promise(resolve => socket.once('close', resolve))
  await once(socket, 'connect')
  socket.write('GET /ws HTTP/1.1\r\nHost: localhost\r\nX-Slow: ')
  const drip = setInterval(() => socket.write('x'), 500)
  // It may be an answer, an end or a reset.
  socket.resume()
  await closed
  clearInterval(drip)
}

/** Connects with the bridge's usual rates. */
async function modest(bridge: CometProcess, subject: string, more: Record<string, unknown> = {}): Promise<RawClient> {
  const client = new RawClient(bridge.url)
  const auth = await site.token({ subject, cmq: { rate: undefined, conns: undefined, ...more } })
  const producers = [[client.rid(), 1, 'flooded', { kind: 'normal' }]] as const
  await client.hello({ auth, producers })
  return client
}

/** As fast as it can, whatever comes back. */
async function flood(bridge: CometProcess, n: number): Promise<number> {
  const client = await modest(bridge, `flood-${n}`)
  const burst = (): void => {
    if (client.end) return
    for (let k = 0; k < 50; k++) client.send([Kind.QUERY, client.rid(), 'nothing', {}])
    setImmediate(burst)
  }
  burst()
  return (await client.closed()).code
}

async function overrun(bridge: CometProcess, n: number): Promise<number> {
  const client = await modest(bridge, `overrun-${n}`)
  for (let k = 0; k < 10; k++) {
    const rid = client.rid()
    for (let more = 1; more < 200; more++) client.rid()
    client.send([Kind.SENDB, rid, 1, 0, Array.from({ length: 200 }, () => [{}, body] as const)])
  }
  return (await client.closed()).code
}

async function tooLarge(bridge: CometProcess, n: number): Promise<number> {
  const client = await modest(bridge, `large-${n}`)
  client.send([Kind.SEND, client.rid(), 1, 0, {}, new Uint8Array(280 * 1024)])
  return (await client.closed()).code
}

async function tooMany(bridge: CometProcess): Promise<(string | undefined)[]> {
  const more = { conns: 3 }
  const clients = await times(3, () => modest(bridge, 'crowd', more))
  const refused = await times(3, () => modest(bridge, 'crowd', more).then(() => undefined, String))
  for (const { socket } of clients) socket.terminate()
  return refused
}

const percentile = (values: number[], part: number): number =>
  values.sort((a, b) => a - b)[Math.floor(values.length * part)] ?? NaN

// One after the other where latencies are measured.
;(nightly ? it : it.concurrent).each(['uws', 'ws'] as const)(
  '%s: clients that flood, stall or say nothing are cut off, and the others work on',
  async engine => {
    const name = `flooded-${engine}`
    await site.topic(name)
    await site.topic('flooded').catch(() => undefined)
    const bridge = await site.bridge(`bridge-${engine}`, { engine })
    const def = numbered(name)
    const connection = connect({ url: bridge.url, topics: [def], auth: () => site.token({ subject: 'good' }) })
    const arrivals = new Arrivals()
    const collecting = collect(connection.consumer({ topics: [name], group: 'good' }), arrivals)
    const producer = connection.producer(name)
    await producer.ready()
    const publisher = new Publisher(producer, { rate: 200 }).start()
    let probes = 1_000_000
    /** ms from send to receipt, one after the other. */
    const latencies = async (until: Promise<unknown>): Promise<number[]> => {
      const found: number[] = []
      let isOver = false
      void until.finally(() => (isOver = true))
      while (!isOver) {
        const began = performance.now()
        await producer.send(`${probes++}:`)
        found.push(performance.now() - began)
        await new Promise(resolve => setTimeout(resolve, 5))
      }
      return found
    }
    const idle = nightly ? await latencies(new Promise(resolve => setTimeout(resolve, 10_000))) : []

    const attacks = Promise.all([
      times(EACH, () => silent(bridge)),
      times(EACH, () => slowUpgrade(bridge)),
      times(5, n => flood(bridge, n)),
      times(5, n => overrun(bridge, n)),
      times(5, n => tooLarge(bridge, n)),
      tooMany(bridge),
    ])
    const busy = nightly ? await latencies(attacks) : []
    const [silents, , floods, overruns, larges, refused] = await attacks
    await publisher.stop()
    const complete = await arrivals.all(publisher.acknowledged, settleMs)
    const { reconnects } = connection.stats()
    await connection.drain()
    await collecting
    if (nightly)
      console.log(
        `${engine}: p99 of a send ${percentile(idle, 0.99).toFixed(1)} ms idle, ${percentile(busy, 0.99).toFixed(1)} ms while attacked`,
      )
    expect(new Set(silents)).toEqual(new Set([CloseCode.NO_PONG]))
    expect(new Set(floods)).toEqual(new Set([CloseCode.BANNED_RATE]))
    expect(new Set(overruns)).toEqual(new Set([CloseCode.LIMIT_OVERRUN]))
    expect(new Set(larges)).toEqual(new Set([CloseCode.TOO_LARGE]))
    expect(refused).toEqual(Array(3).fill(expect.stringContaining(String(CloseCode.CONNECTION_QUOTA))))
    expect(refusals(publisher)).toEqual([])
    expect([complete, some(arrivals.missing(publisher.acknowledged)), some(arrivals.duplicates)]).toEqual([true, '0', '0'])
    expect(reconnects).toBe(0)
  },
  90_000,
)
