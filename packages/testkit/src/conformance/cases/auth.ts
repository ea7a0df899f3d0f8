import type { Case, CaseContext, TokenRequest } from '../types.ts'
import { newTopic, next, numbers, take, values, within } from './support.ts'

/** A connection with one token for good. */
const withToken = (t: CaseContext, line: { topic: Parameters<CaseContext['open']>[0][number] }, rights: TokenRequest) =>
  t.open([line.topic], { auth: () => t.token(rights), backoff: { min: 20, max: 100 } })

const refusedToken = (what: string, rights: TokenRequest, code: string): Case => ({
  name: `auth: refused: ${what}`,
  async run(t) {
    const line = await newTopic(t)
    const connection = withToken(t, line, rights)
    await t.expect.rejects(connection.ready(), code)
  },
})

/** What a token with these rights may do with the topic of the case: publish, read in a group, broadcast. */
const scope = (
  what: string,
  rights: (name: string, group: string) => TokenRequest,
  allowed: readonly [boolean, boolean, boolean],
): Case => ({
  name: `auth: scope: ${what}`,
  async run(t) {
    const line = await newTopic(t)
    const group = t.name('g')
    const connection = t.open([line.topic], { auth: () => t.token(rights(line.name, group)) })
    const tries = [
      () => connection.producer(line.name).ready(),
      () => connection.consumer({ topics: [line.name], group }).lag(),
      () => connection.consumer({ topics: [line.name], mode: 'broadcast' }).lag(),
    ]
    for (const [i, attempt] of tries.entries()) {
      const doing = ['publish', 'group', 'broadcast'][i]!
      if (allowed[i]) await attempt()
      else
        await t.expect.rejects(attempt() as Promise<unknown>, 'COMET_SCOPE_DENIED').catch((error: unknown) => {
          throw new Error(`${doing}: ${String(error)}`)
        })
    }
  },
})

