import type { Case } from '../types.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

export const sendCases: readonly Case[] = [
  {
    name: 'send: a receipt tells id, queue and offset, and the message is stored',
    async run(t) {
      const name = await t.createTopic(t.name('t'))
      const connection = t.open([t.topic(name)])
      const receipt = await connection.producer(name).send(bytes('hello'))
      const stored = await t.stored(name)
      t.expect.equal(stored.length, 1, 'messages')
      t.expect.equal(stored[0]!.msgId, receipt.id, 'id')
      t.expect.equal(stored[0]!.body, 'hello', 'body')
      t.expect.equal(receipt.duplicate, false, 'duplicate')
    },
  },
]
