import { randomBytes } from 'node:crypto'
import { Flag, Kind } from '@cometmq/protocol'
import { bytes, connect, topic } from '@cometmq/node'
import { afterEach, expect, it } from 'vitest'
import { Site } from './support/processes.ts'
import { RawClient } from './support/raw-client.ts'
import { signToken } from './support/tokens.ts'

const closers: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** The ways in which bytes may get into a text. */
const spellings = (secret: Buffer): string[] => [
  secret.toString('latin1'),
  secret.toString('hex'),
  secret.toString('base64').slice(0, -4),
  secret.toString('base64url').slice(0, -4),
  [...secret].join(','),
  [...secret].join(', '),
]

/** Offset, pop time, invisible time, revive queue …: how RocketMQ writes the receipt of a popped message. */
const receiptText = /\b\d+ 1[0-9]{12} \d+ \d+ /

it('no log holds a token, a receipt or a body, however much is logged and whatever goes wrong', async () => {
  const verbose = ['--log-level', 'debug']
  const site = await Site.start(verbose)
  closers.push(() => site.close())
  await site.topic('busy')
  const bridge = await site.bridge('bridge', { more: verbose })
  const body = Buffer.from(`body-${randomBytes(12).toString('hex')}`)
  const tokens: string[] = []
  const token = async (...args: Parameters<Site['token']>): Promise<string> => {
    tokens.push(await site.token(...args))
    return tokens.at(-1)!
  }

  // A busy application: everything is acknowledged, given back, extended, buried, or not settled in time.
  const connection = connect({ url: bridge.url, topics: [topic('busy', { codec: bytes })], auth: () => token() })
  closers.push(() => connection.close())
  const producer = connection.producer('busy')
  const sends = Array.from({ length: 50 }, () => producer.send(body, { keys: ['k'], props: { p: 'v' } }))
  await Promise.all(sends)
  let taken = 0
  for await (const message of connection.consumer({ topics: ['busy'], group: 'busy', lease: 1_000 })) {
    const kind = taken++ % 5
    if (kind === 0) message.ack()
    else if (kind === 1) message.nack({ after: 10, reason: 'again' })
    else if (kind === 2) message.deadLetter('bad')
    else if (kind === 3) message.extend(2_000)
    if (taken === 60) break
  }

  // Clients that are refused, or speak nonsense with bodies and tokens in it.
  const forged = await signToken(randomBytes(32), {})
  tokens.push(forged)
  for (const auth of [await token({ ttlSeconds: -1 }), forged, `${forged}x`]) {
    const refused = new RawClient(bridge.url)
    await expect(refused.hello({ auth })).rejects.toThrow(/4500|4003|4019/)
  }
  const resumeTokens: string[] = []
  const nonsense: ((client: RawClient) => void)[] = [
    client => client.socket.send(body),
    client => client.socket.send(Buffer.concat([Buffer.from([0x93, Kind.SEND]), body])),
    client => client.socket.send(body.toString()),
    client => client.send([Kind.SEND, client.rid(), 1, Flag.compressed, { 1: body.toString() }, body]),
    client => client.send([Kind.AUTH, client.rid(), forged]),
    client => client.send([Kind.ACK, 99, [1, 2]]),
    client => client.send([Kind.QUERY, client.rid(), body.toString(), {}]),
    client => client.send([Kind.POPEN, client.rid(), 3, body.toString(), { kind: body.toString() }]),
  ]
  for (const send of nonsense) {
    const client = new RawClient(bridge.url)
    const { resumeToken } = await client.hello({
      auth: await token(),
      producers: [[client.rid(), 1, 'busy', { kind: 'normal' }]],
    })
    resumeTokens.push(resumeToken)
    send(client)
    if (client.end === undefined) await client.request(rid => [Kind.QUERY, rid, 'nothing', {}]).catch(() => undefined)
    client.socket.terminate()
    const again = new RawClient(bridge.url)
    await again.hello({ auth: await token(), resume: { token: resumeToken, subs: [] } })
    again.socket.terminate()
  }

  // The broker dies with sends, pops and acknowledgements under way, and comes back.
  const pending = Array.from({ length: 50 }, () => producer.send(body).catch(() => undefined))
  const rest = connection.consumer({ topics: ['busy'], group: 'busy', lease: 1_000 })
  const iterator = rest[Symbol.asyncIterator]()
  await site.server.kill()
  await site.server.start()
  await Promise.all(pending)
  // Until the bridge has found it again, sends are refused.
  while (
    !(await producer.send(body).then(
      () => true,
      () => false,
    ))
  )
    await new Promise(resolve => setTimeout(resolve, 50))
  const next = await iterator.next()
  if (next.done !== true) next.value.ack()
  await connection.drain()
  await bridge.stop()
  await site.server.stop()

  const { log } = site
  // It is a verbose log at all.
  expect(log).toMatch(/DEBUG/)
  const found = (secret: string): string[] => (log.includes(secret) ? [secret] : [])
  expect(tokens.flatMap(text => [text, text.split('.')[1]!, text.split('.')[2]!]).flatMap(found)).toEqual([])
  expect(resumeTokens.flatMap(found)).toEqual([])
  expect(spellings(body).flatMap(found)).toEqual([])
  expect(receiptText.exec(log)).toBeNull()
  expect(log).not.toContain('POP_CK')
})
