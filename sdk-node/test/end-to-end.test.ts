import { startBridge } from '@cometmq/bridge'
import { silentLogger, systemClock } from '@cometmq/remoting'
import { everything } from '@cometmq/session'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, type Environment, json, type Plugin, topic } from '../src/index.ts'
import { type OwnBroker, startOwnBroker } from './support/own-broker.ts'

const orders = topic('orders', { codec: json, tags: ['new', 'paid'] })
const news = topic('news', { codec: json })
const topics = [orders, news] as const

let own: OwnBroker
beforeAll(async () => {
  own = await startOwnBroker()
  for (const { name } of topics) await own.cluster.topics.create({ topic: name, readQueues: 2, writeQueues: 2 })
})
afterAll(() => own.close())

const startOwnBridge = (resumeKey: Uint8Array = randomBytes(32)) =>
  startBridge({
    cluster: own.cluster,
    clock: systemClock,
    logger: silentLogger,
    authenticate: () => everything,
    resumeKey,
    port: 0,
    engine: 'ws',
  })

const ways = {
  'over a bridge': async () => {
    const bridge = await startOwnBridge()
    return { connection: connect({ url: bridge.url, topics }), close: () => bridge.close() }
  },
  direct: async () => ({ connection: connect({ servers: own.nameServer, topics }), close: async () => undefined }),
}

describe.each(Object.entries(ways))('%s', (way, start) => {
  it('what is sent is consumed by a group', async () => {
    const { connection, close } = await start()
    const group = `g-${way.replaceAll(' ', '-')}`
    const consumer = connection.consumer({ topics: ['orders'], group })
    const producer = connection.producer('orders')
    const sent = await Promise.all(Array.from({ length: 50 }, (_, n) => producer.send({ n, way }, { tag: 'new' })))
    expect(new Set(sent.map(receipt => receipt.id)).size).toBe(50)
    const seen = new Map<number, string>()
    for await (const message of consumer) {
      const value = message.value as { n: number; way: string }
      if (value.way === way) seen.set(value.n, message.id)
      await message.acked()
      if (seen.size === 50) break
    }
    expect([...seen].sort(([a], [b]) => a - b).map(([, id]) => id)).toEqual(sent.map(receipt => receipt.id))
    expect(await connection.drain()).toMatchObject({ lost: 0 })
    expect(connection.state).toEqual({ type: 'closed' })
    await close()
  })

  it('a broadcast reaches every consumer', async () => {
    const { connection, close } = await start()
    await connection.ready()
    const consumers = [1, 2].map(() => connection.consumer({ topics: ['news'], mode: 'broadcast', since: 'latest' }))
    // Reading has begun when the queues are known.
    for (const consumer of consumers) for await (const event of consumer.events()) if (event.type === 'assigned') break
    await connection.producer('news').send({ text: 'hello' })
    for (const consumer of consumers) {
      for await (const message of consumer) {
        expect(message.value).toEqual({ text: 'hello' })
        break
      }
    }
    await connection.close()
    await close()
  })

  it('what cannot be is said', async () => {
    const { connection, close } = await start()
    expect(() => connection.producer('nothing' as 'orders')).toThrow(/topic nothing/)
    await connection.close()
    await expect(connection.producer('orders').send({})).rejects.toMatchObject({ code: 'COMET_CLOSED' })
    await close()
  })
})

/** Cuts the newest socket as a network does: without a word to the client. */
function scissors(): { plugin: Plugin; cut: () => void } {
  let cut = (): void => {}
  const plugin: Plugin = {
    name: 'scissors',
    install: host =>
      host.transport(next => {
        const open = next as Environment['open']
        const wrapped: Environment['open'] = (url, handlers) => {
          const socket = open(url, handlers)
          cut = () => {
            socket.close(4000, '')
            handlers.onClose(1006, '')
          }
          return socket
        }
        return wrapped
      }),
  }
  return { plugin, cut: () => cut() }
}

