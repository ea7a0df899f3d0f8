// The start page: the state of the connection, and the sample in colours.
import { highlight } from '/highlight.js'
import { complain, follow, open } from '/shared.js'

const sample = `import { connect, json, topic } from '@cometmq/web'

const orders = topic('orders', { codec: json })
const mq = connect({ url: 'wss://mq.example', topics: [orders] })

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
setInterval(show, 1_000)
connection.ready().then(show).catch(complain)

function show() {
  const { state } = connection
  if (state.type !== 'open') return
  document.getElementById('bridge').textContent = state.node
  document.getElementById('rtt').textContent = `${connection.stats().rtt.toFixed(1)} ms`
}

async function measureSdk() {
  const { body } = await fetch('/sdk/cometmq.js')
  const packed = await new Response(body.pipeThrough(new CompressionStream('gzip'))).arrayBuffer()
  document.getElementById('size').textContent = `${(packed.byteLength / 1000).toFixed(1)} kB`
}
measureSdk().catch(complain)
