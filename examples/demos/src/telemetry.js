// Telemetry wall: thousands of small binary messages a second, drawn once per frame, with the flow control to be seen.
import { bytes, topic } from '/sdk/cometmq.js'
import { complain, createTopic, follow, open } from '/shared.js'
import { createWall } from '/telemetry-wall.js'

const telemetry = topic('demo-telemetry', { codec: bytes, tags: ['reading', 'hello'] })
const sensors = 24
const $ = id => document.getElementById(id)

// One connection reads. Two send: a bridge takes 1 MiB a second from each, and at 20,000 readings it is more than that.
const reader = open([telemetry])
const senders = [open([telemetry]), open([telemetry])].map(connection => connection.producer('demo-telemetry'))
follow(reader).catch(complain)

// ---- sending: 16 bytes a reading: number of the sensor, value, time

const mostInFlight = 4_000
const phases = Array.from({ length: sensors }, () => Math.random() * 7)
const total = { received: 0, stored: 0, held: 0, dropped: 0, gaps: 0 }
let inFlight = 0
let debt = 0
let tickedAt = performance.now()

function reading(sensor, now) {
  const t = now / 1_000
  const wave = Math.sin(t * (0.35 + sensor * 0.045) + phases[sensor]) * 0.55 + Math.sin(t * 2.3 + sensor) * 0.15
  const value = new DataView(new ArrayBuffer(16))
  value.setUint32(0, sensor)
  value.setFloat32(4, wave + (Math.random() - 0.5) * 0.16)
  value.setFloat64(8, now)
  return { value: new Uint8Array(value.buffer), tag: 'reading' }
}

/** What is due since the last tick. When receipts do not come as fast, readings are held back: they would only wait here. */
function tick() {
  const now = performance.now()
  debt += document.hidden ? 0 : ($('rate').valueAsNumber * Math.min(now - tickedAt, 250)) / 1_000
  tickedAt = now
  const due = Math.floor(debt)
  const count = Math.min(due, mostInFlight - inFlight)
  debt -= due
  total.held += due - count
  const time = performance.timeOrigin + now
  senders.forEach((producer, index) => {
    const share = Math.floor(count / senders.length) + (index < count % senders.length ? 1 : 0)
    if (share > 0)
      send(
        producer,
        Array.from({ length: share }, () => reading(Math.floor(Math.random() * sensors), time)),
      )
  })
}

async function send(producer, items) {
  inFlight += items.length
  const results = await producer.sendBatch(items)
  inFlight -= items.length
  const failed = results.filter(result => result instanceof Error)
  total.stored += results.length - failed.length
  if (failed.length > 0) complain(failed[0])
}

$('rate').oninput = () => ($('rate-out').textContent = $('rate').valueAsNumber.toLocaleString())

// ---- reading: at most 2,048 messages wait here; the bridge keeps the newest for a reader that is slow

const wall = createWall($('wall'), sensors)
const prefetch = { messages: 2_048 }
let frozen = false

async function read() {
  const subscription = { topic: 'demo-telemetry', tags: ['reading'] }
  const consumer = reader.consumer({ topics: [subscription], mode: 'broadcast', onSlow: 'drop-oldest', prefetch })
  $('freeze').onclick = () => freeze(consumer)
  countGaps(consumer).catch(complain)
  setInterval(() => showLag(consumer).catch(() => undefined), 1_000)
  for await (const { messages } of consumer.batches({ max: 512 })) {
    total.received += messages.length
    const now = performance.timeOrigin + performance.now()
    for (const { raw } of messages) {
      const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
      const time = view.getFloat64(8)
      wall.add(view.getUint32(0) % sensors, view.getFloat32(4), time)
      delays[delayAt++ % delays.length] = now - time
    }
  }
}

async function countGaps(consumer) {
  for await (const event of consumer.events()) {
    if (event.type !== 'gap') continue
    total.gaps++
    total.dropped += event.to - event.from
  }
}

function freeze(consumer) {
  frozen = !frozen
  if (frozen) consumer.pause()
  else consumer.resume()
  $('freeze').setAttribute('aria-pressed', String(frozen))
  $('freeze').textContent = frozen ? 'Go on reading' : 'Freeze the reader'
}

async function showLag(consumer) {
  $('lag').textContent = (await consumer.lag()).messages.toLocaleString()
}

// ---- gauges, twice a second

const delays = new Float64Array(1_024)
let delayAt = 0
let frames = 0
let last = { at: performance.now(), received: 0, stored: 0, bytes: 0 }

function showGauges() {
  const at = performance.now()
  const perSecond = difference => Math.round((difference * 1_000) / (at - last.at))
  const { bytes: bytesIn } = reader.stats().in
  const texts = {
    read: perSecond(total.received - last.received),
    stored: perSecond(total.stored - last.stored),
    fps: perSecond(frames),
    bytes: Math.round(perSecond(bytesIn - last.bytes) / 1_000),
    held: total.held,
    dropped: total.dropped,
    gaps: total.gaps,
  }
  for (const [id, value] of Object.entries(texts)) $(id).textContent = value.toLocaleString()
  const some = delays.slice(0, Math.min(delayAt, delays.length)).sort()
  if (some.length > 0) $('delay').textContent = `${some[some.length >> 1].toFixed(0)} ms`
  last = { at, received: total.received, stored: total.stored, bytes: bytesIn }
  frames = 0
}

/** What changes within a frame is shown within a frame: windows and buffers. */
function showFlow() {
  const room = senders.reduce((sum, { window }) => sum + window.messages, 0)
  const { buffered } = reader.stats()
  bar('window', room, room < 64)
  bar('buffered', buffered, buffered > 1_500)
}

function bar(id, value, isLow) {
  $(id).textContent = value.toLocaleString()
  $(`${id}-bar`).value = value
  $(`${id}-bar`).className = isLow ? 'low' : ''
}

function frame() {
  frames++
  wall.draw(performance.timeOrigin + performance.now(), frozen)
  if (frames % 6 === 0) showFlow()
  requestAnimationFrame(frame)
}

// Nobody can subscribe to a topic that is not there yet.
createTopic(senders[0], new Uint8Array(16))
  .then(() => {
    read().catch(complain)
    setInterval(tick, 20)
    setInterval(showGauges, 500)
    requestAnimationFrame(frame)
  })
  .catch(complain)
