// The card of a worker on the order desk.
import { el } from '/shared.js'

/** Shows a worker: what it has in hand, how long its lease lasts, and its buttons. */
export function cardOf(name, { leaseSeconds, mostAttempts }) {
  const button = (className, text) => el('button', { className: `slim ${className}`, type: 'button', disabled: true }, text)
  const [accept, fail, more] = [button('', 'Accept'), button('no', 'Fail'), button('plain', 'More time')]
  const remove = el('button', { className: 'plain slim', type: 'button', ariaLabel: `Remove worker ${name}` }, 'Remove')
  const badge = el('span', { className: 'badge' }, 'coming')
  const job = el('p', { className: 'job soft' }, 'Going to work')
  const left = el('progress', { max: leaseSeconds, value: 0, ariaLabel: 'Time left of the lease' })
  const clock = el('span', { className: 'soft small' })
  const head = el('div', { className: 'row between' }, el('h3', {}, name, ' ', badge), remove)
  const buttons = el('div', { className: 'row between' }, el('div', { className: 'row' }, accept, fail, more), clock)
  const root = el('article', { className: 'worker', ariaLabel: `Worker ${name}` }, head, job, left, buttons)
  const setBusy = busy => {
    root.classList.toggle('busy', busy)
    for (const each of [accept, fail, more]) each.disabled = !busy
  }
  return {
    ...{ root, remove, accept, fail, more },
    ready() {
      root.classList.add('ready')
      if (!root.classList.contains('busy')) this.rest()
    },
    showLeft(seconds) {
      left.value = seconds
      left.className = seconds <= 5 ? 'low' : ''
      clock.textContent = `${seconds} s left`
    },
    take({ value, attempt }) {
      setBusy(true)
      badge.className = attempt > 1 ? 'badge warn' : 'badge accent'
      badge.textContent = `attempt ${attempt} of ${mostAttempts}`
      job.className = 'job'
      job.replaceChildren(
        el('b', {}, `${value.cups} × ${value.what}`),
        el('span', { className: 'soft' }, `  no. ${value.number}`),
      )
    },
    rest() {
      setBusy(false)
      badge.className = 'badge'
      badge.textContent = 'idle'
      job.className = 'job soft'
      job.textContent = 'Waiting for an order'
      left.value = 0
      clock.textContent = ''
    },
  }
}
