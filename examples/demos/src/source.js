// Shows one of the demos' own files, with line numbers.
import { highlight } from '/highlight.js'

const demos = ['chat', 'orders', 'telemetry', 'filter']
const common = ['shared.js', 'style.css']
const all = [
  ...demos.flatMap(demo => [`${demo}.js`, `${demo}.html`]),
  ...['orders-card.js', 'telemetry-wall.js'],
  ...common,
  ...['index.js', 'index.html', 'highlight.js', 'source.js'],
]

const asked = new URLSearchParams(location.search).get('file')
// Nothing but these: the address comes from anywhere.
const file = all.includes(asked) ? asked : 'shared.js'
const demo = demos.find(name => file.startsWith(name))

document.title = `${file} · CometMQ`
document.getElementById('title').textContent = file
const back = document.getElementById('back')
back.href = demo ? `/${demo}.html` : '/'
back.textContent = demo ? 'To the demo' : 'To the start page'

const siblings = demo ? all.filter(name => name.startsWith(demo) || common.includes(name)) : all
document.getElementById('tabs').append(
  ...siblings.map(name => {
    const link = Object.assign(document.createElement('a'), { href: `/source.html?file=${name}`, textContent: name })
    if (name === file) link.setAttribute('aria-current', 'page')
    return link
  }),
)

const answer = await fetch(`/${file}`)
highlight(document.getElementById('code'), answer.ok ? await answer.text() : `There is no ${file} here.`, true)
