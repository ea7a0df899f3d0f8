import { everything } from '@cometmq/session'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type BridgeOptions, type EngineName, type HttpLimits } from '../../src/index.ts'
import { type OwnBroker, startOwnBroker } from '../own-broker.ts'
import { all, type Http, page, Sse, startHttp, token } from './setup.ts'

let own: OwnBroker
beforeAll(async () => {
  own = await startOwnBroker()
})
afterAll(() => own.close())

const engines: readonly EngineName[] = ['ws', 'uws']
let topics = 0

describe.each(engines)('streams on %s', engine => {
  const open: Http[] = []
  const streams: Sse[] = []
  const start = async (more: Partial<BridgeOptions> = {}, limits: Partial<HttpLimits> = {}): Promise<Http> => {
    const http = await startHttp(own, engine, more, limits)
    open.push(http)
    return http
  }
  const read = async (http: Http, query: string, headers: Record<string, string> = {}): Promise<Sse> => {
    const stream = await Sse.open(`${http.base}/v1/stream?${query}`, headers)
    streams.push(stream)
    return stream
  }
  afterEach(async () => {
    for (const stream of streams.splice(0)) stream.close()
    await Promise.all(open.splice(0).map(http => http.close()))
  })
  const newTopic = async (queues = 1): Promise<string> => {
    const topic = `stream-${engine}-${++topics}`
    await own.cluster.topics.create({ topic, readQueues: queues, writeQueues: queues })
    return topic
  }
  const ticketOf = async (http: Http, rights = all): Promise<string> =>
    (await http.post('/v1/ticket', {}, { token: await token(rights) })).body.ticket
  const send = (http: Http, topic: string, ...messages: (string | object)[]) =>
    http.post('/v1/send', {
      topic,
      messages: messages.map(message => (typeof message === 'string' ? { body: message } : message)),
    })

  it('delivers what comes, to each reader, with tags and times', async () => {
    const http = await start()
    const topic = await newTopic(2)
    const readers = await Promise.all([
      read(http, `topic=${topic}&ticket=${await ticketOf(http)}`),
      read(http, `topic=${topic}&tags=x,y&since=earliest`, { authorization: `Bearer ${await token()}` }),
    ])
    for (const { response } of readers) {
      expect(response.status).toBe(200)
      expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    }
    // Its place is known from now on.
    expect((await readers[0].next())?.event).toBe('position')
    await send(http, topic, { body: 'eins\nzwei', tag: 'x', props: { p: '1' }, keys: ['k'] })
    for (const reader of readers)
      expect(await reader.message()).toMatchObject({
        topic,
        body: 'eins\nzwei',
        tag: 'x',
        props: { p: '1' },
        keys: ['k'],
        attempt: 1,
      })
    await send(http, topic, { body: 'no', tag: 'z' }, { body: 'yes', tag: 'y' })
    expect((await readers[1].message()).body).toBe('yes')
  })

  it('reads several topics', async () => {
    const http = await start()
    const [a, b] = [await newTopic(), await newTopic()]
    await send(http, a, 'one')
    await send(http, b, 'two')
    const stream = await read(http, `topic=${a}&topic=${b}&since=earliest&ticket=${await ticketOf(http)}`)
    const got = [await stream.message(), await stream.message()].map(({ topic, body }) => [topic, body])
    expect(got.sort()).toEqual([
      [a, 'one'],
      [b, 'two'],
    ])
  })

  it('goes on where it was, also at another node and with the ticket it had', async () => {
    const http = await start()
    const other = await start()
    const topic = await newTopic(3)
    const ticket = await ticketOf(http)
    const query = `topic=${topic}&ticket=${ticket}`
    const first = await read(http, query)
    await first.next()
    await send(http, topic, 'a')
    await first.message()
    const id = first.lastId!
    first.close()
    await send(http, topic, 'b', 'c')
    const again = await read(other, query, { 'last-event-id': id })
    expect([(await again.message()).body, (await again.message()).body].sort()).toEqual(['b', 'c'])
    const fresh = await read(http, `topic=${topic}&ticket=${await ticketOf(http)}&lastEventId=${again.lastId!}`)
    await fresh.next()
    await send(http, topic, 'd')
    expect((await fresh.message()).body).toBe('d')
    expect(Buffer.from(id, 'base64url').toString('latin1')).not.toContain(topic)
  })

  it('marks a position before the first message, so that nothing in between is missed', async () => {
    const http = await start()
    const topic = await newTopic()
    const query = `topic=${topic}&ticket=${await ticketOf(http)}`
    const first = await read(http, query)
    const position = await first.next()
    first.close()
    await send(http, topic, 'meanwhile')
    expect((await (await read(http, query, { 'last-event-id': position!.id! })).message()).body).toBe('meanwhile')
  })

  it('takes a ticket once, soon, and from nobody else', async () => {
    const http = await start({}, { ticketMs: 60_000 })
    const topic = await newTopic()
    const ticket = await ticketOf(http)
    expect((await read(http, `topic=${topic}&ticket=${ticket}`)).response.status).toBe(200)
    const refusal = async (query: string, headers: Record<string, string> = {}) => {
      const { response } = await read(http, query, headers)
      return [response.status, ((await response.json()) as { code: number }).code]
    }
    expect(await refusal(`topic=${topic}&ticket=${ticket}`)).toEqual([401, 40193])
    // The event id of another stream is no proof.
    const foreign = await read(http, `topic=${topic}&ticket=${await ticketOf(http)}`)
    const { id } = (await foreign.next())!
    expect(await refusal(`topic=${topic}&ticket=${ticket}`, { 'last-event-id': id! })).toEqual([401, 40193])
    expect(await refusal(`topic=${topic}&ticket=${ticket}`, { 'last-event-id': 'x' })).toEqual([409, 40991])
    expect(await refusal(`topic=${topic}&ticket=${ticket.slice(0, -3)}AAA`)).toEqual([401, 40193])
    expect(await refusal(`topic=${topic}`)).toEqual([401, 40190])
    const pages = (await http.post('/v1/ticket', {}, { token: await token({ sub: all.sub! }), headers: { origin: page } })).body
      .ticket
    expect(await refusal(`topic=${topic}&ticket=${pages}`, { origin: 'https://evil.example' })).toEqual([403, 40391])
    expect((await read(http, `topic=${topic}&ticket=${pages}`, { origin: page })).response.status).toBe(200)
    // The bridge's own pages send no origin with a GET.
    const strict = await start({ missingOrigin: false })
    const mine = (await strict.post('/v1/ticket', {}, { headers: { origin: page } })).body.ticket
    expect((await read(strict, `topic=${topic}&ticket=${mine}`)).response.status).toBe(200)
    expect((await read(strict, `topic=${topic}`, { authorization: `Bearer ${await token()}` })).response.status).toBe(403)
    const short = await start({}, { ticketMs: 0 })
    const { response } = await read(short, `topic=${topic}&ticket=${await ticketOf(short)}`)
    expect(response.status).toBe(401)
  })

  it('asks for a ticket even where nobody needs a token', async () => {
    const http = await start({ authenticate: () => everything })
    const topic = await newTopic()
    expect((await read(http, `topic=${topic}`)).response.status).toBe(401)
    const { ticket } = (await http.post('/v1/ticket', {}, { token: null })).body
    expect((await read(http, `topic=${topic}&ticket=${ticket}`)).response.status).toBe(200)
  })

  it('refuses what the token does not allow, and hides what it hides', async () => {
    const http = await start()
    const topic = await newTopic()
    const status = async (rights: typeof all): Promise<number> =>
      (await read(http, `topic=${topic}&since=earliest&ticket=${await ticketOf(http, rights)}`)).response.status
    expect(await status({ pub: ['*'], client: 'server' })).toBe(403)
    // The work of one group is not everything.
    expect(await status({ sub: [{ topic: '*', group: 'g' }], client: 'server' })).toBe(403)
    await send(http, topic, { body: 'b', props: { tenant: 'other' } }, { body: 'a', props: { tenant: 'acme' } })
    const acme = await ticketOf(http, { ...all, where: { tenant: 'acme' } })
    const stream = await read(http, `topic=${topic}&since=earliest&ticket=${acme}`)
    expect((await stream.message()).body).toBe('a')
  })

  it('says what is wrong', async () => {
    const http = await start()
    const topic = await newTopic()
    const cases: [string, number, number][] = [
      ['', 400, 40000],
      [`topic=${topic}&since=yesterday`, 400, 40000],
      [`topic=${topic}&slow=maybe`, 400, 40000],
      [`topic=${topic}&topics=x`, 400, 40000],
      [`topic=${topic}&tags=a,,b`, 400, 40000],
      [`topic=${topic}&topic=no-such`, 404, 40402],
      [`topic=RMQ_SYS_TRANS_HALF_TOPIC`, 403, 40390],
    ]
    for (const [query, status, code] of cases) {
      const { response } = await read(http, query, { authorization: `Bearer ${await token()}` })
      expect([query, response.status, ((await response.json()) as { code: number }).code]).toEqual([query, status, code])
    }
    const late = await read(http, `topic=${topic}`, { authorization: `Bearer ${await token(all, 'alice', -60)}` })
    expect([late.response.status, ((await late.response.json()) as { code: number }).code]).toEqual([401, 40191])
  })

  it('is bounded: streams of a user and of the node', async () => {
    const http = await start({ sessionLimits: { maxConnectionsPerSubject: 2 } }, { maxStreams: 3 })
    const topic = await newTopic()
    const status = async (): Promise<number> => {
      const stream = await read(http, `topic=${topic}&ticket=${await ticketOf(http)}`)
      return stream.response.status
    }
    expect([await status(), await status(), await status()]).toEqual([200, 200, 429])
    const bob = async (): Promise<Sse> => read(http, `topic=${topic}`, { authorization: `Bearer ${await token(all, 'bob')}` })
    expect([(await bob()).response.status, (await bob()).response.status]).toEqual([200, 429])
    streams[0]!.close()
    let again = await status()
    while (again === 429) again = await status()
    expect(again).toBe(200)
  })

  it('keeps silent connections alive', async () => {
    const http = await start({ sessionLimits: { pongMs: 200 } }, { heartbeatMs: 1_000 })
    const stream = await SlowReader.open(http, `topic=${await newTopic()}&ticket=${await ticketOf(http)}`)
    // The session takes the answers: after the first it would end otherwise.
    for (let beat = 0; beat < 3; beat++) await stream.until(': \n\n')
    expect(http.sessions.stats().connected).toBe(1)
    stream.close()
  })

  const fast = { sessionLimits: { inboundBytesPerSecond: 1e9 } }
  // More than the network, the buffers and the 1 024 messages that a reader may be behind.
  const rounds = 16
  const flood = async (http: Http, topic: string): Promise<void> => {
    const messages = new Array<string>(256).fill('x'.repeat(8_000))
    for (let round = 0; round < rounds; round++) expect((await send(http, topic, ...messages)).status).toBe(200)
  }

  it('leaves a slow reader behind, and tells it', async () => {
    const http = await start(fast)
    const topic = await newTopic()
    const slow = await SlowReader.open(http, `topic=${topic}&ticket=${await ticketOf(http)}`)
    await slow.until('id: ')
    // From the end of the queue on, it may be left behind.
    await send(http, topic, 'first')
    await slow.until('"offset":0,')
    slow.pause()
    await flood(http, topic)
    expect(http.sessions.stats().connected).toBe(1)
    slow.resume()
    await slow.until(`"offset":${rounds * 256},`)
    const [, data] = /event: gap\ndata: (.*)\n/.exec(slow.text)!
    const gap = JSON.parse(data!) as { topic: string; from: number; to: number; cause: string }
    expect(gap).toMatchObject({ topic, cause: 'slow', queue: 0 })
    expect(gap.to).toBeGreaterThan(gap.from)
    // What was delivered and what was told as left out are all there is.
    const gaps = [...slow.text.matchAll(/event: gap\ndata: (.*)\n/g)].map(([, json]) => JSON.parse(json!) as typeof gap)
    const missing = gaps.reduce((sum, { from, to }) => sum + to - from, 0)
    expect(slow.offsets.length + missing).toBe(rounds * 256 + 1)
    slow.close()
  })

  it('does not lose anything for a slow reader that asks to be waited for', async () => {
    const http = await start(fast)
    const topic = await newTopic()
    const slow = await SlowReader.open(http, `topic=${topic}&slow=pause&ticket=${await ticketOf(http)}`)
    await slow.until('id: ')
    slow.pause()
    await flood(http, topic)
    slow.resume()
    await slow.until(`"offset":${rounds * 256 - 1},`)
    expect(slow.offsets).toEqual(Array.from({ length: rounds * 256 }, (_, index) => index))
    expect(slow.text).not.toContain('event: gap')
    slow.close()
  })

  it('ends when the token does, and when the node leaves', async () => {
    const http = await start()
    const topic = await newTopic()
    const short = await read(http, `topic=${topic}`, { authorization: `Bearer ${await token(all, 'alice', 2)}` })
    const long = await read(http, `topic=${topic}`, { authorization: `Bearer ${await token(all, 'bob')}` })
    await long.next()
    let event = await short.next()
    while (event?.event === 'position') event = await short.next()
    expect(event).toMatchObject({ event: 'end', data: expect.stringContaining('4003') as unknown })
    expect(await short.next()).toBeUndefined()
    await http.drain({ graceMs: 5_000 })
    expect(await long.next()).toBeUndefined()
    const refused = await read(http, `topic=${topic}`, { authorization: `Bearer ${await token()}` })
    expect(refused.response.status).toBe(503)
  })

  it('leaves nothing behind when readers go', async () => {
    const http = await start()
    const topic = await newTopic()
    const stream = await read(http, `topic=${topic}`, { authorization: `Bearer ${await token()}` })
    await stream.next()
    expect(http.sessions.stats()).toMatchObject({ connected: 1, subscriptions: 1 })
    stream.close()
    while (http.sessions.stats().subscriptions > 0) await new Promise(resolve => setImmediate(resolve))
    expect(http.sessions.stats()).toMatchObject({ connected: 0, detached: 0 })
  })
})

