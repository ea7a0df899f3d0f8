import type { Case } from '../types.ts'
import { newTopic, take, values, within } from './support.ts'

/** What a group gets of one message per tag. */
const choice = (what: string, tags: readonly string[] | undefined, expected: readonly string[]): Case => ({
  name: `tags: ${what}`,
  async run(t) {
    const { name, topic } = await newTopic(t)
    const connection = t.open([topic])
    const sent = ['red', 'blue', 'green', 'Red', 'größe']
    await connection.producer(name).sendBatch([...sent.map(tag => ({ value: tag, tag })), { value: 'none' }])
    const consumer = connection.consumer({ topics: [tags === undefined ? name : { topic: name, tags }], group: t.name('g') })
    t.expect.equal(values(await take(t, consumer, expected.length)), [...expected].sort())
    t.expect.equal(await within(consumer, 500), [], 'no more')
  },
})

export const tagCases: readonly Case[] = [
  choice('without a choice all arrive', undefined, ['red', 'blue', 'green', 'Red', 'größe', 'none']),
  choice('one tag', ['red'], ['red']),
  choice('two tags', ['red', 'blue'], ['red', 'blue']),
  choice('a tag with other letters than ASCII', ['größe'], ['größe']),
  choice('upper and lower case are different', ['Red'], ['Red']),
  choice('no tag that was sent', ['white'], []),
  {
    name: 'tags: a tag that hashes alike does not get through',
    async run(t) {
      // "Aa" and "BB" have the same hash code in Java, which is what consume queues hold.
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      await connection.producer(name).sendBatch([
        { value: '1', tag: 'BB' },
        { value: '2', tag: 'Aa' },
      ])
      const consumer = connection.consumer({ topics: [{ topic: name, tags: ['Aa'] }], group: t.name('g') })
      t.expect.equal(values(await take(t, consumer, 1)), ['2'])
      t.expect.equal(await within(consumer, 500), [], 'no more')
    },
  },
  {
    name: 'tags: what was not chosen is not lag',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const connection = t.open([topic])
      await connection.producer(name).sendBatch([
        { value: '1', tag: 'a' },
        { value: '2', tag: 'b' },
        { value: '3', tag: 'b' },
      ])
      const consumer = connection.consumer({ topics: [{ topic: name, tags: ['a'] }], group: t.name('g') })
      await take(t, consumer, 1)
      await t.until('no lag', async () => (await consumer.lag()).messages === 0)
    },
  },
  {
    name: 'tags: a tag with a bar is refused',
    async run(t) {
      const { name, topic } = await newTopic(t)
      await t.expect.rejects(
        (async () =>
          t
            .open([topic])
            .consumer({ topics: [{ topic: name, tags: ['a||b'] }], group: t.name('g') })
            .lag())(),
        'COMET_ILLEGAL_FILTER',
      )
    },
  },
  {
    name: 'tags: SQL92 is refused with a clear error while it is not there',
    async run(t) {
      const { name, topic } = await newTopic(t)
      const consumer = t.open([topic]).consumer({ topics: [{ topic: name, sql: 'a > 1' }], group: t.name('g') })
      await t.expect.rejects((async () => consumer.lag())(), 'COMET_NOT_SUPPORTED')
    },
  },
]
