// Order desk: a group of workers shares the orders of one topic; a second topic tells everybody how they are doing.
import { json, topic } from '/sdk/cometmq.js'
import { cardOf } from '/orders-card.js'
import { complain, createTopic, el, follow, open } from '/shared.js'

const topics = [
  topic('demo-orders', { codec: json, tags: ['order', 'hello'] }),
  topic('demo-orders-log', { codec: json, tags: ['step', 'hello'] }),
]
const mostAttempts = 3
const leaseSeconds = 20
const lease = `${leaseSeconds}s`
const $ = id => document.getElementById(id)

const connection = open(topics)
const orders = connection.producer('demo-orders')
const log = connection.producer('demo-orders-log')
follow(connection).catch(complain)

// ---- placing orders

const menu = [...$('what').options].map(option => option.value)
const someOf = list => list[Math.floor(Math.random() * list.length)]
const number = () => crypto.getRandomValues(new Uint32Array(1))[0].toString(36).slice(-4).padStart(4, '0')
const place = (what, cups) => orders.send({ number: number(), what, cups }, { tag: 'order' }).catch(complain)
const placeAny = () => place(someOf(menu), 1 + Math.floor(Math.random() * 6))

$('form').onsubmit = event => {
  event.preventDefault()
  place($('what').value, $('cups').valueAsNumber)
}
$('ten').onclick = () => {
  for (let count = 0; count < 10; count++) placeAny()
}
setInterval(() => $('auto').checked && !document.hidden && placeAny(), 1_000)

// ---- workers: each has a connection of its own, as if it were somewhere else

const names = ['Ada', 'Ben', 'Cleo', 'Dan', 'Eve', 'Finn', 'Gus', 'Hana', 'Ida', 'Jon']
let workers = 0

async function work() {
  const name = `${names[workers % names.length]}-${number().slice(-2)}`
  workers++
  const own = open(topics)
  // One order at a time: the next one is taken from the bridge when this one is out of hand.
  const consumer = own.consumer({
    topics: [{ topic: 'demo-orders', tags: ['order'] }],
    group: 'demo-order-desk',
    lease,
    prefetch: { messages: 1 },
  })
  const card = cardOf(name, { leaseSeconds, mostAttempts })
  $('workers').append(card.root)
  card.remove.onclick = async () => {
    card.root.remove()
    await own.close()
  }
  showReady(consumer, card).catch(complain)
  for await (const order of consumer) await handle(order, name, card)
}

async function showReady(consumer, card) {
  for await (const { type } of consumer.events()) if (type === 'assigned') card.ready()
}

/** Takes one order to its end: accepted, failed, or gone because its lease ran out. */
async function handle(order, name, card) {
  const { value, attempt } = order
  const tell = (step, why) =>
    log.send({ number: value.number, step, worker: name, attempt, why }, { tag: 'step' }).catch(complain)
  // It may have waited here for a while: the whole lease again.
  order.extend(lease)
  tell('taken')
  const decision = await decide(order, card)
  if (decision === 'lost') return tell('lost', 'the lease ran out')
  if (decision === 'accept') {
    order.ack()
    return tell('done')
  }
  if (attempt >= mostAttempts) {
    order.deadLetter(`failed ${attempt} times`)
    return tell('dead', `failed ${attempt} times, the last time at ${name}`)
  }
  order.nack({ after: '2s', reason: 'the worker said no' })
  return tell('failed', 'comes again in 2 s')
}

/** What the buttons say, or chance when the workers work by themselves; `lost` when the lease is over before. */
function decide(order, card) {
  return new Promise(resolve => {
    const begun = performance.now()
    const takes = 600 + Math.random() * 1_200
    let until = begun + leaseSeconds * 1_000
    const end = decision => {
      clearInterval(timer)
      card.rest()
      resolve(decision)
    }
    const look = () => {
      const now = performance.now()
      card.showLeft(Math.max(0, Math.ceil((until - now) / 1_000)))
      if ($('robots').checked && now - begun > takes) end(Math.random() < 0.25 ? 'fail' : 'accept')
    }
    const timer = setInterval(look, 200)
    card.take(order)
    card.accept.onclick = () => end('accept')
    card.fail.onclick = () => end('fail')
    card.more.onclick = () => {
      order.extend(lease)
      until = performance.now() + leaseSeconds * 1_000
      look()
    }
    order.signal.addEventListener('abort', () => end('lost'))
    look()
  })
}

// ---- the board: reads both topics as a broadcast, so every tab shows the same

const board = new Map()
const entryOf = key => {
  if (!board.has(key)) board.set(key, { number: key, step: 'open', attempt: 0, placedAt: 0, at: 0 })
  return board.get(key)
}

async function watch() {
  const subscriptions = [
    { topic: 'demo-orders', tags: ['order'] },
    { topic: 'demo-orders-log', tags: ['step'] },
  ]
  const since = new Date(Date.now() - 30 * 60_000)
  for await (const { topic, value, bornAt } of connection.consumer({ topics: subscriptions, mode: 'broadcast', since })) {
    const entry = entryOf(value.number)
    if (topic === 'demo-orders') Object.assign(entry, { what: value.what, cups: value.cups, placedAt: bornAt.getTime() })
    // Steps come through several queues: the latest one counts.
    else if (bornAt.getTime() >= entry.at) Object.assign(entry, value, { at: bornAt.getTime() })
    showSoon()
  }
}

let due = false
function showSoon() {
  if (due) return
  due = true
  requestAnimationFrame(() => {
    due = false
    showBoard()
  })
}

const shown = { open: 'open', taken: 'busy', failed: 'open', lost: 'open', done: 'done', dead: 'dead' }
const badges = { open: '', taken: 'accent', failed: 'warn', lost: 'warn', done: 'good', dead: 'bad' }

function showBoard() {
  const entries = [...board.values()].filter(({ what }) => what !== undefined).sort((a, b) => b.placedAt - a.placedAt)
  const count = { done: 0, busy: 0, open: 0, dead: 0 }
  for (const { step } of entries) count[shown[step]]++
  for (const [key, value] of Object.entries(count)) {
    $(key).textContent = value
    $('split').querySelector(`.${key}`).style.flexGrow = value
  }
  $('sum').textContent = entries.length
  $('no-orders').hidden = entries.length > 0
  $('orders').replaceChildren(...entries.slice(0, 60).map(rowOf))
  const dead = entries.filter(({ step }) => step === 'dead')
  $('dead-sum').textContent = dead.length
  $('no-dead').hidden = dead.length > 0
  $('dead-letters').replaceChildren(...dead.slice(0, 20).map(rowOf))
}

function rowOf({ number, what, cups, step, worker, attempt, why }) {
  const text = step === 'taken' ? `at ${worker}` : step === 'failed' ? 'will be retried' : step === 'dead' ? 'dead' : step
  const badge = el('span', { className: `badge ${badges[step]}` }, attempt > 1 ? `${text}, attempt ${attempt}` : text)
  const reason = why && step !== 'done' ? el('span', { className: 'why' }, why) : undefined
  return el('li', {}, el('code', { className: 'soft' }, number), el('span', {}, `${cups} × ${what}`), badge, reason)
}

// Nobody can subscribe to a topic that is not there yet.
Promise.all([createTopic(orders, {}), createTopic(log, {})])
  .then(() => {
    watch().catch(complain)
    work().catch(complain)
    $('add').onclick = () => work().catch(complain)
  })
  .catch(complain)
