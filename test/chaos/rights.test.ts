import { type Frame, Kind, type SubSpec } from '@cometmq/protocol'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CometProcess, Site } from './support/processes.ts'
import { RawClient } from './support/raw-client.ts'

let site: Site
let bridge: CometProcess
beforeAll(async () => {
  site = await Site.start()
  for (const name of ['orders', 'orders-eu', 'tenants', '%DLQ%billing']) await site.topic(name, 1).catch(() => undefined)
  bridge = await site.bridge()
})
afterAll(() => site.close())

const open: RawClient[] = []
async function connected(cmq: Record<string, unknown>, subject?: string): Promise<RawClient> {
  const client = new RawClient(bridge.url)
  open.push(client)
  await client.hello({ auth: await site.token({ cmq, ...(subject === undefined ? {} : { subject }) }) })
  return client
}

const body = new TextEncoder().encode('x')
const group = (topic: string, name: string): SubSpec => ({
  mode: 'group',
  group: name,
  topics: [[topic, 0, '']],
  limit: [10, 10_000],
})
const broadcast: SubSpec = { mode: 'broadcast', topics: [['orders', 0, '']], limit: [10, 10_000] }

let parts = 0
const popen =
  (topic: string, kind = 'normal') =>
  (client: RawClient) =>
    client.ask(rid => [Kind.POPEN, rid, ++parts, topic, { kind }])
const sub = (spec: SubSpec) => (client: RawClient) => client.ask(rid => [Kind.SUB, rid, ++parts, spec])

/** Each answers with 0 or the code of the refusal. */
const operations: Record<string, (client: RawClient) => Promise<number>> = {
  publish: popen('orders'),
  'publish sub-topic': popen('orders-eu'),
  'publish system topic': popen('SCHEDULE_TOPIC_XXXX'),
  'publish to a retry topic': popen('%RETRY%billing'),
  'delayed message': async client => {
    const opened = await popen('orders', 'delay')(client)
    return opened === 0 ? client.publish(rid => [Kind.SEND, rid, parts, 0, { 5: 60_000 }, body]) : opened
  },
  group: sub(group('orders', 'billing')),
  'other group': sub(group('orders', 'shipping')),
  'system group': sub(group('orders', 'CID_RMQ_SYS_TRANS')),
  'dead letters': sub(group('%DLQ%billing', 'billing')),
  broadcast: sub(broadcast),
  inspect: client => client.ask(rid => [Kind.QUERY, rid, 'key', { topic: 'orders', key: 'k' }]),
  'seek group': async client => {
    const opened = await sub(group('orders', 'billing'))(client)
    if (opened !== 0) return opened
    const code = await client.ask(rid => [Kind.SEEK, rid, parts, 'latest'])
    // Rights come first; moving a group is not there yet.
    return code === 50101 ? 0 : code
  },
}

const nothing = { pub: [], sub: [], inspect: false, delayMax: 0 }
const billing = { topic: 'orders', group: 'billing' }
const tokens: Record<string, { cmq: Record<string, unknown>; allowed: string[] }> = {
  nothing: { cmq: nothing, allowed: [] },
  everything: {
    cmq: {},
    allowed: ['publish', 'publish sub-topic', 'delayed message', 'group', 'other group', 'broadcast', 'inspect', 'seek group'],
  },
  'publish exact': { cmq: { ...nothing, pub: ['orders'] }, allowed: ['publish'] },
  'publish pattern': { cmq: { ...nothing, pub: ['orders*'] }, allowed: ['publish', 'publish sub-topic'] },
  delays: { cmq: { ...nothing, pub: ['orders'], delayMax: 60_000 }, allowed: ['publish', 'delayed message'] },
  'one group': { cmq: { ...nothing, sub: [billing] }, allowed: ['group'] },
  'group pattern': { cmq: { ...nothing, sub: [{ topic: 'ord*', group: '*ing' }] }, allowed: ['group', 'other group'] },
  'all groups': { cmq: { ...nothing, sub: ['orders'] }, allowed: ['group', 'other group', 'broadcast'] },
  'inspect alone': { cmq: { ...nothing, inspect: true }, allowed: [] },
  'inspect and group': {
    cmq: { ...nothing, inspect: true, sub: [billing] },
    allowed: ['group', 'inspect', 'seek group'],
  },
}

describe('12 operations × 10 tokens, over a socket', () => {
  for (const [name, { cmq, allowed }] of Object.entries(tokens))
    it(name, async () => {
      const client = await connected(cmq)
      const codes: [string, number][] = []
      for (const [operation, run] of Object.entries(operations)) codes.push([operation, await run(client)])
      expect(codes.filter(([, code]) => code !== 0 && code !== 40390)).toEqual([])
      expect(codes.filter(([, code]) => code === 0).map(([operation]) => operation)).toEqual(allowed)
      expect(client.end).toBeUndefined()
    })
})

