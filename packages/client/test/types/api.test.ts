import { describe, expect, expectTypeOf, it } from 'vitest'
import type { Connection, Message, Producer } from '../../src/api.ts'
import { type Codec, json, type StandardSchema, text, topic, type TopicDef } from '../../src/topic.ts'

interface Order {
  id: string
  cents: number
}
declare const orderSchema: StandardSchema<Order>
declare const connected: <const R extends readonly TopicDef[]>(topics: R) => Connection<R>

// Compiled, never run: each marked line must be an error, each other line must not be.
const cases = async (): Promise<void> => {
  const orders = topic('orders', { schema: orderSchema, tags: ['new', 'paid'] })
  const steps = topic('steps', { kind: 'fifo', codec: json as Codec<Order> })
  const mails = topic('mails', { kind: 'delay', codec: text })
  const pay = topic('pay', { kind: 'transaction', schema: orderSchema })
  const raw = topic('raw')
  const c = connected([orders, steps, mails, pay, raw])
  const order: Order = { id: 'a', cents: 1 }

  void c.producer('orders').send(order, { tag: 'new', keys: ['a'] })
  void c.producer('steps').send(order, { group: 'a' })
  void c.producer('mails').send('hello', { after: '10s' })
  void c.producer('mails').send('hello', { at: new Date(0) })
  void c.producer('raw').send(new Uint8Array(1))
  void c.producer('pay').transaction(order, tx => Promise.resolve(tx.id))
  void c
    .producer('mails')
    .send('hello', { after: 5 })
    .then(receipt => receipt.recall())

  // @ts-expect-error 1: an ordered topic needs a message group
  void c.producer('steps').send(order)
  // @ts-expect-error 2: no such tag
  void c.producer('orders').send(order, { tag: 'gone' })
  // @ts-expect-error 3: payload of another shape
  void c.producer('orders').send({ id: 1 })
  // @ts-expect-error 4: both after and at
  void c.producer('mails').send('hello', { after: '1s', at: new Date(0) })
  // @ts-expect-error 5: neither after nor at
  void c.producer('mails').send('hello')
  // @ts-expect-error 6: transaction on a topic of another kind
  void c.producer('orders').transaction(order, () => Promise.resolve(1))
  const receipt = await c.producer('orders').send(order)
  // @ts-expect-error 7: only delayed messages can be called back
  void receipt.recall()
  // @ts-expect-error 8: unknown topic
  c.producer('nowhere')
  // @ts-expect-error 9: slow policy outside broadcast
  c.consumer({ topics: ['orders'], group: 'g', onSlow: 'drop-oldest' })
  // @ts-expect-error 10: a group consumer needs its group
  c.consumer({ topics: ['orders'] })
  // @ts-expect-error 11: tag of another topic in a subscription
  c.consumer({ topics: [{ topic: 'orders', tags: ['gone'] }], group: 'g' })
  // @ts-expect-error 12: not a duration
  void c.producer('mails').send('hello', { after: '10 parsecs' })

  const consumer = c.consumer({ topics: ['orders', { topic: 'mails' }], group: 'g' })
  void consumer.run(message => {
    if (message.topic === 'orders') expectTypeOf(message.value).toEqualTypeOf<Order>()
    else expectTypeOf(message.value).toEqualTypeOf<string>()
    // @ts-expect-error a topic that was not subscribed to
    if (message.topic === 'raw') return
  })
  c.consumer({ topics: ['raw'], mode: 'broadcast', since: 'resume', cursor: [], onSlow: 'latest-per-key' })
  expectTypeOf<Message<typeof orders>['tag']>().toEqualTypeOf<'new' | 'paid' | undefined>()
  expectTypeOf(raw).toExtend<Parameters<Producer<typeof raw>['send']>[0] extends Uint8Array ? object : never>()
}

describe('types of the API', () => {
  it('compiles what it should, and nothing else (checked by tsc)', () => {
    expect(cases).toBeTypeOf('function')
  })
})