/** Sends until told to stop; every send must succeed. */
async function sendSteadily(send: (n: number) => Promise<{ id: string }>, enough: () => boolean): Promise<string[]> {
  const ids: string[] = []
  for (let n = 0; !enough(); n++) ids.push((await send(n)).id)
  return ids
}

describe('over a bridge that is not always there', () => {
  it('cut sockets: every send is answered, every message arrives, acknowledgements go through', async () => {
    const bridge = await startOwnBridge()
    const { plugin, cut } = scissors()
    const connection = connect({ url: bridge.url, topics, plugins: [plugin], backoff: { min: 5, max: 20 } })
    const consumer = connection.consumer({ topics: ['orders'], group: 'g-cut' })
    const producer = connection.producer('orders')
    let cuts = 0
    const states: unknown[] = []
    const watching = (async () => {
      for await (const state of connection.states()) if (state.type === 'open') states.push(state.resumed)
    })()
    const ids = await sendSteadily(
      n => {
        if (n % 25 === 24) {
          cut()
          cuts++
        }
        return producer.send({ n, way: 'cut' }, { tag: 'paid' })
      },
      () => cuts === 6,
    )
    const missing = new Set(ids)
    expect(missing.size).toBe(ids.length)
    for await (const message of consumer) {
      missing.delete(message.id)
      message.ack()
      if (missing.size === 0) break
    }
    expect(connection.stats().reconnects).toBe(6)
    await connection.close()
    await watching
    expect(states).toEqual([false, 'hot', 'hot', 'hot', 'hot', 'hot', 'hot'])
    await bridge.close()
  })

  it('a node that leaves: the connection moves on, publishers see nothing of it', async () => {
    const key = randomBytes(32)
    const [first, second] = [await startOwnBridge(key), await startOwnBridge(key)]
    const connection = connect({ url: first.url, topics })
    const consumer = connection.consumer({ topics: ['orders'], group: 'g-move' })
    const producer = connection.producer('orders')
    await producer.send({ n: -1, way: 'move' }, { tag: 'new' })
    let left: Promise<void> | undefined
    const seen: string[] = []
    const watching = (async () => {
      for await (const state of connection.states()) seen.push(state.type === 'open' ? `open ${state.resumed}` : state.type)
    })()
    let after = 0
    const ids = await sendSteadily(
      n => {
        if (n === 20) left = first.drain({ graceMs: 20_000, url: second.url })
        if (seen.includes('open cold')) after++
        return producer.send({ n, way: 'move' }, { tag: 'new' })
      },
      () => after === 20,
    )
    const missing = new Set(ids)
    for await (const message of consumer) {
      missing.delete(message.id)
      message.ack()
      if (missing.size === 0) break
    }
    // Well before the grace is over: nothing keeps the client there.
    await left
    await first.close()
    expect((await producer.send({ n: -2, way: 'move' }, { tag: 'new' })).id).toBeTruthy()
    await connection.close()
    await watching
    expect(seen).toEqual(['open false', 'moving', 'open cold', 'closed'])
    await second.close()
  })

  it('a bridge that is restarted with the same key: cold, and goes on', async () => {
    const key = randomBytes(32)
    const first = await startOwnBridge(key)
    const connection = connect({ url: first.url, topics, backoff: { min: 5, max: 20 } })
    const producer = connection.producer('orders')
    await producer.send({ n: 1, way: 'restart' }, { tag: 'new' })
    const session = (await producer.send({ n: 2, way: 'restart' }, { tag: 'new' })).id.slice(0, 20)
    await first.close()
    const sending = producer.send({ n: 3, way: 'restart' }, { tag: 'new' })
    const again = await startBridge({
      cluster: own.cluster,
      clock: systemClock,
      logger: silentLogger,
      authenticate: () => everything,
      resumeKey: key,
      port: first.port,
      engine: 'ws',
    })
    expect((await sending).id.slice(0, 20)).toBe(session)
    expect(connection.state).toMatchObject({ type: 'open', resumed: 'cold' })
    await connection.close()
    await again.close()
  })
})
