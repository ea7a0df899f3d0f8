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
})
