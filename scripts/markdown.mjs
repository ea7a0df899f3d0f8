// As much of Markdown as docs/*.md use: headings, paragraphs, lists, tables, code, links.

const escape = text => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;')
const idOf = text =>
  text
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replace(/ /g, '-')

/** Links to other documents go to their pages; what is elsewhere in the repository is not there to be linked. */
function link(text, target) {
  const [, name, anchor = ''] = /^([\w-]+)\.md(#.*)?$/.exec(target) ?? []
  if (name) return `<a href="${name}.html${anchor}">${text}</a>`
  return /^(https?:|#)/.test(target) ? `<a href="${target}">${text}</a>` : text
}

function inline(text) {
  const code = []
  const kept = text.replace(/(`+)(.+?)\1/g, (_, __, inner) => `\0${code.push(escape(inner.replace(/\\\|/g, '|').trim())) - 1}\0`)
  return escape(kept)
    .replace(/&lt;br&gt;/g, '<br>')
    .replace(/\\([|_*])/g, '$1')
    .replace(/\[([^\]]+)\]\(([^)\s]+)\)/g, (_, label, target) => link(label, target))
    .replace(/\*\*(.+?)\*\*/g, '<strong>$1</strong>')
    .replace(/(^|\W)\*(\S.*?)\*(?=\W|$)/g, '$1<em>$2</em>')
    .replace(/\0(\d+)\0/g, (_, index) => `<code>${code[index]}</code>`)
}

const cellsOf = row =>
  row
    .trim()
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/)
    .map(cell => cell.trim())

function table(rows) {
  const [head, , ...body] = rows.map(cellsOf)
  const line = (cells, tag) => `<tr>${cells.map(cell => `<${tag}>${inline(cell)}</${tag}>`).join('')}</tr>`
  // A row whose first cell is a number can be linked to: errors.html#40402.
  const named = cells => line(cells, 'td').replace('<tr>', /^\d{5}$/.test(cells[0]) ? `<tr id="${cells[0]}">` : '<tr>')
  return `<div class="wide" tabindex="0" role="region" aria-label="Table"><table><thead>${line(head, 'th')}</thead><tbody>${body.map(named).join('')}</tbody></table></div>`
}

const code = lines => `<pre class="wide" tabindex="0"><code>${escape(lines.join('\n').replace(/^\n+|\s+$/g, ''))}</code></pre>`

function heading(line) {
  const [, marks, text] = /^(#+) (.*)$/.exec(line)
  return `<h${marks.length} id="${idOf(text)}">${inline(text)}</h${marks.length}>`
}

function list(lines) {
  const tag = /^\d/.test(lines[0]) ? 'ol' : 'ul'
  const items = []
  for (const line of lines) {
    const [, , item] = /^([-*]|\d+\.) +(.*)$/.exec(line) ?? []
    if (item === undefined) items[items.length - 1] += ` ${line.trim().replace(/^- /, '• ')}`
    else items.push(item)
  }
  return `<${tag}>${items.map(item => `<li>${inline(item)}</li>`).join('')}</${tag}>`
}

/** Each sort of block: how a line of it begins, which lines go on with it, and what becomes of them. */
const blocks = [
  { begins: /^#+ /, goesOn: () => false, html: ([line]) => heading(line) },
  { begins: /^\|/, goesOn: line => /^\|/.test(line), html: table },
  { begins: /^( {4}|\t)/, goesOn: line => /^( {4}|\t|$)/.test(line), html: lines => code(lines.map(line => line.slice(4))) },
  { begins: /^([-*]|\d+\.) /, goesOn: line => /^([-*]|\d+\.| +)/.test(line) && line.trim() !== '', html: list },
  { begins: /^<!--/, goesOn: () => false, html: () => '' },
  {
    begins: /^/,
    goesOn: line => line.trim() !== '' && !/^(#+ |\||```|<!--|[-*] |\d+\. )/.test(line),
    html: lines => `<p>${inline(lines.join(' '))}</p>`,
  },
]

/** @returns {{ title: string, html: string }} `title`: the first heading. */
export function htmlOf(markdown) {
  const lines = markdown.split('\n')
  const parts = []
  let at = 0
  while (at < lines.length) {
    if (lines[at].trim() === '') at++
    else if (lines[at].startsWith('```')) {
      const end = lines.indexOf('```', at + 1)
      parts.push(code(lines.slice(at + 1, end)))
      at = end + 1
    } else {
      const { goesOn, html } = blocks.find(({ begins }) => begins.test(lines[at]))
      let end = at + 1
      while (end < lines.length && goesOn(lines[end])) end++
      parts.push(html(lines.slice(at, end)))
      at = end
    }
  }
  const title = escape(/^# (.*)$/m.exec(markdown)?.[1].replace(/[`*]/g, '') ?? 'Documentation')
  return { title, html: parts.filter(Boolean).join('\n') }
}
