import { httpMode, keysOfText, type RunningBridge, signToken, startBridge, tokenAuthentication } from '@cometmq/bridge'
import { silentLogger, systemClock } from '@cometmq/remoting'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest'
import {
  BridgeError,
  createHttpClient,
  type Fetch,
  type HttpClientOptions,
  json,
  type StandardSchema,
  text,
  topic,
} from '../../src/edge/index.ts'
import { type OwnBroker, startOwnBroker } from '../support/own-broker.ts'

interface Order {
  readonly id: string
  readonly total: number
}
/** What a schema library makes. */
const order: StandardSchema<Order> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: value =>
      typeof (value as Order).total === 'number'
        ? { value: value as Order }
        : { issues: [{ message: 'total must be a number' }] },
  },
}
const orders = topic('orders', { schema: order, tags: ['new', 'paid'] })
const steps = topic('steps', { kind: 'fifo', codec: text })
const later = topic('later', { kind: 'delay', codec: json })
const raw = topic('raw')

const secret = randomBytes(32).toString('base64url')
const rights = { pub: ['*'], sub: [{ topic: '*', group: '*' }], client: 'server', rate: 100_000 } as const
const token = (ttlSeconds = 60): Promise<string> =>
  signToken(secret, 'key', { subject: 'worker', rights, ttlSeconds, now: Date.now() })

let own: OwnBroker
let bridge: RunningBridge
let url: string
beforeAll(async () => {
  own = await startOwnBroker()
  for (const { name } of [orders, steps, later, raw])
    await own.cluster.topics.create({ topic: name, readQueues: 2, writeQueues: 2 })
  bridge = await startBridge({
    cluster: own.cluster,
    clock: systemClock,
    logger: silentLogger,
    authenticate: tokenAuthentication({ keys: await keysOfText(secret, 'key'), now: () => Date.now() }),
    resumeKey: randomBytes(32),
    port: 0,
    engine: 'ws',
    http: httpMode(),
  })
  url = `http://${bridge.address}`
})
afterAll(async () => {
  await bridge.close()
  await own.close()
})

const client = (more: Partial<HttpClientOptions> = {}) => createHttpClient({ url, auth: () => token(), ...more })
const wait = '10s'
const since = 'earliest'

