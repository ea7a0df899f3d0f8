import { decode, encode } from '@cometmq/protocol'
import { everything } from '@cometmq/session'
import { connect } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type BridgeOptions, type EngineName, type HttpLimits } from '../../src/index.ts'
import { type OwnBroker, startOwnBroker } from '../own-broker.ts'
import { all, type AnswerBody, type Http, page, startHttp, token } from './setup.ts'

let own: OwnBroker
beforeAll(async () => {
  own = await startOwnBroker()
})
afterAll(() => own.close())

const engines: readonly EngineName[] = ['ws', 'uws']
let topics = 0
type Received = AnswerBody['messages'][number]
const anId: unknown = expect.stringMatching(/^[0-9A-F]{32}$/)
const aText: unknown = expect.any(String)

describe.each(engines)('requests on %s', engine => {
  const open: Http[] = []
  const start = async (more: Partial<BridgeOptions> = {}, limits: Partial<HttpLimits> = {}): Promise<Http> => {
    const http = await startHttp(own, engine, more, limits)
    open.push(http)
    return http
  }
  afterEach(() => Promise.all(open.splice(0).map(http => http.close())))
  const newTopic = async (queues = 1): Promise<string> => {
    const topic = `http-${engine}-${++topics}`
    await own.cluster.topics.create({ topic, readQueues: queues, writeQueues: queues })
    return topic
  }

  it('sends many, receives them with all they carry, and settles them', async () => {
    const http = await start()
    const topic = await newTopic()
    const bytes = Buffer.from([0, 255, 1, 254])
    const sent = await http.post('/v1/send', {
      topic,
      messages: [
        { body: 'grüße', tag: 'paid', keys: ['k1', 'k2'], props: { tenant: 'acme' }, id: 'o-1', contentType: 'text/plain' },
        { body: bytes.toString('base64'), encoding: 'base64' },
      ],
    })
    expect(sent.status).toBe(200)
    expect(sent.body.receipts).toEqual([
      { id: anId, queue: 0, offset: 0 },
      { id: anId, queue: 0, offset: 1 },
    ])
    const ask = { topics: [topic], group: 'g', since: 'earliest', waitMs: 10_000 }
    const got = await http.post('/v1/receive', ask)
    expect(got.status).toBe(200)
    expect(got.body.leaseMs).toBe(30_000)
    const [first, second] = got.body.messages as [Received, Received]
    expect(first).toMatchObject({
      ...{ topic, id: sent.body.receipts[0]!.id, body: 'grüße', tag: 'paid', keys: ['k1', 'k2'], props: { tenant: 'acme' } },
      ...{ ownId: 'o-1', contentType: 'text/plain', attempt: 1, queue: 0, offset: 0 },
    })
    expect(second).toMatchObject({ body: bytes.toString('base64'), encoding: 'base64' })
    const acked = await http.post('/v1/ack', { handles: [first.handle, second.handle] })
    expect([acked.status, acked.body]).toEqual([200, { results: [{}, {}] }])
    expect((await http.post('/v1/receive', { ...ask, waitMs: 0 })).body.messages).toEqual([])
  })

  it('speaks MessagePack, bodies as bytes', async () => {
    const http = await start()
    const topic = await newTopic()
    const headers = { 'content-type': 'application/msgpack' }
    const body = Uint8Array.of(1, 2, 0xff)
    const sent = await http.post('/v1/send', encode({ topic, messages: [{ body }] }), { headers, raw: true })
    expect(sent.headers.get('content-type')).toBe('application/msgpack')
    expect(decode(sent.bytes)).toMatchObject({ receipts: [{ queue: 0, offset: 0 }] })
    const ask = encode({ topics: [topic], group: 'g', since: 'earliest', waitMs: 10_000 })
    const got = decode((await http.post('/v1/receive', ask, { headers, raw: true })).bytes) as {
      messages: { body: Uint8Array }[]
    }
    expect([...got.messages[0]!.body]).toEqual([...body])
    const bad = await http.post('/v1/send', Uint8Array.of(0xc1), { headers, raw: true })
    expect([bad.status, (decode(bad.bytes) as { name: string }).name]).toEqual([400, 'BAD_REQUEST'])
  })

  it('waits for what comes, from several topics', async () => {
    const http = await start()
    const [a, b] = [await newTopic(), await newTopic()]
    // The group has its offsets from now on.
    await http.post('/v1/receive', { topics: [a, b], group: 'w' })
    const waiting = http.post('/v1/receive', { topics: [a, { topic: b, tags: ['x'] }], group: 'w', waitMs: 15_000 })
    await http.post('/v1/send', {
      topic: b,
      messages: [
        { body: 'no', tag: 'y' },
        { body: 'yes', tag: 'x' },
      ],
    })
    const { body } = await waiting
    expect(body.messages.map(message => message.body)).toEqual(['yes'])
    expect(body.messages[0]!.topic).toBe(b)
  })

  it('gives a message again after nack, not after extend, and lets another node settle it', async () => {
    const http = await start()
    const other = await start()
    const topic = await newTopic()
    const ask = { topics: [topic], group: 'n', since: 'earliest', waitMs: 15_000 }
    await http.post('/v1/send', { topic, messages: [{ body: 'one' }] })
    const first = (await http.post('/v1/receive', ask)).body.messages[0]!
    expect((await other.post('/v1/ack', { handles: [first.handle], action: 'nack', afterMs: 0 })).status).toBe(200)
    const again = (await http.post('/v1/receive', ask)).body.messages[0]!
    expect(again).toMatchObject({ body: 'one', attempt: 2, redelivered: true, id: first.id })
    const extended = await other.post('/v1/ack', { handles: [again.handle], action: 'extend', leaseMs: 60_000 })
    expect(extended.body.results).toEqual([{ handle: aText, leaseMs: 60_000 }])
    expect(extended.body.results[0]!.handle).not.toBe(again.handle)
    expect((await other.post('/v1/ack', { handles: [extended.body.results[0]!.handle] })).body).toEqual({ results: [{}] })
    expect((await http.post('/v1/receive', { ...ask, waitMs: 100 })).body.messages).toEqual([])
  })

  it('moves a message to the dead letter topic', async () => {
    const http = await start()
    const topic = await newTopic()
    const group = `dead-${topic}`
    await http.post('/v1/send', { topic, messages: [{ body: 'poison' }] })
    const got = await http.post('/v1/receive', { topics: [topic], group, since: 'earliest', waitMs: 10_000 })
    const dead = await http.post('/v1/ack', { handles: [got.body.messages[0]!.handle], action: 'dead', reason: 'unreadable' })
    expect(dead.body).toEqual({ results: [{}] })
    const queues = await own.cluster.reader().queuesOf(`%DLQ%${group}`)
    const read = await own.cluster.reader().read({ queue: queues[0]!, offset: 0, maxMessages: 1, maxBytes: 1000, holdMs: 5_000 })
    expect(Buffer.from(read.messages[0]!.body).toString()).toBe('poison')
  })

  it('keeps to what the token allows', async () => {
    const http = await start()
    const topic = await newTopic()
    const few = await token({ pub: ['other'], sub: [{ topic, group: 'mine' }], client: 'server' })
    const sent = await http.post('/v1/send', { topic, messages: [{ body: 'x' }] }, { token: few })
    expect([sent.status, sent.body.code, sent.body.outcome]).toEqual([403, 40390, 'not-executed'])
    expect(sent.body.hint).toContain('`pub`')
    const read = await http.post('/v1/receive', { topics: [topic], group: 'yours' }, { token: few })
    expect([read.status, read.body.name]).toEqual([403, 'SCOPE_DENIED'])
    for (const name of ['SCHEDULE_TOPIC_XXXX', '%RETRY%g'])
      expect((await http.post('/v1/send', { topic: name, messages: [{ body: 'x' }] })).status).toBeGreaterThanOrEqual(400)
    expect((await http.post('/v1/receive', { topics: [topic], group: 'TOOLS_CONSUMER' })).body.code).toBe(40390)
    const late = await http.post(
      '/v1/send',
      { topic, messages: [{ body: 'x', delayMs: 1_000 }] },
      {
        token: await token({ pub: ['*'], delayMax: 0, client: 'server' }),
      },
    )
    expect([late.status, late.body.code, late.body.receipts.length]).toEqual([403, 40390, 1])
  })

  it('hides what `where` hides, and does away with it', async () => {
    const http = await start()
    const topic = await newTopic()
    const acme = await token({ ...all, where: { tenant: 'acme' } })
    await http.post('/v1/send', {
      topic,
      messages: [{ body: 'a', props: { tenant: 'acme' } }, { body: 'b', props: { tenant: 'other' } }, { body: 'c' }],
    })
    const ask = { topics: [topic], group: 'w', since: 'earliest', waitMs: 10_000 }
    const got = await http.post('/v1/receive', ask, { token: acme })
    expect(got.body.messages.map(message => message.body)).toEqual(['a'])
    await http.post('/v1/ack', { handles: got.body.messages.map(message => message.handle) }, { token: acme })
    expect((await http.post('/v1/receive', { ...ask, waitMs: 0 })).body.messages).toEqual([])
  })

  it('refuses tokens that are missing, bad or in another form', async () => {
    const http = await start()
    const ask = { topic: 'x', messages: [{ body: 'x' }] }
    const missing = await http.post('/v1/send', ask, { token: null })
    expect([missing.status, missing.body.code, missing.headers.get('www-authenticate')]).toEqual([401, 40190, 'Bearer'])
    expect((await http.post('/v1/send', ask, { token: 'x.y.z' })).body.code).toBe(40193)
    expect((await http.post('/v1/send', ask, { token: null, headers: { authorization: 'Basic eDp5' } })).body.code).toBe(40193)
    expect((await http.post('/v1/send', ask, { token: await token(all, 'alice', -60) })).body.code).toBe(40191)
    // Without an origin, only a token for servers is good.
    expect((await http.post('/v1/send', ask, { token: await token({ pub: ['*'] }) })).body.code).toBe(40391)
  })

  it('lets pages of its origins in, and tells their browsers', async () => {
    const http = await start()
    const topic = await newTopic()
    const own = await token({ pub: ['*'] })
    const options = { token: own, headers: { origin: page } }
    const sent = await http.post('/v1/send', { topic, messages: [{ body: 'x' }] }, options)
    expect([sent.status, sent.headers.get('access-control-allow-origin'), sent.headers.get('vary')]).toEqual([
      200,
      page,
      'origin',
    ])
    const bad = await http.post('/v1/send', {}, { ...options, headers: { origin: 'https://evil.example' } })
    expect([bad.status, bad.body.code]).toEqual([403, 40391])
    const ask = (origin: string) =>
      fetch(`${http.base}/v1/send`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
      })
    const may = await ask(page)
    expect([may.status, may.headers.get('access-control-allow-origin')]).toEqual([204, page])
    expect(may.headers.get('access-control-allow-headers')).toContain('authorization')
    const mayNot = await ask('https://evil.example')
    expect([mayNot.status, mayNot.headers.get('access-control-allow-origin')]).toEqual([403, null])
  })

  it('says what is wrong with a request', async () => {
    const http = await start()
    const topic = await newTopic()
    const cases: [string, unknown, string][] = [
      ['/v1/send', {}, '`topic` of the request'],
      ['/v1/send', [], 'must be an object'],
      ['/v1/send', null, 'must be an object'],
      ['/v1/send', { topic }, '`messages` is missing'],
      ['/v1/send', { topic, messages: [] }, 'a list of 1 to 256'],
      ['/v1/send', { topic, messages: new Array(257).fill({ body: 'x' }) }, 'a list of 1 to 256'],
      ['/v1/send', { topic, messages: ['x'] }, 'a message must be an object'],
      ['/v1/send', { topic, messages: [{ body: 'x', tags: 'a' }] }, 'a field "tags"; there are body'],
      ['/v1/send', { topic, messages: [{ body: 1 }] }, '`body` of a message must be a text'],
      ['/v1/send', { topic, messages: [{ body: '*', encoding: 'base64' }] }, 'is not base64'],
      ['/v1/send', { topic, messages: [{ body: 'x', props: { a: 1 } }] }, 'values are texts'],
      ['/v1/send', { topic, messages: [{ body: 'x', delayMs: -1 }] }, '`delayMs` of a message'],
      ['/v1/send', { topic, messages: [{ body: 'x' }], requestId: 'a b' }, '`requestId`'],
      ['/v1/receive', { group: 'g' }, '`topics` is missing'],
      ['/v1/receive', { topics: [topic] }, '`group` of the request'],
      ['/v1/receive', { topics: [topic], group: 'g', max: 0 }, '`max` of the request'],
      ['/v1/receive', { topics: [topic], group: 'g', since: 'now' }, '`since` of the request'],
      ['/v1/receive', { topics: [{ name: topic }], group: 'g' }, 'a field "name"'],
      ['/v1/ack', {}, '`handles` is missing'],
      ['/v1/ack', { handles: ['x'], action: 'drop' }, '`action` of the request'],
      ['/v1/ack', { handles: ['x'], afterMs: 1 }, '`afterMs` goes with'],
      ['/v1/ticket', { x: 1 }, 'a field "x"'],
    ]
    for (const [path, body, text] of cases) {
      const answer = await http.post(path, body)
      expect([path, answer.status, answer.body.code, answer.body.text]).toEqual([path, 400, 40000, expect.stringContaining(text)])
    }
    expect((await http.post('/v1/receive', { topics: [topic], group: 'g', leaseMs: 1 })).body.code).toBe(40015)
    expect((await http.post('/v1/receive', { topics: ['no-such-topic'], group: 'g' })).status).toBe(404)
    expect((await http.post('/v1/receive', { topics: [topic], tags: ['a b'], group: 'g' })).body.code).toBe(40009)
    expect((await fetch(`${http.base}/v1/send`)).status).toBe(405)
  })

  it('refuses bodies that are not readable or too large', async () => {
    const http = await start({}, { maxInboundBytes: 8_000_000 })
    for (const text of ['{', '{"topic":', '\u0000', '[[[[[['.repeat(50_000)]) {
      const bad = await http.post('/v1/send', text, { raw: true })
      expect([bad.status, bad.body.code, bad.body.text]).toEqual([400, 40000, expect.stringContaining('not readable as JSON')])
      expect(bad.body.text.length).toBeLessThan(400)
    }
    expect((await http.post('/v1/send', Uint8Array.of(0x22, 0xff, 0x22), { raw: true })).status).toBe(400)
    const huge = await http.post('/v1/receive', 'x'.repeat(70_000), { raw: true })
    expect([huge.status, huge.body.code]).toEqual([413, 41301])
    // Without a length, it is seen only as it comes.
    const first = await firstLine(
      http,
      '/v1/receive',
      `Authorization: Bearer ${await token()}\r\nTransfer-Encoding: chunked\r\n\r\n14000\r\n${'x'.repeat(0x14000)}\r\n0\r\n\r\n`,
    )
    expect(first).toContain(' 413 ')
    const large = await http.post('/v1/send', { topic: await newTopic(), messages: [{ body: 'x'.repeat(4 * 1024 * 1024 + 1) }] })
    expect([large.status, large.body.code, large.body.receipts[0]!.error.code]).toEqual([413, 41301, 41301])
    const fits = await http.post('/v1/send', { topic: await newTopic(), messages: [{ body: 'x'.repeat(3_000_000) }] })
    expect(fits.status).toBe(200)
  })

  it('gives no more memory to bodies than it may', async () => {
    const http = await start({ sessionLimits: { inboundBytesPerSecond: 1e9 } }, { maxInboundBytes: 100_000 })
    const head = `Authorization: Bearer ${await token()}\r\nContent-Length: 60000\r\n\r\n`
    const slow = connect(http.port, '127.0.0.1')
    slow.write(`POST /v1/receive HTTP/1.1\r\nHost: x\r\n${head}{`)
    // The second does not fit besides; once the first is gone it does.
    const busy = async (): Promise<number> => (await http.post('/v1/receive', 'x'.repeat(60_000), { raw: true })).status
    let status = await busy()
    while (status !== 429) status = await busy()
    slow.destroy()
    while (status === 429) status = await busy()
    expect(status).toBe(400)
  })

  it('keeps no memory for those whose token is refused', async () => {
    const http = await start({ sessionLimits: { inboundBytesPerSecond: 1e9 } }, { maxInboundBytes: 100_000 })
    const refused = await rest(http, '/v1/receive', `Content-Length: 60000\r\n\r\n{`)
    expect(refused).toMatch(/^HTTP\/1.1 401 /)
    expect(refused.toLowerCase()).toContain('connection: close')
    expect((await http.post('/v1/receive', 'x'.repeat(60_000), { raw: true })).status).toBe(400)
  })

  it('does not wait for a body for ever', async () => {
    const http = await start({}, { bodyMs: 50 })
    const line = await firstLine(http, '/v1/send', `Content-Length: 10\r\nAuthorization: Bearer ${await token()}\r\n\r\n{`)
    expect(line).toContain(' 408 ')
  })

  it('takes no forged handles, nor those of others', async () => {
    const http = await start()
    const topic = await newTopic()
    await http.post('/v1/send', { topic, messages: [{ body: 'x' }] })
    const got = await http.post('/v1/receive', { topics: [topic], group: 'f', since: 'earliest', waitMs: 10_000 })
    const { handle } = got.body.messages[0]!
    const bytes = Buffer.from(handle, 'base64url')
    expect(bytes.toString('latin1')).not.toContain('b-1')
    const forged = Array.from({ length: bytes.length }, (_, at) => {
      const copy = Buffer.from(bytes)
      copy[at]! ^= 1
      return copy.toString('base64url')
    })
    const { ticket } = (await http.post('/v1/ticket', {})).body
    const bad = await http.post('/v1/ack', { handles: [...forged, '', 'x', ticket, 7, 'A'.repeat(20_000)] })
    expect([bad.status, bad.body.code]).toEqual([400, 40010])
    expect(bad.body.results.every(result => result.error.code === 40010)).toBe(true)
    const stranger = await http.post('/v1/ack', { handles: [handle] }, { token: await token(all, 'mallory') })
    expect([stranger.status, stranger.body.code]).toEqual([403, 40390])
    const less = await http.post('/v1/ack', { handles: [handle] }, { token: await token({ pub: ['*'], client: 'server' }) })
    expect(less.body.code).toBe(40390)
    const key = new Uint8Array(32).fill(9)
    const foreign = await start({ resumeKey: key })
    expect((await foreign.post('/v1/ack', { handles: [handle] })).body.code).toBe(40010)
    const mixed = await http.post('/v1/ack', { handles: [handle, 'x'] })
    expect(mixed.status).toBe(207)
    expect(mixed.body.results).toMatchObject([{}, { error: { code: 40010 } }])
  })

  it('says that a lease is lost', async () => {
    const http = await start()
    const topic = await newTopic()
    await http.post('/v1/send', { topic, messages: [{ body: 'x' }] })
    const ask = { topics: [topic], group: 'l', since: 'earliest', waitMs: 15_000, leaseMs: 1_000 }
    const first = (await http.post('/v1/receive', ask)).body.messages[0]!
    // Somebody else has it when it comes again.
    const second = (await http.post('/v1/receive', ask)).body.messages[0]!
    expect([second.id, second.attempt]).toEqual([first.id, 2])
    const late = await http.post('/v1/ack', { handles: [first.handle] })
    expect([late.status, late.body.code]).toEqual([404, 40490])
  })

  it('does what is asked in parts and all at once', async () => {
    const http = await start()
    const topic = await newTopic()
    const mixed = await http.post('/v1/send', { topic, messages: [{ body: 'a' }, { body: '' }, { body: 'c', tag: 'a||b' }] })
    expect(mixed.status).toBe(207)
    expect(mixed.body.receipts[0]).toMatchObject({ offset: 0 })
    expect(mixed.body.receipts.slice(1).map(receipt => receipt.error.code)).toEqual([40000, 40003])
    const atomic = await http.post('/v1/send', { topic, atomic: true, messages: [{ body: 'a' }, { body: '' }] })
    expect([atomic.status, atomic.body.receipts.length]).toEqual([400, 2])
    const whole = await http.post('/v1/send', { topic, atomic: true, messages: [{ body: 'a' }, { body: 'b' }] })
    expect(whole.body.receipts.map(receipt => receipt.offset)).toEqual([1, 2])
  })

  it('gives a repeated request the same ids, and marks it', async () => {
    const http = await start()
    const topic = await newTopic()
    const request = { topic, requestId: 'req-00001', messages: [{ body: 'a' }, { body: 'b' }] }
    const first = await http.post('/v1/send', request)
    const second = await http.post('/v1/send', { ...request, resent: true })
    const ids = (answer: typeof first) => answer.body.receipts.map(receipt => receipt.id)
    expect(ids(second)).toEqual(ids(first))
    expect(new Set(ids(first)).size).toBe(2)
    const other = await http.post('/v1/send', request, { token: await token(all, 'bob') })
    expect(ids(other)).not.toEqual(ids(first))
    const got = await http.post('/v1/receive', { topics: [topic], group: 'r', since: 'earliest', waitMs: 10_000 })
    expect(got.body.messages.map(message => message.redelivered ?? false)).toEqual([...[false, false, true, true, false, false]])
  })

  it('keeps message groups in order and delays what is delayed', async () => {
    const http = await start()
    const topic = await newTopic(4)
    const messages = Array.from({ length: 20 }, (_, index) => ({ body: String(index), group: 'same' }))
    const sent = await http.post('/v1/send', { topic, messages })
    expect(new Set(sent.body.receipts.map(receipt => receipt.queue)).size).toBe(1)
    expect((await http.post('/v1/send', { topic, messages: [{ body: 'later', delayMs: 1_000 }] })).status).toBe(200)
    expect((await http.post('/v1/send', { topic, messages: [{ body: 'x', delayMs: 1_234 }] })).body.code).toBe(40012)
    const both = await http.post('/v1/send', { topic, messages: [{ body: 'x', delayMs: 1_000, group: 'g' }] })
    expect(both.body.code).toBe(40011)
  })

  it('slows down who sends too much', async () => {
    const http = await start()
    const slow = await token({ ...all, rate: 1 }, 'slow')
    const ask = () => http.post('/v1/ticket', {}, { token: slow })
    const answers = [await ask(), await ask(), await ask(), await ask()]
    const over = answers.find(answer => answer.status === 429)
    expect(over?.body).toMatchObject({ code: 42990, outcome: 'not-executed', retryable: true })
    expect(over?.body.retryAfter).toBeGreaterThan(0)
    expect(Number(over?.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await http.post('/v1/ticket', {})).status).toBe(200)
  })

  it('lets a user wait only so often, and forgets those who leave', async () => {
    const http = await start()
    const topic = await newTopic()
    const one = await token({ ...all, conns: 1 }, 'single')
    const ask = (signal?: AbortSignal) =>
      http.post('/v1/receive', { topics: [topic], group: 'c', waitMs: 15_000 }, { token: one, ...(signal ? { signal } : {}) })
    const leaving = new AbortController()
    const first = ask(leaving.signal).catch(() => undefined)
    let second = await http.post('/v1/receive', { topics: [topic], group: 'c' }, { token: one })
    while (second.status !== 429) second = await http.post('/v1/receive', { topics: [topic], group: 'c' }, { token: one })
    expect(second.body.code).toBe(42992)
    expect(second.body.text).toContain('1 requests that wait')
    leaving.abort()
    await first
    while (second.status === 429) second = await http.post('/v1/receive', { topics: [topic], group: 'c' }, { token: one })
    expect(second.status).toBe(200)
  })

  it('answers those who wait when it closes, and nobody when it leaves', async () => {
    const http = await start()
    const topic = await newTopic()
    const one = await token({ ...all, conns: 1 }, 'single')
    const ask = (waitMs: number) => http.post('/v1/receive', { topics: [topic], group: 'e', waitMs }, { token: one })
    const waiting = ask(20_000)
    while ((await ask(0)).status !== 429);
    await http.drain({ graceMs: 0 })
    const refused = await http.post('/v1/receive', { topics: [topic], group: 'e' })
    expect([refused.status, refused.body.code]).toEqual([503, 50390])
    await http.close()
    expect(
      await waiting.then(
        ({ status, body }) => [status, body.messages],
        () => 'cut',
      ),
    ).toEqual([200, []])
  })

  it('works without tokens where nobody has to have one', async () => {
    const http = await start({ authenticate: () => everything })
    const topic = await newTopic()
    expect((await http.post('/v1/send', { topic, messages: [{ body: 'x' }] }, { token: null })).status).toBe(200)
  })
})

/** The first line of the answer to a request written by hand. */
function firstLine(http: Http, path: string, rest: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(http.port, '127.0.0.1', () => socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\n${rest}`))
    let text = ''
    socket.on('data', (piece: Buffer) => {
      text += piece.toString()
      if (!text.includes('\r\n')) return
      socket.destroy()
      resolve(text.slice(0, text.indexOf('\r\n')))
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
  })
}

/** All that comes until the bridge ends the connection. */
function rest(http: Http, path: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(http.port, '127.0.0.1', () => socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\n${text}`))
    let all = ''
    socket.on('data', (piece: Buffer) => (all += piece.toString()))
    socket.on('error', reject)
    socket.on('close', () => resolve(all))
  })
}
