// Chat room: one broadcast topic. Every tab sends to it and reads it from where it likes.
import { json, topic } from '/sdk/cometmq.js'
import { complain, el, follow, open } from '/shared.js'

const room = topic('demo-chat', { codec: json, tags: ['line', 'join'] })
const $ = id => document.getElementById(id)

const connection = open([room])
const producer = connection.producer('demo-chat')
follow(connection).catch(complain)

// ---- who you are

const stars = ['Vega', 'Rigel', 'Altair', 'Mira', 'Capella', 'Deneb', 'Spica', 'Atria']
const name = $('name')
name.value = localStorage.getItem('name') ?? stars[Math.floor(Math.random() * stars.length)]
name.onchange = () => {
  name.value = name.value.trim() || stars[0]
  localStorage.setItem('name', name.value)
}

// ---- sending: a line is shown at once, marked as waiting until the broker has given a receipt

let waiting = 0
const me = crypto.getRandomValues(new Uint32Array(1))[0].toString(36)
let written = 0

$('say').onsubmit = event => {
  event.preventDefault()
  const text = $('text').value.trim()
  $('text').value = ''
  if (text !== '') say({ ref: `${me}-${++written}`, from: name.value, text }).catch(complain)
}

async function say(line) {
  const row = showLine(line, new Date())
  row.classList.add('waiting', 'mine')
  row.mark.textContent = 'waiting'
  $('waiting').textContent = ++waiting
  try {
    const { queue, offset } = await producer.send(line, { tag: 'line' })
    row.mark.textContent = ''
    $('receipt').textContent = `Receipt of your last line: queue ${queue % 65_536}, place ${offset.toLocaleString()}.`
  } catch (error) {
    row.classList.add('failed')
    row.mark.textContent = error.outcome === 'not-executed' ? 'not sent' : 'perhaps not sent'
    throw error
  } finally {
    row.classList.remove('waiting')
    $('waiting').textContent = --waiting
  }
}

// ---- reading

const beginnings = { last: () => readLast(20), earliest: () => read('earliest'), latest: () => read('latest') }
const read = (since, cursor) => connection.consumer({ topics: ['demo-chat'], mode: 'broadcast', since, cursor })

/** A consumer that begins `count` messages before the end: looks where the ends are, and goes back from there. */
async function readLast(count) {
  const probe = read('latest')
  for await (const event of probe.events()) if (event.type === 'assigned') break
  const cursor = probe.cursor().map(([topic, broker, queue, next]) => [topic, broker, queue, Math.max(0, next - count)])
  await probe[Symbol.asyncDispose]()
  return read('resume', cursor)
}

let consumer
async function begin(beginning) {
  const next = await beginnings[beginning]()
  await consumer?.[Symbol.asyncDispose]()
  consumer = next
  most = beginning === 'last' ? 20 : 500
  clear()
  for await (const { value, tag, bornAt } of next) {
    if (tag === 'line') showLine(value, bornAt)
    else if (tag === 'join') insert(el('li', { className: 'joined' }, `${value.from} is here`), bornAt)
  }
}

$('since').onchange = event => begin(event.target.value).catch(complain)

// Says who came; after half a minute that is of no interest. It also makes the topic, should there be none yet.
producer
  .send({ from: name.value }, { tag: 'join', expires: '30s' })
  .then(() => begin($('since').value))
  .catch(complain)

// ---- showing: in order of time, whatever queue a line came from

const list = $('lines')
const lines = new Map()
let most = 20

function clear() {
  list.replaceChildren(el('li', { className: 'empty', id: 'nothing' }, 'Nothing here yet. Say hello.'))
  lines.clear()
  $('count').textContent = 0
}

/** Your own line comes back from the broker: then it takes the place and the time it has there. */
function showLine({ ref, from, text }, at) {
  const row = lines.get(ref) ?? lineOf(from, text)
  lines.set(ref, row)
  row.ref = ref
  row.time.dateTime = at.toISOString()
  row.time.textContent = at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
  insert(row, at)
  $('count').textContent = lines.size
  if (lines.size > most) {
    const oldest = list.querySelector('.line')
    lines.delete(oldest.ref)
    oldest.remove()
    $('count').textContent = lines.size
  }
  return row
}

function lineOf(from, text) {
  const face = el('span', { className: 'face', ariaHidden: 'true' }, from.slice(0, 1).toUpperCase())
  face.style.setProperty('--face', `hsl(${hueOf(from)} 48% 42%)`)
  const time = el('time')
  const mark = el('span', { className: 'mark' })
  const who = el('span', { className: 'who' }, el('b', {}, from), time, mark)
  const row = el('li', { className: 'line is-new' }, face, el('div', {}, who, el('div', { className: 'said' }, text)))
  return Object.assign(row, { time, mark })
}

const hueOf = text => [...text].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7)

function insert(row, at) {
  $('nothing')?.remove()
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80
  const midnight = new Date(at).setHours(0, 0, 0, 0)
  if (!list.querySelector(`[data-day="${midnight}"]`)) {
    const day = new Date(midnight).toLocaleDateString([], { weekday: 'long', day: 'numeric', month: 'long' })
    const separator = el('li', { className: 'day' }, day)
    separator.dataset.day = midnight
    place(separator, midnight)
  }
  place(row, at.getTime())
  if (atEnd) list.scrollTop = list.scrollHeight
}

/** From the end: that is where most belong. */
function place(row, at) {
  row.at = at
  let before = list.lastElementChild
  while (before && (before === row || before.at > at)) before = before.previousElementSibling
  if (before?.nextElementSibling !== row || !row.isConnected)
    list.insertBefore(row, before ? before.nextSibling : list.firstChild)
}

clear()
