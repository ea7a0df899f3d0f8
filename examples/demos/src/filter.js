// Filter playground: one topic, nine tags, and subscriptions side by side. The broker leaves out what a subscription did not ask for.
import { json, topic } from '/sdk/cometmq.js'
import { complain, createTopic, el, follow, open } from '/shared.js'

const colours = ['amber', 'teal', 'rose']
const shapes = ['circle', 'square', 'triangle']
const tags = colours.flatMap(colour => shapes.map(shape => `${colour}-${shape}`))
const playground = topic('demo-filter', { codec: json, tags: [...tags, 'hello'] })
const mostSubscriptions = 6
const mostShown = 60
const $ = id => document.getElementById(id)

const connection = open([playground])
const producer = connection.producer('demo-filter')
follow(connection).catch(complain)

const shapeOf = tag => el('span', { className: `shape ${tag.replace('-', ' ')}`, title: tag, ariaHidden: 'true' })

// ---- sending

let sent = 0
async function send(tag) {
  const { queue, offset } = await producer.send({ tag }, { tag })
  $('sent').textContent =
    `${++sent} sent. The last one, ${tag}, is in queue ${queue % 65_536} at place ${offset.toLocaleString()}.`
}

for (const tag of tags) {
  const button = el('button', { className: 'plain', type: 'button' }, shapeOf(tag), tag.replace('-', ' '))
  button.onclick = () => send(tag).catch(complain)
  $('send').append(button)
}
const sendAny = () => send(tags[Math.floor(Math.random() * tags.length)]).catch(complain)
setInterval(() => $('rain').checked && !document.hidden && sendAny(), 250)

// ---- subscriptions

let count = 0

/** A subscription with its choice of colours and shapes; another choice makes another consumer. */
function subscribe(chosen) {
  const name = `Subscription ${++count}`
  const expression = el('code', { className: 'expression' })
  const got = el('b', { className: 'number' }, '0')
  const tray = el('div', { className: 'tray', role: 'img', ariaLabel: 'What it got, newest first' })
  const remove = el('button', { className: 'plain slim', type: 'button', ariaLabel: `Remove ${name}` }, 'Remove')
  const head = el('div', { className: 'row between' }, el('h3', {}, name), remove)
  const part = el('section', { className: 'panel sub', ariaLabel: name }, head)
  const boxes = [...colours, ...shapes].map(value => ({
    value,
    box: el('input', { type: 'checkbox', checked: chosen.has(value) }),
  }))
  part.append(choice('Colours', boxes.slice(0, 3)), choice('Shapes', boxes.slice(3)), expression)
  part.append(tray, el('p', { className: 'small soft' }, 'Got ', got, ' messages'))
  $('subs').append(part)

  let consumer
  const begin = async () => {
    await consumer?.[Symbol.asyncDispose]()
    const wanted = new Set(boxes.filter(({ box }) => box.checked).map(({ value }) => value))
    const chosenTags = tags.filter(tag => tag.split('-').every(word => wanted.has(word)))
    expression.textContent = chosenTags.length === 0 ? 'nothing: choose a colour and a shape' : chosenTags.join(' || ')
    consumer = undefined
    part.dataset.ready = ''
    if (chosenTags.length === 0) return
    const own = connection.consumer({ topics: [{ topic: 'demo-filter', tags: chosenTags }], mode: 'broadcast' })
    consumer = own
    markReady(own, part).catch(complain)
    for await (const { value } of own) {
      got.textContent = Number(got.textContent) + 1
      tray.prepend(shapeOf(value.tag))
      if (tray.childElementCount > mostShown) tray.lastElementChild.remove()
    }
  }
  for (const { box } of boxes) box.onchange = () => begin().catch(complain)
  remove.onclick = () => {
    part.remove()
    consumer?.[Symbol.asyncDispose]()
    showLimit()
  }
  begin().catch(complain)
  showLimit()
}

/** From `assigned` on it gets what is sent. */
async function markReady(consumer, part) {
  for await (const { type } of consumer.events()) if (type === 'assigned') part.dataset.ready = 'yes'
}

const choice = (legend, boxes) =>
  el(
    'fieldset',
    {},
    el('legend', {}, legend),
    ...boxes.map(({ value, box }) =>
      el('label', { className: `check swatch ${value}` }, box, el('span', { className: 'word' }, value)),
    ),
  )

const showLimit = () => ($('add').disabled = $('subs').childElementCount >= mostSubscriptions)

// Nobody can subscribe to a topic that is not there yet.
createTopic(producer, {})
  .then(() => {
    subscribe(new Set([...colours, ...shapes]))
    subscribe(new Set([...colours, 'circle']))
    subscribe(new Set(['rose', ...shapes]))
    $('add').onclick = () => subscribe(new Set(['teal', 'amber', 'square', 'triangle']))
  })
  .catch(complain)
