// What all demos share: the connection, what is shown of it, errors in plain words, and a cable to pull.
import { BridgeError, connect } from '/sdk/cometmq.js'
import { hintOf } from '/sdk/hints.js'

const $ = id => document.getElementById(id)

/** An element: el('p', { className: 'soft' }, 'text', child). Text stays text, so nothing a message holds becomes HTML. */
export function el(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties)
  element.append(...children.filter(child => child !== undefined))
  return element
}

// ---- the token: not needed on your own machine. Given as #token=… or pasted, kept for this tab only

const given = new URLSearchParams(location.hash.slice(1)).get('token')
if (given !== null) {
  sessionStorage.setItem('token', given)
  history.replaceState(null, '', location.pathname + location.search)
}
const token = sessionStorage.getItem('token')

// ---- the cable: pulled, sockets end and new ones do not come about, as without a network

const sockets = new Set()
let pulled = false

function CabledSocket(url, protocol) {
  if (pulled) return deadSocket()
  const socket = new WebSocket(url, protocol)
  sockets.add(socket)
  socket.addEventListener('close', () => sockets.delete(socket))
  return socket
}

function deadSocket() {
  const socket = { readyState: 3, bufferedAmount: 0, send() {}, close: () => end() }
  const end = () => socket.onclose?.({ code: 1006, reason: 'the cable is pulled' })
  setTimeout(end, 20)
  return socket
}

function pull(button) {
  pulled = !pulled
  button.setAttribute('aria-pressed', String(pulled))
  button.textContent = pulled ? 'Plug in' : 'Unplug'
  if (pulled) for (const socket of sockets) socket.close()
  // What a browser says when its network is back: attempts do not wait any longer.
  else dispatchEvent(new Event('online'))
}

// ---- the connection

/** A connection to the bridge that serves this page. Several share one token and one cable. */
export function open(topics, options = {}) {
  const connection = connect({
    url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`,
    topics,
    WebSocket: CabledSocket,
    backoff: { max: '4s' },
    ...options,
    ...(token === null ? {} : { auth: ({ reason }) => (reason === 'rejected' ? forgetToken() : token) }),
  })
  // A page that is left says good-bye: what it has in hand is free for others at once.
  addEventListener('pagehide', () => connection.close())
  return connection
}
addEventListener('pageshow', ({ persisted }) => persisted && location.reload())

function forgetToken() {
  sessionStorage.removeItem('token')
  throw new BridgeError(40193, 'the bridge does not take this token')
}

/** Shows the states of a connection in the header, and in a banner while it is not open. */
export async function follow(connection) {
  const cable = $('cable')
  if (cable) cable.onclick = () => pull(cable)
  let wasOpen = false
  let lost = false
  for await (const state of connection.states()) {
    const { type } = state
    document.documentElement.dataset.state = type
    $('state').textContent = words[type]
    if (type === 'open') {
      if (lost) banner(backAgain(state.resumed), 'good', 4_000)
      wasOpen = true
      lost = false
    } else if (type === 'closed') closed(state.error)
    else if (type === 'moving') banner('This node is leaving; moving to another.', 'warn', 4_000)
    else if (type === 'connecting' && (wasOpen || state.attempt > 1)) {
      lost = true
      banner(waiting(state), 'warn')
    }
  }
}

const words = {
  idle: 'idle',
  connecting: 'connecting',
  open: 'connected',
  moving: 'moving',
  draining: 'leaving',
  closed: 'closed',
}

const waiting = ({ retryAt }) => {
  const seconds = retryAt === undefined ? 0 : Math.max(0, retryAt - Date.now()) / 1000
  const next = seconds < 0.1 ? 'now' : `in ${seconds.toFixed(1)} s`
  return `No connection; next attempt ${next}. What you send waits until it is back.`
}

const backAgain = resumed =>
  resumed === false
    ? 'Connected again with a new session: the old one was too long ago.'
    : `Connected again (${resumed} resume): nothing was lost.`

let bannerTimer
let isOver = false
function banner(text, kind = 'warn', ms = 0, ...more) {
  clearTimeout(bannerTimer)
  const place = $('banner')
  place.className = kind
  place.hidden = text === undefined
  place.replaceChildren(...(text === undefined ? [] : [el('p', {}, text), ...more]))
  if (ms > 0) bannerTimer = setTimeout(() => banner(), ms)
}

/** The end of a connection. Without a token that is good there is a field for one. */
function closed(error) {
  isOver = true
  if (error === undefined) return banner('The connection was closed. Reload the page to go on.', 'warn')
  if (error.status < 40190 || error.status > 40193) return banner(inWords(error), 'bad')
  const field = el('input', { type: 'password', name: 'token', required: true, autocomplete: 'off', placeholder: 'token' })
  field.setAttribute('aria-label', 'Token')
  const form = el('form', { className: 'row' }, field, el('button', {}, 'Connect'))
  form.onsubmit = event => {
    event.preventDefault()
    sessionStorage.setItem('token', field.value.trim())
    location.reload()
  }
  return banner(inWords(error), 'warn', 0, form)
}

// ---- errors

/** What happened, and what to do about it. */
export function inWords(error) {
  if (!BridgeError.is(error)) return `${error?.message ?? error}`
  const text = error.message.replace(/\.?$/, '.')
  return `${text.charAt(0).toUpperCase()}${text.slice(1)} ${error.hint ?? hintOf(error.status) ?? ''}`.trim()
}

/** Shows an error for a while. For `promise.catch(complain)`. */
export function complain(error) {
  // Everything fails then; the reason is shown already.
  if (isOver) return
  const docs = BridgeError.is(error) && el('a', { href: `/docs/errors.html#${error.status}` }, error.code)
  banner(inWords(error), 'bad', 12_000, ...(docs ? [docs] : []))
}

/**
 * Makes sure that a topic is there: a broker makes it with its first message, and nobody can subscribe before. The message has the tag
 * `hello`, which no demo subscribes to, and is outdated at once.
 */
export async function createTopic(producer, value) {
  await producer.send(value, { tag: 'hello', expires: '10s' })
}
