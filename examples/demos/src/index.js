// The start page: the state of the connection, and the sample in colours.
import { highlight } from '/highlight.js'
import { complain, follow, open } from '/shared.js'

const sample = `import { connect, json, topic } from '@cometmq/web'

const orders = topic('orders', { codec: json })
const url = 'wss://mq.example.com/ws'
const mq = connect({ url, topics: [orders] })

await mq.producer('orders').send({ cups: 2 })

const workers = { topics: ['orders'], group: 'bar' }
for await (const order of mq.consumer(workers)) {
  await brew(order.value.cups)
  order.ack() // or nack(): it comes again
}
`
highlight(document.getElementById('sample'), sample, false)

// Without producers and consumers it would close after 2 s.
const connection = open([], { idle: '1d' })
follow(connection).catch(complain)
show('bridge', async () => (await connection.ready()).state.node)
show('cluster', async () => ((await fetch('/readyz')).ok ? 'ready' : 'away'))
show('size', measureSdk)

async function show(id, find) {
  try {
    document.getElementById(id).textContent = await find()
  } catch (error) {
    complain(error)
  }
}

async function measureSdk() {
  const { body } = await fetch('/sdk/cometmq.js')
  const packed = await new Response(body.pipeThrough(new CompressionStream('gzip'))).arrayBuffer()
  return `${(packed.byteLength / 1000).toFixed(1)} kB`
}
