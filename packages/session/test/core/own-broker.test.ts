import { Flag, Kind } from '@cometmq/protocol'
import { silentLogger, systemClock } from '@cometmq/remoting'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSessions, everything, type Sessions } from '../../src/index.ts'
import { startOwnBroker } from '../support/own-broker.ts'
import { ScriptedClient } from '../support/scripted-client.ts'

let broker: Awaited<ReturnType<typeof startOwnBroker>>
let sessions: Sessions
const text = (body: string): Uint8Array => Buffer.from(body)

beforeAll(async () => {
  broker = await startOwnBroker()
  await broker.cluster.topics.create({ topic: 'orders', readQueues: 2, writeQueues: 2 })
  sessions = createSessions({
    cluster: broker.cluster,
    clock: systemClock,
    logger: silentLogger,
    randomBytes: count => randomBytes(count),
    authenticate: () => everything,
    node: 'n-1',
    resumeKey: randomBytes(32),
  })
})
afterAll(async () => {
  await sessions.close()
  await broker.close()
})

describe('against our own broker', () => {
  it('opens a producer with HELLO, sends, and the message is stored under the id that both sides compute', async () => {
    const client = new ScriptedClient(sessions)
    const popen = client.rid()
    const welcome = await client.hello({ producers: [[popen, 1, 'orders', { kind: 'normal' }]] })
    expect(welcome.results).toEqual([[Kind.OK, popen, { limit: [256, 4_194_304] }]])
    expect(welcome.session).toMatch(/^[0-9A-F]{20}$/)
    const rid = client.rid()
    client.send([Kind.SEND, rid, 1, 0, { 1: 'A', 2: ['k-1'], 3: { colour: 'red' }, 8: 'mine' }, text('hello')])
    const receipt = (await client.receipts(1)).get(rid)!
    expect(receipt.slice(0, 3)).toEqual([rid, 0, null])
    const [stored] = await broker.cluster.messages.byUniqueKey('orders', client.messageId(rid))
    expect(stored).toMatchObject({ tag: 'A', keys: ['k-1'], queueId: receipt[3] % 65_536, queueOffset: receipt[4] })
    expect(stored!.body.toString()).toBe('hello')
    expect(stored!.properties.get('colour')).toBe('red')
    expect(stored!.properties.get('CMQ_ID')).toBe('mine')
    client.send([Kind.BYE, 0])
    expect(client.closed?.code).toBe(4000)
  })

  it('answers a batch entry by entry, in one frame, and an atomic one in one queue', async () => {
    const client = new ScriptedClient(sessions)
    await client.hello({ producers: [[client.rid(), 1, 'orders', { kind: 'normal' }]] })
    const rid = client.rid(32)
    client.send([Kind.SENDB, rid, 1, Flag.atomic, Array.from({ length: 32 }, (_, n) => [{}, text(`a-${n}`)] as const)])
    const receipts = await client.receipts(32)
    expect([...receipts.keys()]).toEqual(Array.from({ length: 32 }, (_, n) => rid + n))
    expect(new Set([...receipts.values()].map(receipt => receipt[3])).size).toBe(1)
    const first = receipts.get(rid)!
    for (let n = 0; n < 32; n++) expect(receipts.get(rid + n)!.slice(0, 5)).toEqual([rid + n, 0, null, first[3], first[4] + n])
    expect(client.all(Kind.RECEIPT)).toHaveLength(1)
    client.cut()
  })

  it('a group gets what was sent, a nack brings it back, an ack ends it', async () => {
    await broker.cluster.topics.create({ topic: 'work', readQueues: 2, writeQueues: 2 })
    const client = new ScriptedClient(sessions)
    await client.hello({
      producers: [[client.rid(), 1, 'work', { kind: 'normal' }]],
      subs: [
        [
          client.rid(),
          1,
          { mode: 'group', group: 'workers', topics: [['work', 0, '*']], start: 'earliest', limit: [64, 1_000_000] },
        ],
      ],
    })
    const rid = client.rid()
    client.send([Kind.SEND, rid, 1, Flag.text, { 1: 'A' }, text('job')])
    const receipt = (await client.receipts(1)).get(rid)!
    const [, sid, firstSeq, [entry]] = await client.next(Kind.DELIVER)
    expect([sid, firstSeq]).toEqual([1, 1])
    // Receipts and deliveries call the queue by the same number.
    expect(entry!.slice(1, 4)).toEqual([receipt[3], receipt[4], client.messageId(rid)])
    expect(entry!.slice(5)).toEqual([1, Flag.text, { 1: 'A' }, new Uint8Array(text('job'))])
    client.send([Kind.NACK, 1, [1, 1], 1_000])
    const [, , secondSeq, [again]] = await client.next(Kind.DELIVER)
    expect([secondSeq, again![3], again![5]]).toEqual([2, client.messageId(rid), 2])
    client.send([Kind.ACK, 1, [2, 2], true])
    expect(await client.next(Kind.ACKED)).toEqual([Kind.ACKED, 1, [2, 2]])
    expect((await client.request(unsub => [Kind.UNSUB, unsub, 1, 0]))[0]).toBe(Kind.OK)
    client.send([Kind.BYE, 0])
  })

  it('a socket that breaks in the middle of a flood loses nothing and doubles nothing', async () => {
    await broker.cluster.topics.create({ topic: 'flood', readQueues: 1, writeQueues: 1 })
    let client = new ScriptedClient(sessions)
    const producer = (rid: number) => [rid, 1, 'flood', { kind: 'normal' }] as const
    let { resumeToken } = await client.hello({ producers: [producer(client.rid())] })
    const unanswered = new Map<number, string>()
    let sent = 0
    for (let round = 0; round < 8; round++) {
      for (; sent < (round + 1) * 20; sent++) {
        const rid = client.rid()
        unanswered.set(rid, `m-${sent}`)
        // Some the socket never carries, whatever comes behind them.
        if (sent % 5 !== 4) client.send([Kind.SEND, rid, 1, 0, {}, text(`m-${sent}`)])
      }
      if (round % 2 === 0) await client.next(Kind.RECEIPT).catch(() => undefined)
      client.cut()
      const next = new ScriptedClient(sessions).continueFrom(client)
      const welcome = await next.hello({ resume: { token: resumeToken, subs: [] }, producers: [producer(next.rid())] })
      expect(welcome.resumed).toBe(2)
      resumeToken = welcome.resumeToken
      client = next
      for (const [rid, body] of unanswered) client.send([Kind.SEND, rid, 1, 0, {}, text(body)])
      const receipts = await client.receipts(unanswered.size)
      for (const [rid, code] of receipts.values()) {
        expect(code).toBe(0)
        unanswered.delete(rid)
      }
      expect(unanswered.size).toBe(0)
    }
    const stored: string[] = []
    for (const queue of await broker.cluster.topics.queues('flood'))
      for (let offset = 0; ;) {
        const result = await broker.cluster.puller({ group: 'readers' }).pull(queue, offset, {})
        stored.push(...result.messages.map(message => message.body.toString()))
        if (result.status !== 'found') break
        offset = result.nextOffset
      }
    expect(stored).toHaveLength(160)
    expect(new Set(stored).size).toBe(160)
    client.send([Kind.BYE, 0])
  })

  it('a topic that does not exist', async () => {
    const client = new ScriptedClient(sessions)
    await client.hello()
    const answer = await client.request(rid => [
      Kind.SUB,
      rid,
      1,
      { mode: 'group', group: 'g', topics: [['nowhere', 0, '']], limit: [1, 1] },
    ])
    expect(answer.slice(0, 3)).toEqual([Kind.ERR, 2, 40402])
    client.cut()
  })
})
