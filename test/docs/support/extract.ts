import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../..', import.meta.url))

/**
 * One program of a document. In Markdown, a fence says after its language: `run=KIND`: the program, for that runtime; `part`: the beginning of the
 * next program; `file=NAME`: another file of the next program, or the name of this one. A `text` fence after a program or a part is what it prints,
 * and `…` in it stands for anything.
 */
export interface Sample {
  readonly name: string
  readonly run: string
  readonly language: string
  readonly code: string
  /** Name → content, without the program itself. */
  readonly files: ReadonlyMap<string, string>
  /** Of the program. */
  readonly file: string
  readonly prints: readonly string[]
}

export interface Fence {
  readonly language: string
  readonly words: ReadonlyMap<string, string>
  readonly code: string
  /** From 1. */
  readonly line: number
}

export const read = (doc: string): string => readFileSync(join(root, doc), 'utf8')

/** README and everything under docs, from the top folder. */
export function documents(): string[] {
  const found = ['README.md', 'CONTRIBUTING.md']
  for (const entry of readdirSync(join(root, 'docs'), { withFileTypes: true, recursive: true }))
    if (entry.isFile() && entry.name.endsWith('.md')) found.push(join(entry.parentPath, entry.name).slice(root.length))
  return found.sort()
}

export function fencesOf(text: string): Fence[] {
  return [...text.matchAll(/^```(\w+)([^\n]*)\n([\s\S]*?)^```$/gm)].map(match => {
    const words = match[2]!.trim().split(/\s+/).filter(Boolean)
    return {
      language: match[1]!,
      words: new Map(words.map(word => [word.split('=')[0]!, word.split('=')[1] ?? ''])),
      code: match[3]!,
      line: text.slice(0, match.index).split('\n').length,
    }
  })
}

export function samplesOf(doc: string): Sample[] {
  const samples: (Sample & { prints: string[] })[] = []
  let files = new Map<string, string>()
  let parts = ''
  let prints: string[] = []
  for (const { language, words, code, line } of fencesOf(read(doc))) {
    const run = words.get('run')
    const file = words.get('file')
    if (run !== undefined) {
      const name = `${doc}:${line}`
      samples.push({ name, run, language, code: parts + code, files, file: file ?? `sample.${language}`, prints })
      files = new Map()
      parts = ''
      prints = []
    } else if (words.has('part')) parts += `${code}\n`
    else if (file !== undefined) files.set(file, code)
    else if (language === 'text') (parts === '' ? samples.at(-1)?.prints : prints)?.push(...code.split('\n').filter(Boolean))
  }
  return samples
}

/** Lines of the shell blocks of a document. */
export const shellLines = (doc: string): string[] =>
  fencesOf(read(doc))
    .filter(({ language }) => language === 'sh')
    .flatMap(({ code }) => code.split('\n'))
    .map(line => line.replace(/^npm start -- /, 'comet serve ').replace(/^npx comet /, 'comet '))
    .filter(line => line !== '')

/** What is expected and not there, in this order. */
export function missingFrom(output: string, prints: readonly string[]): string[] {
  const lines = output.split('\n').map(line => line.trimEnd())
  let from = 0
  return prints.filter(expected => {
    const found = lines.findIndex((line, at) => at >= from && patternOf(expected).test(line))
    if (found >= 0) from = found + 1
    return found < 0
  })
}

const patternOf = (text: string): RegExp =>
  new RegExp(
    `^${text
      .trimEnd()
      .split('…')
      .map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')}$`,
  )