describe('the client without a socket', () => {
  it('sends, receives and settles by the types of its topics', async () => {
    const http = client()
    const receipt = await http.send(orders, { id: 'ä', total: 3 }, { tag: 'new', keys: ['k'], props: { p: '1' } })
    expect(receipt.id).toMatch(/^[0-9A-F]{32}$/)
    const [message] = await http.receive(orders, { group: 'g', wait, since })
    expectTypeOf(message!.value).toEqualTypeOf<Order>()
    expect(message).toMatchObject({
      ...{ topic: 'orders', value: { id: 'ä', total: 3 }, tag: 'new', keys: ['k'], props: { p: '1' }, attempt: 1 },
      ...{ id: receipt.id, queue: receipt.queue, offset: receipt.offset, redelivered: false },
    })
    expect(Math.abs(message!.bornAt.getTime() - Date.now())).toBeLessThan(60_000)
    await http.ack(message!)
    expect(await http.receive(orders, { group: 'g' })).toEqual([])
    // @ts-expect-error -- not a tag of the topic
    const wrong = http.send(orders, { id: 'x', total: 1 }, { tag: 'other' })
    await wrong
    // @ts-expect-error -- the schema wants a total
    await expect(http.send(orders, { id: 'x' })).rejects.toMatchObject({ code: 'COMET_SCHEMA', outcome: 'not-executed' })
  })

  it('carries bytes as they are', async () => {
    const http = client()
    const bytes = randomBytes(50_000)
    await http.send(raw, bytes)
    const [message] = await http.receive(raw, { group: 'b', wait, since })
    expect(Buffer.compare(Buffer.from(message!.value), bytes)).toBe(0)
  })

  it('sends batches, and tells what became of each', async () => {
    const http = client()
    const items = Array.from({ length: 20 }, (_, index) => ({ value: String(index), group: 'one' }))
    const receipts = await http.sendBatch(steps, [...items, { value: '', group: 'one' }])
    expect(new Set(receipts.slice(0, 20).map(receipt => (receipt as { queue: number }).queue)).size).toBe(1)
    expect(receipts[20]).toBeInstanceOf(BridgeError)
    expect(receipts[20]).toMatchObject({ code: 'COMET_BAD_REQUEST', outcome: 'not-executed' })
    expect(await http.sendBatch(steps, [])).toEqual([])
    const messages = await http.receive([steps, orders], { group: 's', max: 256, wait, since })
    const got = messages.filter(message => message.topic === 'steps').map(message => message.value)
    expect(got).toEqual(items.map(({ value }) => value))
    await http.ack(messages)
    // @ts-expect-error -- a fifo topic needs a group
    await expect(http.send(steps, 'x')).rejects.toMatchObject({ code: 'COMET_KIND_MISMATCH' })
    await http.send(later, { soon: true }, { after: '1s' })
    expect((await http.receive(later, { group: 'l', wait: '15s', since }))[0]!.value).toEqual({ soon: true })
  })

  it('gives back, extends, and puts aside', async () => {
    const http = client()
    const done = topic('done', { codec: text })
    await own.cluster.topics.create({ topic: 'done', readQueues: 1, writeQueues: 1 })
    await http.send(done, 'work')
    const receive = () => http.receive(done, { group: 'd', wait: '15s', since, lease: '20s' })
    const [first] = await receive()
    await http.nack(first!, { after: 0 })
    const [second] = await receive()
    expect(second).toMatchObject({ attempt: 2, redelivered: true, value: 'work' })
    const handle = await http.extend(second!, '1m')
    await client().deadLetter(handle)
    expect(await http.receive(done, { group: 'd' })).toEqual([])
    await expect(http.ack('forged')).rejects.toMatchObject({ code: 'COMET_INVALID_RECEIPT', status: 40010 })
    await http.ack([])
  })

  it('gives back what cannot be decoded, and says so', async () => {
    const http = client()
    const plain = topic('odd', { codec: text })
    await own.cluster.topics.create({ topic: 'odd', readQueues: 1, writeQueues: 1 })
    await http.send(plain, 'not json')
    const told: BridgeError[] = []
    const odd = topic('odd', { codec: json })
    const options = { group: 'o', wait, since, onUndecodable: (_: unknown, error: BridgeError) => told.push(error) } as const
    expect(await http.receive(odd, options)).toEqual([])
    expect(told[0]).toMatchObject({ code: 'COMET_SCHEMA' })
  })

  it('asks for a new token when the old one is not taken, once', async () => {
    const asked: string[] = []
    const http = client({
      auth: async ({ reason }) => {
        asked.push(reason)
        return reason === 'connect' ? token(-60) : token()
      },
    })
    await http.send(raw, Uint8Array.of(1))
    await http.send(raw, Uint8Array.of(1))
    expect(asked).toEqual(['connect', 'rejected'])
    const never = client({ auth: () => 'x.y.z' })
    await expect(never.send(raw, Uint8Array.of(1))).rejects.toMatchObject({ code: 'COMET_TOKEN_REFUSED' })
    const none = createHttpClient({ url })
    await expect(none.send(raw, Uint8Array.of(1))).rejects.toMatchObject({ code: 'COMET_TOKEN_MISSING' })
    expect((await client({ auth: await token() }).send(raw, Uint8Array.of(1))).id).toBeDefined()
  })

  it('repeats what got no answer under the same ids, marked', async () => {
    const again = topic('again', { codec: text })
    await own.cluster.topics.create({ topic: 'again', readQueues: 1, writeQueues: 1 })
    let calls = 0
    const lossy: Fetch = async (...args) => {
      const response = await fetch(...args)
      if (++calls > 1) return response
      await response.arrayBuffer()
      throw new TypeError('the connection broke')
    }
    const { id } = await client({ fetch: lossy }).send(again, 'x')
    const copies = await client().receive(again, { group: 'a', wait, since })
    expect(copies.map(copy => [copy.id, copy.redelivered])).toEqual([
      [id, false],
      [id, true],
    ])
    const gone: Fetch = () => Promise.reject(new TypeError('refused'))
    const error: unknown = await client({ fetch: gone, retries: 0 })
      .send(again, 'x')
      .catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'COMET_CONNECTION_LOST', outcome: 'unknown' })
  })

  it('does not repeat a receive or a nack of which nobody knows', async () => {
    let calls = 0
    const gone: Fetch = () => {
      calls++
      return Promise.reject(new TypeError('broke'))
    }
    const http = client({ fetch: gone })
    await expect(http.receive(raw, { group: 'g' })).rejects.toMatchObject({ code: 'COMET_CONNECTION_LOST' })
    await expect(http.nack('h')).rejects.toMatchObject({ code: 'COMET_CONNECTION_LOST' })
    expect(calls).toBe(2)
  })

  it('stops when told to', async () => {
    const controller = new AbortController()
    const { signal } = controller
    const waiting = client().receive(raw, { group: 'never', wait: '20s', signal })
    controller.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'COMET_CANCELLED' })
  })
})