/** A reader that can stop reading. */
class SlowReader {
  readonly #response: IncomingMessage
  readonly #pieces: string[] = []
  /** What was not searched yet. */
  #rest = ''
  #changed = (): void => {}

  private constructor(response: IncomingMessage) {
    this.#response = response
    response.setEncoding('utf8')
    response.on('data', (piece: string) => {
      this.#pieces.push(piece)
      this.#rest += piece
      this.#changed()
    })
    response.on('close', () => this.#changed())
  }

  static async open(http: Http, query: string): Promise<SlowReader> {
    const [response] = (await once(get(`${http.base}/v1/stream?${query}`), 'response')) as [IncomingMessage]
    return new SlowReader(response)
  }

  get text(): string {
    return this.#pieces.join('')
  }

  get offsets(): number[] {
    return [...this.text.matchAll(/"offset":(\d+),/g)].map(([, offset]) => Number(offset))
  }

  /** The next place of it. */
  async until(part: string): Promise<void> {
    for (;;) {
      const at = this.#rest.indexOf(part)
      if (at >= 0) {
        this.#rest = this.#rest.slice(at + part.length)
        return
      }
      this.#rest = this.#rest.slice(1 - part.length)
      if (this.#response.destroyed) throw new Error(`the stream ended after ${this.text.slice(-300)}`)
      await new Promise<void>(resolve => (this.#changed = resolve))
    }
  }

  pause(): void {
    this.#response.pause()
  }
  resume(): void {
    this.#response.resume()
  }
  close(): void {
    this.#response.destroy()
  }
}