describe('a client that tries to see more than `where` allows', () => {
  const tenant = (name: string) => ({ where: { tenant: [name] } })
  /** All bodies that a client got once this one, its own, has come. */
  async function until(client: RawClient, last: string): Promise<string[]> {
    const bodies = (): string[] => client.entries.map(entry => new TextDecoder().decode(entry[8]))
    while (!bodies().includes(last)) await client.change()
    return bodies()
  }
  let publisher: RawClient
  const send = (name: string, text: string, tag?: string) =>
    publisher.publish(rid => [
      Kind.SEND,
      rid,
      1,
      0,
      { 2: [`key-${name}`, 'common'], 3: { tenant: name }, ...(tag !== undefined && { 1: tag }) },
      new TextEncoder().encode(text),
    ])
  beforeAll(async () => {
    publisher = await connected({})
    await publisher.ask(rid => [Kind.POPEN, rid, 1, 'tenants', { kind: 'normal' }])
  })

  const all = { topics: [['tenants', 0, '']], start: 'earliest', limit: [100, 1_000_000] } as const
  const widenings: Record<string, SubSpec> = {
    'a group that wants everything': { ...all, mode: 'group', group: 'wide-1' },
    'a broadcast that wants everything': { ...all, mode: 'broadcast' },
    'tags with or': { ...all, mode: 'group', group: 'wide-2', topics: [['tenants', 1, 'secret || other || *']] },
    'the tag of the others': { ...all, mode: 'broadcast', topics: [['tenants', 1, 'secret || mine']] },
    'a specification with a `where` of its own': { ...all, mode: 'broadcast', where: { tenant: ['b'] } } as SubSpec,
    'the same topic twice': {
      ...all,
      mode: 'group',
      group: 'wide-3',
      topics: [
        ['tenants', 0, ''],
        ['tenants', 0, ''],
      ],
    },
    'a cursor of its own': { ...all, mode: 'broadcast', start: { cursor: [['tenants', 'b', 0, 0]] } },
    'keeping the latest by key': { ...all, mode: 'broadcast', slow: 'latest-per-key' },
  }
  for (const [what, spec] of Object.entries(widenings))
    it(what, async () => {
      const client = await connected(tenant('a'))
      const opened = await client.ask(rid => [Kind.SUB, rid, 1, spec])
      await send('b', `of b: ${what}`, 'secret')
      await send('a', `of a: ${what}`, 'mine')
      if (opened !== 0) {
        expect(client.entries).toEqual([])
        return
      }
      // Tags that leave out our own: nothing can come, so another subscription tells when all has passed.
      const isMine = spec.topics[0]![1] === 0 || spec.topics[0]![2].includes('mine')
      if (!isMine) await client.ask(rid => [Kind.SUB, rid, 2, { ...all, mode: 'broadcast' }])
      const bodies = await until(client, `of a: ${what}`)
      expect(bodies.filter(text => text.startsWith('of b'))).toEqual([])
    })

  it('SQL is refused, whatever it says', async () => {
    const client = await connected(tenant('a'))
    const spec: SubSpec = { ...all, mode: 'broadcast', topics: [['tenants', 2, "tenant = 'b' OR 1 = 1"]] }
    expect(await client.ask(rid => [Kind.SUB, rid, 1, spec])).toBe(50101)
  })

  it('looking for messages by key and by id finds only its own', async () => {
    const client = await connected(tenant('a'))
    await send('b', 'hidden')
    await send('a', 'shown')
    const byKey = await client.request(rid => [Kind.QUERY, rid, 'key', { topic: 'tenants', key: 'common' }])
    const found = byKey[2] as unknown as { properties: Record<string, string>; body: Uint8Array; id: string }[]
    expect(new Set(found.map(({ properties }) => properties['tenant']))).toEqual(new Set(['a']))
    const all = await publisher.request(rid => [Kind.QUERY, rid, 'key', { topic: 'tenants', key: 'key-b' }])
    const [other] = all[2] as unknown as { id: string }[]
    const byId = await client.request(rid => [Kind.QUERY, rid, 'message', { topic: 'tenants', id: other!.id }])
    expect(byId[2]).toEqual([])
  })

  it('a resume token of somebody else gives nothing', async () => {
    const victim = new RawClient(bridge.url)
    open.push(victim)
    const welcome = await victim.hello({ auth: await site.token({ subject: 'victim' }) })
    victim.socket.terminate()
    const thief = new RawClient(bridge.url)
    open.push(thief)
    const taken = await thief.hello({
      auth: await site.token({ subject: 'thief', cmq: tenant('a') }),
      resume: { token: welcome.resumeToken, subs: [] },
    })
    expect([taken.resumed, taken.session === welcome.session]).toEqual([0, false])
  })

  it('a narrower token holds for what is open already, and a token of another subject is refused', async () => {
    const client = await connected({}, 'narrowed')
    await client.ask(rid => [Kind.SUB, rid, 1, { ...all, mode: 'broadcast', start: 'latest' }])
    await client.find(([kind, , info]) => kind === Kind.SUBINFO && (info as { queues?: unknown }).queues !== undefined)
    const refresh = async (cmq: Record<string, unknown>, subject: string): Promise<number> => {
      const token = await site.token({ cmq, subject })
      return client.ask(rid => [Kind.AUTH, rid, token] as Frame)
    }
    expect(await refresh({}, 'somebody else')).not.toBe(0)
    if (client.end === undefined) {
      expect(await refresh(tenant('a'), 'narrowed')).toBe(0)
      await send('b', 'narrow: of b')
      await send('a', 'narrow: of a')
      expect(await until(client, 'narrow: of a')).not.toContain('narrow: of b')
    }
  })
})

afterAll(() => open.forEach(client => client.socket.terminate()))
