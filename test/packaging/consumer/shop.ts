// An application in TypeScript, as it would be written with the packages installed.
import { BridgeError, connect, json, topic, type Message, type Receipt, type StandardSchema } from '@cometmq/web'

interface Order {
  readonly id: number
  readonly note?: string
}
declare const orderSchema: StandardSchema<Order>
declare const url: string

const orders = topic('orders', { schema: orderSchema, kind: 'fifo', tags: ['new', 'paid'] })
const news = topic('news', { codec: json })
const topics = [orders, news] as const

export async function run(): Promise<void> {
  await using connection = connect({ url, topics, auth: async ({ reason, signal }) => (signal.aborted ? reason : 'token') })
  const receipt: Receipt<'fifo'> = await connection.producer('orders').send({ id: 1 }, { group: 'customer-7', tag: 'paid' })
  receipt.id.toUpperCase()
  // @ts-expect-error an ordered message needs its group
  await connection.producer('orders').send({ id: 1 })
  // @ts-expect-error no such tag
  await connection.producer('orders').send({ id: 1 }, { group: 'g', tag: 'lost' })
  // @ts-expect-error not an order
  await connection.producer('orders').send({ id: 'one' }, { group: 'g' })
  // @ts-expect-error no such topic
  connection.producer('bills')

  for await (const message of connection.consumer({ topics: ['orders'], group: 'shop' })) {
    const order: Order = message.value
    if (order.note === 'later') message.nack({ after: '5m' })
    else message.ack()
  }
  await connection.consumer({ topics: ['orders'], group: 'shop' }).run(handle, { concurrency: 4 })
}

const handle = (message: Message<typeof orders>): void => void message.value.id.toFixed()

export const explain = (error: unknown): string =>
  BridgeError.is(error, 'COMET_OFFLINE') ? `${error.code} ${error.outcome}` : String(error)
