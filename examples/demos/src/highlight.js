// Source in colours: comments, strings, words of the language, numbers. Everything stays text; nothing becomes HTML.

const words =
  'async|await|break|case|catch|class|const|constructor|continue|default|delete|else|export|extends|false|finally|for|from|function|' +
  'get|if|import|in|instanceof|let|new|null|of|return|set|static|super|switch|this|throw|true|try|typeof|undefined|void|while|yield'

const tokens = new RegExp(
  [
    String.raw`(?<comment>\/\/[^\n]*|\/\*[\s\S]*?\*\/|<!--[\s\S]*?-->)`,
    String.raw`(?<string>'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|${'`'}(?:\\.|[^${'`'}\\])*${'`'})`,
    String.raw`(?<word>(?<![\w.$-])(?:${words})(?![\w$-]))`,
    String.raw`(?<count>(?<![\w.$#-])\d[\d_]*(?:\.\d+)?)`,
  ].join('|'),
  'g',
)

/** Fills an element with the text, each line in an element of its own when `numbered`. */
export function highlight(element, text, numbered) {
  const lines = [[]]
  const add = (part, kind) => {
    part.split('\n').forEach((piece, index) => {
      if (index > 0) lines.push([])
      if (piece !== '') lines.at(-1).push(kind ? span(kind, piece) : piece)
    })
  }
  let at = 0
  for (const match of text.matchAll(tokens)) {
    add(text.slice(at, match.index))
    add(
      match[0],
      Object.keys(match.groups).find(kind => match.groups[kind] !== undefined),
    )
    at = match.index + match[0].length
  }
  add(text.slice(at))
  if (lines.at(-1).length === 0) lines.pop()
  element.replaceChildren(...lines.flatMap(line => (numbered ? [span('l', ...line)] : [...line, '\n'])))
}

function span(className, ...content) {
  const element = document.createElement('span')
  element.className = className
  element.append(...content)
  return element
}