export const authCases: readonly Case[] = [
  refusedToken('expired', { ttlSeconds: -100 }, 'COMET_TOKEN_EXPIRED'),
  refusedToken('not yet valid', { notBeforeSeconds: 600 }, 'COMET_TOKEN_NOT_YET_VALID'),
  refusedToken('signed by someone else', { forged: true }, 'COMET_TOKEN_REFUSED'),
  {
    name: 'auth: refused: no token',
    async run(t) {
      const { topic } = await newTopic(t)
      const connection = t.sdkConnect([topic])
      await t.expect.rejects(connection.ready(), 'COMET_TOKEN_MISSING')
    },
  },
  {
    name: 'auth: a callback that fails is reported, and asked again',
    async run(t) {
      const { name, topic } = await newTopic(t)
      let asked = 0
      const connection = t.open([topic], {
        auth: () => (++asked === 1 ? Promise.reject(new Error('login server is down')) : t.token()),
        backoff: { min: 20, max: 100 },
      })
      await connection.producer(name).send('x')
      t.expect.ok(asked >= 2, `asked ${asked} times`)
    },
  },
  {
    name: 'auth: a rejected token is asked for again with that reason',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const reasons: string[] = []
      const connection = t.open([topic], {
        auth: ({ reason }) => {
          reasons.push(reason)
          return t.token(reason === 'rejected' ? {} : { ttlSeconds: -100 })
        },
        backoff: { min: 20, max: 100 },
      })
      await connection.producer(name).send('x')
      t.expect.equal(reasons, ['connect', 'rejected'])
    },
  },
  {
    name: 'auth: a token that runs out is refreshed on the same socket while messages flow',
    timeoutMs: 40_000,
    async run(t) {
      const { name, topic } = await newTopic(t)
      const reasons: string[] = []
      const connection = t.open([topic], {
        auth: ({ reason }) => {
          reasons.push(reason)
          return t.token({ ttlSeconds: reason === 'connect' ? 6 : 3600 })
        },
      })
      const producer = connection.producer(name)
      const consumer = connection.consumer({ topics: [name], group: t.name('g') })
      const taking = take(t, consumer, 100)
      for (const value of numbers(100)) {
        await producer.send(value)
        await new Promise(resolve => setTimeout(resolve, 130))
      }
      t.expect.equal(values(await taking), numbers(100).sort())
      t.expect.equal(reasons, ['connect', 'refresh'])
      t.expect.equal(connection.stats().reconnects, 0, 'reconnects')
    },
  },
  scope('everything of this run', () => ({}), [true, true, true]),
  scope('publish only', name => ({ publish: [name], subscribe: [] }), [true, false, false]),
  scope('read only, this group', (name, group) => ({ publish: [], subscribe: [{ topic: name, group }] }), [false, true, false]),
  scope('read only, another group', name => ({ publish: [], subscribe: [{ topic: name, group: 'other' }] }), [
    false,
    false,
    false,
  ]),
  scope('another topic', () => ({ publish: ['other'], subscribe: [{ topic: 'other', group: '*' }] }), [false, false, false]),
  scope('a pattern at the end', name => ({ publish: [`${name.slice(0, -1)}*`], subscribe: [] }), [true, false, false]),
  scope('a pattern that does not fit', name => ({ publish: [`${name}x*`], subscribe: [] }), [false, false, false]),
  scope('a dot is not any character', name => ({ publish: [name.replaceAll('-', '.')], subscribe: [] }), [false, false, false]),
  scope('nothing', () => ({ publish: [], subscribe: [] }), [false, false, false]),
  {
    name: 'auth: where: only matching messages arrive in a group',
    async run(t) {
      const line = await newTopic(t)
      const group = t.name('g')
      for (const [body, tenant] of [
        ['a1', 'a'],
        ['b1', 'b'],
        ['a2', 'a'],
      ] as const)
        await t.send(line.name, { body, props: { tenant } })
      await t.send(line.name, { body: 'none' })
      const consumer = withToken(t, line, { where: { tenant: ['a'] } }).consumer({ topics: [line.name], group })
      t.expect.equal(values(await take(t, consumer as never, 2)), ['a1', 'a2'])
      t.expect.equal(await within(consumer as never, 500), [], 'no more')
    },
  },
  {
    name: 'auth: where: only matching messages arrive in a broadcast',
    async run(t) {
      const line = await newTopic(t)
      for (const [body, tenant] of [
        ['a1', 'a'],
        ['b1', 'b'],
        ['c1', 'c'],
      ] as const)
        await t.send(line.name, { body, props: { tenant } })
      const consumer = withToken(t, line, { where: { tenant: ['a', 'c'] } }).consumer({
        topics: [line.name],
        mode: 'broadcast',
        since: 'earliest',
      })
      t.expect.equal(values(await take(t, consumer as never, 2)), ['a1', 'c1'])
      t.expect.equal(await within(consumer as never, 500), [], 'no more')
    },
  },
  {
    name: 'auth: where: asking for other tags does not widen it',
    async run(t) {
      const line = await newTopic(t)
      await t.send(line.name, { body: 'mine', tag: 'x', props: { tenant: 'a' } })
      await t.send(line.name, { body: 'theirs', tag: 'y', props: { tenant: 'b' } })
      const consumer = withToken(t, line, { where: { tenant: ['a'] } }).consumer({
        topics: [{ topic: line.name, tags: ['x', 'y'] as never }],
        mode: 'broadcast',
        since: 'earliest',
      })
      t.expect.equal(values(await take(t, consumer as never, 1)), ['mine'])
      t.expect.equal(await within(consumer as never, 500), [], 'no more')
    },
  },
  {
    name: "auth: RocketMQ's own topics are nobody's",
    async run(t) {
      for (const name of ['SCHEDULE_TOPIC_XXXX', 'RMQ_SYS_TRANS_HALF_TOPIC', '%RETRY%g', 'rmq_sys_wheel_timer']) {
        const connection = t.open([t.topic(name, { codec: t.text })], {
          auth: () => t.token({ publish: ['*'], subscribe: [{ topic: '*', group: '*' }] }),
        })
        await t.expect.rejects(connection.producer(name).ready(), 'COMET_SCOPE_DENIED')
        await t.expect.rejects(connection.consumer({ topics: [name], mode: 'broadcast' }).lag(), 'COMET_SCOPE_DENIED')
      }
    },
  },
  {
    name: 'auth: a refused producer does not disturb another',
    async run(t) {
      const [a, b] = [await newTopic(t, 'a'), await newTopic(t, 'b')]
      const connection = t.open([a.topic, b.topic], { auth: () => t.token({ publish: [a.name] }) })
      await t.expect.rejects(connection.producer(b.name).send('x'), 'COMET_SCOPE_DENIED')
      await connection.producer(a.name).send('x')
      t.expect.equal((await t.stored(a.name)).length, 1)
      t.expect.equal((await t.stored(b.name)).length, 0)
    },
  },
  {
    name: 'auth: the same message is read with another token of the same user',
    async run(t) {
      const line = await newTopic(t)
      const group = t.name('g')
      await t.send(line.name, { body: 'x' })
      const message = await next(t, withToken(t, line, { subject: 'bob' }).consumer({ topics: [line.name], group }) as never)
      t.expect.equal(message.value, 'x')
      message.ack()
    },
  },
]
